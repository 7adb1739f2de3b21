"""The keys of the second server. This is the one place that knows what a file of keys looks like.

`python keys.py FOLDER` writes FOLDER/keys.toml for the server, and FOLDER/keys.json for the checks, with the keys in the clear.
"""

import hashlib
import json
import os
import secrets
import sys
from pathlib import Path

SCOPES = ["transcribe", "jobs", "status", "metrics", "admin"]

# Which keys there are, and what each may do.
KEYS = {"everything": SCOPES} | {f"only-{scope}": [scope] for scope in SCOPES}


def toml(keys):
    """A key is stored as its hash, so that the file gives none away."""
    lines = []
    for name, key in keys.items():
        scopes = ", ".join(f'"{scope}"' for scope in KEYS[name])
        lines += ["[[key]]", f'name = "{name}"', f'sha256 = "{hashlib.sha256(key.encode()).hexdigest()}"', f"scopes = [{scopes}]", ""]
    return "\n".join(lines)


def write(folder):
    keys = {name: f"sk-{secrets.token_hex(24)}" for name in KEYS}
    # Programs refuse key files that others may read.
    for name, text in [("keys.toml", toml(keys)), ("keys.json", json.dumps(keys))]:
        path = Path(folder) / name
        path.touch(mode=0o600)
        path.write_text(text)


def read():
    """The keys in the clear by name, None if no server with keys was started."""
    path = os.environ.get("CONFORMANCE_KEYS")
    return json.loads(Path(path).read_text()) if path else None


if __name__ == "__main__":
    write(sys.argv[1])
