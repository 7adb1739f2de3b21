"""Draws training windows: which utterances sound when, what each frame is, and the tokens to predict.

A batch is a plan, small enough to come from another process; `render` turns it into sound on the training device.
Everything random in a plan comes from the seed and the number of the batch.
"""

import random
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from corpus import FRAME, QUIET, SR, noise

SECONDS = {"short": 9.6, "medium": 12, "full": 30, "padded": 30}
NO_SPEECH_SHARE = {"short": 0.0, "medium": 0.03, "full": 0.02, "padded": 0.15}
GERMAN_SHARE = 0.11
TRANSLATED_SHARE = 0.3
PROMPT_SHARE = 0.6
TEXT_CONTEXT = 448
LONGEST_PROMPT = 223
# Tokens of a batch are filled up to a multiple: PyTorch makes new code for each new shape on a CPU.
ROUNDED_TO = 64
LAST_TIMESTAMP = 1500
POSITIONS = 1500
# A word this much outside the sound still counts as heard.
TOLERANCE = 0.03
# Engines allow a first timestamp of at most 1 s.
LATEST_FIRST_TIMESTAMP = 50
# Frames behind the last word that its full stop stands for.
LAST_PAUSE = 25
COLOURS = ("white", "pink", "brown")
NOISE_SECONDS = 90
# Seconds of silence between two utterances; one kind for a whole window.
GAPS = [(0.1, 0.4), (0.15, 0.8), (0.25, 1.3), (0.25, 1.3), (0.2, 2.0)]


@dataclass
class Placed:
    """An utterance in a window: it begins at `at` seconds (before the window, if negative), stretched by `scale`.

    `heard` are the first of its words that sounds in the window as a whole, and the first that no longer does.
    """

    item: dict
    at: float
    scale: float
    gain: float
    heard: tuple = (0, 0)

    def word_start(self, number):
        return self.at + self.item["words"][number][1] * self.scale

    def word_end(self, number):
        return self.at + self.item["words"][number][2] * self.scale


@dataclass
class Window:
    """One window before it is sound. `sound_end`: where the recording stops; silence follows."""

    language: str
    placed: list
    sound_end: float
    gain: float = 1.0
    hiss: tuple | None = None  # colour, first sample in the bank, level below the loudest sample
    cutoff: float | None = None  # Hz above which nothing is left
    other: np.ndarray | None = None  # sound that is no speech


@dataclass
class Batch:
    """What `render` and the loss need, without the corpus."""

    kind: str
    seconds: float
    sounds: list = field(default_factory=list)  # per window: [(shard, first, count, at, scale, gain)]
    windows: list = field(default_factory=list)  # per window: (sound_end, gain, hiss, cutoff, other)
    labels: np.ndarray | None = None  # window, (phone, token being spoken, token before it), frame; -1: none
    offset: np.ndarray | None = None  # where among the positions a window lies, if it is shorter than 30 s
    inputs: np.ndarray | None = None
    targets: np.ndarray | None = None  # -1: no loss
    spans: np.ndarray | None = None  # (window, position, first frame, last frame): where attention belongs


class Windows:
    """Draws batches from what is known of the utterances; needs none of their samples."""

    def __init__(self, items, vocab, phones, seed):
        self.vocab, self.seed = vocab, seed
        self.phone_id = {name: i for i, name in enumerate(phones)}
        self.by_voice, self.by_lang, self.timed = {}, {}, {}
        for item in items:
            self.by_voice.setdefault((item["lang"], item["voice"]), []).append(item)
            self.by_lang.setdefault(item["lang"], []).append(item)

    def batch(self, number, kind, size):
        self.random = r = random.Random(f"{self.seed} {number}")
        self.numbers = np.random.default_rng([self.seed, number])
        stamped = [r.random() < 0.6 for _ in range(size)]
        if kind == "short":
            windows = [self.single(item) for item in self.similar(size)]
            end = max([here.word_end(len(here.item["words"]) - 1) for w in windows for here in w.placed] + [1.0])
            seconds = min(SECONDS[kind], float(np.ceil((end + r.uniform(0.05, 0.3)) / 0.32) * 0.32))
            for window in windows:
                window.sound_end = seconds
        else:
            seconds = SECONDS[kind]
            windows = [self.several(kind, seconds) for _ in range(size)]
        frames = int(round(seconds * SR)) // FRAME
        batch = Batch(kind, seconds)
        # Windows shorter than 30 s are put anywhere among the positions, so that all of them are trained.
        if kind in ("short", "medium") and r.random() < 0.7:
            batch.offset = np.array([r.randint(0, POSITIONS - frames) for _ in windows])
        batch.labels = np.full((size, 3, frames), -1, np.int16)
        batch.labels[:, 0] = 0
        examples, spans = [], []
        for i, window in enumerate(windows):
            self.listen(window)
            for here in window.placed:
                self.label(batch.labels[i], here, window.sound_end)
            offset = 0 if batch.offset is None else int(batch.offset[i])
            given, wanted, attended = self.targets(window, seconds, stamped[i], kind != "short", offset)
            examples.append((given, wanted))
            spans += [(i, *span) for span in attended]
            batch.sounds.append(
                [(p.item["shard"], p.item["off"], p.item["n"], p.at, p.scale, p.gain) for p in window.placed]
            )
            batch.windows.append((window.sound_end, window.gain, window.hiss, window.cutoff, window.other))
        longest = max(len(given) for given, _ in examples)
        longest = -(-longest // ROUNDED_TO) * ROUNDED_TO
        batch.inputs = np.full((size, longest), self.vocab.eot)
        batch.targets = np.full((size, longest), -1)
        for i, (given, wanted) in enumerate(examples):
            batch.inputs[i, : len(given)] = given
            batch.targets[i, : len(wanted)] = wanted
        batch.spans = np.array(spans, np.float32).reshape(-1, 4)
        return batch

    def language(self):
        return "de" if self.random.random() < GERMAN_SHARE else "en"

    def similar(self, size):
        """Utterances of similar length, so that little of the batch is silence."""
        r = self.random
        pool = [r.choice(self.by_lang[self.language()]) for _ in range(size * 12)]
        pool = sorted((item for item in pool if item["n"] < (SECONDS["short"] - 0.4) * SR), key=lambda item: item["n"])
        first = r.randint(0, max(0, len(pool) - size))
        return [pool[min(first + i, len(pool) - 1)] for i in range(size)]

    def placing(self, item, at):
        """Now and then another speed, always another gain."""
        r = self.random
        speed = r.uniform(0.92, 1.09) if r.random() < 0.15 else 1.0
        return Placed(item, at, 1.0 / speed, 10 ** (r.uniform(-3, 3) / 20))

    def finish(self, window):
        """Level, noise, and now and then the band of a telephone."""
        r = self.random
        window.gain = 10 ** (r.uniform(-16, 0) / 20)
        if r.random() < 0.3:
            count = int(SECONDS["full"] * SR)
            first = r.randrange(NOISE_SECONDS * SR - count)
            window.hiss = r.choice(COLOURS), first, 10 ** (r.uniform(-65, -25) / 20)
        if r.random() < 0.05:
            window.cutoff = r.choice([3400.0, 3800.0, 4000.0])
        return window

    def single(self, item):
        r = self.random
        at = r.uniform(0, 0.3) if r.random() < 0.8 else 0.0
        return self.finish(Window(item["lang"], [self.placing(item, at)], SECONDS["short"]))

    def speakers(self, language):
        """A function that gives the next utterance: one voice, two in turns, or any."""
        r = self.random
        voices = [voice for lang, voice in self.by_voice if lang == language]
        kind = r.random()
        if kind < 0.15:
            return lambda: r.choice(self.by_lang[language])
        turn = r.sample(voices, 1 if kind < 0.7 else 2)

        def following():
            if r.random() < 0.6:
                turn.reverse()
            return r.choice(self.by_voice[language, turn[0]])

        return following

    def several(self, kind, seconds):
        """A window of some length: the stretch of a longer recording, or the end of one."""
        r = self.random
        if r.random() < NO_SPEECH_SHARE[kind]:
            other = self.no_speech(int(seconds * SR))
            return Window(r.choice(["en", "en", "de"]), [], seconds, other=other)
        language = self.language()
        following = self.speakers(language)
        gap = r.choice(GAPS)
        pauses = 0.08 if r.random() < 0.5 else 0.0
        most = 99
        sound_end = seconds
        if kind == "padded":
            if r.random() < 0.5:
                most = r.choice([1, 1, 2, 3, 4])
            else:  # the recording stops anywhere, within a word too
                sound_end = r.uniform(1.0, seconds - 1.0)
        elif kind == "medium" and r.random() < 0.2:
            most = 1
        first = following()
        at = self.lead(first, kind, seconds)
        window = Window(language, [], sound_end)
        while len(window.placed) < most and at < sound_end - 0.1:
            here = self.placing(first if not window.placed else following(), at)
            window.placed.append(here)
            at += here.item["n"] / SR * here.scale
            at += r.uniform(2.0, 20.0) if r.random() < pauses else r.uniform(*gap)
        if most < 99:  # the recording ends after its last word
            window.sound_end = min(seconds, at + r.uniform(0.0, 2.0))
        return self.finish(window)

    def lead(self, item, kind, seconds):
        """Where the first utterance begins: at once, after a gap, after a long pause, or before the window."""
        r, spoken = self.random, item["n"] / SR
        case = r.random()
        if case < 0.25:
            return r.uniform(0.0, 0.06)
        if case < 0.65:
            return r.uniform(0.0, 1.3)
        if case < 0.73:
            return r.uniform(1.0, seconds - 4.0) if kind != "full" else r.uniform(1.0, 12.0)
        if case < 0.76:  # nothing but the very end of a word is left
            return -spoken + r.uniform(0.02, 0.15)
        if case < 0.86:  # seldom: who has heard many cut words takes a word that begins at once for one
            return -spoken * r.uniform(0.05, 0.95)
        return r.uniform(0.0, 0.3)

    def no_speech(self, count):
        """Digital silence, noise, a tone or a few knocks."""
        r = self.random

        def hiss(length, colours, lowest, highest):
            made = noise(self.numbers, length, r.choice(colours))
            return made * 10 ** (r.uniform(lowest, highest) / 20)

        audio = np.zeros(count, np.float32)
        what = r.random()
        if 0.25 <= what < 0.75:
            audio = hiss(count, COLOURS, -80, -12)
        elif 0.75 <= what < 0.87:
            time = np.arange(count) / SR
            tone = np.sin(2 * np.pi * r.uniform(40, 3000) * time) * 10 ** (r.uniform(-60, -12) / 20)
            audio = tone.astype(np.float32) + hiss(count, ["white"], -80, -40)
        elif what >= 0.87:
            for _ in range(r.randint(1, 12)):
                first = r.randrange(count)
                last = min(count, first + r.randint(20, 4000))
                audio[first:last] += hiss(last - first, ["pink"], -40, -8) * np.linspace(1, 0, last - first)
            audio += hiss(count, ["pink"], -80, -40)
        if r.random() < 0.4:  # only the first part of the window, then digital silence
            audio[int(r.uniform(0.05, 1) * count) :] = 0
        return audio.astype(np.float32)

    def times(self, item):
        """(phone ids, their starts and the end), (rows, starts, ends, words) of an utterance, in seconds.

        A word's time is shared out among its tokens; punctuation takes none of it (and has no times).
        """
        key = item["shard"], item["off"]
        known = self.timed.get(key)
        if known is None:
            ids = [0 if name in QUIET else self.phone_id.get(name, 0) for _, name in item["phones"]]
            starts = [start for start, _ in item["phones"]] + [item["n"] / SR]
            tokens = []
            for number, (word, start, end) in enumerate(item["words"]):
                rows = self.vocab.word(word)
                silent = 1 if word[-1] in ".,?!" and len(rows) > 1 else 0
                step = (end - start) / (len(rows) - silent)
                for i, row in enumerate(rows):
                    sounds = i < len(rows) - silent
                    time = start + i * step
                    tokens.append((row, time, time + step, number) if sounds else (row, None, None, number))
            known = self.timed[key] = (np.array(ids, np.int16), np.array(starts)), tokens
        return known

    def label(self, labels, here, sound_end):
        """Writes what each frame of an utterance is."""
        (ids, starts), tokens = self.times(here.item)
        last_frame = min(labels.shape[1], int(sound_end * SR) // FRAME)
        edges = np.clip(np.round((here.at + starts * here.scale) / 0.02).astype(int), 0, last_frame)
        if len(ids):
            counts = np.maximum(np.diff(edges), 0)
            spoken = np.repeat(ids, counts)
            labels[0, edges[0] : edges[0] + len(spoken)] = spoken
        previous = -1
        for row, start, end, _ in tokens:
            if start is None:
                continue
            begin = int(round((here.at + start * here.scale) / 0.02))
            stop = min(max(int(round((here.at + end * here.scale) / 0.02)), begin + 1), last_frame)
            if stop > max(begin, 0):
                labels[1, max(begin, 0) : stop] = row
                labels[2, max(begin, 0) : stop] = previous
            previous = row

    def listen(self, window):
        """Finds which words of each utterance the window holds as a whole."""
        for here in window.placed:
            count = len(here.item["words"])
            first, last = 0, count
            while first < count and here.word_start(first) < -TOLERANCE:
                first += 1
            while last > first and here.word_end(last - 1) > window.sound_end + TOLERANCE:
                last -= 1
            here.heard = first, last

    def prompt(self, window, translate, stamped):
        """Text before the window, of other utterances; timestamps stay in it where an engine leaves them in.

        Now and then a token is wrong, as in text that an engine heard.
        """
        r, vocab = self.random, self.vocab
        wanted = LONGEST_PROMPT if r.random() < 0.5 else r.randint(1, r.choice([40, LONGEST_PROMPT]))
        rows, at = [], 0.0
        while len(rows) < wanted + 40:
            item = r.choice(self.by_lang[window.language])
            text = vocab.text(item["translation"] if translate else item["text"])
            end = at + item["n"] / SR
            if end > 29.5:
                at, end = r.uniform(0.0, 1.0), 0.0
                end = at + item["n"] / SR
            if stamped:
                text = [vocab.ts0 + int(at / 0.02), *text, vocab.ts0 + min(LAST_TIMESTAMP, int(end / 0.02))]
            rows += text
            at = end + r.uniform(0.1, 1.5)
        first = window.placed[0] if window.placed else None
        if first and 0 < first.heard[0] and not translate and r.random() < 0.7:
            # The window begins within a sentence: what was said of it before is the end of the prompt.
            before = [row for word, _, _ in first.item["words"][: first.heard[0]] for row in vocab.word(word)]
            rows += ([vocab.ts0 + r.randint(1000, LAST_TIMESTAMP)] if stamped else []) + before
        rows = rows[-wanted:]
        if r.random() < 0.3:
            rows = [r.randrange(vocab.n_used) if r.random() < 0.06 and row < vocab.n_used else row for row in rows]
        if vocab.unused_row is not None and r.random() < 0.3:
            rows = [vocab.unused_row if r.random() < 0.1 and row < vocab.n_used else row for row in rows]
        return rows

    def targets(self, window, seconds, stamps, prompted, offset):
        """(input rows, target rows (-1: no loss), attention spans [(position, first frame, last frame)])"""
        r, vocab = self.random, self.vocab
        translate = window.language == "de" and r.random() < TRANSLATED_SHARE
        placed = [here for here in window.placed if here.heard[1] > here.heard[0]]
        if stamps and placed and window.sound_end >= seconds:
            last = window.placed[-1]
            if last.heard == (0, 0) and seconds - last.word_start(0) > 0.1:
                placed.append(last)  # only begun, but engines must know where
        if translate:  # a translation has no words that could be left out
            translate = all(here.heard == (0, len(here.item["words"])) for here in placed)
        inputs, targets = [], []
        if prompted and r.random() < PROMPT_SHARE:
            with_times = r.random() < (0.8 if stamps else 0.2)
            inputs = [vocab.prev] + self.prompt(window, translate, with_times)
            targets = [-1] * len(inputs)
        language = vocab.row(f"<|{window.language}|>")
        inputs += [vocab.sot, language, vocab.translate if translate else vocab.transcribe]
        targets += [language if placed else vocab.nospeech, -1]
        rows, frames = [], []
        pause = None  # the row whose time lasts until the next word begins, and when it began

        def stamp(time):
            position = int(round(time / 0.02)) + r.choice([-1, 0, 0, 0, 0, 1])
            position = min(LAST_TIMESTAMP, max(0, position + offset))
            rows.append(vocab.ts0 + position)
            frames.append((position - offset - 2, position - offset + 2))

        for here in placed:
            first, last = here.heard
            # What the window's end cuts off is left to the next window, which begins where it starts.
            cut = last < len(here.item["words"]) and window.sound_end >= seconds
            if stamps:
                stamp(here.word_start(first))
                if cut and here is not placed[0]:
                    break
            if translate:
                translated = vocab.text(here.item["translation"])
                rows += translated
                frames += [None] * len(translated)
            else:
                for row, start, end, word in self.times(here.item)[1]:
                    if not first <= word < last:
                        continue
                    rows.append(row)
                    if start is None:
                        pause = len(frames), here.word_end(word) / 0.02
                        frames.append(None)
                        continue
                    begin, end = ((here.at + time * here.scale) / 0.02 for time in (start, end))
                    if pause is not None:
                        frames[pause[0]] = pause[1], begin
                        pause = None
                    frames.append((begin, end))
            if stamps:
                stamp(min(here.word_end(last - 1), seconds))
        if pause is not None:
            frames[pause[0]] = pause[1], min(pause[1] + LAST_PAUSE, window.sound_end / 0.02)
        if not placed and stamps:
            rows.append(vocab.ts0 + r.choice([0, 0, r.randint(0, LATEST_FIRST_TIMESTAMP)]))
            frames.append(None)
        if not stamps:
            inputs.append(vocab.notime)
            targets.append(-1)
        if not placed and not stamps:  # engines may forbid an immediate end; then end right after
            word = r.choice(self.by_lang["en"])["words"][0][0]
            inputs.append(vocab.word(word)[0])
            return inputs, targets + [vocab.eot, vocab.eot], []
        base = len(inputs) - 1  # the position that predicts rows[0]
        inputs += rows
        targets += rows + [vocab.eot]
        # Speech that begins later than engines allow must survive a wrong first timestamp.
        late = placed and placed[0].word_start(placed[0].heard[0]) > LATEST_FIRST_TIMESTAMP * 0.02
        if stamps and late and offset == 0 and r.random() < 0.7:
            allowed = r.choice([LATEST_FIRST_TIMESTAMP, r.randint(0, LATEST_FIRST_TIMESTAMP)])
            inputs[base + 1] = vocab.ts0 + allowed
        if not placed and stamps:
            targets[base] = vocab.ts0
        spans = [(base + i, *frame) for i, frame in enumerate(frames) if frame is not None]
        return inputs[:TEXT_CONTEXT], targets[:TEXT_CONTEXT], [span for span in spans if span[0] < TEXT_CONTEXT]


class Renderer:
    """Turns plans into sound, where the samples lie: in main memory or on the device."""

    def __init__(self, pcm, device, seed):
        self.pcm, self.device = pcm, device
        numbers = np.random.default_rng(seed)
        self.bank = {
            colour: torch.from_numpy(noise(numbers, NOISE_SECONDS * SR, colour)).to(device) for colour in COLOURS
        }

    def __call__(self, batch):
        count = int(round(batch.seconds * SR)) // FRAME * FRAME
        audio = torch.zeros(len(batch.windows), count, device=self.device)
        for row, sounds, (sound_end, gain, hiss, cutoff, other) in zip(audio, batch.sounds, batch.windows):
            end = min(count, int(sound_end * SR))
            for shard, offset, length, at, scale, louder in sounds:
                samples = self.pcm[shard][offset : offset + length].float() * (louder / 32768)
                if scale != 1.0:
                    samples = F.interpolate(samples[None, None], size=int(length * scale), mode="linear")[0, 0]
                first = int(at * SR)
                samples = samples[max(0, -first) : max(0, end - first)]
                first = max(0, first)
                row[first : first + len(samples)] += samples
            if other is not None:
                row += torch.from_numpy(other[:count]).to(self.device)
                continue
            loudest = row.abs().max() + 1e-9
            row *= gain * (0.98 / loudest).clamp(max=1.0)
            if hiss is not None:
                colour, first, level = hiss
                row += self.bank[colour][first : first + count] * (row.abs().max() * level)
            if cutoff is not None:
                spectrum = torch.fft.rfft(row)
                spectrum[int(cutoff / (SR / 2) * len(spectrum)) :] = 0
                row.copy_(torch.fft.irfft(spectrum, count))
        return audio
