"""Turns the corpus into training windows: sound, what each frame is, and the tokens to predict."""

import random
from dataclasses import dataclass

import numpy as np
import soxr
import torch

from corpus import FRAME, QUIET, SR, noise

SECONDS = {"medium": 12, "packed": 30, "padded": 30}
LONGEST_SHORT = 9.6
NO_SPEECH_SHARE = {"medium": 0.03, "packed": 0.03, "padded": 0.15}
GERMAN_SHARE = 0.09
PROMPT_SHARE = 0.25
TEXT_CONTEXT = 448
LAST_TIMESTAMP = 1500


@dataclass
class Placed:
    """An utterance in a window: it begins at `at` seconds, its times are stretched by `scale`."""

    item: dict
    at: float
    scale: float

    @property
    def start(self):
        return self.at + self.item["words"][0][1] * self.scale

    @property
    def end(self):
        return self.at + self.item["words"][-1][2] * self.scale


@dataclass
class Window:
    """`labels` are three rows, one column a frame: phone, token being spoken, token spoken before it (-1: none).

    `cut` is the start of an utterance that the window's end cuts off.
    """

    audio: np.ndarray
    labels: np.ndarray
    placed: list
    cut: float | None
    language: str


class Windows:
    """Draws batches; everything random comes from the seed."""

    def __init__(self, corpus, vocab, phones, seed):
        self.corpus, self.vocab = corpus, vocab
        self.random, numbers = random.Random(seed), np.random.default_rng(seed)
        self.phone_id = {name: i for i, name in enumerate(phones)}
        self.order, self.short = {}, []
        self.bank = {colour: noise(numbers, 90 * SR, colour) for colour in ("white", "pink", "brown")}

    def batch(self, kind, size):
        """(audio, labels, position offsets or None, input rows, target rows (-1: no loss), attention spans)

        A span is (window, position, first frame, last frame): the attention of that position belongs there.
        """
        r = self.random
        stamped = [r.random() < 0.5 for _ in range(size)]
        items = self.short_items(size) if kind == "short" else [None] * size
        windows = [self.draw(kind, stamps, item) for stamps, item in zip(stamped, items)]
        if kind == "short":
            self.shorten(windows)
        frames = len(windows[0].audio) // FRAME
        audio = torch.from_numpy(np.stack([window.audio for window in windows]))
        labels = torch.from_numpy(np.stack([window.labels[:, :frames] for window in windows]))
        # Windows shorter than 30 s are put anywhere among the positions, so that all of them are trained.
        offset = None
        if kind in ("short", "medium") and r.random() < 0.7:
            offset = torch.tensor([r.randint(0, 1500 - frames) for _ in windows])
        examples = [
            self.targets(window, stamps, kind != "short", 0 if offset is None else int(offset[i]))
            for i, (window, stamps) in enumerate(zip(windows, stamped))
        ]
        longest = max(len(inputs) for inputs, _, _ in examples)
        inputs = torch.full((size, longest), self.vocab.eot)
        targets = torch.full((size, longest), -1)
        spans = []
        for i, (given, wanted, attended) in enumerate(examples):
            inputs[i, : len(given)] = torch.tensor(given)
            targets[i, : len(wanted)] = torch.tensor(wanted)
            spans += [(i, *span) for span in attended]
        return audio, labels, offset, inputs, targets, spans

    def draw(self, kind, stamps, item):
        """One window of a kind; `item` is the utterance of a short one."""
        r = self.random
        if kind == "short":
            return self.speech(LONGEST_SHORT, 1, 0.3, (0.1, 0.5), False, item)
        seconds = SECONDS[kind]
        if r.random() < NO_SPEECH_SHARE[kind]:
            audio = self.no_speech(seconds)
            labels = np.full((3, seconds * SR // FRAME), -1)
            labels[0] = 0
            return Window(audio, labels, [], None, r.choice(["en", "en", "de"]))
        if kind == "medium":
            return self.speech(seconds, r.choice([1, 9, 9, 9, 9, 9]), 0.8, (0.1, 0.8), stamps and r.random() < 0.4)
        if kind == "packed":
            return self.speech(seconds, 99, 1.0, r.choice([(0.15, 0.8), (0.2, 2.0)]), stamps and r.random() < 0.8)
        lead = r.choice([1, 1, 1, 2, 3]), r.choice([0.5, 0.5, 2.0, 20.0])
        return self.speech(seconds, *lead, (0.15, 1.2), False)

    def shorten(self, windows):
        """Cuts a batch of short windows just after the last word of the longest."""
        end = max([placed.end for window in windows for placed in window.placed] + [1.0])
        end += self.random.uniform(0.05, 0.3)
        end = min(LONGEST_SHORT, np.ceil(end / 0.32) * 0.32)
        for window in windows:
            window.audio = window.audio[: int(end * SR)]
            window.labels = window.labels[:, : int(end * SR) // FRAME]

    def short_items(self, size):
        """Utterances of similar length, so that little of the batch is silence."""
        if not self.short:
            pool = [self.next_item(self.language()) for _ in range(size * 12)]
            pool.sort(key=lambda item: item["n"])
            self.short = [pool[i : i + size] for i in range(0, len(pool), size)]
            self.random.shuffle(self.short)
        return self.short.pop()

    def language(self):
        return "de" if self.random.random() < GERMAN_SHARE else "en"

    def next_item(self, language):
        """Every utterance once per pass, in random order."""
        order = self.order.get(language)
        if not order:
            order = self.order[language] = list(range(len(self.corpus.by_lang[language])))
            self.random.shuffle(order)
        return self.corpus.by_lang[language][order.pop()]

    def utterance(self, item):
        """(samples, how much longer they are than spoken): now and then another speed, always another gain."""
        samples, speed = self.corpus.audio(item), 1.0
        if self.random.random() < 0.15:
            speed = self.random.uniform(0.92, 1.09)
            samples = soxr.resample(samples, SR * speed, SR, quality="QQ")
        samples = samples * (10 ** (self.random.uniform(-3, 3) / 20))
        return samples, 1.0 / speed

    def noise(self, count, colours):
        bank = self.bank[self.random.choice(colours)]
        first = self.random.randrange(len(bank) - count)
        return bank[first : first + count]

    def no_speech(self, seconds):
        """Digital silence, noise, a tone or a few knocks."""
        r, count = self.random, int(seconds * SR)
        audio = np.zeros(count, np.float32)
        what = r.random()
        if 0.25 <= what < 0.75:
            audio = self.noise(count, ["white", "pink", "brown"]) * 10 ** (r.uniform(-80, -15) / 20)
        elif 0.75 <= what < 0.87:
            time = np.arange(count) / SR
            tone = np.sin(2 * np.pi * r.uniform(40, 3000) * time) * 10 ** (r.uniform(-60, -12) / 20)
            audio = tone.astype(np.float32)
            audio += self.noise(count, ["white"]) * 10 ** (r.uniform(-80, -40) / 20)
        elif what >= 0.87:
            for _ in range(r.randint(1, 12)):
                first = r.randrange(count)
                last = min(count, first + r.randint(20, 4000))
                fading = np.linspace(1, 0, last - first)
                audio[first:last] += self.noise(last - first, ["pink"]) * fading * 10 ** (r.uniform(-40, -8) / 20)
            audio += self.noise(count, ["pink"]) * 10 ** (r.uniform(-80, -40) / 20)
        if r.random() < 0.4:  # only the first part of the window, then digital silence
            audio[int(r.uniform(0.05, 1) * count) :] = 0
        return audio.astype(np.float32)

    def speech(self, seconds, most, longest_lead, gap, fill, item=None):
        """A window of at most `most` utterances; with `fill` the last may be cut off by the window's end."""
        r = self.random
        count = int(seconds * SR)
        audio = np.zeros(count, np.float32)
        labels = np.full((3, count // FRAME), -1, np.int64)
        labels[0] = 0
        language = item["lang"] if item else self.language()
        placed, cut = [], None
        at = r.uniform(0, longest_lead) if r.random() < 0.8 else 0.0
        while len(placed) < most:
            spoken = item or self.next_item(language)
            samples, scale = self.utterance(spoken)
            first = int(at * SR)
            if first + len(samples) > count and not placed and first > 0:
                at = max(0.0, (count - len(samples)) / SR) * r.random()
                if at <= 0 and len(samples) > count:
                    break
                first = int(at * SR)
            here = Placed(spoken, at, scale)
            if first + len(samples) > count:
                if fill and placed and seconds - here.start > 0.3:
                    audio[first:] += samples[: count - first]
                    self.label(labels, here)
                    cut = here.start
                break
            audio[first : first + len(samples)] += samples
            self.label(labels, here)
            placed.append(here)
            at += len(samples) / SR + (r.uniform(*gap) if r.random() < 0.9 else r.uniform(gap[1], gap[1] * 3))
            if at > seconds - 0.3:
                break
        audio *= min(1.0, 0.98 / (np.abs(audio).max() + 1e-9)) * 10 ** (r.uniform(-16, 0) / 20)
        if r.random() < 0.3:
            loudest = np.abs(audio).max() + 1e-9
            audio += self.noise(count, ["white", "pink"]) * min(1.0, loudest) * 10 ** (r.uniform(-65, -25) / 20)
        return Window(audio, labels, placed, cut, language)

    def label(self, labels, placed):
        """Writes what each frame of an utterance is."""
        previous = -1
        for token, first, last in self.timed_tokens(placed):
            if first is None:
                continue
            begin = int(round(first))
            end = max(int(round(last)), begin + 1)
            labels[1, begin:end] = token
            labels[2, begin:end] = previous
            previous = token
        frames = labels.shape[1]
        phones = placed.item["phones"]
        ends = [start for start, _ in phones[1:]] + [placed.item["n"] / SR]
        for (start, name), stop in zip(phones, ends):
            begin, end = (int(round((placed.at + time * placed.scale) / 0.02)) for time in (start, stop))
            if begin < frames:
                labels[0, begin : min(end, frames)] = 0 if name in QUIET else self.phone_id.get(name, 0)

    def timed_tokens(self, placed):
        """[(row, first frame, last frame)] of an utterance; a word's time is shared out, punctuation takes none."""
        out = []
        for word, start, end in placed.item["words"]:
            rows = self.vocab.word(word)
            silent = 1 if word[-1] in ".,?!" and len(rows) > 1 else 0
            start, end = placed.at + start * placed.scale, placed.at + end * placed.scale
            frame, step = start / 0.02, (end - start) / 0.02 / (len(rows) - silent)
            for row in rows[: len(rows) - silent]:
                out.append((row, frame, frame + step))
                frame += step
            out += [(row, None, None) for row in rows[len(rows) - silent :]]
        return out

    def prompt(self, language, translate):
        """Text before the window: the end of other utterances, now and then with unknown tokens in it."""
        r, vocab = self.random, self.vocab
        wanted = r.choice([r.randint(1, 30), r.randint(1, 223)])
        rows = []
        while len(rows) < wanted:
            item = self.next_item(language)
            rows = vocab.text(item["translation"] if translate else item["text"]) + rows
        rows = rows[-wanted:]
        if vocab.unused_row is not None and r.random() < 0.3:
            rows = [vocab.unused_row if r.random() < 0.1 else row for row in rows]
        return rows

    def targets(self, window, stamps, prompted, offset):
        """(input rows, target rows (-1: no loss), attention spans [(position, first frame, last frame)])"""
        r, vocab, placed = self.random, self.vocab, window.placed
        translate = window.language == "de" and r.random() < 0.3
        inputs, targets = [], []
        if prompted and r.random() < PROMPT_SHARE:
            inputs = [vocab.prev] + self.prompt(window.language, translate)
            targets = [-1] * len(inputs)
        language = vocab.row(f"<|{window.language}|>")
        inputs += [vocab.sot, language, vocab.translate if translate else vocab.transcribe]
        targets += [language if placed else vocab.nospeech, -1]
        rows, frames = [], []

        def stamp(time):
            position = int(round(time / 0.02)) + r.choice([-1, 0, 0, 1])
            position = min(LAST_TIMESTAMP, max(0, position + offset))
            rows.append(vocab.ts0 + position)
            frames.append((position - offset - 2, position - offset + 2))

        for here in placed:
            if stamps:
                stamp(here.start)
            if translate:
                translated = vocab.text(here.item["translation"])
                rows += translated
                frames += [None] * len(translated)
            else:
                for row, first, last in self.timed_tokens(here):
                    rows.append(row)
                    frames.append(None if first is None else (first, last))
            if stamps:
                stamp(here.end)
        if window.cut is not None and stamps:
            stamp(window.cut)
        if not placed and stamps:
            rows.append(vocab.ts0 + r.choice([0, 0, r.randint(0, 50)]))
            frames.append(None)
        if not stamps:
            inputs.append(vocab.notime)
            targets.append(-1)
        if not placed and not stamps:  # engines may forbid an immediate end; then end right after
            word = self.next_item("en")["words"][0][0]
            inputs.append(vocab.word(word)[0])
            return inputs, targets + [vocab.eot, vocab.eot], []
        base = len(inputs) - 1  # the position that predicts rows[0]
        inputs += rows
        targets += rows + [vocab.eot]
        # Engines allow a first timestamp of at most 1 s; speech that begins later must survive a wrong one.
        if stamps and placed and placed[0].start > 1.0 and offset == 0 and r.random() < 0.5:
            inputs[base + 1] = vocab.ts0 + r.randint(0, 50)
        if not placed and stamps:
            targets[base] = vocab.ts0
        spans = [(base + i, *frame) for i, frame in enumerate(frames) if frame is not None]
        return inputs[:TEXT_CONTEXT], targets[:TEXT_CONTEXT], [span for span in spans if span[0] < TEXT_CONTEXT]
