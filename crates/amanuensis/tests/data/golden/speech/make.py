"""Writes the golden files beside it: what faster-whisper makes of probabilities of speech, and of sound.

    python make.py spans                      # spans.json: its get_speech_timestamps on made-up probabilities
    python make.py silero AUDIO_FILE...       # silero.json: its Silero model, run by onnxruntime, on recordings

faster-whisper 1.2.1 with onnxruntime 1.31.1 made the files here. A probability is stored as its numerator over 64, so
that it is the same number everywhere, and thresholds are met exactly now and then.
"""

import importlib.metadata
import json
import math
import pathlib
import random
import sys
import wave

import numpy as np
from faster_whisper import vad

HERE = pathlib.Path(__file__).resolve().parent
FRAME = 512


def probabilities(chance, frames):
    """Speech and pauses of random length, with noise: numerators over 64."""
    values, level = [], 0.0
    while len(values) < frames:
        level = chance.choice([0.02, 0.3, 0.45, 0.6, 0.95])
        for _ in range(chance.choice([1, 2, 3, 4, 5, 8, 20, 60])):
            values.append(min(64, max(0, round(64 * (level + chance.uniform(-0.2, 0.2))))))
    return values[:frames]


def spans():
    chance = random.Random(20251120)
    cases = []
    for _ in range(160):
        frames = chance.choice([1, 2, 7, 60, 200, 400])
        samples = (frames - 1) * FRAME + chance.choice([0, 0, 1, 100, 511])
        options = {
            "threshold": chance.choice([0.5, 0.5, 0.25, 0.75]),
            "neg_threshold": chance.choice([None, None, 0.125, 0.5]),
            "min_speech_duration_ms": chance.choice([0, 0, 100, 250, 1000]),
            "max_speech_duration_s": chance.choice([math.inf, math.inf, 0.05, 0.5, 1.0, 2.0, 5.0]),
            "min_silence_duration_ms": chance.choice([0, 50, 100, 160, 500, 2000]),
            "speech_pad_ms": chance.choice([0, 30, 30, 100, 400]),
        }
        values = probabilities(chance, frames)
        vad.get_vad_model = lambda: lambda sound: np.array(values, dtype=np.float32) / np.float32(64)
        found = vad.get_speech_timestamps(np.zeros(samples, dtype=np.float32), vad.VadOptions(**options))
        if math.isinf(options["max_speech_duration_s"]):
            options["max_speech_duration_s"] = None
        cases.append({"samples": samples, "options": options, "probabilities": values,
                      "spans": [[int(span["start"]), int(span["end"])] for span in found]})
    return cases


def silero(paths):
    recordings = []
    for path in map(pathlib.Path, paths):
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2), path
            sound = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32) / 32768
        # Whole frames and some of silence, because the model's caller blanks the end of the last one.
        padded = np.pad(sound, (0, -len(sound) % FRAME + FRAME))
        heard = vad.get_vad_model()(padded)[: -(-len(sound) // FRAME)]
        recordings.append({"file": path.name, "probabilities": [round(float(value), 5) for value in heard]})
    return recordings


def main():
    what, paths = sys.argv[1], sys.argv[2:]
    about = {"faster-whisper": importlib.metadata.version("faster-whisper"),
             "onnxruntime": importlib.metadata.version("onnxruntime")}
    result = {"spans": spans, "silero": lambda: silero(paths)}[what]()
    lines = ",\n".join("  " + json.dumps(case, separators=(",", ":")) for case in result)
    (HERE / f"{what}.json").write_text('{"about": %s,\n "cases": [\n%s\n]}\n' % (json.dumps(about), lines))


if __name__ == "__main__":
    main()
