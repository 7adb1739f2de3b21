"""The rounds, in which all take turns."""

import sys

from .machine import Rest, Watch
from .team import Failure


def one_turn(contestant, works, record, setting):
    """A pause, then a turn, into the record; returns how busy the machine was in the pause."""
    rest = Rest()
    watch = Watch()
    try:
        turn = contestant.take_turn(works, setting)
    except Failure as failure:
        record.fail(works, str(failure))
        print(f"{contestant.name}, {', '.join(works)}: {failure}", file=sys.stderr)
        return rest.otherwise
    record.add(works, turn, watch.otherwise())
    return rest.otherwise


def measure(contestants, records, setting, rounds, keep):
    """All take turns, in an order that changes from round to round; `keep` is told after each."""
    for turn in range(rounds):
        first = turn % max(1, len(contestants))
        rests = []
        for contestant in contestants[first:] + contestants[:first]:
            record = records[contestant.name]
            for group in contestant.groups(setting):
                # What failed once is a failure: it is not tried until it works.
                works = [work for work in group if "failure" not in record.works[work]]
                if works:
                    rests.append(one_turn(contestant, works, record, setting))
        keep(rests)
        print(f"round {turn + 1} of {rounds}", file=sys.stderr)
