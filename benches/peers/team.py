"""One or several processes of an engine that do a piece of work between them: this side of worker.py."""

import json
import select
import subprocess
import sys
import tempfile
import time

from .machine import pinned
from .work import token_count, window_count


class Failure(Exception):
    """A peer that did not do the work, and why."""


def last_words(text):
    """What a process said last that reads like a reason."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


class Process:
    """A worker, and the lines that go to it and come back."""

    def __init__(self, command, environment, limit):
        self.limit = limit
        self.errors = tempfile.TemporaryFile()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.errors}
        self.process = subprocess.Popen(command, env=environment, **pipes)

    def ask(self, request):
        try:
            self.process.stdin.write(request.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.fail("stopped")

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], self.limit)
        if not ready:
            raise Failure(f"took more than {self.limit:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            self.fail("stopped")
        try:
            answer = json.loads(line)
        except ValueError:
            raise Failure(f"answered {line[:100]!r}") from None
        if "error" in answer:
            raise Failure(answer["error"])
        return answer

    def fail(self, what):
        status = self.process.wait()
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace")
        raise Failure(f"{what} (exit status {status}): {last_words(said)}")

    def stop(self):
        """Ends it by the end of its input, or else by force."""
        self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Team:
    """Workers that start together; each has its share of the windows, and its own cores if there are several."""

    def __init__(self, peer, arrangement, setting):
        self.setting, self.arrangement = setting, arrangement
        self.processes = []
        try:
            for place in range(arrangement.processes):
                cores = setting.cores if arrangement.processes == 1 else [setting.cores[place]]
                command = pinned(peer.command(arrangement, setting), cores)
                environment = peer.environment(arrangement)
                self.processes.append(Process(command, environment, setting.limit))
            begun = [process.answer() for process in self.processes]
        except BaseException:
            self.stop()
            raise
        self.version, self.load = begun[0]["version"], max(answer["load"] for answer in begun)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def shares(self, windows):
        """Pairs of the first window and how many, one for each process."""
        count = len(self.processes)
        edges = [windows * place // count for place in range(count + 1)]
        return list(zip(edges, (after - before for before, after in zip(edges, edges[1:]))))

    def do(self, work, windows):
        """Seconds from the first begin to the last end, and those of decoding where they are told."""
        shares = self.shares(windows)
        for process, (first, count) in zip(self.processes, shares):
            process.ask("encoder" if work == "encoder" else f"{work} {first} {count}")
        answers = [process.answer() for process in self.processes]
        seconds = max(answer["ended"] for answer in answers) - min(answer["begun"] for answer in answers)
        return seconds, [answer.get("tokens", 0) for answer in answers], answers[0].get("decode_seconds")

    def measure(self, work):
        """The same after a first time that is not counted; refuses another number of tokens than was to be made."""
        windows = window_count(work, self.setting.windows)
        self.do(work, min(windows, self.arrangement.together))
        seconds, tokens, decode = self.do(work, windows)
        if sum(tokens) != token_count(work, windows):
            raise Failure(f"made {sum(tokens)} tokens instead of {token_count(work, windows)}")
        told = {} if decode is None or windows > 1 else {"decode_seconds": decode}
        return {"seconds": seconds, "tokens": sum(tokens)} | told

    def memory(self):
        """Bytes at the most, of all processes together."""
        for process in self.processes:
            process.ask("memory")
        return sum(process.answer()["memory"] for process in self.processes)

    def stop(self):
        for process in self.processes:
            process.stop()


def take_turn(peer, arrangement, works, setting):
    """Starts a team, lets it do the works, and ends it: {"version", "load", "memory", "works"}, or Failure."""
    done = {}
    with Team(peer, arrangement, setting) as team:
        for work in works:
            try:
                done[work] = team.measure(work)
            except Failure as failure:
                done[work] = {"failure": str(failure)}
                print(f"{peer.name}, {work}, {arrangement.name}: {failure}", file=sys.stderr)
                break
        memory = None if any("failure" in each for each in done.values()) else team.memory()
        return {"version": team.version, "load": team.load, "memory": memory, "works": done, "when": time.time()}
