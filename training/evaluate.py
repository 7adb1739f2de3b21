"""Measures a model folder on held-out utterances, decoded greedily in 32-bit floats by other programs.

evaluate.py MODEL_DIR DATA [--n 200] [--packed 20] [--json OUT]

DATA holds the shard `test` of make_corpus.py. Windows of 30 s are decoded by transformers; whole recordings, word
times and what has no speech by openai-whisper. Prints the results as JSON, then as the table of the model card.
"""

import argparse
import difflib
import json
import random
import re
import sys

import numpy as np
import torch
import whisper
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer, logging

from corpus import SR, Corpus, noise
from make_golden import folder_suppress_tokens, load_openai
from scoring import word_errors

FRAME_SECONDS = 0.02
EXAMPLES = 12
# name, seconds, voices in turn, pauses in seconds
RECORDINGS = [
    ("2_minutes", 120, 1, [4, 9]),
    ("2_minutes", 120, 1, [3, 12]),
    ("2_minutes", 120, 2, [5]),
    ("10_minutes", 600, 5, [5, 20, 41, 2.5, 8, 31.5]),
]
WORD_TIME_WINDOWS = 8


def plain_words(text):
    return re.sub(r"[^\w' ]", " ", text.lower()).split()


def level(samples):
    return samples * (0.6 / np.abs(samples).max())


class Score:
    """Word errors over many utterances: of the plain words, and as written."""

    def __init__(self):
        self.plain, self.written, self.exact, self.count = [0, 0], [0, 0], 0, 0

    def add(self, reference, heard):
        for total, split in ((self.plain, plain_words), (self.written, str.split)):
            errors, words = word_errors(split(reference), split(heard))
            total[0] += errors
            total[1] += words
        self.exact += reference.split() == heard.split()
        self.count += 1

    def report(self):
        def percent(part, whole):
            return round(100 * part / max(1, whole), 2)

        return {
            "utterances": self.count,
            "words": self.plain[1],
            "wer_percent": percent(*self.plain),
            "wer_cased_punctuated_percent": percent(*self.written),
            "exact_percent": percent(self.exact, self.count),
        }


class Evaluated:
    """A model folder and what the measurements need of it."""

    def __init__(self, model_dir):
        self.model = WhisperForConditionalGeneration.from_pretrained(model_dir, dtype=torch.float32).eval()
        self.extractor = WhisperFeatureExtractor.from_pretrained(model_dir)
        self.tokenizer = WhisperTokenizer.from_pretrained(model_dir)
        self.settings = self.model.generation_config
        self.start = self.settings.decoder_start_token_id
        self.first_time = self.settings.no_timestamps_token_id + 1

    def features(self, recordings):
        return torch.from_numpy(self.extractor(recordings, sampling_rate=SR, return_tensors="np").input_features)

    def decode(self, features, language="en", task="transcribe", stamped=False, limit=80):
        return self.model.generate(
            features, language=language, task=task, return_timestamps=stamped, max_new_tokens=limit
        ).tolist()

    def text(self, ids):
        return self.tokenizer.decode([i for i in ids if i < self.first_time], skip_special_tokens=True)

    def start_position(self, features):
        """(language id, probability of no speech) of each window."""
        ids = list(self.settings.lang_to_id.values())
        tokens = torch.full((features.shape[0], 1), self.start)
        logits = self.model(input_features=features, decoder_input_ids=tokens).logits[:, 0]
        no_speech = self.tokenizer.convert_tokens_to_ids("<|nospeech|>")
        chosen = [ids[i] for i in logits[:, ids].argmax(-1).tolist()]
        return chosen, logits.softmax(-1)[:, no_speech].tolist()


class Listener:
    """openai-whisper with the folder's weights, over whole recordings."""

    def __init__(self, model_dir):
        self.model, self.suppressed = load_openai(model_dir, None), folder_suppress_tokens(model_dir)

    def __call__(self, samples, condition=False, word_times=False):
        return whisper.transcribe(
            self.model,
            samples.astype(np.float32),
            language="en",
            temperature=0.0,
            fp16=False,
            condition_on_previous_text=condition,
            word_timestamps=word_times,
            suppress_tokens=self.suppressed,
        )


def batches(items, size=16):
    return (items[i : i + size] for i in range(0, len(items), size))


def single(evaluated, held_out, items, language, examples):
    """Single utterances: words, language, no-speech probability."""
    score, right, no_speech = Score(), 0, []
    for part in batches(items):
        features = evaluated.features([level(held_out.audio(item)) for item in part])
        languages, chances = evaluated.start_position(features)
        right += sum(chosen == evaluated.settings.lang_to_id[f"<|{language}|>"] for chosen in languages)
        no_speech += chances
        for item, ids in zip(part, evaluated.decode(features, language)):
            heard = evaluated.text(ids)
            score.add(item["text"], heard)
            if plain_words(item["text"]) != plain_words(heard) and len(examples) < EXAMPLES:
                examples.append((item["text"], heard))
    return score.report() | {
        "language_accuracy_percent": round(100 * right / len(items), 1),
        "no_speech_prob_mean": round(float(np.mean(no_speech)), 4),
        "no_speech_prob_max": round(float(np.max(no_speech)), 4),
    }


def translated(evaluated, held_out, items):
    score = Score()
    for part in batches(items):
        features = evaluated.features([level(held_out.audio(item)) for item in part])
        for item, ids in zip(part, evaluated.decode(features, "de", "translate")):
            score.add(item["translation"], evaluated.text(ids))
    return score.report()


def noisy(evaluated, held_out, items, numbers):
    """White noise 15 dB below the speech."""
    score = Score()
    for part in batches(items):
        recordings = []
        for item in part:
            samples = level(held_out.audio(item))
            hiss = noise(numbers, len(samples), "white") * np.std(samples) * 10 ** (-15 / 20)
            recordings.append(samples + hiss)
        for item, ids in zip(part, evaluated.decode(evaluated.features(recordings))):
            score.add(item["text"], evaluated.text(ids))
    return score.report()


def packed_window(held_out, r, items):
    """(samples of almost 30 s, [(start, end, utterance)]); takes its utterances from the end of `items`."""
    samples, segments, at = np.zeros(30 * SR, np.float32), [], r.uniform(0, 0.8)
    while items and at + items[-1]["n"] / SR <= 26.5:
        item = items.pop()
        spoken = level(held_out.audio(item))
        first = int(at * SR)
        samples[first : first + len(spoken)] += spoken
        segments.append((at + item["words"][0][1], at + item["words"][-1][2], item))
        at += len(spoken) / SR + r.uniform(0.3, 1.2)
    return samples[: int((at + 0.1) * SR)], segments


def packed_windows(held_out, items, count, r):
    items = list(items)
    r.shuffle(items)
    return [window for window in (packed_window(held_out, r, items) for _ in range(count)) if window[1]]


def packed(evaluated, windows):
    """Full windows, with and without timestamps; times where the number of segments is right."""
    stamped, plain, errors, same = Score(), Score(), [], 0
    for part in batches(windows, 6):
        features = evaluated.features([samples for samples, _ in part])
        references = [" ".join(item["text"] for _, _, item in segments) for _, segments in part]
        for (_, segments), text, ids in zip(part, references, evaluated.decode(features, stamped=True, limit=300)):
            stamped.add(text, evaluated.text(ids))
            first = evaluated.first_time
            times = [(i - first) * FRAME_SECONDS for i in ids if i >= first]
            wanted = [time for start, end, _ in segments for time in (start, end)]
            if len(times) == len(wanted):
                same += 1
                errors += [abs(got - true) for got, true in zip(times, wanted)]
        for text, ids in zip(references, evaluated.decode(features, limit=300)):
            plain.add(text, evaluated.text(ids))
    times = {
        "windows_with_right_segment_count": f"{same}/{len(windows)}",
        "boundary_mean_abs_error_s": round(float(np.mean(errors)), 4) if errors else None,
        "boundary_p95_abs_error_s": round(float(np.percentile(errors, 95)), 4) if errors else None,
    }
    return stamped.report() | times, plain.report()


def recording(held_out, r, numbers, seconds, voices, pauses):
    """(samples, text) of minutes of one voice, or of several in turn, over faint noise, with pauses."""
    names = r.sample(sorted({item["voice"] for item in held_out.by_lang["en"]}), voices)
    waiting = sorted((r.uniform(0.1, 0.9) * seconds, pause) for pause in pauses)
    pieces, texts, at = [np.zeros(int(0.4 * SR), np.float32)], [], 0.4
    for turn, name in enumerate(names):
        items = [item for item in held_out.by_lang["en"] if item["voice"] == name]
        r.shuffle(items)
        while items and at < seconds * (turn + 1) / voices - 5:
            gap = r.uniform(0.25, 1.3)
            if waiting and at >= waiting[0][0]:
                gap += waiting.pop(0)[1]
            item = items.pop()
            pieces += [level(held_out.audio(item)), np.zeros(int(gap * SR), np.float32)]
            texts.append(item["text"])
            at += (len(pieces[-2]) + len(pieces[-1])) / SR
    samples = np.concatenate(pieces)
    return samples + noise(numbers, len(samples), "pink") * 10 ** (-62 / 20), " ".join(texts)


def long_recordings(listener, held_out, r, numbers, count):
    """Word errors over minutes, without and with the text before as a prompt."""
    scores, seconds = {}, {}
    for name, length, voices, pauses in RECORDINGS[:count]:
        samples, text = recording(held_out, r, numbers, length, voices, pauses)
        seconds[name] = seconds.get(name, 0) + len(samples) / SR
        for condition in (False, True):
            score = scores.setdefault((name, condition), Score())
            score.add(text, listener(samples, condition)["text"])
    out = {}
    for (name, condition), score in scores.items():
        entry = score.report() | {"seconds": round(seconds[name], 1)}
        out[f"{name}_{'conditioned' if condition else 'alone'}"] = entry
    return out


def word_times(listener, windows):
    """How far word starts and ends are off, over the words of full windows that were heard right."""
    starts, ends, words = [], [], 0
    for samples, segments in windows:
        wanted = []
        for start, _, item in segments:
            origin = start - item["words"][0][1]
            wanted += [(plain_words(word), origin + begin, origin + end) for word, begin, end in item["words"]]
        heard = [
            (plain_words(word["word"]), word["start"], word["end"])
            for segment in listener(samples, word_times=True)["segments"]
            for word in segment["words"]
        ]
        words += len(wanted)
        same = difflib.SequenceMatcher(None, [str(x[0]) for x in wanted], [str(x[0]) for x in heard], autojunk=False)
        for i, j, count in same.get_matching_blocks():
            for true, got in zip(wanted[i : i + count], heard[j : j + count]):
                starts.append(abs(true[1] - got[1]))
                ends.append(abs(true[2] - got[2]))
    both = starts + ends
    return {
        "words": words,
        "words_compared": len(starts),
        "mean_abs_error_s": round(float(np.mean(both)), 4),
        "median_abs_error_s": round(float(np.median(both)), 4),
        "start_mean_abs_error_s": round(float(np.mean(starts)), 4),
        "end_mean_abs_error_s": round(float(np.mean(ends)), 4),
    }


def without_speech(evaluated, listener, numbers):
    """Silence and noise: does the model say so, and does it keep silent?"""
    recordings = [np.zeros(10 * SR, np.float32)]
    for colour in ("white", "pink", "brown"):
        for decibel in (-70, -50, -30, -20):
            for seconds in (5, 30):
                hiss = noise(numbers, seconds * SR, colour) * 10 ** (decibel / 20)
                recordings.append(hiss.astype(np.float32))
    chances, words = [], {False: 0, True: 0}
    for part in batches(recordings, 5):
        features = evaluated.features(part)
        chances += evaluated.start_position(features)[1]
        for stamped in words:
            texts = [evaluated.text(ids) for ids in evaluated.decode(features, stamped=stamped, limit=60)]
            words[stamped] += sum(len(text.split()) for text in texts)
    return {
        "windows": len(recordings),
        "above_0_6": sum(chance > 0.6 for chance in chances),
        "min_prob": round(min(chances), 4),
        "words_without_timestamps_mode": words[False],
        "words_in_timestamp_mode": words[True],
        "recordings_transcribed_to_text": sum(bool(listener(samples)["text"].strip()) for samples in recordings),
    }


def alignment_mass(evaluated, held_out, items):
    """[layer][head]: the share of cross-attention that lies within the time of the word being predicted."""
    model, settings = evaluated.model, evaluated.settings
    mass, count = torch.zeros(model.config.decoder_layers, model.config.decoder_attention_heads), 0
    model.set_attn_implementation("eager")  # the others do not return weights
    prefix = [evaluated.start, settings.lang_to_id["<|en|>"], settings.task_to_id["transcribe"]]
    for item in items:
        ids, spans = prefix + [settings.no_timestamps_token_id], []
        for word, start, end in item["words"]:
            for token in evaluated.tokenizer.encode(" " + word, add_special_tokens=False):
                first, last = max(0, int(start / FRAME_SECONDS - 1)), int(end / FRAME_SECONDS + 1)
                spans.append((len(ids) - 1, first, last))
                ids.append(token)
        features = evaluated.features([level(held_out.audio(item))])
        answer = model(input_features=features, decoder_input_ids=torch.tensor([ids]), output_attentions=True)
        for position, first, last in spans:
            for layer, weights in enumerate(answer.cross_attentions):
                mass[layer] += weights[0, :, position, first : last + 1].sum(-1)
            count += 1
    model.set_attn_implementation("sdpa")
    return [[round(float(value), 3) for value in row] for row in mass / count]


def table(results):
    """The results as the model card shows them."""
    plain, stamped = results["packed_no_timestamps"], results["packed_timestamps"]
    times, silent = results["word_times"], results["no_speech"]
    rows = []

    def errors(sound, result, more=""):
        amount = f"{result['words']} words"
        rows.append((sound, amount, f"{result['wer_percent']:.1f} % word errors{more}"))

    def exact(name):
        return f"; {results[name]['exact_percent']:.0f} % of the sentences right to the letter"

    errors("English, one sentence", results["single_en"], exact("single_en"))
    errors("the same with white noise, 15 dB", results["single_en_white_noise_15dB"])
    errors("German, one sentence", results["single_de"], exact("single_de"))
    errors("German translated to English", results["translate_de_en"], exact("translate_de_en"))
    languages = min(results[name]["language_accuracy_percent"] for name in ("single_en", "single_de"))
    rows.append(("language of one sentence", "", f"{languages:.1f} % right (the worse of the two)"))
    errors("full windows of about 25 s, with timestamps", stamped)
    segments = stamped["windows_with_right_segment_count"].replace("/", " of ")
    rows.append(("their segments", "", f"the right number in {segments} windows"))
    off = stamped["boundary_mean_abs_error_s"]
    rows.append(("their boundaries", "", "none to compare" if off is None else f"{off:.3f} s off on average"))
    errors("the same windows without timestamps", plain)
    for minutes in ("2_minutes", "10_minutes"):
        for way, words in (("alone", "no text before given"), ("conditioned", "on the text before")):
            if f"{minutes}_{way}" in results["long"]:
                errors(f"recordings of {minutes.replace('_', ' ')}, {words}", results["long"][f"{minutes}_{way}"])
    compared = f"{times['words_compared']} words heard right"
    rows.append(("word times in full windows", compared, f"{1000 * times['mean_abs_error_s']:.0f} ms off on average"))
    count = f"{silent['windows']} recordings"
    rows.append(
        (
            "silence and noise",
            count,
            f"known as such in {silent['above_0_6']}, text from {silent['recordings_transcribed_to_text']}",
        )
    )
    lines = ["| sound | how much | result |", "|---|---|---|", *("| " + " | ".join(row) + " |" for row in rows)]
    return "\n".join(lines)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", help="folder with the shard `test`, made with --held-out")
    parser.add_argument("--n", type=int, default=200, help="English utterances, and half as many German")
    parser.add_argument("--packed", type=int, default=20, help="full windows")
    parser.add_argument("--long", type=int, default=len(RECORDINGS), help="how many of the recordings of minutes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.set_verbosity_error()
    r, numbers = random.Random(3), np.random.default_rng(3)
    evaluated, listener = Evaluated(options.model), Listener(options.model)
    held_out = Corpus([f"{options.data}/test"])
    english, german = held_out.by_lang["en"], held_out.by_lang["de"][: max(1, options.n // 2)]
    windows = packed_windows(held_out, english, options.packed, r)
    results, examples = {}, []

    def note(name, value):
        results[name] = value
        print(name, value, file=sys.stderr, flush=True)

    note("single_en", single(evaluated, held_out, english[: options.n], "en", examples))
    note("single_de", single(evaluated, held_out, german, "de", examples))
    note("translate_de_en", translated(evaluated, held_out, german))
    note("single_en_white_noise_15dB", noisy(evaluated, held_out, english[: options.n // 2], numbers))
    stamped, plain = packed(evaluated, windows)
    note("packed_timestamps", stamped)
    note("packed_no_timestamps", plain)
    note("no_speech", without_speech(evaluated, listener, numbers))
    note("word_times", word_times(listener, windows[:WORD_TIME_WINDOWS]))
    note("long", long_recordings(listener, held_out, r, numbers, options.long))
    note("alignment_mass", alignment_mass(evaluated, held_out, english[:24]))
    results["errors"] = examples
    text = json.dumps(results, indent=1, ensure_ascii=False)
    if options.json:
        with open(options.json, "w", encoding="utf8") as file:
            file.write(text + "\n")
    print(text)
    print()
    print(table(results))


if __name__ == "__main__":
    main()
