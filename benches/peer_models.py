"""The random-weight model of peers.py, in the form each engine reads."""

import os
import sys

import torch

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(REPOSITORY, "training"))

from export_hf import merges_of, printable_bytes, write_tokenizer  # noqa: E402
from to_openai import convert  # noqa: E402
from vocabulary import LANGS_99, load_ranks, specials  # noqa: E402

from peers import END, MEL_BINS, NO_TIMESTAMPS, START, TRANSCRIBE, VOCABULARY, WINDOW_FRAMES  # noqa: E402


def hugging_face(folder, shape, seed):
    """A folder like those of the published checkpoints, with transformers' own initialisation."""
    import whisper
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    width, encoder_layers, decoder_layers, heads = shape
    config = WhisperConfig(
        vocab_size=VOCABULARY,
        num_mel_bins=MEL_BINS,
        d_model=width,
        encoder_layers=encoder_layers,
        decoder_layers=decoder_layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=END,
        decoder_start_token_id=START,
        suppress_tokens=[],
        begin_suppress_tokens=[220, END],
    )
    torch.manual_seed(seed)
    model = WhisperForConditionalGeneration(config).eval().float()
    ranks = load_ranks(os.path.join(os.path.dirname(whisper.__file__), "assets", "multilingual.tiktoken"))
    ids = {name: len(ranks) + i for i, name in enumerate(specials(LANGS_99))}
    settings = model.generation_config
    settings.lang_to_id = {f"<|{language}|>": ids[f"<|{language}|>"] for language in LANGS_99}
    settings.task_to_id = {"transcribe": TRANSCRIBE, "translate": ids["<|translate|>"]}
    settings.is_multilingual, settings.return_timestamps = True, False
    settings.no_timestamps_token_id, settings.prev_sot_token_id = NO_TIMESTAMPS, ids["<|startofprev|>"]
    settings.suppress_tokens, settings.begin_suppress_tokens = [], [220, END]
    settings.max_initial_timestamp_index, settings.max_length = 50, 448
    later = range(decoder_layers // 2, decoder_layers)
    settings.alignment_heads = [[layer, head] for layer in later for head in range(heads)]
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=MEL_BINS).save_pretrained(folder)
    printable = printable_bytes()

    def shown(token):
        return "".join(printable[byte] for byte in token)

    texts = {shown(token): rank for token, rank in ranks.items()}
    merges = [(shown(left), shown(right)) for left, right in merges_of(ranks)]
    write_tokenizer(folder, texts, merges, LANGS_99, len(ranks))


def openai_checkpoint(folder, path):
    checkpoint = convert(folder)
    checkpoint["model_state_dict"].pop("proj_out.weight", None)  # the tied embedding, where it was stored twice
    torch.save(checkpoint, path)


def onnx_encoder(folder, path):
    from transformers import WhisperForConditionalGeneration

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            model = WhisperForConditionalGeneration.from_pretrained(folder, attn_implementation="eager")
            self.encoder = model.eval().model.encoder

        def forward(self, mel):
            return self.encoder(mel).last_hidden_state

    example = torch.zeros(1, MEL_BINS, WINDOW_FRAMES)
    names = {"input_names": ["mel"], "output_names": ["hidden"]}
    with torch.no_grad():
        torch.onnx.export(Encoder(), (example,), path, opset_version=17, dynamo=False, **names)


def openvino_encoder(onnx_path, path):
    import openvino

    openvino.save_model(openvino.convert_model(onnx_path), path, compress_to_fp16=False)


def ctranslate2_folder(folder, out):
    import ctranslate2

    converter = ctranslate2.converters.TransformersConverter(
        folder, copy_files=["tokenizer.json", "preprocessor_config.json"]
    )
    converter.convert(out, quantization="float32")


def prepare(models, shape, seed):
    """Makes what is not there yet."""
    folder = f"{models}/hf"
    steps = [
        (f"{folder}/vocab.json", lambda: hugging_face(folder, shape, seed)),
        (f"{models}/openai.pt", lambda: openai_checkpoint(folder, f"{models}/openai.pt")),
        (f"{models}/encoder.onnx", lambda: onnx_encoder(folder, f"{models}/encoder.onnx")),
        (f"{models}/encoder.xml", lambda: openvino_encoder(f"{models}/encoder.onnx", f"{models}/encoder.xml")),
        (f"{models}/ctranslate2/model.bin", lambda: ctranslate2_folder(folder, f"{models}/ctranslate2")),
    ]
    os.makedirs(folder, exist_ok=True)
    for made, make in steps:
        if not os.path.exists(made):
            print("making", made, flush=True)
            make()
