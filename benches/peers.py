"""Amanuensis beside other Whisper engines: the same work, on the same machine, in the same run, in float32.

    peers.py prepare WORK [--shape base]
    peers.py run WORK [--shape base] [--threads 2] [--rounds 5] [--amanuensis PROGRAM] [--only NAME,NAME] [--out FILE]

The weights are random at the published shape: the text is garbage, the time is not, and nobody's weights are needed.
Every engine gets a process of its own that loads the model once; then they take turns, one measurement each, so that
whatever else the machine does falls on all of them alike. Figures are medians of the rounds.
"""

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time

SHAPES = {
    # width, encoder layers, decoder layers, heads
    "tiny": (384, 4, 4, 6),
    "base": (512, 6, 6, 8),
    "small": (768, 12, 12, 12),
}
MEL_BINS, WINDOW_FRAMES, VOCABULARY = 80, 3000, 51865
END, START, ENGLISH, TRANSCRIBE, NO_TIMESTAMPS = 50257, 50258, 50259, 50359, 50363
PROMPT = [START, ENGLISH, TRANSCRIBE, NO_TIMESTAMPS]
NEW_TOKENS = 100
SEED = 20250101
WORK = ("encoder", "greedy", "beam", "batch", "mel")
BEAMS, WINDOWS = 5, 4
# `amanuensis bench --json` names what the rows of the table are made of.
OUR_NAMES = {
    "encoder": "encoder_seconds",
    "greedy": "greedy_100_tokens_seconds",
    "beam": "beam_5_100_tokens_seconds",
    "batch": "batch_4_100_tokens_seconds",
    "mel": "mel_30s_seconds",
}
HEADINGS = {
    "load": "load",
    "encoder": "encoder, 30 s",
    "greedy": "100 tokens, greedy",
    "beam": "100 tokens, beam 5",
    "batch": "4 windows together, 100 tokens each",
    "mel": "log-mel, 30 s",
}
# Idle time between two turns: the thread pools of most engines spin for a while before they sleep.
PAUSE_SECONDS = 0.4


def random_mel():
    import numpy

    shape = (1, MEL_BINS, WINDOW_FRAMES)
    return (numpy.random.default_rng(1).standard_normal(shape) * 0.3).astype(numpy.float32)


def random_sound():
    import numpy

    return (numpy.random.default_rng(2).standard_normal(480000) * 0.1).astype(numpy.float32)


# The engines. A constructor loads; each method that a class has does one piece of the work.


class OpenVino:
    modules = ("openvino",)

    def __init__(self, models, threads):
        import openvino

        self.version = openvino.__version__.split("-")[0]
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self.request = openvino.Core().compile_model(f"{models}/encoder.xml", "CPU", settings).create_infer_request()
        self.input = random_mel()

    def encoder(self):
        self.request.infer([self.input])


class OnnxRuntime:
    modules = ("onnxruntime",)

    def __init__(self, models, threads):
        import onnxruntime

        self.version = onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(f"{models}/encoder.onnx", options, providers=providers)
        self.input = {self.session.get_inputs()[0].name: random_mel()}

    def encoder(self):
        self.session.run(None, self.input)


class CTranslate2:
    modules = ("ctranslate2",)

    def __init__(self, models, threads):
        import ctranslate2

        self.version = ctranslate2.__version__
        folder = f"{models}/ctranslate2"
        self.model = ctranslate2.models.Whisper(folder, device="cpu", compute_type="float32", intra_threads=threads)
        assert self.model.compute_type == "float32", self.model.compute_type
        self.input = ctranslate2.StorageView.from_array(random_mel())
        self.encoded = self.model.encode(self.input)
        several = random_mel().repeat(WINDOWS, axis=0)
        self.several = self.model.encode(ctranslate2.StorageView.from_array(several))

    def encoder(self):
        self.model.encode(self.input)

    def generate(self, encoded, windows, beams):
        # A window may generate half of max_length.
        settings = {"beam_size": beams, "max_length": 2 * NEW_TOKENS, "suppress_blank": False, "suppress_tokens": [END]}
        made = self.model.generate(encoded, [PROMPT] * windows, **settings)
        assert all(len(each.sequences_ids[0]) == NEW_TOKENS for each in made) and len(made) == windows

    def greedy(self):
        self.generate(self.encoded, 1, 1)

    def beam(self):
        self.generate(self.encoded, 1, BEAMS)

    def batch(self):
        self.generate(self.several, WINDOWS, 1)


class OpenAiWhisper:
    modules = ("torch", "whisper")

    def __init__(self, models, threads):
        import torch
        import whisper

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.whisper, self.version = whisper, whisper.__version__
        self.model = whisper.load_model(f"{models}/openai.pt", device="cpu")
        self.input, self.sound = torch.from_numpy(random_mel()), torch.from_numpy(random_sound())
        self.encoded = self.model.encoder(self.input)
        self.several = self.encoded.repeat(WINDOWS, 1, 1)

    def encoder(self):
        self.model.encoder(self.input)

    def decode(self, encoded, **search):
        settings = {"without_timestamps": True, "suppress_blank": False, "suppress_tokens": [END], "fp16": False}
        options = self.whisper.DecodingOptions(language="en", sample_len=NEW_TOKENS, **settings, **search)
        made = [len(each.tokens) for each in self.whisper.decode(self.model, encoded, options)]
        assert made == [NEW_TOKENS] * len(encoded), made

    def greedy(self):
        self.decode(self.encoded)

    def beam(self):
        self.decode(self.encoded, beam_size=BEAMS)

    def batch(self):
        self.decode(self.several)

    def mel(self):
        self.whisper.log_mel_spectrogram(self.sound, MEL_BINS)


class Transformers:
    modules = ("torch", "transformers", "transformers.generation")

    def __init__(self, models, threads):
        import torch
        import transformers
        from transformers.generation import GenerationMixin
        from transformers.modeling_outputs import BaseModelOutput

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        transformers.logging.set_verbosity_error()
        self.version, self.torch = transformers.__version__, torch
        folder = f"{models}/hf"
        model = transformers.WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        self.model = model.eval()
        self.extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
        self.input, self.sound = torch.from_numpy(random_mel()), random_sound()
        self.outputs = BaseModelOutput
        self.encoded = BaseModelOutput(last_hidden_state=self.model.model.encoder(self.input).last_hidden_state)
        # Whisper's own generate() adds windows and fallback around this.
        self.generate = GenerationMixin.generate

    def encoder(self):
        self.model.model.encoder(self.input)

    def decode(self, windows, beams):
        settings = {"min_new_tokens": NEW_TOKENS, "max_new_tokens": NEW_TOKENS, "num_beams": beams, "do_sample": False}
        prompt = self.torch.tensor([PROMPT] * windows)
        encoded = self.encoded.last_hidden_state.repeat(windows, 1, 1)
        made = self.generate(
            self.model, encoder_outputs=self.outputs(last_hidden_state=encoded), decoder_input_ids=prompt, **settings
        )
        assert made.shape == (windows, len(PROMPT) + NEW_TOKENS), made.shape

    def greedy(self):
        self.decode(1, 1)

    def beam(self):
        self.decode(1, BEAMS)

    def batch(self):
        self.decode(WINDOWS, 1)

    def mel(self):
        self.extractor(self.sound, sampling_rate=16000, return_tensors="np")


ENGINES = {
    "openvino": OpenVino,
    "onnxruntime": OnnxRuntime,
    "ctranslate2": CTranslate2,
    "openai-whisper": OpenAiWhisper,
    "transformers": Transformers,
}


def serve(name, models, threads):
    """A worker: loads, says so, then does one piece of work for each line it reads."""
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print what they like elsewhere
    for module in ENGINES[name].modules:  # so that loading a model does not include loading Python code
        importlib.import_module(module)
    begun = time.perf_counter()
    engine = ENGINES[name](models, threads)
    load = time.perf_counter() - begun
    offered = [work for work in WORK if hasattr(engine, work)]
    for work in offered:
        getattr(engine, work)()  # the first time is slower everywhere
    print(json.dumps({"version": engine.version, "load": load, "work": offered}), file=answers, flush=True)
    for line in sys.stdin:
        do = getattr(engine, line.strip())
        begun = time.perf_counter()
        do()
        print(json.dumps(time.perf_counter() - begun), file=answers, flush=True)


class Worker:
    """The other side of `serve`."""

    def __init__(self, name, models, threads):
        counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        command = [sys.executable, __file__, "worker", models, "--name", name, "--threads", str(threads)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, text=True, env=os.environ | counts | offline, **pipes)
        self.name = name
        first = self.process.stdout.readline()
        if not first:
            self.fail("did not start")
        answer = json.loads(first)
        self.version, self.offered = answer["version"], answer["work"]
        self.samples = {"load": [answer["load"]]} | {work: [] for work in self.offered}

    def take_turn(self, work):
        self.process.stdin.write(work + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            self.fail(f"stopped during {work}")
        self.samples[work].append(json.loads(answer))

    def fail(self, what):
        said = self.process.stderr.read()[-2000:]
        raise SystemExit(f"{self.name} {what} (exit status {self.process.wait()}; negative: a signal):\n{said}")

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Amanuensis:
    """The program measures itself; a turn is one run of it."""

    def __init__(self, program, models, threads):
        self.name, self.samples = "amanuensis", {"load": []}
        self.command = [program, "bench", "--model", f"{models}/hf", "--threads", str(threads), "--json"]
        self.version = self.run([program, "--version"]).split()[-1]

    @staticmethod
    def run(command):
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed (exit status {ran.returncode}):\n{ran.stderr[-2000:]}")
        return ran.stdout

    def take_turn(self):
        answer = json.loads(self.run(self.command))
        for work, name in ({"load": "load_seconds"} | OUR_NAMES).items():
            if name in answer:
                self.samples.setdefault(work, []).append(answer[name])


def busy_share(seconds):
    """Cores that something kept busy while every engine was waiting."""

    def busy():
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(field) for field in file.readline().split()[1:9]]
        return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")

    before = busy()
    time.sleep(seconds)
    return (busy() - before) / seconds


def measure(engines, ours, rounds):
    """Fills the samples; returns the busy shares seen between turns."""
    foreign = []
    for turn in range(rounds):
        for work in WORK:
            order = [engine for engine in engines if work in engine.offered]
            first = turn % max(1, len(order))
            for engine in order[first:] + order[:first]:
                foreign.append(busy_share(PAUSE_SECONDS))
                engine.take_turn(work)
        if ours:
            foreign.append(busy_share(PAUSE_SECONDS))
            ours.take_turn()
        print(f"round {turn + 1} of {rounds}", file=sys.stderr)
    return foreign


def machine():
    with open("/proc/cpuinfo", encoding="utf8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return f"{names[0] if names else 'unknown processor'}, {os.cpu_count()} cores"


def commit():
    folder = os.path.dirname(os.path.abspath(__file__))

    def git(*arguments):
        return subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + (" with changes" if git("status", "--porcelain") else "")


def seconds(samples):
    """Median, and the range in brackets."""
    if not samples:
        return ""
    unit, factor = ("ms", 1e3) if statistics.median(samples) < 0.1 else ("s", 1)
    middle, low, high = (value * factor for value in (statistics.median(samples), min(samples), max(samples)))
    return f"{middle:.3g} {unit}" + (f" ({low:.3g} to {high:.3g})" if len(samples) > 1 else "")


def report(engines, options, foreign):
    """The table, ordered by the encoder's time, with everything needed to read it."""
    columns = [work for work in HEADINGS if any(engine.samples.get(work) for engine in engines)]
    lines = [
        f"- machine: {machine()}",
        f"- commit: {commit()}",
        f"- command: `python {' '.join([os.path.basename(sys.argv[0])] + sys.argv[1:])}`",
        f"- work: whisper-{options.shape}, float32, random weights, {options.threads} threads, {options.rounds} rounds",
        f"- busy otherwise between turns: {statistics.mean(foreign):.2f} cores on average, {max(foreign):.2f} at most",
        "",
        "| engine | version | " + " | ".join(HEADINGS[work] for work in columns) + " |",
        "|---" * (2 + len(columns)) + "|",
    ]

    def encoder_time(engine):
        return statistics.median(engine.samples.get("encoder") or [float("inf")])

    for engine in sorted(engines, key=encoder_time):
        cells = [engine.name, engine.version, *(seconds(engine.samples.get(work)) for work in columns)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def run(models, options):
    wanted = options.only.split(",") if options.only else list(ENGINES)
    unknown = set(wanted) - set(ENGINES)
    if unknown:
        raise SystemExit(f"no such engine: {', '.join(sorted(unknown))}; there are {', '.join(ENGINES)}")
    ours = Amanuensis(options.amanuensis, models, options.threads) if options.amanuensis else None
    engines = [Worker(name, models, options.threads) for name in wanted]
    foreign = measure(engines, ours, options.rounds)
    for engine in engines:
        engine.stop()
    text = report(engines + ([ours] if ours else []), options, foreign)
    print(text)
    if options.out:
        with open(options.out, "w", encoding="utf8") as file:
            file.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["prepare", "run", "worker"])
    parser.add_argument("work", help="folder for the models, outside the repository")
    parser.add_argument("--shape", choices=list(SHAPES), default="base")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--amanuensis", metavar="PROGRAM", help="the program to measure beside the others")
    parser.add_argument("--only", help="engines to run, with commas between them")
    parser.add_argument("--out", help="file for the table")
    parser.add_argument("--name", help=argparse.SUPPRESS)
    options = parser.parse_args()
    models = os.path.join(options.work, options.shape)
    if options.what == "worker":
        serve(options.name, options.work, options.threads)
    elif options.what == "prepare":
        from peer_models import prepare

        prepare(models, SHAPES[options.shape], SEED)
    else:
        run(models, options)


if __name__ == "__main__":
    main()
