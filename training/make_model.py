"""From nothing to a released folder; a step whose result is there is not done again, and training goes on where it was.

make_model.py WORK OUT (--minutes M | --steps N | --corpus-only) [--device cuda]

WORK gets the corpus (data/) and the checkpoints (run/), OUT the model folder. Speaking the corpus needs espeak-ng and
CPUs, training neither: WORK may move to another machine between the two.
"""

import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SHARDS = 8
SEED = 100
# name, seed, English and German utterances, more arguments
HELD_OUT = [("dev", 999, 320, 60, "--held-out"), ("test", 31337, 700, 100, "--held-out")]
TRAINING = [(f"t{i}", SEED + i, 4000, 450, "--lists", "0.22", "--numbers", "0.08") for i in range(SHARDS)]
RELEASED = (
    "model.safetensors config.json generation_config.json preprocessor_config.json vocab.json merges.txt "
    "added_tokens.json"
).split()


def run(script, *arguments):
    subprocess.run([sys.executable, os.path.join(HERE, script), *map(str, arguments)], check=True)


def speak(data, processes):
    missing = [shard for shard in HELD_OUT + TRAINING if not os.path.exists(f"{data}/{shard[0]}.pkl")]
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        list(pool.map(lambda shard: run("make_corpus.py", f"{data}/{shard[0]}", *shard[1:]), missing))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work")
    parser.add_argument("out")
    goal = parser.add_mutually_exclusive_group(required=True)
    goal.add_argument("--minutes", type=float, help="of training")
    goal.add_argument("--steps", type=int, help="of training")
    goal.add_argument("--corpus-only", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="of training on a CPU; 1 if others use it too")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="for speaking the corpus")
    parser.add_argument("--mel", default="mel_filters.npz")
    parser.add_argument("--init", help="checkpoint to go on from instead of from scratch")
    options = parser.parse_args()
    data, checkpoints, exported = (os.path.join(options.work, name) for name in ("data", "run", "exported"))
    os.makedirs(data, exist_ok=True)
    speak(data, options.processes)
    if options.corpus_only:
        return
    tokenizer = os.path.join(HERE, "own_tokenizer.json")
    if not os.path.exists(f"{checkpoints}/final.pt"):
        length = ["--steps", options.steps] if options.steps else ["--minutes", options.minutes]
        begin = ["--init", options.init, "--progress", 0.4, "--lr", 1.2e-3] if options.init else ["--local"]
        where = ["--data", data, "--mel", options.mel, "--device", options.device, "--threads", options.threads]
        run("train.py", "--out", checkpoints, *length, *begin, *where, "--own", tokenizer)
    run("export_hf.py", f"{checkpoints}/final.pt", exported, "--own", tokenizer)
    os.makedirs(options.out, exist_ok=True)
    for name in RELEASED:
        shutil.copy(f"{exported}/{name}", options.out)
    run("evaluate.py", options.out, data, "--json", f"{options.work}/evaluation.json")


if __name__ == "__main__":
    main()
