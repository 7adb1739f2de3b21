"""The rows of the table: who takes turns, and what the turns gave."""

from .team import take_turn


class Contestant:
    """A peer in the arrangements chosen for it."""

    def __init__(self, peer, chosen):
        self.name, self.peer, self.chosen = peer.name, peer, chosen

    def groups(self, setting):
        """Works that share a process: those of one arrangement, and the long one by itself."""
        groups = []
        for work, arrangement in self.chosen.items():
            if work != "long" and groups and self.chosen[groups[-1][0]] == arrangement:
                groups[-1].append(work)
            else:
                groups.append([work])
        return groups

    def take_turn(self, works, setting):
        return take_turn(self.peer, self.chosen[works[0]], works, setting)


class Record:
    """What the turns of one engine gave."""

    def __init__(self, name, weights, works, chosen, reasons):
        self.name, self.weights, self.version = name, weights, ""
        self.load, self.memory, self.long_memory, self.busy = [], [], [], []
        self.works = {
            work: {"arrangement": chosen.get(work, ""), "seconds": [], "decode_seconds": []} for work in works
        }
        # Loading and memory are those of the process that does this.
        self.basis = "window" if "window" in works else next((work for work in works if work != "long"), None)
        for work, reason in reasons.items():
            self.works[work]["failure"] = reason

    def add(self, works, turn, otherwise):
        self.version = turn["version"]
        self.busy.append(otherwise)
        memory = [turn["memory"]] if turn["memory"] else []
        if works == ["long"]:
            self.long_memory += memory
        elif self.basis in works:
            self.load.append(turn["load"])
            self.memory += memory
        for work in works:
            result = turn["works"].get(work, {})  # none, where one before it failed: the next round has it
            if "failure" in result:
                self.works[work]["failure"] = result["failure"]
            elif result:
                self.works[work]["seconds"].append(result["seconds"])
                self.works[work]["decode_seconds"] += [result["decode_seconds"]] if "decode_seconds" in result else []

    def fail(self, works, reason):
        for work in works:
            self.works[work]["failure"] = reason

    def as_json(self):
        return {
            "name": self.name,
            "weights": self.weights,
            "version": self.version,
            "load": self.load,
            "memory": self.memory,
            "long_memory": self.long_memory,
            "busy_otherwise": self.busy,
            "works": self.works,
        }
