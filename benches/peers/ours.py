"""Amanuensis: the program measures itself; a turn is one run of it, or two."""

import json
import os
import subprocess
import time

from .machine import pinned
from .team import Failure, last_words
from .work import WINDOWS

COMPUTE_TYPES = {"int8": "int8", "f32": "f32"}


class Amanuensis:
    """The program as a row of the table."""

    name = "amanuensis"

    def __init__(self, program, works):
        self.program, self.works = program, works
        self.version = self.run([program, "--version"], 60).split()[-1]

    @staticmethod
    def run(command, limit):
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            raise Failure(f"took more than {limit:.0f} s") from None
        if ran.returncode != 0:
            raise Failure(f"exit status {ran.returncode}: {last_words(ran.stderr)}")
        return ran.stdout

    def groups(self, setting):
        """Works that share a run; the long one has its own, so that its memory is its own."""
        short = [work for work in self.works if work != "long"]
        # The program's long sound has always twenty windows.
        long = [work for work in self.works if work == "long" and setting.windows == WINDOWS]
        return [group for group in (short, long) if group]

    def command(self, works, setting):
        """One run, every measure once."""
        measures = ["load", *(["mel"] if "window" in works else []), *works]
        options = {
            "--model": os.path.join(setting.folder, setting.size, "hf"),
            "--threads": str(setting.threads),
            "--compute-type": COMPUTE_TYPES[setting.precision],
            "--only": ",".join(measures),
            "--iterations": "1",
        }
        flat = [part for pair in options.items() for part in pair]
        return pinned([self.program, "bench", *flat, "--json"], setting.cores)

    def take_turn(self, works, setting):
        """What team.take_turn gives."""
        said = self.run(self.command(works, setting), setting.limit)
        try:
            answer = json.loads(said)
            seconds = {name: measure["median_seconds"] for name, measure in answer["measures"].items()}
            memory = answer["peak_memory_bytes"]
        except (ValueError, KeyError) as error:
            raise Failure(f"its answer is not understood ({type(error).__name__}: {error})") from None
        missing = {"load", *works} - set(seconds)
        if missing:
            raise Failure(f"its answer has no {', '.join(sorted(missing))}")
        done = {work: {"seconds": seconds[work]} for work in works}
        if {"window", "encoder", "mel"} <= set(seconds):
            done["window"]["decode_seconds"] = seconds["window"] - seconds["encoder"] - seconds["mel"]
        return {"version": self.version, "load": seconds["load"], "memory": memory, "works": done, "when": time.time()}
