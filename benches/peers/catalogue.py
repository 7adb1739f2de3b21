"""The peers: which process stands for each, what it can do, and in which arrangements it is tried."""

import json
import os
from dataclasses import asdict, dataclass, field

from .arrangements import Arrangement
from .work import SOUND, WORK
from .worker import Job

PLAIN = (("", {}),)


@dataclass(frozen=True)
class Peer:
    """An engine beside us."""

    name: str
    module: str
    models: dict  # by precision: the folder it reads; a precision without one is not measured
    weights: dict  # by precision: what it makes of it
    works: tuple = tuple(WORK)
    venv: str = "venv"
    variants: dict = field(default_factory=dict)  # by precision: names and options that are tried
    batches: tuple = ()  # windows together that are tried for the long sound
    workers: bool = False  # whether one process can have several
    binding: bool = False  # whether its threads are OpenMP's and may be bound to cores

    def command(self, arrangement, setting):
        """The process that answers as worker.py says."""
        options = arrangement.options
        if self.module == "whisper_cpp":
            worker = os.path.join(setting.folder, "whisper.cpp", "worker")
            model = os.path.join(setting.folder, setting.size, self.models[setting.precision], "model.bin")
            sound = os.path.join(setting.folder, SOUND)
            return [worker, model, sound, str(arrangement.threads), str(options["flash"])]
        job = Job(self.module, setting.folder, setting.size, setting.precision, arrangement.threads, options)
        python = os.path.join(setting.folder, self.venv, "bin", "python")
        return [python, "-m", "peers.worker", json.dumps(asdict(job))]

    def environment(self, arrangement):
        """No more threads than are meant, and nothing from the network."""
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
        counts = dict.fromkeys(names, str(arrangement.threads))
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        package = {"PYTHONPATH": os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}
        return os.environ | counts | offline | package | arrangement.environment

    def for_one_window(self, setting):
        """All threads for one window: every variant, its threads bound and not."""
        bindings = ({}, {"OMP_PROC_BIND": "true"}) if self.binding and setting.threads > 1 else ({},)
        for variant, options in self.variants.get(setting.precision, PLAIN):
            for environment in bindings:
                yield Arrangement(variant, 1, setting.threads, environment, options)

    def for_many_windows(self, setting, best):
        """What is tried for the long sound, from the arrangement that was best for one window."""
        batches = [{}, *({"batch": batch} for batch in self.batches)]
        crews = [(1, setting.threads, best.environment, {})]
        if setting.threads > 1:
            crews.append((setting.threads, 1, {}, {}))
        if setting.threads > 1 and self.workers:
            crews.append((1, 1, {}, {"workers": setting.threads}))
        for processes, threads, environment, more in crews:
            for batch in batches:
                tried = Arrangement(best.variant, processes, threads, environment, best.options | batch | more)
                if tried.together <= setting.windows:
                    yield tried


# Without a hint OpenVINO computes in what it takes to be the processor's best, which may be bfloat16.
F32_HINT, FLASH = ("computes in f32", {"hint": "f32"}), ("flash attention", {"flash": 1})
HINTS = {"int8": (F32_HINT, ("", {})), "f32": (F32_HINT,)}
FLASHES = dict.fromkeys(("int8", "f32"), (FLASH, ("no flash attention", {"flash": 0})))

PEERS = (
    Peer(
        "faster-whisper",
        "ctranslate2",
        {"int8": "ctranslate2-int8", "f32": "ctranslate2-f32"},
        {"int8": "int8", "f32": "f32"},
        batches=(4, 8, 16),
        workers=True,
        binding=True,
    ),
    Peer(
        "openvino-genai",
        "openvino_genai",
        {"int8": "genai-int8", "f32": "genai-f32"},
        {"int8": "int8 weights", "f32": "f32"},
        works=("window", "window_beam5", "long"),
        venv="venv-genai",
        variants=HINTS,
    ),
    Peer(
        "whisper.cpp",
        "whisper_cpp",
        {"int8": "ggml-q8_0", "f32": "ggml-f16"},
        {"int8": "q8_0", "f32": "f16 weights"},
        variants=FLASHES,
        binding=True,
    ),
    Peer(
        "openvino",
        "openvino",
        {"int8": "openvino-int8", "f32": "openvino-f32"},
        {"int8": "int8, calibrated", "f32": "f32"},
        works=("encoder",),
        variants=HINTS,
    ),
    Peer(
        "onnxruntime",
        "onnxruntime",
        {"int8": "onnx-int8", "f32": "onnx-f32"},
        {"int8": "int8, dynamic", "f32": "f32"},
        works=("encoder",),
    ),
    Peer("openai-whisper", "openai_whisper", {"f32": "openai"}, {"f32": "f32"}, batches=(4,), binding=True),
    Peer("transformers", "transformers", {"f32": "hf"}, {"f32": "f32"}, batches=(4,), binding=True),
)
