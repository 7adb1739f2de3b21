"""Puts together the longer samples: a meeting of two voices and a talk of two minutes with pauses.

make_samples.py MODEL_DIR SAMPLES_DIR

They show what the model can do, so they are made of held-out sentences that it gets right by themselves, in an order in
which it gets the whole right to the letter too, without and with the text before as a prompt (openai-whisper, greedy).
The lines of SAMPLES_DIR/manifest.jsonl are brought up to date.
"""

import json
import os
import sys

import numpy as np
import soundfile as sf
import torch

from evaluate import Listener
from make_recordings import Maker, ffmpeg, timeline, write
from speech import SR

SEED = 2026
TRIES = 60
# Seconds of silence around a sentence that is heard by itself.
MARGIN = 0.3
# name, (voice, pitch) in turn, sentences in stock for each, seconds, pauses
SAMPLES = [
    ("meeting.opus", [("gmw/en-US+m3", 45), ("gmw/en+f2", 58)], 30, 45, []),
    ("talk.opus", [("gmw/en-US", 50)], 70, 118, [4.0, 9.0]),
]


def stock(maker, listener, voice, pitch, count):
    """Sentences of one voice that the model gets right by themselves."""
    right = []
    while len(right) < count:
        spoken = maker.utterance(voice=voice, pitch=pitch, longest=6.0, min_words=4)
        silence = np.zeros(int(MARGIN * SR), np.float32)
        heard = listener(np.concatenate([silence, spoken[0], silence]))["text"]
        if heard.split() == spoken[1]["text"].split():
            right.append(spoken)
    return right


def draw(r, stocks, seconds, pauses):
    """Sentences in an order: one voice, or turns of one to three sentences."""
    left = [r.sample(sentences, len(sentences)) for sentences in stocks]
    waiting = list(zip(sorted(r.uniform(0.2, 0.85) * seconds for _ in pauses), pauses))
    parts, total, turn = [0.4], 0.4, 0
    while total < seconds - 4:
        for _ in range(r.choice([1, 2, 2, 3]) if len(stocks) > 1 else 1):
            spoken = left[turn].pop()
            gap = round(r.uniform(0.3, 1.2), 2)
            if waiting and total >= waiting[0][0]:
                gap += waiting.pop(0)[1]
            parts += [spoken, gap]
            total += len(spoken[0]) / SR + gap
        turn = (turn + 1) % len(stocks)
    samples, segments, _ = timeline(parts)
    return samples, " ".join(segment["text"] for segment in segments)


def encoded(samples, path):
    """Writes the file and returns what it sounds like decoded again."""
    write("whole.wav", samples)
    ffmpeg("-i", "whole.wav", "-map_metadata", "-1", "-c:a", "libopus", "-b:a", "32k", path)
    ffmpeg("-c:a", "libopus", "-i", path, "-ar", str(SR), "-ac", "1", "whole.wav")
    heard, _ = sf.read("whole.wav", dtype="float32")
    os.remove("whole.wav")
    return heard


def update(manifest, name, text):
    with open(manifest, encoding="utf8") as lines:
        entries = [json.loads(line) for line in lines]
    entries = [entry for entry in entries if entry["file"] != name]
    entries.append({"file": name, "text": text, "language": "en"})
    with open(manifest, "w", encoding="utf8") as out:
        out.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)


@torch.no_grad()
def main():
    model_dir, out = sys.argv[1:]
    torch.set_num_threads(1)
    maker, listener = Maker(SEED), Listener(model_dir)
    for name, speakers, count, seconds, pauses in SAMPLES:
        stocks = [stock(maker, listener, voice, pitch, count) for voice, pitch in speakers]
        for attempt in range(1, TRIES + 1):
            samples, text = draw(maker.r, stocks, seconds, pauses)
            heard = encoded(samples, f"{out}/{name}")
            if all(listener(heard, condition)["text"].split() == text.split() for condition in (False, True)):
                break
        else:
            sys.exit(f"{name}: not one of {TRIES} orders is heard right")
        update(f"{out}/manifest.jsonl", name, text)
        print(f"{name}: order {attempt}, {len(samples) / SR:.1f} s, {len(text.split())} words", flush=True)


if __name__ == "__main__":
    main()
