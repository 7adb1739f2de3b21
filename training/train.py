"""Trains the model, on CPU or GPU. The same command goes on from OUT/last.pt where it was interrupted.

train.py --out DIR (--minutes M | --until HH:MM | --steps N) [--init CHECKPOINT] [--own TOKENIZER.json]

torchrun --nproc-per-node 2 train.py --threads 1 ... shares each step out to two processes, which keeps two cores busier
than two threads do.

Interrupted by a signal it saves what it has. With --steps a run can be repeated; with --minutes or --until it ends in
time, however slow the machine is meanwhile.
"""

import argparse
import collections
import concurrent.futures
import copy
import datetime
import glob
import math
import multiprocessing
import os
import random
import signal
import time

import numpy as np
import torch

from corpus import Corpus, MelFrontEnd, phone_inventory
from losses import losses
from model import Whisper
from neighbour_heads import set_local_heads
from scoring import SR, quick_score
from vocabulary import own_vocab, whisper_vocab
from windows import Renderer, Windows

PRINT_SECONDS, SAVE_SECONDS, SCORE_SECONDS = 60, 180, 1800
PHONE_WEIGHT = 0.3
RISING_STEPS = 80


def mixture(progress):
    """[(window kind, batch size, share of the steps)]: short windows first, then full ones more and more."""
    if progress < 0.12:
        return [("short", 24, 1.0)]
    if progress < 0.35:
        return [("short", 24, 0.25), ("medium", 8, 0.60), ("full", 3, 0.15)]
    if progress < 0.8:
        return [("short", 24, 0.15), ("medium", 8, 0.35), ("full", 3, 0.40), ("padded", 3, 0.10)]
    return [("short", 24, 0.10), ("medium", 8, 0.25), ("full", 3, 0.52), ("padded", 3, 0.13)]


def learning_rate(done, step, peak):
    """A rise while the optimizer gets its bearings, and half a cosine down to 1 %."""
    return peak * min(1.0, (step + 1) / RISING_STEPS) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def aid_weights(progress):
    """(word weight, attention weight): the training-only targets matter less as training goes on."""
    return 1.0 if progress < 0.6 else 0.5 if progress < 0.85 else 0.25, 0.5 if progress < 0.85 else 0.2


class Schedule:
    """How much of the run is done, from 0 to 1: by steps, or by the time that is left.

    What is left of the schedule is spread over what is left of the time, step by step: a machine that was busy with
    other things, or a run that was frozen, takes longer strides afterwards and still ends at the lowest rate.
    """

    def __init__(self, steps, end, done):
        self.steps, self.end, self.done, self.usual = steps, end, done, None
        self.last = time.time()

    def advance(self):
        now = time.time()
        took, self.last = now - self.last, now
        if self.steps:
            self.done += 1 / self.steps
        else:
            usual = took if self.usual is None else min(took, 4 * self.usual)
            self.usual = usual if self.usual is None else 0.95 * self.usual + 0.05 * usual
            left = max(0.0, self.end - now)
            self.done += (1 - self.done) * usual / (left + usual)
        return self.done < 1 - 1e-9 and (self.steps or now < self.end)


class Team:
    """The processes that share a step: each hears batches of its own, and all descend along the mean of their gradients."""

    def __init__(self):
        self.size, self.rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        if self.size > 1:
            torch.distributed.init_process_group("gloo")

    def average(self, model):
        if self.size == 1:
            return
        parameters = list(model.parameters())
        # A batch without speech leaves some weights alone, which others of the team may not.
        slopes = [torch.zeros_like(weights) if weights.grad is None else weights.grad for weights in parameters]
        flat = torch.cat([slope.flatten() for slope in slopes])
        torch.distributed.all_reduce(flat)
        pieces = (flat / self.size).split([slope.numel() for slope in slopes])
        for weights, piece in zip(parameters, pieces):
            weights.grad = piece.view_as(weights)

    def agreed(self, *values):
        """What the first process says: clocks and signals differ."""
        if self.size == 1:
            return values
        said = torch.tensor(values, dtype=torch.float64)
        torch.distributed.broadcast(said, 0)
        return said.tolist()


class Drawing:
    """Batches in order, drawn here or ahead of time by other processes."""

    def __init__(self, windows, workers, stride):
        self.windows, self.workers, self.stride, self.waiting = windows, workers, stride, collections.deque()
        if workers:
            context = multiprocessing.get_context("forkserver")  # a fork of a process that uses a GPU may hang
            self.pool = concurrent.futures.ProcessPoolExecutor(workers, context, _adopt, (windows,))

    def take(self, number, choose):
        if not self.workers:
            return self.windows.batch(number, *choose(number))
        while len(self.waiting) < 3 * self.workers:
            ahead = number + len(self.waiting) * self.stride
            self.waiting.append(self.pool.submit(_draw, ahead, *choose(ahead)))
        return self.waiting.popleft().result()


def _adopt(windows):
    global adopted
    adopted = windows


def _draw(*wanted):
    return adopted.batch(*wanted)


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
    parser.add_argument("--data", default="data", help="folder with the shards t0, t1, ... and dev of make_corpus.py")
    parser.add_argument("--tiktoken", default="multilingual.tiktoken")
    parser.add_argument("--mel", default="mel_filters.npz")
    end = parser.add_mutually_exclusive_group(required=True)
    end.add_argument("--minutes", type=float)
    end.add_argument("--until", help="local time of day")
    end.add_argument("--steps", type=int)
    parser.add_argument("--lr", type=float, default=1.6e-3)
    parser.add_argument("--init", help="checkpoint to go on from, with a schedule of its own")
    parser.add_argument("--own", help="tokenizer of our own; the rows of --init move over by text")
    parser.add_argument("--progress", type=float, default=0.0, help="progress at which the schedule of windows begins")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cuda trains in bfloat16")
    parser.add_argument("--bfloat16", action="store_true", help="on a CPU, too, which is quicker where it has AMX")
    parser.add_argument("--scale", type=int, help="windows in a batch, as a multiple of what suits a CPU")
    parser.add_argument("--workers", type=int, help="processes that draw batches ahead")
    parser.add_argument("--local", action="store_true", help="start two heads per encoder layer as neighbour heads")
    options = parser.parse_args()
    on_cpu = options.device == "cpu"
    options.scale = options.scale or (1 if on_cpu else 12)
    options.workers = (0 if on_cpu else max(1, os.cpu_count() - 2)) if options.workers is None else options.workers
    return options


def end_of(options):
    if options.until:
        hour, minute = map(int, options.until.split(":"))
        now = datetime.datetime.now()
        end = now.replace(hour=hour, minute=minute, second=0)
        return (end if end > now else end + datetime.timedelta(days=1)).timestamp()
    return time.time() + (options.minutes or 0) * 60


def main():
    options = parse()
    team = Team()
    torch.manual_seed(options.seed)
    # Sharp attention makes denormals, which doubled the time of the backward pass; set before the worker threads start.
    torch.set_flush_denormal(True)
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    os.makedirs(options.out, exist_ok=True)
    shards = sorted(path[: -len(".pkl")] for path in glob.glob(f"{options.data}/t[0-9]*.pkl"))
    corpus, held_out = Corpus(shards), Corpus([f"{options.data}/dev"])
    texts = [text for item in corpus.items + held_out.items for text in (item["text"], item["translation"]) if text]
    words = sorted({word for text in texts for word in text.split()})
    resumed = os.path.exists(f"{options.out}/last.pt")
    source = f"{options.out}/last.pt" if resumed else options.init
    checkpoint = torch.load(source, weights_only=False, map_location="cpu") if source else None
    vocab, decode = open_vocabulary(options, words, checkpoint)
    phones = checkpoint["phones"] if checkpoint else phone_inventory(corpus.items)
    front_end = MelFrontEnd(np.load(options.mel)["mel_80"], device)
    if team.rank == 0:
        print(f"{len(corpus.items)} utterances, {len(words)} words, {vocab.n_rows} rows, {len(phones)} phones", flush=True)
    model = Whisper(
        rows=vocab.n_rows,
        n_phones=len(phones),
        ts_row=vocab.ts0,
        unused_row=vocab.unused_row,
        n_unused=vocab.n_unused,
    )
    if checkpoint:
        weights = checkpoint["raw"] if resumed else checkpoint["model"]
        if options.own and not checkpoint.get("own"):
            old = whisper_vocab(options.tiktoken, used=checkpoint["used"])
            move_embedding(weights, model.decoder.embed_tokens.weight.data, vocab, decode, *old)
        model.load_state_dict(weights)
    model.to(device)
    windows = Windows(corpus.items, vocab, phones, options.seed)
    render = Renderer(corpus.tensors(device), device, options.seed)
    if options.local and not resumed:
        set_local_heads(model, front_end(render(windows.batch(0, "medium", 4))))
    torch.manual_seed(options.seed + team.rank)
    average = copy.deepcopy(model)
    optimizer, names = make_optimizer(model, options.lr)
    step, heard, done = 0, 0.0, 0.0
    if resumed:
        average.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["opt"])
        step, heard, done = checkpoint["step"], checkpoint["heard"], checkpoint["done"]
    schedule = Schedule(options.steps, end_of(options), done)

    def save(name):
        """By way of another name, so that an interrupted run leaves a whole file."""
        if team.rank:
            return
        path = f"{options.out}/{name}"
        saved = {
            "model": average.state_dict(),
            "raw": model.state_dict(),
            "opt": optimizer.state_dict(),
            "cfg": model.cfg,
            "used": vocab.used,
            "own": bool(options.own),
            "phones": phones,
            "step": step,
            "heard": heard,
            "done": schedule.done,
        }
        torch.save(saved, path + ".tmp")
        os.replace(path + ".tmp", path + ".pt")

    def progress():
        return options.progress + (1 - options.progress) * schedule.done

    def choose(number):
        """The kind and size of a batch; of one kind in all processes, so that none waits for another."""
        kinds = mixture(progress())
        chosen = random.Random(f"{options.seed} kind {number // team.size}").choices(kinds, [share for _, _, share in kinds])[0]
        return chosen[0], chosen[1] * options.scale

    def report(history):
        """Means of the last steps, and the loss and accuracy of each kind of window."""

        def mean(name, parts):
            return float(torch.stack([part[name] for part in parts]).mean())

        means = " ".join(f"{name} {mean(name, [part for _, part in history]):.3f}" for name in history[0][1])
        print(f"step {step} progress {progress():.3f} {means} audio {heard / 3600:.1f} h", flush=True)
        for kind in sorted({kind for kind, _ in history}):
            own = [part for drawn, part in history if drawn == kind]
            figures = f"tokens {mean('tokens', own):.3f}, accuracy {mean('accuracy', own):.3f}"
            print(f"  {kind}: {len(own)} steps, {figures}", flush=True)

    drawing = Drawing(windows, options.workers, team.size)
    printed = saved = scored = time.time()
    history, asked_to_stop = [], []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: asked_to_stop.append(number))
    while True:
        batch = drawing.take(step * team.size + team.rank, choose)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(schedule.done, step, options.lr)
        mel = front_end(render(batch))
        with torch.autocast(device.type, torch.bfloat16, enabled=options.bfloat16 or device.type != "cpu"):
            total, parts = losses(model, mel, batch, PHONE_WEIGHT, *aid_weights(progress()))
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        team.average(model)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        heard += batch.seconds * len(batch.windows) * team.size
        step += 1
        history.append((batch.kind, parts))
        with torch.no_grad():
            share = 1 - min(0.994, step / (step + 20))
            torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), share)
        going_on, stopping, schedule.done = team.agreed(bool(schedule.advance()), bool(asked_to_stop), schedule.done)
        if team.rank == 0 and (time.time() - printed > PRINT_SECONDS or not going_on):
            report(history)
            history, printed = [], time.time()
        if stopping:
            save("last")
            return
        if not going_on:
            break
        if time.time() - saved > SAVE_SECONDS:
            save("last")
            saved = time.time()
        if team.rank == 0 and time.time() - scored > SCORE_SECONDS:
            rate, examples = quick_score(average, front_end, vocab, held_out, decode, 32)
            print(f"  word error rate of 32 held-out utterances, as written: {rate:.3f}", examples, flush=True)
            scored = time.time()
    save("last")
    save("final")
    if team.rank == 0:
        print(f"{step} steps, {heard / 3600:.1f} h of audio", flush=True)


if __name__ == "__main__":
    main()
