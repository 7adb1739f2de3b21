"""The machine: what it is, which cores are used, and what else it does."""

import os
import subprocess
import time

# Idle time before a turn, in which nothing of ours runs: what is busy then is somebody else's.
PAUSE_SECONDS = 0.4
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def description():
    """Processor, cores and memory, in words."""
    with open("/proc/cpuinfo", encoding="utf8") as file:
        fields = [line.split(":", 1) for line in file if ":" in line]
    known = {name.strip(): value.strip() for name, value in fields}
    model = (
        f"{known.get('model name', 'unknown processor')} (family {known.get('cpu family')} model {known.get('model')})"
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB"


def commit():
    """The short name of the commit that is checked out, and whether anything was changed since."""

    def git(*arguments):
        return subprocess.run(["git", "-C", REPOSITORY, *arguments], capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + (" with changes" if git("status", "--porcelain") else "")


def pinned(command, cores):
    """The command, held to these cores."""
    return ["taskset", "-c", ",".join(str(core) for core in cores), *command]


def busy_seconds():
    """Processor time of everything on the machine since it started, other machines' share of it included."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    """Processor time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Watch:
    """Cores that something else kept busy between its making and `otherwise()`."""

    def __init__(self):
        self.moment, self.busy, self.own = time.monotonic(), busy_seconds(), own_seconds()

    def otherwise(self):
        seconds = time.monotonic() - self.moment
        foreign = (busy_seconds() - self.busy) - (own_seconds() - self.own)
        return max(0.0, foreign / seconds) if seconds > 0 else 0.0


class Rest:
    """A pause, and how busy the machine was in it."""

    def __init__(self):
        watch = Watch()
        time.sleep(PAUSE_SECONDS)
        self.otherwise = watch.otherwise()
