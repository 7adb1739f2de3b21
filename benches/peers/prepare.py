"""Makes the models that a table needs, one format in one process, and leaves alone what is there.

python -m peers.prepare WORK SIZE NAME     makes one of them
"""

import os
import shutil
import subprocess
import sys

from . import formats
from .checkpoint import hugging_face
from .machine import REPOSITORY
from .work import SHAPES, prepare_sound

# What is made, by the folder's name, in the order it needs each other.
MAKERS = {
    "hf": lambda models, out, shape: hugging_face(out, shape),
    "openai": formats.openai_checkpoint,
    "ctranslate2-int8": formats.ctranslate2_folder("int8"),
    "ctranslate2-f32": formats.ctranslate2_folder("float32"),
    "onnx-f32": formats.onnx_encoder,
    "onnx-int8": formats.onnx_int8_encoder,
    "openvino-f32": formats.openvino_encoder,
    "openvino-int8": formats.openvino_int8_encoder,
    "genai-int8": formats.genai_folder("int8"),
    "genai-f32": formats.genai_folder("fp32"),
    "ggml-q8_0": formats.ggml_file("q8_0"),
    "ggml-f16": formats.ggml_file("f16"),
}
# The two that are made of another one.
SOURCES = {"onnx-int8": "onnx-f32", "openvino-int8": "onnx-f32", "openvino-f32": "onnx-f32"}


def make(folder, size, name):
    """One format, complete or not at all."""
    models = os.path.join(folder, size)
    unfinished = os.path.join(models, f"{name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    os.makedirs(unfinished)
    MAKERS[name](models, unfinished, SHAPES[size])
    os.rename(unfinished, os.path.join(models, name))


def make_apart(folder, size, name):
    """The same in a process of its own, so that its memory goes back; returns why it failed, or None."""
    print(f"making {size}/{name}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "peers.prepare", folder, size, name]
    ran = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    if ran.returncode == 0:
        return None
    said = [line.strip() for line in ran.stderr.splitlines() if line.strip()]
    reason = said[-1] if said else f"exit status {ran.returncode}"
    print(f"{size}/{name} could not be made: {reason}", file=sys.stderr)
    return reason


def prepare(folder, size, names):
    """Makes what is not there yet; returns the reasons of what could not be made, by name."""
    models = os.path.join(folder, size)
    os.makedirs(models, exist_ok=True)
    prepare_sound(folder)
    missing = [name for name in MAKERS if name in names and not os.path.exists(os.path.join(models, name))]
    only_between = {SOURCES[name] for name in missing if name in SOURCES} - set(names)
    between = [name for name in only_between if not os.path.exists(os.path.join(models, name))]
    wanted = set(missing) | set(between)
    reasons = {}
    for name in MAKERS:
        if name in wanted and (reason := make_apart(folder, size, name)):
            reasons[name] = reason
    for name in between:
        shutil.rmtree(os.path.join(models, name), ignore_errors=True)
    return reasons


if __name__ == "__main__":
    sys.path.insert(0, os.path.join(REPOSITORY, "training"))  # the tokenizer's files and openai-whisper's names
    make(*sys.argv[1:])
