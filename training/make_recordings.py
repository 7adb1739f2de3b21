"""Speaks the test recordings; every sentence in them is held out from training.

make_recordings.py AUDIO_DIR
"""

import json
import os
import random
import subprocess
import sys

import numpy as np
import soundfile as sf

from make_corpus import make, pick_voice
from sentences import english, is_held_out, written
from speech import SR, Espeak

SEED = 4242
# name, seconds, pauses, container; the longer two hold a pause of more than 30 s
LONG = [
    ("long_2min", 120, [4, 9], "flac"),
    ("long_5min", 300, [3, 12, 36, 6], "flac"),
    ("long_10min", 600, [5, 20, 41, 2.5, 8, 31.5], "opus"),
]
# the first utterance again: file, what ffmpeg is told
FORMATS = [
    ("format_44k1_stereo.wav", ["-ar", "44100", "-ac", "2"]),
    ("format_8k.wav", ["-ar", "8000"]),
    ("format.mp3", ["-c:a", "libmp3lame", "-b:a", "96k"]),
    ("format.m4a", ["-c:a", "aac", "-b:a", "96k"]),
    ("format.flac", []),
    ("format.ogg", ["-c:a", "libvorbis", "-q:a", "5"]),
    ("format.webm", ["-c:a", "libopus", "-b:a", "48k"]),
]


class Maker:
    """Utterances that were not used before, and recordings put together from them."""

    def __init__(self, seed):
        self.r, self.numbers, self.espeak = random.Random(seed), np.random.default_rng(seed), Espeak()
        self.used = set()

    def utterance(self, language="en", voice=None, shortest=1.0, longest=8.0, pitch=None, min_words=3):
        """(samples with a peak of 0.6, what is known of them); a voice means English."""
        while True:
            if voice is None:
                pcm, known = make(self.r, self.espeak, language, True)
            else:
                marked = english(self.r)
                if not is_held_out(written(marked)):
                    continue
                pcm, words, _ = self.espeak.say(marked, voice, self.r.randint(145, 185), pitch or 50)
                known = {"text": written(marked), "lang": "en", "voice": voice, "words": words}
            seconds, text = len(pcm) / SR, known["text"]
            if shortest <= seconds <= longest and text not in self.used and len(known["words"]) >= min_words:
                self.used.add(text)
                samples = pcm.astype(np.float32) / 32768
                return samples * (0.6 / np.abs(samples).max()), known

    def pink_noise(self, count, decibel):
        spectrum = np.fft.rfft(self.numbers.standard_normal(count))
        spectrum /= np.sqrt(np.arange(len(spectrum)) + 1.0)
        samples = np.fft.irfft(spectrum, count)
        return (samples / samples.std() * 10 ** (decibel / 20)).astype(np.float32)


def timeline(parts):
    """Pauses in seconds and (samples, known[, speaker]) -> samples, segments, words."""
    pieces, segments, words, at = [], [], [], 0
    for part in parts:
        if isinstance(part, (int, float)):
            pieces.append(np.zeros(int(part * SR), np.float32))
            at += len(pieces[-1])
            continue
        samples, known = part[:2]
        origin = at / SR
        timed = [
            {"word": word, "start": round(origin + float(start), 3), "end": round(origin + float(end), 3)}
            for word, start, end in known["words"]
        ]
        segment = {"start": timed[0]["start"], "end": timed[-1]["end"], "text": known["text"]}
        if len(part) > 2:
            segment["speaker"] = part[2]
        segments.append(segment)
        words += timed
        pieces.append(samples)
        at += len(samples)
    return np.concatenate(pieces), segments, words


def entry(name, samples, segments, words, language="en", **more):
    """A line of the manifest."""
    return {
        "file": name,
        "text": " ".join(segment["text"] for segment in segments),
        "language": language,
        "duration": round(len(samples) / SR, 3),
        "segments": segments,
        "words": words,
        **more,
    }


def write(path, samples, **options):
    sf.write(path, np.clip(samples, -1, 1), SR, subtype="PCM_16", **options)


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-loglevel", "error", "-y", *arguments], check=True)


def short_recordings(maker, out):
    """Twelve single sentences, the last two German."""
    r = maker.r
    for i in range(12):
        language = "de" if i >= 10 else "en"
        samples, known = maker.utterance(language, shortest=1.7, longest=7.0, min_words=5)
        parts = [round(r.uniform(0.1, 0.5), 2), (samples, known), round(r.uniform(0.2, 0.6), 2)]
        whole, segments, words = timeline(parts)
        more = {"voice": known["voice"]} | ({"translation": known["translation"]} if language == "de" else {})
        name = f"short_{i:02d}.wav"
        write(f"{out}/{name}", whole)
        yield entry(name, whole, segments, words, language, **more)


def packed_recordings(maker, out):
    """Two windows of just under 30 s, full of one voice."""
    r = maker.r
    for i in range(2):
        voice = pick_voice(r, "en")
        parts, total = [0.3], 0.3
        while True:
            spoken = maker.utterance(voice=voice, longest=6.0)
            gap = round(r.uniform(0.3, 1.2), 2)
            if total + len(spoken[0]) / SR + gap > 26:
                break
            parts += [spoken, gap]
            total += len(spoken[0]) / SR + gap
        samples, segments, words = timeline(parts)
        name = f"packed_{i}.wav"
        write(f"{out}/{name}", samples)
        yield entry(name, samples, segments, words, voice=voice)


def long_recordings(maker, out):
    """Minutes of one voice over faint noise, with pauses."""
    r = maker.r
    for title, seconds, pauses, container in LONG:
        voice = pick_voice(r, "en")
        waiting = list(zip(sorted(r.uniform(0.15, 0.9) * seconds for _ in pauses), pauses))
        parts, total = [0.4], 0.4
        while total < seconds - 6:
            if waiting and total >= waiting[0][0]:
                _, pause = waiting.pop(0)
                parts.append(float(pause))
                total += pause
            spoken = maker.utterance(voice=voice)
            gap = round(r.uniform(0.25, 1.3), 2)
            parts += [spoken, gap]
            total += len(spoken[0]) / SR + gap
        samples, segments, words = timeline(parts)
        samples = samples + maker.pink_noise(len(samples), -62)
        name = f"{title}.{container}"
        if container == "flac":
            write(f"{out}/{name}", samples, format="FLAC")
        else:
            write(f"{out}/whole.wav", samples)
            ffmpeg("-i", f"{out}/whole.wav", "-c:a", "libopus", "-b:a", "32k", f"{out}/{name}")
            os.remove(f"{out}/whole.wav")
        yield entry(name, samples, segments, words, voice=voice, pauses=pauses)


def dialogue(maker, out):
    """Two voices in nine turns."""
    r = maker.r
    speakers = [("gmw/en-US+m3", 45), ("gmw/en+f2", 58)]
    parts = [0.4]
    for turn in range(9):
        voice, pitch = speakers[turn % 2]
        for _ in range(r.choice([1, 1, 2])):
            spoken = maker.utterance(voice=voice, pitch=pitch, longest=6.0)
            parts += [(*spoken, "AB"[turn % 2]), round(r.uniform(0.15, 0.4), 2)]
        parts[-1] = round(r.uniform(0.3, 0.8), 2)
    samples, segments, words = timeline(parts)
    turns = []
    for segment in segments:
        if turns and turns[-1]["speaker"] == segment["speaker"]:
            turns[-1]["end"] = segment["end"]
        else:
            turns.append({"speaker": segment["speaker"], "start": segment["start"], "end": segment["end"]})
    write(f"{out}/dialogue.wav", samples)
    voices = {"A": speakers[0][0], "B": speakers[1][0]}
    return entry("dialogue.wav", samples, segments, words, turns=turns, voices=voices)


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    maker = Maker(SEED)
    manifest = [*short_recordings(maker, out), *packed_recordings(maker, out), *long_recordings(maker, out)]
    manifest.append(dialogue(maker, out))
    first = manifest[0]
    for name, arguments in FORMATS:
        ffmpeg("-i", f"{out}/{first['file']}", "-map_metadata", "-1", *arguments, f"{out}/{name}")
        manifest.append(first | {"file": name, "same_as": first["file"]})
    silence, noise = np.zeros(10 * SR, np.float32), maker.pink_noise(10 * SR, -30)
    for name, samples in (("silence_10s.wav", silence), ("noise_10s.wav", noise)):
        write(f"{out}/{name}", samples)
        manifest.append(entry(name, samples, [], [], None))
    with open(f"{out}/manifest.jsonl", "w", encoding="utf8") as file:
        for line in manifest:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
