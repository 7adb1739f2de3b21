"""The peers' side of `cargo xtask parity`: what other programs make of the same recordings with the same weights.

    parity.py run PEER MODEL_DIR AUDIO_DIR CACHE_DIR [--only NAME] [--recording GLOB] [--cached]
    parity.py score MANIFEST.jsonl < TEXTS.jsonl

PEER is openai (the openai-whisper package), faster-whisper or transformers. The configurations and their recordings
stand in parity.json beside this file, in the flags of openai-whisper's command line. A result is a JSON file in
CACHE_DIR, named by everything it depends on; what is there is not made again. On standard output `run` prints one
object a line for each result: configuration, flags, file, language, and the path of the result (null with --cached
where there is none). Messages go to standard error.

`score` reads lines of {"name", "file", "text"} and prints {"name": {"words", "errors"}}, judged by the normalisers of
openai-whisper, so that no program is measured by its own idea of a word.

Every peer gets the same samples (ffmpeg with libopus: 16 kHz, mono, s16) and computes in float32 on one CPU thread.
"""

import argparse
import fnmatch
import hashlib
import importlib.metadata
import json
import math
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "training"))

# What else the results depend on: to be raised when this file or make_golden.py computes something else.
REVISION = 2
PACKAGES = {
    "openai": ("openai-whisper", "torch"),
    "faster-whisper": ("faster-whisper", "ctranslate2"),
    "transformers": ("transformers", "torch"),
}


def read_plan():
    with open(os.path.join(HERE, "parity.json"), encoding="utf8") as file:
        return json.load(file)


def read_manifest(path):
    with open(path, encoding="utf8") as lines:
        return [json.loads(line) for line in lines]


def hash_of_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def work(plan, peer, entries):
    """Pairs of a configuration and a recording's entry, in the order of the plan."""
    for configuration in plan["configurations"] if peer == "openai" else plan["other_peers"][peer]:
        globs = plan["recordings"][configuration["recordings"]]
        for entry in entries:
            if any(fnmatch.fnmatch(entry["file"], glob) for glob in globs):
                yield configuration, entry


# openai-whisper --------------------------------------------------------------------------------------


def number(text, kind=float):
    return None if text == "None" else kind(text)


def keyword_arguments(flags):
    """openai-whisper's flags as the keyword arguments its own command line makes of them."""
    readers = {
        "task": str,
        "initial_prompt": str,
        "clip_timestamps": str,
        "beam_size": lambda text: number(text, int),
        "best_of": lambda text: number(text, int),
        "patience": number,
        "length_penalty": number,
        "condition_on_previous_text": lambda text: text == "True",
        "carry_initial_prompt": lambda text: text == "True",
        "without_timestamps": lambda text: text == "True",
        "word_timestamps": lambda text: text == "True",
        "fp16": lambda text: text == "True",
    }
    flags = dict(flags)
    temperature, increment = float(flags.pop("temperature")), number(flags.pop("temperature_increment_on_fallback"))
    steps = 0 if increment is None else round((1.0 - temperature) / increment)
    arguments = {name: readers[name](text) for name, text in flags.items()}
    arguments["temperature"] = tuple(temperature + step * (increment or 0) for step in range(steps + 1))
    return arguments


class Openai:
    def __init__(self, model_dir, entries):
        import torch
        import whisper

        import make_golden

        torch.set_num_threads(1)
        self.torch, self.whisper, self.golden = torch, whisper, make_golden
        self.model = make_golden.load_openai(model_dir, entries)
        begin = whisper.tokenizer.get_tokenizer(True).timestamp_begin
        self.windows = recorder(make_golden, self.model, begin)
        self.suppress = make_golden.folder_suppress_tokens(model_dir)

    def __call__(self, samples, language, flags):
        arguments = keyword_arguments(flags)
        self.torch.manual_seed(0)
        self.windows.take()
        result = self.whisper.transcribe(
            self.model, samples, language=language, suppress_tokens=self.suppress, **arguments
        )
        windows = self.windows.take()
        fields = (*self.golden.SEGMENT_FIELDS, "temperature")
        segments = [{field: segment[field] for field in fields} for segment in result["segments"]]
        if arguments.get("word_timestamps"):
            for kept, segment in zip(segments, result["segments"]):
                kept["words"] = segment["words"]
        for window in windows:
            if window["temperature"] == 0 and arguments.get("beam_size"):
                # The leads that were seen are those of one beam over its own next token: not what decides here.
                del window["margins"]
            else:
                del window["rank_margin"]
        return {"text": result["text"], "segments": segments, "windows": windows}


def recorder(golden, model, timestamp_begin):
    """make_golden's recorder of windows, which keeps the lead of every token instead of the smallest alone."""

    class Margins(golden.Margins):
        def reset(self):
            super().reset()
            self.steps, self.rule = [], math.inf

        def log_softmax(self, logits, dim):
            result = self.functional.log_softmax(logits, dim=dim)
            row = result[0]
            if sys._getframe(1).f_code.co_name == "update":
                first, second = row.topk(2).values.tolist()
                # A token may hang on its own lead, or on that of the rule that chose between time and text.
                lead = golden.finite(min(first - second, self.rule))
                self.steps.append(None if lead is None else round(lead, 6))
                self.rule = math.inf
            else:
                time, text = row[self.timestamp_begin :].logsumexp(-1), row[: self.timestamp_begin].max()
                self.rule = abs((time - text).item())
            return result

    class Windows(golden.Windows):
        def __call__(self, mel, options):
            self.margins.reset()
            result = self.original(mel, options)
            seek = sys._getframe(2).f_locals["seek"]
            self.seen.append(
                {
                    "seek": seek,
                    "tokens": list(result.tokens),
                    "temperature": result.temperature,
                    "avg_logprob": result.avg_logprob,
                    "no_speech_prob": result.no_speech_prob,
                    "compression_ratio": result.compression_ratio,
                    "margins": self.margins.steps,
                    "rank_margin": ranker.lead,
                }
            )
            return result

    decoding = sys.modules["whisper.decoding"]

    class Ranker(decoding.MaximumLikelihoodRanker):
        """Remembers by how much the best finished beam led the next."""

        def rank(self, tokens, sum_logprobs):
            lengths = [[len(sequence) for sequence in group] for group in tokens]
            penalty = self.length_penalty

            def score(logprob, length):
                return logprob / (length if penalty is None else ((5 + length) / 6) ** penalty)

            best = sorted(map(score, sum_logprobs[0], lengths[0]), reverse=True)
            ranker.lead = round(float(best[0] - best[1]), 6) if len(best) > 1 else None
            return super().rank(tokens, sum_logprobs)

    ranker = Ranker
    decoding.MaximumLikelihoodRanker = Ranker
    windows = Windows(model, timestamp_begin)
    functional = decoding.F.functional
    windows.margins = decoding.F = Margins(functional, timestamp_begin)
    return windows


# faster-whisper and transformers ---------------------------------------------------------------------


class FasterWhisper:
    """Its own defaults: beam 5, falling back to sampling, each window told of the one before it."""

    def __init__(self, model_dir, entries):
        import tempfile

        import ctranslate2
        from faster_whisper import WhisperModel

        folder = tempfile.mkdtemp()
        copied = ["tokenizer.json", "preprocessor_config.json"]
        converter = ctranslate2.converters.TransformersConverter(model_dir, copy_files=copied)
        converter.convert(os.path.join(folder, "model"), quantization="float32")
        self.model = WhisperModel(
            os.path.join(folder, "model"), device="cpu", compute_type="float32", cpu_threads=1, local_files_only=True
        )

    def __call__(self, samples, language, flags):
        segments, _ = self.model.transcribe(samples, language=language)
        segments = [{"start": one.start, "end": one.end, "text": one.text, "tokens": one.tokens} for one in segments]
        return {"text": "".join(segment["text"] for segment in segments), "segments": segments}


class Transformers:
    """Windows of 30 s, greedy, with times; longer recordings as its own pipeline of consecutive windows."""

    def __init__(self, model_dir, entries):
        import torch
        from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer, logging

        logging.set_verbosity_error()
        torch.set_num_threads(1)
        self.torch = torch
        self.model = WhisperForConditionalGeneration.from_pretrained(model_dir, dtype=torch.float32).eval()
        self.extractor = WhisperFeatureExtractor.from_pretrained(model_dir)
        self.tokenizer = WhisperTokenizer.from_pretrained(model_dir)

    def __call__(self, samples, language, flags):
        long = len(samples) > 30 * 16000
        settings = {"truncation": False, "padding": "longest", "return_attention_mask": True} if long else {}
        features = self.extractor(samples, sampling_rate=16000, return_tensors="pt", **settings)
        given = {"language": language, "task": "transcribe", "return_timestamps": True, "num_beams": 1}
        if long:
            # Consecutive windows, moved on by the last timestamp, as openai-whisper does.
            given |= {"attention_mask": features.attention_mask, "condition_on_prev_tokens": False, "temperature": 0.0}
        else:
            given["max_new_tokens"] = 224
        with self.torch.no_grad():
            ids = self.model.generate(features.input_features, **given)[0].tolist()
        special = self.model.generation_config
        prefix = {special.decoder_start_token_id, *special.lang_to_id.values(), *special.task_to_id.values()}
        unwanted = prefix | {special.no_timestamps_token_id, special.eos_token_id}
        ids = [token for token in ids if token not in unwanted]
        return {"text": self.tokenizer.decode(ids, skip_special_tokens=True), "tokens": ids}


PEERS = {"openai": Openai, "faster-whisper": FasterWhisper, "transformers": Transformers}


def run(asked):
    plan = read_plan()
    entries = read_manifest(os.path.join(asked.audio, "manifest.jsonl"))
    versions = {name: importlib.metadata.version(name) for name in PACKAGES[asked.peer]}
    model_hash = hash_of_file(os.path.join(asked.model, "model.safetensors"))
    with open(os.path.join(asked.model, "config.json"), encoding="utf8") as file:
        end_of_text = json.load(file)["eos_token_id"]
    hashes, samples, peer = {}, {}, None
    os.makedirs(asked.cache, exist_ok=True)
    for configuration, entry in work(plan, asked.peer, entries):
        name, file = configuration["name"], entry["file"]
        if asked.only and asked.only not in name or not fnmatch.fnmatch(file, asked.recording):
            continue
        sound = os.path.join(asked.audio, file)
        if file not in hashes:
            hashes[file] = hash_of_file(sound)
        flags = configuration["flags"]
        if flags:
            flags = {**plan["flags_of_every_run"], **flags}
        language = entry["language"] or "en"
        key = {
            "revision": REVISION,
            "peer": asked.peer,
            "versions": versions,
            "model": model_hash,
            "sound": hashes[file],
            "language": language,
            # The other peers do one thing each; there the flags are those that this program needs to do the same.
            "flags": flags if asked.peer == "openai" else {},
        }
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
        path = os.path.join(asked.cache, f"{asked.peer}-{digest}.json")
        if not os.path.exists(path) and not asked.cached:
            import make_golden

            peer = peer or PEERS[asked.peer](asked.model, entries)
            print(f"{asked.peer}: {name}: {file}", file=sys.stderr, flush=True)
            if file not in samples:
                samples = {file: make_golden.load_audio(sound)}
            result = {"key": key, "seconds": len(samples[file]) / 16000, **peer(samples[file], language, flags)}
            with open(path + ".part", "w", encoding="utf8") as out:
                json.dump(result, out, ensure_ascii=False, default=float)
            os.replace(path + ".part", path)
        result = path if os.path.exists(path) else None
        about = {"versions": versions, "flags": flags, "language": language, "end_of_text": end_of_text}
        print(json.dumps({"configuration": name, "file": file, "result": result, **about}), flush=True)


# Word error rate -------------------------------------------------------------------------------------


def distance(one, other):
    row = list(range(len(other) + 1))
    for i, word in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, candidate in enumerate(other, 1):
            above, row[j] = row[j], min(above + (word != candidate), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def score(asked):
    from whisper.normalizers import BasicTextNormalizer, EnglishTextNormalizer

    english, basic = EnglishTextNormalizer(), BasicTextNormalizer()
    entries = {entry["file"]: entry for entry in read_manifest(asked.manifest)}
    totals = {}
    for line in sys.stdin:
        given = json.loads(line)
        entry = entries[given["file"]]
        normalise = basic if (entry["language"] or "en") != "en" else english
        reference, heard = normalise(entry["text"]).split(), normalise(given["text"]).split()
        total = totals.setdefault(given["name"], {"words": 0, "errors": 0})
        total["words"] += len(reference)
        total["errors"] += distance(reference, heard)
    print(json.dumps(totals))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("run")
    verb.add_argument("peer", choices=PEERS)
    verb.add_argument("model")
    verb.add_argument("audio")
    verb.add_argument("cache")
    verb.add_argument("--only", default="", help="part of a configuration's name")
    verb.add_argument("--recording", default="*", help="glob of the recordings' names")
    verb.add_argument("--cached", action="store_true", help="make nothing, say what is there")
    verb.set_defaults(do=run)
    verb = verbs.add_parser("score")
    verb.add_argument("manifest")
    verb.set_defaults(do=score)
    asked = parser.parse_args()
    asked.do(asked)


if __name__ == "__main__":
    main()
