"""The sounds that are sent: the samples of the repository, and what can be made of them."""

import io
import json
import math
import struct
import wave
from dataclasses import dataclass

from target import REPOSITORY

SAMPLES = REPOSITORY / "samples"
TEXTS = {entry["file"]: entry for entry in map(json.loads, (SAMPLES / "manifest.jsonl").read_text("utf-8").splitlines())}


@dataclass(frozen=True)
class Sound:
    name: str
    data: bytes
    content_type: str = "application/octet-stream"
    seconds: float | None = None

    def named(self, name):
        return Sound(name, self.data, self.content_type, self.seconds)


def sample(name):
    data = (SAMPLES / name).read_bytes()
    return Sound(name, data, seconds=wav_seconds(data) if name.endswith(".wav") else None)


def wav_seconds(data):
    with wave.open(io.BytesIO(data)) as sound:
        return sound.getnframes() / sound.getframerate()


def wav(samples, rate=16000, channels=1, name="made.wav"):
    """A WAV file of 16-bit samples; those of several channels stand in turn."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples)
    return Sound(name, buffer.getvalue(), "audio/wav", len(samples) / 2 / channels / rate)


def tone(seconds, rate=16000, channels=1):
    one = (int(8000 * math.sin(2 * math.pi * 440 * index / rate)) for index in range(int(seconds * rate)))
    return wav(b"".join(struct.pack("<h", value) * channels for value in one), rate, channels, "tone.wav")


def repeated(name, seconds):
    """A sample said again and again, with half a second between, until it lasts at least so long."""
    data = raw_samples(name) + bytes(16000)
    return wav(data * math.ceil(seconds / (len(data) / 32000)), name="long.wav")


def raw_samples(name):
    with wave.open(str(SAMPLES / name)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16000, 1, 2)
        return sound.readframes(sound.getnframes())
