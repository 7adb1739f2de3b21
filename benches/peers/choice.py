"""Which arrangement is the best of a peer: each is tried for one turn."""

import sys

from .machine import Rest, Watch
from .team import Failure, take_turn


def scout_one(peer, arrangement, works, setting, log):
    """One turn of an arrangement, into the log."""
    Rest()
    watch = Watch()
    try:
        works_done = take_turn(peer, arrangement, works, setting)["works"]
    except Failure as failure:
        works_done = {work: {"failure": str(failure)} for work in works}
    otherwise = watch.otherwise()
    for work, result in works_done.items():
        entry = {"engine": peer.name, "work": work, "arrangement": arrangement.name, "busy_otherwise": otherwise}
        log.append(entry | result)
        figure = f"{result['seconds']:.3f} s" if "seconds" in result else f"failed: {result['failure']}"
        print(f"tried {peer.name}, {work}, {arrangement.name}: {figure} (busy {otherwise:.2f})", file=sys.stderr)
    return works_done


def best_of(results, work):
    """The arrangement that was quickest, or the reason of the first if none did it."""
    done = [
        (result[work]["seconds"], place)
        for place, (_, result) in enumerate(results)
        if "seconds" in result.get(work, {})
    ]
    if done:
        return results[min(done)[1]][0]
    reasons = [result[work]["failure"] for _, result in results if "failure" in result.get(work, {})]
    raise Failure(reasons[0] if reasons else "a piece of work before it failed")


def try_all(peer, arrangements, works, setting, log):
    """Pairs of an arrangement and what it did; where there is no choice, nothing needs to be tried."""
    if len(arrangements) == 1:
        return [(arrangements[0], {work: {"seconds": 0.0} for work in works})]
    return [(arrangement, scout_one(peer, arrangement, works, setting, log)) for arrangement in arrangements]


def choose(peer, works, setting, log):
    """The arrangement of each piece of work, and the reasons of those that no arrangement does."""
    chosen, reasons = {}, {}
    short = [work for work in works if work in peer.works and work != "long"]
    basis = short or ["window"]
    results = try_all(peer, list(peer.for_one_window(setting)), basis, setting, log)
    for work in short:
        try:
            chosen[work] = best_of(results, work)
        except Failure as failure:
            reasons[work] = str(failure)
    if "long" in works and "long" in peer.works:
        try:
            best = best_of(results, "window" if "window" in basis else basis[0])
            many = list(peer.for_many_windows(setting, best))
            chosen["long"] = best_of(try_all(peer, many, ["long"], setting, log), "long")
        except Failure as failure:
            reasons["long"] = str(failure)
    return chosen, reasons
