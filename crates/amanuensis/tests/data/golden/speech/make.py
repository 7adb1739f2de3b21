"""Writes the golden files beside it: what faster-whisper makes of probabilities of speech, and of sound.

    python make.py spans                             # spans.json: its get_speech_timestamps on made-up probabilities
    python make.py silero WEIGHTS.bin AUDIO_FILE...  # silero.json: its Silero network, run by onnxruntime, on recordings
    python make.py export OUT.safetensors            # its own weights, in the layout of Silero's repository

The weights in faster-whisper are of another release than whisper.cpp's v6.2.0, so `silero` runs its network with the
weights of the ggml file in the place of its own; the ggml file has those of convolutions in half precision.
faster-whisper 1.2.1 with onnxruntime 1.31.1 made the files here. A probability is stored as its numerator over 64, so
that it is the same number everywhere, and thresholds are met exactly now and then.
"""

import importlib.metadata
import json
import math
import pathlib
import random
import sys
import wave

import numpy as np
import onnx
import onnxruntime
from faster_whisper import vad
from faster_whisper.utils import get_assets_path

HERE = pathlib.Path(__file__).resolve().parent
FRAME = 512


def probabilities(chance, frames):
    """Speech and pauses of random length, with noise: numerators over 64."""
    values, level = [], 0.0
    while len(values) < frames:
        level = chance.choice([0.02, 0.3, 0.45, 0.6, 0.95])
        for _ in range(chance.choice([1, 2, 3, 4, 5, 8, 20, 60])):
            values.append(min(64, max(0, round(64 * (level + chance.uniform(-0.2, 0.2))))))
    return values[:frames]


def spans():
    chance = random.Random(20251120)
    cases = []
    for _ in range(160):
        frames = chance.choice([1, 2, 7, 60, 200, 400])
        samples = (frames - 1) * FRAME + chance.choice([0, 0, 1, 100, 511])
        options = {
            "threshold": chance.choice([0.5, 0.5, 0.25, 0.75]),
            "neg_threshold": chance.choice([None, None, 0.125, 0.5]),
            "min_speech_duration_ms": chance.choice([0, 0, 100, 250, 1000]),
            "max_speech_duration_s": chance.choice([math.inf, math.inf, 0.05, 0.5, 1.0, 2.0, 5.0]),
            "min_silence_duration_ms": chance.choice([0, 50, 100, 160, 500, 2000]),
            "speech_pad_ms": chance.choice([0, 30, 30, 100, 400]),
        }
        values = probabilities(chance, frames)
        vad.get_vad_model = lambda: lambda sound: np.array(values, dtype=np.float32) / np.float32(64)
        found = vad.get_speech_timestamps(np.zeros(samples, dtype=np.float32), vad.VadOptions(**options))
        if math.isinf(options["max_speech_duration_s"]):
            options["max_speech_duration_s"] = None
        cases.append({"samples": samples, "options": options, "probabilities": values,
                      "spans": [[int(span["start"]), int(span["end"])] for span in found]})
    return cases


# Names in the network of faster-whisper, in the ggml file and in Silero's own. The LSTM's stand apart.
NAMES = [("encoder.feature_extractor.forward_basis_buffer", "stft.forward_basis_buffer", "stft_conv.weight"),
         ("decoder.conv1d.weight", "decoder.decoder.2.weight", "final_conv.weight"),
         ("decoder.conv1d.bias", "decoder.decoder.2.bias", "final_conv.bias")]
NAMES += [(f"encoder.conv_layers.{n}.{part}", f"encoder.{n}.reparam_conv.{part}", f"conv{n + 1}.{part}")
          for n in range(4) for part in ("weight", "bias")]


def read_ggml(path):
    """The tensors of whisper.cpp's file by name."""
    data, tensors = pathlib.Path(path).read_bytes(), {}
    place = 8 + int.from_bytes(data[4:8], "little") + 4 * (3 + 19)
    while place < len(data):
        axes, name_length, kind = np.frombuffer(data, "<i4", 3, place)
        shape = np.frombuffer(data, "<i4", axes, place + 12)[::-1]
        place += 12 + 4 * axes
        name = data[place:place + name_length].decode()
        dtype = np.dtype("<f2" if kind else "<f4")
        count = int(np.prod(shape))
        numbers = np.frombuffer(data, dtype, count, place + name_length)
        tensors[name.removeprefix("_model.")] = numbers.astype(np.float32).reshape(shape)
        place += name_length + count * dtype.itemsize
    return tensors


def gates(matrix, order):
    """The four parts of an LSTM's matrix in another order."""
    return np.concatenate([np.split(matrix, 4)[part] for part in order])


def lstm_names(model):
    """Its weights from the input, its weights from the output, its biases: no names, only places."""
    return next(node for node in model.graph.node if node.op_type == "LSTM").input[1:4]


def network():
    return onnx.load(pathlib.Path(get_assets_path()) / "silero_vad_v6.onnx")


def with_weights(path):
    """The network of faster-whisper with the weights of a ggml file."""
    model, tensors = network(), read_ggml(path)
    weights = {name: tensors[ggml] for name, ggml, _ in NAMES}
    # ONNX has input, output, forget, cell; torch has input, forget, cell, output.
    onnx_order = [0, 3, 1, 2]
    rnn = {part: gates(tensors[f"decoder.rnn.{part}"], onnx_order)
           for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    biases = np.concatenate([rnn["bias_ih"], rnn["bias_hh"]])
    weights |= dict(zip(lstm_names(model), (rnn["weight_ih"], rnn["weight_hh"], biases)))
    for initializer in model.graph.initializer:
        if initializer.name in weights:
            shaped = weights.pop(initializer.name).reshape(initializer.dims)
            initializer.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(shaped), initializer.name))
    assert not weights, weights.keys()
    return model


def export(path):
    from safetensors.numpy import save_file
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in network().graph.initializer}
    tensors = {own: stored[name] for name, _, own in NAMES}
    torch_order = [0, 2, 3, 1]
    from_input, from_output, biases = (stored[name][0] for name in lstm_names(network()))
    bias_ih, bias_hh = np.split(biases, 2)
    parts = {"weight_ih": from_input, "weight_hh": from_output, "bias_ih": bias_ih, "bias_hh": bias_hh}
    tensors |= {f"lstm_cell.{part}": gates(matrix, torch_order) for part, matrix in parts.items()}
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, path)


def silero(weights, *paths):
    recordings = []
    model = vad.get_vad_model()
    if weights != "its-own":
        model.session = onnxruntime.InferenceSession(with_weights(weights).SerializeToString())
    for path in map(pathlib.Path, paths):
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2), path
            sound = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32) / 32768
        # Whole frames and some of silence, because the model's caller blanks the end of the last one.
        padded = np.pad(sound, (0, -len(sound) % FRAME + FRAME))
        heard = model(padded)[: -(-len(sound) // FRAME)]
        recordings.append({"file": path.name, "probabilities": [round(float(value), 5) for value in heard]})
    return recordings


def main():
    what, paths = sys.argv[1], sys.argv[2:]
    if what == "export":
        return export(*paths)
    about = {"faster-whisper": importlib.metadata.version("faster-whisper"),
             "onnxruntime": importlib.metadata.version("onnxruntime")}
    result = {"spans": spans, "silero": lambda: silero(*paths)}[what]()
    lines = ",\n".join("  " + json.dumps(case, separators=(",", ":")) for case in result)
    (HERE / f"{what}.json").write_text('{"about": %s,\n "cases": [\n%s\n]}\n' % (json.dumps(about), lines))


if __name__ == "__main__":
    main()
