"""Amanuensis beside other Whisper engines: the same work, on the same machine, in the same run. See ../README.md."""
