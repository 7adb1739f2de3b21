"""Reference tensors from transformers (float32) for a model folder.

    make_reference.py MODEL_DIR AUDIO_DIR OUT_DIR [FILE ...]

The first file is stored whole, the others with every STRIDE-th frame. index.json holds tokens and texts.
"""

import json
import os
import sys

import soundfile as sf
import torch
from safetensors.torch import save_file
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer, logging

STRIDE = 10
POSITIONS = 1500
FILES = ["short_00.wav", "short_05.wav", "short_10.wav", "packed_0.wav", "noise_10s.wav"]
# Where the vocabulary is large, only the first file has all its logits.
LARGE_VOCABULARY, TOP = 10000, 200
DECODED_POSITIONS = 8


def run_encoder(model, mel):
    """(the encoder's answer, conv stem, output of each layer)"""
    stem, layers = [], []

    def keep_stem(module, inputs, output):
        stem.append(torch.nn.functional.gelu(output).transpose(1, 2)[0].clone())

    def keep_layer(module, inputs, output):
        hidden = output[0] if isinstance(output, tuple) else output
        layers.append(hidden.reshape(POSITIONS, -1).clone())

    encoder = model.model.encoder
    hooks = [encoder.conv2.register_forward_hook(keep_stem)]
    hooks += [layer.register_forward_hook(keep_layer) for layer in encoder.layers]
    encoded = encoder(mel)
    for hook in hooks:
        hook.remove()
    return encoded, stem[0], layers


def reference(model, extractor, tokenizer, samples, about, whole):
    """(tensors, index entry) of one recording."""
    settings = model.generation_config
    languages, stride = settings.lang_to_id, 1 if whole else STRIDE
    start, no_speech = settings.decoder_start_token_id, tokenizer.convert_tokens_to_ids("<|nospeech|>")
    mel = torch.from_numpy(extractor(samples, sampling_rate=16000, return_tensors="np").input_features)
    encoded, stem, layers = run_encoder(model, mel)
    first = model(encoder_outputs=encoded, decoder_input_ids=torch.tensor([[start]])).logits[0, 0]
    language = about["language"] or "en"
    prefix = [start, languages[f"<|{language}|>"], settings.task_to_id["transcribe"], settings.no_timestamps_token_id]
    given = {"language": language, "task": "transcribe", "max_new_tokens": 300}

    def decode(stamped):
        ids = model.generate(mel, return_timestamps=stamped, **given)[0].tolist()
        return [token for token in ids if token not in prefix]

    plain, stamped = decode(False), decode(True)
    decoded = model(encoder_outputs=encoded, decoder_input_ids=torch.tensor([prefix + plain])).logits[0]
    logits = decoded[len(prefix) - 1 : len(prefix) - 1 + DECODED_POSITIONS]
    english, german = (first[languages[name]] for name in ("<|en|>", "<|de|>"))
    tensors = {
        "mel": mel[0][:, ::stride],
        "conv_stem": stem[::stride],
        "encoder_out": encoded.last_hidden_state[0][::stride],
        "frame_stride": torch.tensor(stride),
        "start_logits_lang_nospeech": torch.stack([english, german, first[no_speech], first.logsumexp(-1)]),
    }
    tensors |= {f"encoder_layer_{i}": layer[::stride] for i, layer in enumerate(layers)}
    if whole or model.config.vocab_size < LARGE_VOCABULARY:
        tensors["logits"] = logits
    else:
        top = logits.topk(TOP)
        tensors["logits_top_values"], tensors["logits_top_ids"] = top.values, top.indices.to(torch.int32)
        tensors["logits_logsumexp"] = logits.logsumexp(-1)
    entry = {
        "reference": about["text"],
        "language_given": language,
        "language_detected": max(languages, key=lambda name: first[languages[name]].item()),
        "start_logits": {"<|en|>": english.item(), "<|de|>": german.item()},
        "no_speech_prob": first.softmax(-1)[no_speech].item(),
        "prefix": prefix,
        "tokens": plain,
        "text": tokenizer.decode(plain, skip_special_tokens=True),
        "tokens_with_timestamps": stamped,
        "text_with_timestamps": tokenizer.decode(stamped, decode_with_timestamps=True),
    }
    if about["text"]:
        timed = model.generate(mel, return_timestamps=True, return_token_timestamps=True, **given)
        times = timed["token_timestamps"][0].tolist()
        entry["token_times"] = [[token, round(time, 2)] for token, time in zip(timed["sequences"][0].tolist(), times)]
    return tensors, entry


@torch.no_grad()
def main():
    model_dir, audio_dir, out = sys.argv[1:4]
    os.makedirs(out, exist_ok=True)
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    model = WhisperForConditionalGeneration.from_pretrained(model_dir, dtype=torch.float32).eval()
    extractor, tokenizer = (kind.from_pretrained(model_dir) for kind in (WhisperFeatureExtractor, WhisperTokenizer))
    with open(f"{audio_dir}/manifest.jsonl", encoding="utf8") as file:
        manifest = {entry["file"]: entry for entry in map(json.loads, file)}
    index = {}
    for i, name in enumerate(sys.argv[4:] or FILES):
        samples, rate = sf.read(f"{audio_dir}/{name}", dtype="float32")
        assert rate == 16000, (name, rate)
        tensors, index[name] = reference(model, extractor, tokenizer, samples, manifest[name], whole=i == 0)
        copies = {key: tensor.contiguous().clone() for key, tensor in tensors.items()}
        save_file(copies, f"{out}/{os.path.splitext(name)[0]}.safetensors")
        print(name, index[name]["language_detected"], index[name]["text_with_timestamps"][:200])
    with open(f"{out}/index.json", "w", encoding="utf8") as file:
        json.dump(index, file, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main()
