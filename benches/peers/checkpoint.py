"""A random-weight model at a published shape, as a folder like those of the published checkpoints."""

import os

SEED = 20250101


def configuration(shape):
    """The shape in transformers' terms."""
    from transformers import WhisperConfig

    return WhisperConfig(
        vocab_size=shape.vocabulary,
        num_mel_bins=shape.mel_bins,
        d_model=shape.width,
        encoder_layers=shape.encoder_layers,
        decoder_layers=shape.decoder_layers,
        encoder_attention_heads=shape.heads,
        decoder_attention_heads=shape.heads,
        encoder_ffn_dim=4 * shape.width,
        decoder_ffn_dim=4 * shape.width,
        bos_token_id=shape.end,
        eos_token_id=shape.end,
        pad_token_id=shape.end,
        decoder_start_token_id=shape.start,
        suppress_tokens=[],
        begin_suppress_tokens=[220, shape.end],
    )


def languages(shape):
    from vocabulary import LANGS_99

    return LANGS_99 + ["yue"][: shape.languages - len(LANGS_99)]


def describe(settings, shape, ids):
    """Fills in what generation_config.json of a published checkpoint says."""
    settings.lang_to_id = {f"<|{language}|>": ids[f"<|{language}|>"] for language in languages(shape)}
    settings.task_to_id = {"transcribe": shape.transcribe, "translate": ids["<|translate|>"]}
    settings.is_multilingual, settings.return_timestamps = True, False
    settings.no_timestamps_token_id, settings.prev_sot_token_id = shape.no_timestamps, ids["<|startofprev|>"]
    settings.suppress_tokens, settings.begin_suppress_tokens = [], [220, shape.end]
    settings.max_initial_timestamp_index, settings.max_length = 50, 448
    later = range(shape.decoder_layers // 2, shape.decoder_layers)
    settings.alignment_heads = [[layer, head] for layer in later for head in range(shape.heads)]


def hugging_face(folder, shape):
    """Weights of transformers' own initialisation: small enough that logits stay finite in float16 and int8."""
    import torch
    import whisper
    from export_hf import merges_of, printable_bytes, write_tokenizer
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration
    from vocabulary import load_ranks, specials

    torch.manual_seed(SEED)
    model = WhisperForConditionalGeneration(configuration(shape)).eval()
    ranks = load_ranks(os.path.join(os.path.dirname(whisper.__file__), "assets", "multilingual.tiktoken"))
    ids = {name: len(ranks) + place for place, name in enumerate(specials(languages(shape)))}
    if ids["<|notimestamps|>"] != shape.no_timestamps or len(ranks) + len(ids) != shape.vocabulary:
        raise ValueError("the shape's special tokens are not those of its vocabulary")
    describe(model.generation_config, shape, ids)
    (model.half() if shape.halves else model.float()).save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=shape.mel_bins).save_pretrained(folder)
    printable = printable_bytes()

    def shown(token):
        return "".join(printable[byte] for byte in token)

    texts = {shown(token): rank for token, rank in ranks.items()}
    merges = [(shown(left), shown(right)) for left, right in merges_of(ranks)]
    write_tokenizer(folder, texts, merges, languages(shape), len(ranks))
    check_finite(folder)


def check_finite(folder):
    """Refuses weights that could not be read as what they are."""
    from safetensors.torch import load_file

    for name, tensor in load_file(f"{folder}/model.safetensors").items():
        if not tensor.isfinite().all():
            raise ValueError(f"{name} is not finite")
