"""Golden results: what other programs make of the test recordings with the same weights.

    make_golden.py transformers MODEL_DIR AUDIO_DIR OUT.json [--only REGEX]
    make_golden.py openai       MODEL_DIR AUDIO_DIR OUT.json [--only REGEX]
    make_golden.py words        MODEL_DIR AUDIO_DIR OUT.json [--only REGEX]
    make_golden.py mel          AUDIO_DIR OUT.json
    make_golden.py all          MODEL_DIR AUDIO_DIR SAMPLES_DIR OUT_DIR

A golden file is made by a peer, never by the program under test. `transformers` decodes one window of
30 s greedily, with and without timestamps; `openai` runs the openai-whisper package over the whole
recording, greedily, with and without conditioning on previous text; `words` does so with word times;
`mel` stores part of openai-whisper's log-mel spectrogram; `all` makes every file that belongs to a model. AUDIO_DIR holds `manifest.jsonl`, one object
per recording with at least `file`, `text` and `language` (null: no speech).

Every peer gets its samples from ffmpeg (16 kHz, mono, s16) and computes in float32 on one CPU thread.
"""

import argparse
import importlib.metadata
import json
import math
import os
import subprocess
import re
import sys

import numpy as np
import torch
import whisper
from whisper.decoding import DecodingOptions, DecodingTask, SuppressBlank
from whisper.model import ModelDimensions, Whisper
from whisper.tokenizer import Tokenizer

from export_hf import printable_bytes
from to_openai import convert
from vocabulary import SPLIT_PATTERN

WINDOW_SAMPLES = 30 * 16000
# openai-whisper stops a window after half the text context; the same limit for both peers.
MAX_NEW_TOKENS = 224


def versions(*packages):
    return {name: importlib.metadata.version(name) for name in packages}


def read_manifest(audio_dir, only):
    with open(os.path.join(audio_dir, "manifest.jsonl"), encoding="utf8") as lines:
        entries = [json.loads(line) for line in lines]
    return [entry for entry in entries if re.search(only, entry["file"])]


def shorten(value):
    """Seven significant digits: more than float32 agrees on between two programs."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {key: shorten(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shorten(item) for item in value]
    return value


def load_audio(path):
    """What whisper.load_audio gives, but Opus through libopus.

    ffmpeg's own Opus decoder leaves libopus, the codec's reference, by about 11 dB on SILK speech: enough for
    other words.
    """
    decoder = ["-c:a", "libopus"] if path.endswith((".opus", ".webm")) else []
    command = ["ffmpeg", "-v", "error", "-nostdin", *decoder, "-i", path, "-f", "s16le", "-ac", "1", "-ar", "16000", "-"]
    samples = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(samples, np.int16).astype(np.float32) / 32768.0


def write(path, about, files):
    """One line per recording, so that a change to one of them reads as one line."""
    compact = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf8") as out:
        out.write('{"about":' + json.dumps(about, **compact) + ',\n"files":{\n')
        lines = [json.dumps(name) + ":" + json.dumps(shorten(item), **compact) for name, item in files.items()]
        out.write(",\n".join(lines) + "\n}}\n")
    print(path, os.path.getsize(path), "bytes")


# transformers ----------------------------------------------------------------------------------------


@torch.no_grad()
def run_transformers(model_dir, audio_dir, entries):
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer, logging

    logging.set_verbosity_error()
    model = WhisperForConditionalGeneration.from_pretrained(model_dir, dtype=torch.float32).eval()
    extractor = WhisperFeatureExtractor.from_pretrained(model_dir)
    tokenizer = WhisperTokenizer.from_pretrained(model_dir)
    settings = model.generation_config
    start, end = settings.decoder_start_token_id, settings.eos_token_id
    no_speech = tokenizer.convert_tokens_to_ids("<|nospeech|>")
    languages = {name.strip("<|>"): number for name, number in settings.lang_to_id.items()}
    files = {}
    for entry in entries:
        samples = load_audio(os.path.join(audio_dir, entry["file"]))
        if len(samples) > WINDOW_SAMPLES:
            continue
        language = entry["language"] or "en"
        prefix = [start, languages[language], settings.task_to_id["transcribe"]]
        features = extractor(samples, sampling_rate=16000, return_tensors="pt").input_features
        first = model(input_features=features, decoder_input_ids=torch.tensor([[start]])).logits[0, 0]
        chances = first[list(languages.values())].softmax(-1).tolist()
        by_chance = sorted(zip(languages, chances), key=lambda pair: -pair[1])

        def decode(return_timestamps):
            given = {"language": language, "task": "transcribe", "max_new_tokens": MAX_NEW_TOKENS}
            ids = model.generate(features, return_timestamps=return_timestamps, **given)[0].tolist()
            unwanted = set(prefix) | {settings.no_timestamps_token_id, end}
            return [number for number in ids if number not in unwanted]

        plain, stamped = decode(False), decode(True)
        files[entry["file"]] = {
            "reference": entry["text"],
            "language": language,
            "detected_language": by_chance[0][0],
            "language_probs": dict(by_chance[:5]),
            "no_speech_prob": first.softmax(-1)[no_speech].item(),
            "tokens": plain,
            "text": tokenizer.decode(plain, skip_special_tokens=True),
            "tokens_with_timestamps": stamped,
            "text_with_timestamps": tokenizer.decode(stamped, decode_with_timestamps=True),
        }
        print(entry["file"], files[entry["file"]]["text_with_timestamps"], flush=True)
    about = {
        "peer": versions("transformers", "torch"),
        "settings": "float32, greedy, one window of 30 s, language given, at most "
        f"{MAX_NEW_TOKENS} new tokens; ids without prompt and end token; language_probs are over the "
        "language tokens alone, no_speech_prob over the whole vocabulary, both at the start token",
    }
    return about, files


# openai-whisper --------------------------------------------------------------------------------------


class OwnWhisper(Whisper):
    """The package derives the number of languages from the size of its own vocabulary; here the folder says it."""

    is_multilingual = True
    num_languages = 0


def folder_tokenizer(model_dir):
    """(encoding, language codes in id order) from a Hugging Face folder's own vocabulary."""
    import tiktoken

    def read(name):
        with open(os.path.join(model_dir, name), encoding="utf8") as file:
            return json.load(file)

    to_byte = {char: byte for byte, char in printable_bytes().items()}
    special = read("added_tokens.json")
    text = {token: number for token, number in read("vocab.json").items() if token not in special}
    ranks = {bytes(to_byte[char] for char in token): number for token, number in text.items()}
    encoding = tiktoken.Encoding(
        name=os.path.basename(model_dir), pat_str=SPLIT_PATTERN, mergeable_ranks=ranks, special_tokens=special
    )
    by_id = sorted(read("generation_config.json")["lang_to_id"].items(), key=lambda pair: pair[1])
    return encoding, [name.strip("<|>") for name, _ in by_id]


def check_encoding(encoding, model_dir, entries):
    """The rebuilt encoding must split every reference text as the folder's own tokenizer does."""
    from transformers import WhisperTokenizer

    reference = WhisperTokenizer.from_pretrained(model_dir)
    for entry in entries:
        text = " " + entry["text"]
        assert encoding.encode_ordinary(text) == reference.encode(text, add_special_tokens=False), text


def load_openai(model_dir, entries):
    """The package's model with the folder's weights; its tokenizer is replaced by the folder's."""
    encoding, codes = folder_tokenizer(model_dir)
    if entries:
        check_encoding(encoding, model_dir, entries)

    def get_tokenizer(multilingual, *, num_languages=len(codes), language=None, task=None):
        special = encoding._special_tokens
        made = Tokenizer(encoding=encoding, num_languages=num_languages, language=None, task=None)
        made.language, made.task = language or "en", task or "transcribe"
        made.sot_sequence = (made.sot, special[f"<|{made.language}|>"], special[f"<|{made.task}|>"])
        return made

    # `whisper.transcribe` is the function; the module of that name is only in sys.modules.
    for module in ("whisper.decoding", "whisper.transcribe", "whisper.tokenizer"):
        sys.modules[module].get_tokenizer = get_tokenizer
    OwnWhisper.num_languages = len(codes)
    checkpoint = convert(model_dir)
    model = OwnWhisper(ModelDimensions(**checkpoint["dims"])).eval()
    model.load_state_dict(
        {name: tensor.float() for name, tensor in checkpoint["model_state_dict"].items()}, strict=False
    )
    with open(os.path.join(model_dir, "generation_config.json"), encoding="utf8") as file:
        heads = json.load(file).get("alignment_heads")
    if heads:
        mask = torch.zeros(model.dims.n_text_layer, model.dims.n_text_head, dtype=torch.bool)
        for layer, head in heads:
            mask[layer, head] = True
        model.register_buffer("alignment_heads", mask.to_sparse(), persistent=False)
    return model


def folder_suppress_tokens(model_dir):
    with open(os.path.join(model_dir, "generation_config.json"), encoding="utf8") as file:
        return json.load(file)["suppress_tokens"]


def suppressed(model, listed):
    """The ids that never come out with `listed` (a list, or the package's "-1"), and those barred from coming first."""
    task = DecodingTask(model, DecodingOptions(fp16=False, language="en", suppress_tokens=listed))
    logits = torch.zeros(1, model.dims.n_vocab)
    blank = next(rule for rule in task.logit_filters if isinstance(rule, SuppressBlank))
    blank.apply(logits, torch.zeros(1, task.sample_begin, dtype=torch.long))
    return sorted(task._get_suppress_tokens()), torch.isinf(logits[0]).nonzero().flatten().tolist()


def finite(value):
    return value if math.isfinite(value) else None


class Margins:
    """How close the closest decisions of a window were; in front of torch's functions in whisper.decoding.

    The package calls log_softmax twice a step: in the timestamp rules, to decide between time and text, and in the
    greedy search, to choose the token. A decision by a hair may fall the other way in an equally right program.
    """

    def __init__(self, functional, timestamp_begin):
        self.functional, self.timestamp_begin = functional, timestamp_begin
        self.reset()

    def reset(self):
        self.token, self.timestamp = math.inf, math.inf

    def __getattr__(self, name):
        return getattr(self.functional, name)

    def log_softmax(self, logits, dim):
        result = self.functional.log_softmax(logits, dim=dim)
        row = result[0]
        if sys._getframe(1).f_code.co_name == "update":
            first, second = row.topk(2).values.tolist()
            self.token = min(self.token, first - second)
        else:
            time, text = row[self.timestamp_begin :].logsumexp(-1), row[: self.timestamp_begin].max()
            self.timestamp = min(self.timestamp, abs((time - text).item()))
        return result


class Windows:
    """Records what each window gave, also of windows that become no segment."""

    def __init__(self, model, timestamp_begin):
        self.original, self.seen = model.decode, []
        model.decode = self
        decoding = sys.modules["whisper.decoding"]
        self.margins = decoding.F = Margins(decoding.F, timestamp_begin)

    def __call__(self, mel, options):
        self.margins.reset()
        result = self.original(mel, options)
        margins = self.margins
        prompt = list(options.prompt or [])
        # The package puts at most half the text context, less one, of the prompt before the start token.
        used = prompt[-(448 // 2 - 1) :]
        # decode <- decode_with_fallback <- transcribe, whose local `seek` is the first frame of the window.
        seek = sys._getframe(2).f_locals["seek"]
        self.seen.append(
            {
                "seek": seek,
                "prompt_tokens": len(used),
                "tokens": list(result.tokens),
                "avg_logprob": result.avg_logprob,
                "no_speech_prob": result.no_speech_prob,
                "compression_ratio": result.compression_ratio,
                "token_margin": finite(margins.token),
                "timestamp_margin": finite(margins.timestamp),
            }
        )
        return result

    def take(self):
        seen, self.seen = self.seen, []
        return seen


SEGMENT_FIELDS = ("seek", "start", "end", "text", "tokens", "avg_logprob", "compression_ratio", "no_speech_prob")


def run_openai(model_dir, audio_dir, entries, word_timestamps=False):
    model = load_openai(model_dir, entries)
    windows = Windows(model, whisper.tokenizer.get_tokenizer(True).timestamp_begin)
    listed = folder_suppress_tokens(model_dir)
    suppress, suppress_first = suppressed(model, listed)
    package_suppress, _ = suppressed(model, "-1")
    files = {}
    for entry in entries:
        samples = load_audio(os.path.join(audio_dir, entry["file"]))
        language = entry["language"] or "en"
        mel = whisper.log_mel_spectrogram(samples, model.dims.n_mels, padding=WINDOW_SAMPLES)
        _, chances = model.detect_language(whisper.pad_or_trim(mel, 3000))
        by_chance = sorted(chances.items(), key=lambda pair: -pair[1])
        item = {
            "reference": entry["text"],
            "language": language,
            "samples": len(samples),
            "detected_language": by_chance[0][0],
            "language_probs": dict(by_chance[:5]),
        }
        for name, condition in (("alone", False), ("conditioned", True)):
            if word_timestamps and condition:
                continue
            result = whisper.transcribe(
                model,
                samples,
                language=language,
                temperature=0.0,
                fp16=False,
                condition_on_previous_text=condition,
                word_timestamps=word_timestamps,
                suppress_tokens=listed,
            )
            segments = [{field: segment[field] for field in SEGMENT_FIELDS} for segment in result["segments"]]
            if word_timestamps:
                for kept, segment in zip(segments, result["segments"]):
                    kept["words"] = segment["words"]
            run = {"text": result["text"], "windows": windows.take(), "segments": segments}
            # With one window there is no previous text, so both runs say the same.
            if name == "conditioned" and len(run["windows"]) == 1:
                assert run == item["alone"], entry["file"]
                continue
            item[name] = run
        files[entry["file"]] = item
        print(entry["file"], item["alone"]["text"][:200], flush=True)
    about = {
        "peer": versions("openai-whisper", "torch"),
        "settings": "float32, CPU, temperature 0.0, language given, suppress_tokens as the folder lists them, other "
        "options at their defaults (no_speech_threshold 0.6, logprob_threshold -1); windows: each decoded window, also "
        "those that gave no segment (seek in frames; token_margin is the least lead in log probability a chosen token "
        "had over the next, timestamp_margin the smallest distance between the time and text sides of the rule that "
        "decides between them); alone: condition_on_previous_text False, conditioned: True, left out where one window "
        "is all there is" + ("; word_timestamps True" if word_timestamps else ""),
        "suppress_tokens": suppress,
        "begin_suppress_tokens": suppress_first,
        "package_suppress_tokens": package_suppress,
    }
    return about, files


# log-mel ---------------------------------------------------------------------------------------------


def mel_part(samples, bins, padding):
    """Frames taken evenly and at both edges, and the mean over all frames of each bin."""
    mel = whisper.log_mel_spectrogram(samples, bins, padding=padding).numpy()
    count = mel.shape[1]
    content = min(count, len(samples) // 160)
    wanted = (
        set(range(0, content, 50 if content < 1000 else 100))
        | set(range(4))
        | set(range(content - 4, content + 4))
        | {count - 1}
    )
    index = sorted(number for number in wanted if 0 <= number < count)
    return {
        "bins": bins,
        "frames": count,
        "padding_samples": padding,
        "frame_index": index,
        "values": [[round(float(value), 6) for value in mel[:, number]] for number in index],
        "bin_mean": [round(float(value), 6) for value in mel.astype(np.float64).mean(axis=1)],
        "minimum": float(mel.min()),
        "maximum": float(mel.max()),
    }


def run_mel(audio_dir):
    def load(name):
        return load_audio(os.path.join(audio_dir, name))

    two_minutes = load("long_2min.flac")
    recordings = {
        "short_00.wav": (load("short_00.wav"), 0),
        "short_00.wav padded": (load("short_00.wav"), WINDOW_SAMPLES),
        "long_2min.flac first 30 s": (two_minutes[:WINDOW_SAMPLES], 0),
        "noise_10s.wav": (load("noise_10s.wav"), 0),
        "silence_10s.wav": (load("silence_10s.wav")[:8000], 0),
    }
    files = {}
    for name, (samples, padding) in recordings.items():
        # Half a second of silence says all there is; the name says so too.
        label = "silence_10s.wav first 0.5 s" if name == "silence_10s.wav" else name
        for bins in (80, 128):
            files[f"{label}, {bins} bins"] = mel_part(samples, bins, padding)
    about = {
        "peer": versions("openai-whisper", "torch", "numpy"),
        "settings": "whisper.log_mel_spectrogram of float32 samples (s16 / 32768); values are frames of `bins` numbers "
        "at frame_index; bin_mean, minimum and maximum are over all frames",
    }
    return about, files


# Recordings whose words are timed: with the longer ones the file would be several times as large.
TIMED = "short|packed|dialogue|long_2min|silence|noise"


def make(peer, model_dir, audio_dir, out, only=""):
    entries = read_manifest(audio_dir, only)
    if peer == "transformers":
        write(out, *run_transformers(model_dir, audio_dir, entries))
    else:
        write(out, *run_openai(model_dir, audio_dir, entries, word_timestamps=peer == "words"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=["transformers", "openai", "words", "mel", "all"])
    parser.add_argument("paths", nargs="+", help="see above")
    parser.add_argument("--only", default="", help="regular expression a file name must contain")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.peer == "mel":
        audio_dir, out = options.paths
        write(out, *run_mel(audio_dir))
    elif options.peer == "all":
        model_dir, audio_dir, samples_dir, out = options.paths
        for peer in ("transformers", "openai"):
            make(peer, model_dir, audio_dir, f"{out}/{peer}.json")
            make(peer, model_dir, samples_dir, f"{out}/samples-{peer}.json")
        make("words", model_dir, audio_dir, f"{out}/words.json", TIMED)
    else:
        make(options.peer, *options.paths, options.only)


if __name__ == "__main__":
    main()
