"""The checkpoint in the form each engine reads: a function each, from the models made before into an empty folder."""

import os
import subprocess

from .checkpoint import SEED
from .ggml import write_ggml
from .work import WINDOW_FRAMES


def openai_checkpoint(models, out, shape):
    import torch
    from to_openai import convert

    checkpoint = convert(f"{models}/hf")
    checkpoint["model_state_dict"].pop("proj_out.weight", None)  # the tied embedding, where it was stored twice
    checkpoint["model_state_dict"] = {name: tensor.half() for name, tensor in checkpoint["model_state_dict"].items()}
    torch.save(checkpoint, f"{out}/model.pt")


def ctranslate2_folder(quantization):
    """A maker of CTranslate2's folder with weights stored as `quantization` says."""

    def make(models, out, shape):
        import ctranslate2

        copied = ["tokenizer.json", "preprocessor_config.json"]
        converter = ctranslate2.converters.TransformersConverter(f"{models}/hf", copy_files=copied)
        converter.convert(out, quantization=quantization, force=True)

    return make


def onnx_encoder(models, out, shape):
    import torch
    from transformers import WhisperForConditionalGeneration

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            model = WhisperForConditionalGeneration.from_pretrained(
                f"{models}/hf", attn_implementation="eager", dtype=torch.float32
            )
            self.encoder = model.eval().model.encoder

        def forward(self, mel):
            return self.encoder(mel).last_hidden_state

    example = torch.zeros(1, shape.mel_bins, WINDOW_FRAMES)
    names = {"input_names": ["mel"], "output_names": ["hidden"]}
    with torch.no_grad():
        torch.onnx.export(Encoder(), (example,), f"{out}/encoder.onnx", opset_version=17, dynamo=False, **names)


def onnx_int8_encoder(models, out, shape):
    """Weights by channel, activations as they come: ONNX Runtime's way for transformers."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        f"{models}/onnx-f32/encoder.onnx",
        f"{out}/encoder.onnx",
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["MatMul", "Gemm"],
        use_external_data_format=shape.width > 1000,  # an ONNX file ends at 2 GiB
        extra_options={"MatMulConstBOnly": True},
    )


def openvino_encoder(models, out, shape):
    import openvino

    converted = openvino.convert_model(f"{models}/onnx-f32/encoder.onnx")
    openvino.save_model(converted, f"{out}/encoder.xml", compress_to_fp16=False)


def openvino_int8_encoder(models, out, shape):
    """Weights and activations, calibrated with noise: right for time, meaningless for text."""
    import nncf
    import numpy
    import openvino

    noise = numpy.random.default_rng(SEED)
    mels = [0.5 * noise.standard_normal((1, shape.mel_bins, WINDOW_FRAMES)).astype(numpy.float32) for _ in range(2)]
    quantised = nncf.quantize(
        openvino.convert_model(f"{models}/onnx-f32/encoder.onnx"),
        nncf.Dataset(mels),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(mels),
        fast_bias_correction=True,
    )
    openvino.save_model(quantised, f"{out}/encoder.xml", compress_to_fp16=False)


def genai_folder(weight_format):
    """A maker of the folder that OpenVINO GenAI reads, by the exporter in its own environment."""

    def make(models, out, shape):
        environment = os.path.join(os.path.dirname(os.path.abspath(models)), "venv-genai", "bin")
        # By module: the scripts of an environment name the folder it was made in, and setup renames that one.
        # fmt: off
        command = [
            f"{environment}/python", "-m", "optimum.commands.optimum_cli",
            "export", "openvino", "--model", os.path.abspath(f"{models}/hf"),
            "--task", "automatic-speech-recognition-with-past", "--weight-format", weight_format, out,
        ]
        # fmt: on
        offline = {"HF_HUB_OFFLINE": "1", "PATH": environment + os.pathsep + os.environ["PATH"]}
        subprocess.run(command, env=os.environ | offline, check=True)
        with open(f"{models}/hf/generation_config.json", encoding="utf8") as source:
            settings = source.read()
        with open(f"{out}/generation_config.json", "w", encoding="utf8") as copy:
            copy.write(settings)

    return make


def ggml_file(kind):
    """A maker of whisper.cpp's file with weights of a kind of ggml."""

    def make(models, out, shape):
        write_ggml(f"{models}/hf", f"{out}/model.bin", shape, kind)

    return make
