"""An engine in a process of its own: loads, says so, then does the work that it is asked for, line by line.

    python -m peers.worker JOB      (JOB: the fields of `Job` as JSON)

A request is a line of words: `encoder`, `window FIRST 1`, `window_beam5 FIRST 1`, `long FIRST COUNT` (windows of the
sound) or `memory`. The first line of the answers is {"version", "load"}, the seconds from files to ready; then comes
an object for each request: {"begun", "ended"} by the clock that all processes of the machine share, "tokens", and
"decode_seconds" where the engine can tell them; {"memory"} in bytes; or {"error"}.
whisper_cpp_worker.c says the same in C.
"""

import importlib
import json
import os
import resource
import sys
import time
from dataclasses import dataclass, field

from .work import BEAMS, NEW_TOKENS, SHAPES, read_sound


@dataclass
class Job:
    """What a worker is told."""

    module: str  # of this package's engines
    folder: str  # WORK
    size: str
    precision: str
    threads: int
    options: dict = field(default_factory=dict)

    @property
    def models(self):
        return f"{self.folder}/{self.size}"

    @property
    def shape(self):
        return SHAPES[self.size]


def timed_encoder(engine):
    begun = time.monotonic()
    engine.encode_window()
    return {"begun": begun, "ended": time.monotonic()}


def timed_transcription(engine, windows, beams):
    begun = time.monotonic()
    counts, decode_seconds = engine.transcribe(windows, beams)
    ended = time.monotonic()
    if counts != [NEW_TOKENS] * len(windows):
        raise ValueError(f"windows of {counts} tokens instead of {NEW_TOKENS} each")
    told = {} if decode_seconds is None else {"decode_seconds": decode_seconds}
    return {"begun": begun, "ended": ended, "tokens": sum(counts), **told}


def answer(engine, sound, request):
    """What one line asks for."""
    work, *numbers = request.split()
    if work == "memory":
        return {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    try:
        if work == "encoder":
            return timed_encoder(engine)
        first, count = (int(number) for number in numbers)
        return timed_transcription(engine, sound[first : first + count], BEAMS if work == "window_beam5" else 1)
    except Exception as error:  # whatever a peer throws is a result that the table shows
        return {"error": f"{type(error).__name__}: {error}"[:500]}


def serve(job):
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print, from C too, goes elsewhere
    engine_class = importlib.import_module(f"peers.engines.{job.module}").Engine
    for module in engine_class.modules:  # so that loading a model does not include loading Python code
        importlib.import_module(module)
    sound = read_sound(job.folder)
    begun = time.monotonic()
    engine = engine_class(job)
    load = time.monotonic() - begun
    print(json.dumps({"version": engine.version, "load": load}), file=answers, flush=True)
    for request in sys.stdin:
        print(json.dumps(answer(engine, sound, request)), file=answers, flush=True)


if __name__ == "__main__":
    serve(Job(**json.loads(sys.argv[1])))
