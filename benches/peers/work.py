"""What is measured, at which shapes, and what it is given."""

import os
from dataclasses import dataclass

WINDOW_SAMPLES, WINDOW_FRAMES = 480000, 3000
WINDOWS = 20  # ten minutes
NEW_TOKENS = 100
BEAMS = 5
SOUND = "sound.f32"

# The pieces of work, in the order they are done, with their headings.
WORK = {
    "encoder": "encoder, 30 s",
    "window": "window: 30 s to 100 tokens",
    "window_beam5": "window, beam of 5",
    "long": "10 minutes: 20 windows, 2,000 tokens",
}


@dataclass(frozen=True)
class Shape:
    """A published model's shape; the ids of its special tokens follow from the number of its languages."""

    width: int
    encoder_layers: int
    decoder_layers: int
    heads: int
    mel_bins: int = 80
    languages: int = 99
    # The published files of large-v3-turbo are in float16, those of the smaller ones in float32.
    halves: bool = False

    end, start, english = 50257, 50258, 50259

    @property
    def vocabulary(self):
        return 51766 + self.languages

    @property
    def transcribe(self):
        return self.english + self.languages + 1

    @property
    def no_timestamps(self):
        return self.transcribe + 4

    @property
    def prompt(self):
        return [self.start, self.english, self.transcribe, self.no_timestamps]


SHAPES = {
    "tiny": Shape(384, 4, 4, 6),
    "base": Shape(512, 6, 6, 8),
    "small": Shape(768, 12, 12, 12),
    "large-v3-turbo": Shape(1280, 32, 4, 20, mel_bins=128, languages=100, halves=True),
}


def random_mel(shape):
    """One window's spectrogram, for engines that are measured from there."""
    import numpy

    noise = numpy.random.default_rng(1).standard_normal((1, shape.mel_bins, WINDOW_FRAMES))
    return (noise * 0.3).astype(numpy.float32)


def prepare_sound(folder):
    """Ten minutes of noise, as raw float32: what is said does not change what is done."""
    import numpy

    path = os.path.join(folder, SOUND)
    if not os.path.exists(path):
        noise = numpy.random.default_rng(2).standard_normal(WINDOWS * WINDOW_SAMPLES) * 0.1
        noise.astype(numpy.float32).tofile(path)


def read_sound(folder):
    """The same by windows: an array of WINDOWS rows."""
    import numpy

    return numpy.fromfile(os.path.join(folder, SOUND), dtype=numpy.float32).reshape(WINDOWS, WINDOW_SAMPLES)


def window_count(work, windows):
    """How many windows a piece of work has."""
    return windows if work == "long" else 1


def token_count(work, windows):
    """How many tokens a piece of work has to make."""
    return 0 if work == "encoder" else NEW_TOKENS * window_count(work, windows)
