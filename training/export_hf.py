"""Checkpoint -> Hugging Face model folder (fp16).

export_hf.py CHECKPOINT OUT [--tiktoken FILE] [--own TOKENIZER.json]
"""

import argparse
import json
import os

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from vocabulary import LANGS_99, load_ranks, own_vocab, specials, whisper_vocab

TIMESTAMPS = 1501
NON_SPEECH = list('"#()*+/:;<=>@[\\]^_`{|}~「」『』')
NON_SPEECH += "<< >> <<< >>> -- --- -( -[ (' (\" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪".split()
MUSIC = list("♩♪♫♬♭♮♯")
# Parts of a checkpoint that only training needs.
TRAINING_ONLY = ("phone", "word", "prev", "time")


def printable_bytes():
    """byte -> the printable character that stands for it in vocab.json"""
    shown = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    hidden = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(256 + place) for place, byte in enumerate(hidden)}


def merges_of(ranks):
    """The two parts each token of several bytes is merged from, in rank order."""

    def split(token, rank):
        parts = [bytes([byte]) for byte in token]
        while len(parts) > 2:
            best, i = min((ranks.get(parts[i] + parts[i + 1], 1 << 60), i) for i in range(len(parts) - 1))
            if best >= rank:
                raise ValueError(f"no merges lead to token {token}")
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        return parts

    by_rank = sorted(ranks.items(), key=lambda pair: pair[1])
    return [split(token, rank) for token, rank in by_rank if len(token) > 1]


def write_json(path, value, indent=None):
    with open(path, "w", encoding="utf8") as file:
        json.dump(value, file, indent=indent, ensure_ascii=indent is not None)


def write_tokenizer(out, vocab, merges, langs, n_text):
    """The tokenizer files of a folder; returns the tokenizer."""
    names = specials(langs)
    n_special = len(names) - TIMESTAMPS
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names[:n_special]])
    tokenizer.add_tokens([AddedToken(name, special=False, normalized=False) for name in names[n_special:]])
    ids = {name: n_text + i for i, name in enumerate(names)}
    assert all(tokenizer.token_to_id(name) == i for name, i in ids.items())
    start, no_times, end = "<|startoftranscript|>", "<|notimestamps|>", "<|endoftext|>"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[start, no_times, "$A:0", end],
        pair=[start, no_times, "$A:0", "$B:1", end],
        special_tokens=[(name, ids[name]) for name in (start, no_times, end)],
    )
    tokenizer.save(f"{out}/tokenizer.json")
    write_json(f"{out}/vocab.json", vocab)
    with open(f"{out}/merges.txt", "w", encoding="utf8") as file:
        file.write("#version: 0.2\n" + "".join(f"{left} {right}\n" for left, right in merges))
    write_json(f"{out}/added_tokens.json", ids, 1)
    roles = {"bos_token": end, "eos_token": end, "pad_token": end, "unk_token": end}
    extra = names[:n_special]
    write_json(f"{out}/special_tokens_map.json", roles | {"additional_special_tokens": extra}, 1)
    added = {
        str(number): {
            "content": name,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": i < n_special,
        }
        for i, (name, number) in enumerate(ids.items())
    }
    settings = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": added,
        "additional_special_tokens": extra,
        **roles,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "model_max_length": 1024,
        "processor_class": "WhisperProcessor",
        "return_attention_mask": False,
        "tokenizer_class": "WhisperTokenizer",
    }
    write_json(f"{out}/tokenizer_config.json", settings, 1)
    write_json(f"{out}/normalizer.json", {})
    return tokenizer


def write_weights(out, weights, vocab, width):
    """model.safetensors: names as in transformers, rows of the embedding spread over all ids."""
    rows = weights["decoder.embed_tokens.weight"]
    embedding = torch.empty(vocab.n_vocab, width)
    embedding[: vocab.n_text] = rows[vocab.unused_row] if vocab.n_unused else 0
    embedding[torch.tensor(vocab.used)] = rows[: vocab.n_used]
    embedding[vocab.n_text :] = rows[vocab.first_special_row :]
    tensors = {
        "model." + name: tensor
        for name, tensor in weights.items()
        if name.split("_")[0] not in TRAINING_ONLY and name not in ("encoder.pos", "decoder.embed_tokens.weight")
    }
    tensors["model.encoder.embed_positions.weight"] = weights["encoder.pos"]
    tensors["model.decoder.embed_tokens.weight"] = embedding
    halves = {name: tensor.to(torch.float16).contiguous() for name, tensor in sorted(tensors.items())}
    save_file(halves, f"{out}/model.safetensors", metadata={"format": "pt"})


def suppressed(encode, vocab, own):
    """Ids that never come out: signs that nobody speaks, and the special tokens of the prompt."""
    listed = {encode(" -")[0], encode(" '")[0]}
    for sign in NON_SPEECH + MUSIC:
        for ids in (encode(sign), encode(" " + sign)):
            if len(ids) == 1 or sign in MUSIC:
                listed.add(ids[0])
    # In a small vocabulary the first byte of an unseen sign may be the plain space.
    listed -= {encode(" ")[0]} | set(encode(" a b.")) | set(encode("."))
    if own:
        listed &= set(range(vocab.n_text))
    else:
        assert not listed & set(vocab.used), listed & set(vocab.used)
    prompt = "startoftranscript translate transcribe startoflm startofprev nospeech".split()
    return sorted(listed | {vocab.special[f"<|{name}|>"] for name in prompt})


def write_settings(out, cfg, vocab, langs, suppress, begin_suppress, alignment_heads):
    """config.json, generation_config.json, preprocessor_config.json."""
    special = vocab.special
    end, start = special["<|endoftext|>"], special["<|startoftranscript|>"]
    common = {
        "begin_suppress_tokens": begin_suppress,
        "bos_token_id": end,
        "decoder_start_token_id": start,
        "eos_token_id": end,
        "pad_token_id": end,
        "suppress_tokens": suppress,
        "max_length": 448,
    }
    config = {
        "_name_or_path": "espeak-whisper",
        "activation_dropout": 0.0,
        "activation_function": "gelu",
        "apply_spec_augment": False,
        "architectures": ["WhisperForConditionalGeneration"],
        "attention_dropout": 0.0,
        "d_model": cfg["d"],
        "decoder_attention_heads": cfg["heads"],
        "decoder_ffn_dim": 4 * cfg["d"],
        "decoder_layerdrop": 0.0,
        "decoder_layers": cfg["dec"],
        "dropout": 0.0,
        "encoder_attention_heads": cfg["heads"],
        "encoder_ffn_dim": 4 * cfg["d"],
        "encoder_layerdrop": 0.0,
        "encoder_layers": cfg["enc"],
        "init_std": 0.02,
        "is_encoder_decoder": True,
        "max_source_positions": 1500,
        "max_target_positions": 448,
        "model_type": "whisper",
        "num_hidden_layers": cfg["enc"],
        "num_mel_bins": 80,
        "scale_embedding": False,
        "torch_dtype": "float16",
        "use_cache": True,
        "vocab_size": vocab.n_vocab,
        "tie_word_embeddings": True,
        "median_filter_width": 7,
    }
    write_json(f"{out}/config.json", config | common, 2)
    generation = {
        "alignment_heads": alignment_heads,
        "is_multilingual": True,
        "lang_to_id": {f"<|{lang}|>": special[f"<|{lang}|>"] for lang in langs},
        "task_to_id": {"transcribe": special["<|transcribe|>"], "translate": special["<|translate|>"]},
        "max_initial_timestamp_index": 50,
        "no_timestamps_token_id": special["<|notimestamps|>"],
        "prev_sot_token_id": special["<|startofprev|>"],
        "return_timestamps": False,
    }
    write_json(f"{out}/generation_config.json", generation | common, 2)
    features = {
        "chunk_length": 30,
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": 80,
        "hop_length": 160,
        "n_fft": 400,
        "n_samples": 480000,
        "nb_max_frames": 3000,
        "padding_side": "right",
        "padding_value": 0.0,
        "processor_class": "WhisperProcessor",
        "return_attention_mask": False,
        "sampling_rate": 16000,
    }
    write_json(f"{out}/preprocessor_config.json", features, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--tiktoken", default="multilingual.tiktoken")
    parser.add_argument("--own", help="the tokenizer the checkpoint was trained with, if it is not Whisper's")
    parser.add_argument("--alignment-heads", default="[[1, 0], [2, 0]]")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    checkpoint = torch.load(options.checkpoint, weights_only=False)
    if options.own:
        vocab, _ = own_vocab(options.own)
        with open(options.own, encoding="utf8") as file:
            stored = json.load(file)["model"]
        texts, langs = stored["vocab"], vocab.langs
        merges = [tuple(pair.split(" ")) if isinstance(pair, str) else tuple(pair) for pair in stored["merges"]]
    else:
        vocab, _ = whisper_vocab(options.tiktoken, used=checkpoint["used"])
        ranks, langs, printable = load_ranks(options.tiktoken), LANGS_99, printable_bytes()

        def shown(token):
            return "".join(printable[byte] for byte in token)

        texts = {shown(token): rank for token, rank in ranks.items()}
        merges = [(shown(left), shown(right)) for left, right in merges_of(ranks)]
    tokenizer = write_tokenizer(options.out, texts, merges, langs, vocab.n_text)

    def encode(text):
        return tokenizer.encode(text, add_special_tokens=False).ids

    cfg = checkpoint["cfg"]
    write_weights(options.out, checkpoint["model"], vocab, cfg["d"])
    suppress = suppressed(encode, vocab, bool(options.own))
    begin_suppress = [encode(" ")[0], vocab.special["<|endoftext|>"]]
    heads = json.loads(options.alignment_heads)
    write_settings(options.out, cfg, vocab, langs, suppress, begin_suppress, heads)
    print({name: os.path.getsize(f"{options.out}/{name}") for name in sorted(os.listdir(options.out))})


if __name__ == "__main__":
    main()
