"""The peers' side of `cargo xtask formats`: makes a model in every format with the formats' own tools, and reads with
other programs what this project writes.

    formats.py list
    formats.py make MODEL_DIR WORK NAME...
    formats.py read PEER PLACE MODEL_DIR RECORDING...

`list` prints an object a line for each format and each peer that this Python can do: {"name", "does": "make" or "read",
"with"}. `make` makes the named formats as WORK/NAME and leaves alone what is there; it prints {"name", "path"} a line,
or {"name", "error"}. `read` lets a peer transcribe what lies at PLACE, which was written of MODEL_DIR, and prints
{recording: text}. Messages go to standard error. Everything runs on the CPU, without network.

FORMATS_WHISPER_CPP names the folder of whisper.cpp's sources, for its converter, and FORMATS_QUANTIZE its program
`quantize`; whoever has neither goes without the formats that they make.
"""

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import wave

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "training"))
os.environ["HF_HUB_OFFLINE"] = "1"

CONVERTER = os.path.join(os.environ.get("FORMATS_WHISPER_CPP", ""), "models", "convert-h5-to-ggml.py")
QUANTIZE = os.environ.get("FORMATS_QUANTIZE", "")
SETTINGS = ["config.json", "generation_config.json", "preprocessor_config.json"]
TOKENIZER = ["tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json"]
SHARD = "8MB"  # several for either of the two small models


def beside(model, out, names=(*SETTINGS, *TOKENIZER)):
    """Copies what belongs to the weights."""
    for name in names:
        if os.path.exists(f"{model}/{name}") and not os.path.exists(f"{out}/{name}"):
            shutil.copyfile(f"{model}/{name}", f"{out}/{name}")


def pretrained(model, dtype):
    import torch
    from transformers import WhisperForConditionalGeneration

    loaded = WhisperForConditionalGeneration.from_pretrained(model, torch_dtype=torch.float32)
    return loaded.to(getattr(torch, dtype)).eval()


def openai(dtype, zipped=True):
    def make(model, out, work):
        import torch
        from to_openai import convert

        checkpoint = convert(model)
        named = checkpoint["model_state_dict"].items()
        checkpoint["model_state_dict"] = {name: tensor.to(getattr(torch, dtype)) for name, tensor in named}
        torch.save(checkpoint, f"{out}/model.pt", _use_new_zipfile_serialization=zipped)
        beside(model, out, ["generation_config.json", *TOKENIZER])

    return make


def transformers(dtype, **how):
    def make(model, out, work):
        pretrained(model, dtype).save_pretrained(out, **how)
        beside(model, out)

    return make


def ggml(*flag):
    """whisper.cpp's converter, which wants a copy of openai-whisper's sources for the mel filters in it."""

    def make(model, out, work):
        sources = os.path.dirname(os.path.dirname(importlib.util.find_spec("whisper").origin))
        command = [sys.executable, CONVERTER, model, sources, out, *flag]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    return make


def quantised(kind):
    def make(model, out, work):
        command = [QUANTIZE, f"{work}/ggml-f16/ggml-model.bin", f"{out}/ggml-{kind}.bin", kind]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    return make


def ctranslate2(quantization):
    def make(model, out, work):
        command = [sys.executable, "-m", "ctranslate2.converters.transformers", "--model", model, "--force"]
        command += ["--output_dir", out, "--quantization", quantization, "--copy_files"]
        subprocess.run([*command, "tokenizer.json", "preprocessor_config.json"], check=True)

    return make


def optimum(task):
    def make(model, out, work):
        from optimum.exporters.onnx import main_export

        main_export(model, f"{out}/onnx", task=task, do_validation=False)
        beside(model, out)

    return make


def onnx_int8(model, out, work):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    os.makedirs(f"{out}/onnx")
    for name in ("encoder_model", "decoder_model"):
        read, written = f"{work}/onnx/onnx/{name}.onnx", f"{out}/onnx/{name}_quantized.onnx"
        quantize_dynamic(read, written, weight_type=QuantType.QInt8, per_channel=True)
    beside(model, out)


def arrays(save):
    def make(model, out, work):
        import numpy
        from safetensors.numpy import load_file

        getattr(numpy, save)(f"{out}/weights.npz", **load_file(f"{model}/model.safetensors"))
        beside(model, out)

    return make


# The formats, by name: what is needed, what made them in words, and how. A later one may be made of an earlier.
SAVE = "torch.save of openai-whisper's dict"
PRETRAINED = "transformers' save_pretrained"
CTRANSLATE2 = "ct2-transformers-converter"
MAKERS = {
    "openai-f32": ("torch", SAVE, openai("float32")),
    "openai-f16": ("torch", SAVE, openai("float16")),
    "openai-f16-legacy": ("torch", f"{SAVE}, without an archive", openai("float16", False)),
    "hf-f32": ("transformers", PRETRAINED, transformers("float32")),
    "hf-f16": ("transformers", PRETRAINED, transformers("float16")),
    "hf-bf16": ("transformers", PRETRAINED, transformers("bfloat16")),
    "hf-sharded": ("transformers", f"{PRETRAINED}, several files", transformers("float16", max_shard_size=SHARD)),
    "hf-bin": (
        "transformers<5",  # the last that wrote it
        f"{PRETRAINED}, pytorch_model.bin",
        transformers("float16", safe_serialization=False),
    ),
    "hf-bin-sharded": (
        "transformers<5",
        f"{PRETRAINED}, several pytorch_model.bin",
        transformers("float16", safe_serialization=False, max_shard_size=SHARD),
    ),
    "ggml-f32": ("whisper.cpp transformers", "whisper.cpp's convert-h5-to-ggml.py", ggml("use-f32")),
    "ggml-f16": ("whisper.cpp transformers", "whisper.cpp's convert-h5-to-ggml.py", ggml()),
    **{
        f"ggml-{kind}": ("quantize", "whisper.cpp's quantize", quantised(kind))
        for kind in ("q8_0", "q5_1", "q5_0", "q4_1", "q4_0")
    },
    "ct2-f32": ("ctranslate2", CTRANSLATE2, ctranslate2("float32")),
    "ct2-f16": ("ctranslate2", CTRANSLATE2, ctranslate2("float16")),
    "ct2-int8": ("ctranslate2", CTRANSLATE2, ctranslate2("int8")),
    "ct2-int8_float16": ("ctranslate2", CTRANSLATE2, ctranslate2("int8_float16")),
    "onnx": ("optimum-onnx", "Optimum's exporter", optimum("automatic-speech-recognition")),
    "onnx-merged": ("optimum-onnx", "Optimum's exporter, with past", optimum("automatic-speech-recognition-with-past")),
    "onnx-int8": ("onnxruntime", "ONNX Runtime's quantize_dynamic", onnx_int8),
    "npz": ("numpy", "numpy.savez", arrays("savez")),
    "npz-compressed": ("numpy", "numpy.savez_compressed", arrays("savez_compressed")),
}


def samples(recording):
    import numpy

    with wave.open(recording) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (16000, 1, 2):
            raise ValueError(f"{recording} is not 16 kHz, mono, 16 bits")
        return numpy.frombuffer(file.readframes(file.getnframes()), "<i2").astype("<f4") / 32768


def read_with_transformers(place, model, recordings, loaded=None):
    """One window, the most probable token each time, as `generate` of Whisper does it."""
    from transformers import WhisperFeatureExtractor, WhisperTokenizerFast

    loaded = loaded or pretrained(place, "float32")
    extractor = WhisperFeatureExtractor.from_pretrained(place)
    tokenizer = WhisperTokenizerFast.from_pretrained(place)
    for recording in recordings:
        mel = extractor(samples(recording), sampling_rate=16000, return_tensors="pt").input_features
        ids = loaded.generate(mel, language="en", task="transcribe", return_timestamps=True, num_beams=1)
        yield tokenizer.decode(ids[0], skip_special_tokens=True)


def read_with_numpy(place, model, recordings):
    """The arrays, as weights of a model of transformers."""
    import numpy
    import torch

    loaded = pretrained(model, "float32")
    arrays = numpy.load(f"{place}/weights.npz")
    weights = {f"model.{name.removeprefix('model.')}": torch.from_numpy(arrays[name]).float() for name in arrays}
    with torch.no_grad():
        for parameter in loaded.model.parameters():
            parameter.zero_()  # so that nothing can stay
    missing, unexpected = loaded.load_state_dict(weights, strict=False)
    if unexpected or set(missing) - {"proj_out.weight"}:
        raise ValueError(f"{missing} are missing, {unexpected} too many")
    yield from read_with_transformers(place, model, recordings, loaded)


def read_with_faster_whisper(place, model, recordings):
    from faster_whisper import WhisperModel

    loaded = WhisperModel(place, device="cpu", compute_type="float32", cpu_threads=1)
    settings = {"language": "en", "beam_size": 1, "temperature": 0.0, "condition_on_previous_text": False}
    for recording in recordings:
        yield "".join(segment.text for segment in loaded.transcribe(samples(recording), **settings)[0])


def read_with_whisper_cpp(place, model, recordings):
    from pywhispercpp.model import Model

    loaded = Model(place, n_threads=1, language="en", no_context=True, temperature_inc=0.0, redirect_whispercpp_logs_to=None)
    for recording in recordings:
        yield "".join(f" {segment.text}" for segment in loaded.transcribe(samples(recording)))


READERS = {
    "transformers": ("transformers", read_with_transformers),
    "numpy": ("transformers", read_with_numpy),
    "faster-whisper": ("faster-whisper", read_with_faster_whisper),
    "whisper.cpp": ("pywhispercpp", read_with_whisper_cpp),
}


def version(need):
    """A need as this Python meets it, in words; None if it does not."""
    if need == "whisper.cpp":
        return "" if os.path.exists(CONVERTER) and importlib.util.find_spec("whisper") else None
    if need == "quantize":
        return "" if os.path.exists(QUANTIZE) else None
    package, _, below = need.partition("<")
    try:
        found = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
    return None if below and int(found.split(".")[0]) >= int(below) else f"{package} {found}"


def offer(name, does, needs, how):
    met = [version(need) for need in needs.split()]
    with_ = None if None in met else ", ".join(need for need in met if need)
    print(json.dumps({"name": name, "does": does, "how": how, "needs": needs, "with": with_}))


def make(model, work, names):
    for name in names:
        path, unfinished = os.path.join(work, name), os.path.join(work, f"{name}.unfinished")
        told = {"name": name, "path": path}
        if not os.path.exists(path):
            print(f"making {path}", file=sys.stderr, flush=True)
            shutil.rmtree(unfinished, ignore_errors=True)
            os.makedirs(unfinished)
            try:
                MAKERS[name][2](model, unfinished, work)
                os.rename(unfinished, path)
            except Exception as error:  # the other formats are made all the same, and this is told
                told = {"name": name, "error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(told), file=ANSWERS, flush=True)


def read(peer, place, model, *recordings):
    texts = READERS[peer][1](place, model, recordings)
    print(json.dumps({os.path.basename(name): text for name, text in zip(recordings, texts)}), file=ANSWERS)


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    # Libraries that print, print to standard error.
    ANSWERS = os.fdopen(os.dup(1), "w", encoding="utf8")
    if verb == "list":
        for name, (needs, how, _) in MAKERS.items():
            offer(name, "make", needs, how)
        for name, (needs, _) in READERS.items():
            offer(name, "read", needs, "")
    else:
        os.dup2(2, 1)
        if verb == "make":
            make(rest[0], rest[1], rest[2:])
        else:
            read(*rest)
