"""The spoken corpus on disk, and the front end that turns samples into log-mel windows."""

import concurrent.futures
import os
import pickle

import numpy as np
import soundfile
import torch

SR, HOP = 16000, 160
FRAME = 320  # samples of one encoder position, 0.02 s
# Phoneme names with which espeak marks a pause.
QUIET = {"", "_", "_:", "_!", "_|", "_::"}
VOICES = {base + variant for base in ("gmw/en-US", "gmw/en", "gmw/de") for variant in ("", "+m3", "+m7", "+f2")}
ROUND_NUMBERS = {100, 150, 200, 250, 300, 400, 500, 600, 700, 750, 800, 900}


class MelFrontEnd:
    """Whisper's log-mel spectrogram of a batch, with the floor of each window by itself."""

    def __init__(self, filters, device="cpu"):
        self.filters = torch.from_numpy(filters).float().to(device)
        self.window = torch.hann_window(400, device=device)

    def __call__(self, audio):
        spectrum = torch.stft(audio, 400, HOP, window=self.window, return_complex=True)
        power = spectrum[..., :-1].abs() ** 2
        mel = (self.filters @ power).clamp(min=1e-10).log10()
        mel = torch.maximum(mel, mel.amax((-1, -2), keepdim=True) - 8.0)
        return (mel + 4.0) / 4.0


def in_domain(text):
    """Large numbers are limited to those the generator makes today, so that each is heard often enough."""
    for word in text.replace(".", "").replace(",", "").replace("?", "").split():
        if word.isdigit() and int(word) > 99 and not (1960 <= int(word) <= 2029 or int(word) in ROUND_NUMBERS):
            return False
    return True


def shard_samples(prefix):
    """The samples of a shard: on disk until asked for, or in memory if they are packed (pack_corpus.py)."""
    if os.path.exists(prefix + ".pcm"):
        return np.memmap(prefix + ".pcm", dtype=np.int16, mode="c")
    return soundfile.read(prefix + ".opus", dtype="int16")[0]


class Corpus:
    """Shards of make_corpus.py, in the voices that are used."""

    def __init__(self, prefixes):
        self.items = []
        with concurrent.futures.ThreadPoolExecutor() as pool:
            self.pcm = list(pool.map(shard_samples, prefixes))
        for shard, prefix in enumerate(prefixes):
            with open(prefix + ".pkl", "rb") as file:
                utterances = pickle.load(file)
            used = [item for item in utterances if in_domain(item["text"]) and item["voice"] in VOICES]
            self.items += [item | {"shard": shard} for item in used]
        self.by_lang = {lang: [item for item in self.items if item["lang"] == lang] for lang in ("en", "de")}

    def tensors(self, device):
        """The shards' samples as tensors; on the device itself unless that is the CPU."""
        return [torch.from_numpy(np.asarray(samples)).to(device) for samples in self.pcm]

    def audio(self, item):
        samples = self.pcm[item["shard"]][item["off"] : item["off"] + item["n"]]
        return samples.astype(np.float32) / 32768.0


def phone_inventory(items):
    """Silence, then every phoneme that occurs."""
    return ["sil"] + sorted({name for item in items for _, name in item["phones"]} - QUIET)


def noise(rng, count, colour):
    """White, pink or brown noise; the coloured ones with standard deviation 1."""
    white = rng.standard_normal(count).astype(np.float32)
    if colour == "white":
        return white
    spectrum = np.fft.rfft(white)
    spectrum /= (np.arange(len(spectrum)) + 1.0) ** (0.5 if colour == "pink" else 0.9)
    coloured = np.fft.irfft(spectrum, count).astype(np.float32)
    return coloured / (np.std(coloured) + 1e-9)
