"""A model that says what another says and costs what a larger one costs.

    python benches/widen.py FROM TO [--times 3] [--layers 6]

Every feature stands several times in each row, so that means, variances, heads and sums stay what they were; layers behind the
last add nothing to the residual. So a server can be tried with the work of a larger shape and texts that can be told right
from wrong, where no larger checkpoint is at hand: espeak-whisper-std three times over, with six layers, is somewhat more work
than whisper-base (576 features, 9 heads and 6 + 6 layers, against 512 and 8).
"""

import argparse
import json
import pathlib
import shutil

import numpy
from safetensors.numpy import load_file, save_file


def widened(name, tensor, times):
    """A tensor for rows in which every feature stands so many times."""
    if name == "model.decoder.embed_tokens.weight" or name.endswith("embed_positions.weight"):
        return numpy.tile(tensor, (1, times))
    if name.startswith("model.decoder.layer_norm."):
        # The logits are sums over all features with the embeddings of the tokens, which are not divided.
        return numpy.tile(tensor, times) / times
    if tensor.ndim == 1:
        return numpy.tile(tensor, times)
    if name == "model.encoder.conv1.weight":
        return numpy.tile(tensor, (times, 1, 1))
    return numpy.tile(tensor, (times, times) + (1,) * (tensor.ndim - 2)) / times


def deepened(tensors, side, layers):
    """Layers behind the last: copies of the first, whose ways back to the residual are nothing."""
    have = 1 + max(int(name.split(".")[3]) for name in tensors if name.startswith(f"model.{side}.layers."))
    first = {name: tensor for name, tensor in tensors.items() if name.startswith(f"model.{side}.layers.0.")}
    for layer in range(have, layers):
        for name, tensor in first.items():
            ends = any(part in name for part in (".out_proj.", ".fc2."))
            tensors[name.replace(".layers.0.", f".layers.{layer}.")] = numpy.zeros_like(tensor) if ends else tensor.copy()
    return max(have, layers)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("target", type=pathlib.Path)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--layers", type=int, default=6)
    asked = parser.parse_args()
    asked.target.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: widened(name, tensor.astype(numpy.float32), asked.times)
        for name, tensor in load_file(asked.source / "model.safetensors").items()
        if name != "proj_out.weight"
    }
    config = json.loads((asked.source / "config.json").read_text("utf-8"))
    config["d_model"] *= asked.times
    for side in ("encoder", "decoder"):
        config[f"{side}_layers"] = deepened(tensors, side, asked.layers)
        config[f"{side}_ffn_dim"] *= asked.times
        config[f"{side}_attention_heads"] *= asked.times
    if "num_hidden_layers" in config:
        config["num_hidden_layers"] = config["encoder_layers"]
    for path in asked.source.iterdir():
        if path.is_file() and path.name not in ("config.json", "model.safetensors"):
            shutil.copyfile(path, asked.target / path.name)
    (asked.target / "config.json").write_text(json.dumps(config, indent=2), "utf-8")
    save_file(tensors, asked.target / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    main()
