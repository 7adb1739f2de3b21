"""One table: prepares the models, chooses the arrangements, lets all take turns, and prints what came out.

The script `run` beside this file calls it. Progress goes to standard error, the table to standard output.
"""

import argparse
import os

from .arrangements import Setting
from .catalogue import PEERS
from .machine import REPOSITORY
from .prepare import prepare
from .result import Result, line_up
from .rounds import measure
from .table import OURS, table
from .work import SHAPES, WINDOWS, WORK


def listed(names):
    """A type of argument: some of these names, with commas between them."""

    def parse(text):
        wanted = text.split(",")
        unknown = [name for name in wanted if name not in names]
        if unknown:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are {', '.join(names)}")
        return [name for name in names if name in wanted]

    return parse


def arguments():
    """The options, read and checked."""
    engines = [OURS, *(peer.name for peer in PEERS)]
    program = os.path.join(REPOSITORY, "target", "release", "amanuensis")
    parser = argparse.ArgumentParser(prog="benches/peers/run", description=__doc__.splitlines()[0])
    parser.add_argument("work", metavar="WORK", help="folder for peers, models and results, outside the repository")
    parser.add_argument("--size", choices=list(SHAPES), default="base")
    parser.add_argument("--precision", choices=["int8", "f32"], default="int8")
    parser.add_argument("--threads", type=int, default=2, help="as many cores, from 0 on, to which all are held [2]")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each [5]")
    parser.add_argument("--only", type=listed(list(WORK)), default=list(WORK), help="pieces of work")
    parser.add_argument("--engines", type=listed(engines), default=engines, help="rows of the table")
    parser.add_argument("--amanuensis", metavar="PROGRAM", default=program, help="the program to measure")
    parser.add_argument("--out", help="JSON file for the data [WORK/results/SIZE-PRECISION-THREADS.json]")
    parser.add_argument("--windows", type=int, default=WINDOWS, help="of the long sound: fewer for a trial")
    parser.add_argument("--limit", type=float, default=900, help="seconds for a piece of work, then it failed [900]")
    parser.add_argument("--choose-again", action="store_true", help="try all arrangements again")
    parser.add_argument("--prepare-only", action="store_true", help="make the models and stop")
    options = parser.parse_args()
    if not 1 <= options.threads <= len(os.sched_getaffinity(0)):
        parser.error(f"--threads {options.threads}: this machine has {len(os.sched_getaffinity(0))} cores")
    if OURS in options.engines and not os.access(options.amanuensis, os.X_OK):
        parser.error(
            f"{options.amanuensis} cannot be run: cargo build --release, or --amanuensis, or --engines without it"
        )
    if not 1 <= options.windows <= WINDOWS:
        parser.error(f"--windows {options.windows}: from 1 to {WINDOWS}")
    return options


def main():
    options = arguments()
    cores = tuple(sorted(os.sched_getaffinity(0))[: options.threads])
    setting = Setting(
        os.path.abspath(options.work), options.size, options.precision, cores, options.windows, options.limit
    )
    peers = [peer for peer in PEERS if peer.name in options.engines and setting.precision in peer.models]
    peers = [peer for peer in peers if set(peer.works) & set(options.only)]
    unmade = prepare(setting.folder, setting.size, ["hf", *(peer.models[setting.precision] for peer in peers)])
    if options.prepare_only:
        raise SystemExit(1 if unmade else 0)
    result = Result(options.out or os.path.join(setting.folder, "results", f"{setting.name}.json"), options, setting)
    contestants = line_up(peers, unmade, options, result)
    measure(contestants, result.records, setting, options.rounds, result.keep)
    result.write()
    text = table(result.data)
    with open(os.path.splitext(result.path)[0] + ".md", "w", encoding="utf8") as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    main()
