"""Trains the model. The schedule runs on wall-clock minutes, so that a run ends when it was said to.

train.py --out DIR --minutes M [--init CHECKPOINT] [--own TOKENIZER.json] [--start F] [--lr RATE]
"""

import argparse
import copy
import math
import os
import random
import time

import numpy as np
import torch

from corpus import Corpus, MelFrontEnd, phone_inventory
from losses import losses
from model import Whisper
from neighbour_heads import set_local_heads
from scoring import SR, quick_score
from vocabulary import own_vocab, whisper_vocab
from windows import Windows

PRINT_SECONDS, SAVE_SECONDS, SCORE_SECONDS = 30, 120, 300
PHONE_WEIGHT = 0.3


def mixture(progress):
    """[(window kind, batch size, share)]: short windows first, 30 s ones from the middle on."""
    if progress < 0.16:
        return [("short", 24, 1.0)]
    if progress < 0.50:
        return [("short", 24, 0.25), ("medium", 8, 0.75)]
    return [("short", 24, 0.10), ("medium", 8, 0.30), ("packed", 3, 0.40), ("padded", 4, 0.20)]


def learning_rate(done, peak):
    """A short rise, then half a cosine down to 2 %."""
    if done < 0.02:
        return peak * (0.05 + 0.95 * done / 0.02)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, (done - 0.02) / 0.98))))


def aid_weights(progress):
    """(word weight, attention weight): the training-only targets matter less as training goes on."""
    return 1.0 if progress < 0.6 else 0.5 if progress < 0.85 else 0.25, 0.5 if progress < 0.85 else 0.2


def open_vocabulary(options, words, checkpoint):
    """(vocabulary, function from export ids to text)"""
    if options.own:
        vocab, tokenizer = own_vocab(options.own)
        return vocab, lambda ids: tokenizer.decode(ids, skip_special_tokens=False)
    used = checkpoint["used"] if checkpoint else None
    vocab, encoding = whisper_vocab(options.tiktoken, words, used)
    return vocab, encoding.decode


def move_embedding(weights, rows, vocab, decode, old, old_encoding):
    """Fills `rows` of a new vocabulary from the rows of the same text in the old one, or the mean of its pieces."""
    source = weights["decoder.embed_tokens.weight"]
    by_text = {old_encoding.decode_single_token_bytes(token): i for i, token in enumerate(old.used)}
    found = 0
    for i in range(vocab.n_text):
        text = decode([i]).encode("utf-8")
        if text in by_text:
            rows[i] = source[by_text[text]]
            found += 1
        else:
            pieces = old.word(text.decode("utf-8", "ignore").strip())
            rows[i] = source[pieces].mean(0) if pieces else source[old.unused_row]
    for special in vocab.special_names:
        rows[vocab.row(special)] = source[old.row(special)]
    weights["decoder.embed_tokens.weight"] = rows.clone()
    print("embedding rows taken over by text:", found, "of", vocab.n_text)


def make_optimizer(model, rate):
    """(AdamW, parameter names in its order); matrices decay, vectors do not."""
    named = list(model.named_parameters())
    decay, rest = [x for x in named if x[1].ndim >= 2], [x for x in named if x[1].ndim < 2]
    groups = [
        {"params": [weights for _, weights in decay], "weight_decay": 0.01},
        {"params": [weights for _, weights in rest], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), eps=1e-8, foreach=True)
    return optimizer, [name for name, _ in decay + rest]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder for last.pt and final.pt")
    parser.add_argument("--data", default="data", help="folder with the shards t0, t1 and dev of make_corpus.py")
    parser.add_argument("--tiktoken", default="multilingual.tiktoken")
    parser.add_argument("--mel", default="mel_filters.npz")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--lr", type=float, default=1.6e-3)
    parser.add_argument("--init", help="checkpoint to go on from")
    parser.add_argument("--own", help="tokenizer of our own; the rows of --init move over by text")
    parser.add_argument("--start", type=float, default=0.0, help="progress at which the schedule of windows begins")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--local", action="store_true", help="start two heads per encoder layer as neighbour heads")
    parser.add_argument(
        "--raw", action="store_true", help="go on from the plain weights and optimizer, not the average"
    )
    parser.add_argument("--steps", type=int, default=0, help="stop after so many steps")
    return parser.parse_args()


def main():
    options = parse()
    torch.manual_seed(options.seed)
    # Sharp attention makes denormals, which doubled the time of the backward pass; set before the worker threads start.
    torch.set_flush_denormal(True)
    torch.set_num_threads(options.threads)
    os.makedirs(options.out, exist_ok=True)
    corpus, held_out = Corpus([f"{options.data}/t0", f"{options.data}/t1"]), Corpus([f"{options.data}/dev"])
    items = corpus.items + held_out.items
    words = sorted({word for m in items for word in (m["text"] + " " + (m["translation"] or "")).split()})
    checkpoint = torch.load(options.init, weights_only=False) if options.init else None
    vocab, decode = open_vocabulary(options, words, checkpoint)
    phones = checkpoint["phones"] if checkpoint else phone_inventory(corpus.items)
    front_end = MelFrontEnd(np.load(options.mel)["mel_80"])
    print(f"{len(corpus.items)} utterances, {len(words)} words, {vocab.n_rows} rows, {len(phones)} phones", flush=True)
    model = Whisper(
        rows=vocab.n_rows,
        n_phones=len(phones),
        ts_row=vocab.ts0,
        unused_row=vocab.unused_row,
        n_unused=vocab.n_unused,
    )
    if checkpoint:
        weights = checkpoint["raw"] if options.raw and "raw" in checkpoint else checkpoint["model"]
        if options.own and not checkpoint.get("own"):
            old = whisper_vocab(options.tiktoken, used=checkpoint["used"])
            move_embedding(weights, model.decoder.embed_tokens.weight.data, vocab, decode, *old)
        print(model.load_state_dict(weights, strict=False), flush=True)
    windows = Windows(corpus, vocab, phones, options.seed)
    if options.local:
        set_local_heads(model, front_end(windows.batch("medium", 4)[0]))
    average = copy.deepcopy(model)
    optimizer, names = make_optimizer(model, options.lr)
    if checkpoint and options.raw and "opt" in checkpoint and not options.local:
        by_name = dict(model.named_parameters())
        for i, name in enumerate(names):
            optimizer.state[by_name[name]] = checkpoint["opt"]["state"][i]

    def save(name):
        """By way of another name, so that an interrupted run leaves a whole file."""
        path = f"{options.out}/{name}"
        saved = {
            "model": average.state_dict(),
            "raw": model.state_dict(),
            "opt": optimizer.state_dict(),
            "cfg": model.cfg,
            "used": vocab.used,
            "own": bool(options.own),
            "phones": phones,
        }
        torch.save(saved, path + ".tmp")
        os.replace(path + ".tmp", path + ".pt")

    choices = random.Random(options.seed)
    begun = printed = saved = scored = time.time()
    step, heard, history = 0, 0.0, []
    while True:
        done = (time.time() - begun) / (options.minutes * 60)
        if done >= 1 or (options.steps and step >= options.steps):
            break
        progress = options.start + (1 - options.start) * done
        kinds = mixture(progress)
        kind, size, _ = choices.choices(kinds, [share for _, _, share in kinds])[0]
        batch = windows.batch(kind, size)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(done, options.lr)
        total, parts = losses(model, front_end(batch[0]), batch, PHONE_WEIGHT, *aid_weights(progress))
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        heard += batch[0].numel() / SR
        step += 1
        history.append(parts)
        with torch.no_grad():
            share = 1 - min(0.994, step / (step + 20))
            torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), share)
        if time.time() - printed > PRINT_SECONDS:
            means = " ".join(f"{name} {np.mean([part[name] for part in history]):.3f}" for name in parts)
            print(f"step {step} progress {progress:.3f} {means} audio {heard / 3600:.1f} h", flush=True)
            history, printed = [], time.time()
        if time.time() - scored > SCORE_SECONDS:
            rate, examples = quick_score(average, front_end, vocab, held_out, decode, 32)
            print(f"  word error rate of 32 held-out utterances, as written: {rate:.3f}", examples, flush=True)
            scored = time.time()
        if time.time() - saved > SAVE_SECONDS:
            save("last")
            saved = time.time()
    save("last")
    save("final")
    rate, examples = quick_score(average, front_end, vocab, held_out, decode, 200)
    print(f"word error rate, as written: {rate:.4f}; {step} steps, {heard / 3600:.1f} h of audio", examples, flush=True)


if __name__ == "__main__":
    main()
