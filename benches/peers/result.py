"""The data of one table, and the rows it begins with."""

import datetime
import json
import os
import sys
from dataclasses import asdict

from .arrangements import Arrangement
from .choice import choose
from .machine import commit, description
from .ours import Amanuensis
from .prepare import SOURCES
from .records import Contestant, Record
from .table import OURS


def read_json(path):
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf8") as file:
        return json.load(file)


def write_json(path, value):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".new", "w", encoding="utf8") as file:
        json.dump(value, file, indent=1)
    os.replace(path + ".new", path)


def chosen_arrangements(peer, setting, options):
    """The choice of an earlier run for the same works, or a new one; with everything that was tried."""
    path = os.path.join(setting.folder, "arrangements", f"{setting.name}.json")
    log = read_json(path)
    key = f"{peer.name}: {', '.join(options.only)}, {setting.windows} windows"
    if options.choose_again or key not in log:
        tried = []
        chosen, reasons = choose(peer, options.only, setting, tried)
        known = {work: asdict(arrangement) for work, arrangement in chosen.items()}
        log[key] = {"chosen": known, "reasons": reasons, "tried": tried}
        write_json(path, log)
    known = log[key]
    chosen = {work: Arrangement(**arrangement) for work, arrangement in known["chosen"].items()}
    return chosen, known["reasons"], known["tried"]


class Result:
    """The data of one table, written after every round."""

    def __init__(self, path, options, setting):
        self.path, self.setting, self.records = path, setting, {}
        self.data = {
            "machine": description(),
            "commit": commit(),
            "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "command": " ".join(["benches/peers/run", *sys.argv[1:]]),
            "size": setting.size,
            "precision": setting.precision,
            "threads": setting.threads,
            "cores": list(setting.cores),
            "windows": setting.windows,
            "works": options.only,
            "rounds_done": 0,
            "busy_in_pauses": [],
            "tried": [],
        }

    def keep(self, pauses):
        self.data["rounds_done"] += 1
        self.data["busy_in_pauses"] += pauses
        self.write()

    def write(self):
        self.data["engines"] = [record.as_json() for record in self.records.values()]
        write_json(self.path, self.data)


def line_up(peers, unmade, options, result):
    """Who takes turns; each gets its row, and what cannot be done stands there with its reason."""
    setting, contestants = result.setting, []
    if OURS in options.engines:
        ours = Amanuensis(options.amanuensis, options.only)
        result.records[OURS] = Record(OURS, setting.precision, options.only, {}, {})
        contestants.append(ours)
    for peer in peers:
        works = [work for work in options.only if work in peer.works]
        name = peer.models[setting.precision]
        reason = unmade.get("hf") or unmade.get(name) or unmade.get(SOURCES.get(name))
        if reason:
            chosen, reasons, tried = {}, dict.fromkeys(works, f"its model could not be made: {reason}"), []
        else:
            chosen, reasons, tried = chosen_arrangements(peer, setting, options)
        result.data["tried"] += tried
        names = {work: arrangement.name for work, arrangement in chosen.items()}
        result.records[peer.name] = Record(peer.name, peer.weights[setting.precision], works, names, reasons)
        contestants.append(Contestant(peer, chosen))
    return contestants
