"""whisper.cpp's file: a header, the mel filters, the vocabulary, then the tensors, all little-endian."""

import os
import struct

MAGIC = 0x67676D6C
F32, F16, Q8_0 = 0, 1, 8
# The header's number for the whole file: the tensors' kind, and in thousands the version of quantisation (2).
FILE_KINDS = {"f16": F16, "q8_0": 2007}
# What whisper.cpp expects in float32, though it has two dimensions.
ALWAYS_F32 = ("encoder.positional_embedding", "decoder.positional_embedding")
CONVOLUTION_BIASES = ("encoder.conv1.bias", "encoder.conv2.bias")
BLOCK = 32


def quantise(values):
    """Blocks of 32: a float16 scale, then 32 signed bytes."""
    import numpy

    blocks = values.reshape(-1, BLOCK)
    scales = numpy.abs(blocks).max(axis=1, keepdims=True) / 127
    inverse = numpy.divide(1, scales, out=numpy.zeros_like(scales), where=scales > 0)
    packed = numpy.empty(len(blocks), dtype=[("scale", "<f2"), ("values", "i1", BLOCK)])
    packed["scale"] = scales[:, 0]
    packed["values"] = numpy.rint(blocks * inverse)
    return packed.tobytes()


def encoded(name, values, kind):
    """The number of a tensor's kind, and its bytes."""
    if values.ndim < 2 or name in ALWAYS_F32 or name in CONVOLUTION_BIASES:
        return F32, values.tobytes()
    if kind == "q8_0" and values.ndim == 2:
        return Q8_0, quantise(values)
    return F16, values.astype("<f2").tobytes()


def write_tensor(file, name, tensor, kind):
    values = tensor.float().numpy().astype("<f4")
    if name in CONVOLUTION_BIASES:
        values = values.reshape(-1, 1)
    number, data = encoded(name, values, kind)
    text = name.encode()
    file.write(struct.pack("<3i", values.ndim, len(text), number))
    file.write(struct.pack(f"<{values.ndim}i", *reversed(values.shape)))
    file.write(text + data)


def write_header(file, dims, kind):
    order = ("n_vocab", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer")
    order += ("n_text_ctx", "n_text_state", "n_text_head", "n_text_layer", "n_mels")
    file.write(struct.pack("<12i", MAGIC, *(dims[name] for name in order), FILE_KINDS[kind]))


def write_ggml(folder, path, shape, kind):
    import numpy
    import whisper
    from to_openai import convert
    from vocabulary import load_ranks

    assets = os.path.join(os.path.dirname(whisper.__file__), "assets")
    filters = numpy.load(f"{assets}/mel_filters.npz")[f"mel_{shape.mel_bins}"].astype("<f4")
    tokens = sorted(load_ranks(f"{assets}/multilingual.tiktoken").items(), key=lambda pair: pair[1])
    checkpoint = convert(folder)
    with open(path, "wb") as file:
        write_header(file, checkpoint["dims"], kind)
        file.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        file.write(struct.pack("<i", len(tokens)))
        for token, _ in tokens:
            file.write(struct.pack("<i", len(token)) + token)
        for name, tensor in checkpoint["model_state_dict"].items():
            if name != "proj_out.weight":
                write_tensor(file, name, tensor, kind)
