"""The table: medians with their ranges and, against ours, their ratios."""

import statistics

from .work import WINDOWS, WORK

BUSY_LIMIT = 0.15
OURS = "amanuensis"


def duration(seconds):
    """Three digits, in the unit that suits."""
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.1 else f"{seconds:.3g} s"


def bytes_of(count):
    return f"{count / 2**20:.0f} MiB"


def cell(samples, ours, shown):
    """Median, range and ratio, or nothing."""
    if not samples:
        return ""
    middle = statistics.median(samples)
    text = shown(middle)
    if len(samples) > 1:
        text += f" ({shown(min(samples))} to {shown(max(samples))})"
    return text if not ours or samples is ours else f"{text} x{middle / statistics.median(ours):.2f}"


class Notes:
    """Footnotes, each once."""

    def __init__(self):
        self.texts = []

    def mark(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"

    def lines(self):
        return [f"{number}. {text}" for number, text in enumerate(self.texts, 1)]


def columns(data):
    """Headings, each with how its samples are found in an engine and how they are shown."""
    found = [
        ("load", "load", lambda engine: engine["load"], duration),
        ("peak memory", "memory", lambda engine: engine["memory"], bytes_of),
    ]
    for work, heading in WORK.items():
        if work not in data["works"]:
            continue
        found.append((heading, work, lambda engine, work=work: samples_of(engine, work, "seconds"), duration))
        if work == "window":
            decoding = (
                "of it decoding",
                "decode",
                lambda engine: samples_of(engine, "window", "decode_seconds"),
                duration,
            )
            found.append(decoding)
        if work == "long":
            found.append(("its peak memory", "long_memory", lambda engine: engine["long_memory"], bytes_of))
    return found


def samples_of(engine, work, kind):
    return engine["works"].get(work, {}).get(kind, [])


def row(engine, ours, found, notes):
    """One engine: a failure is never a number."""
    cells = [f"**{engine['name']}**" if engine is ours else engine["name"], engine["weights"], engine["version"]]
    failures = {work: result["failure"] for work, result in engine["works"].items() if "failure" in result}
    for _, key, samples, shown in found:
        failed_work = {"decode": "window", "long_memory": "long"}.get(key, key)
        if failed_work in failures:
            reason = f"{engine['name']}, {WORK[failed_work]}: {failures[failed_work]}"
            cells.append("failed " + notes.mark(reason) if key == failed_work else "")
        else:
            reference = samples(ours) if ours and not unusable(ours, failed_work) else None
            cells.append(cell(samples(engine), reference, shown))
    return "| " + " | ".join(cells) + " |"


def unusable(engine, work):
    return "failure" in engine["works"].get(work, {})


def order(engines):
    """Ours first, then by the longest work that they have in common."""

    def key(engine):
        times = [samples_of(engine, work, "seconds") for work in ("long", "window", "encoder")]
        return (engine["name"] != OURS, *(statistics.median(each) if each else float("inf") for each in times))

    return sorted(engines, key=key)


def heading(data):
    """What is needed to read the table."""
    busy = [share for engine in data["engines"] for share in engine["busy_otherwise"]] + data["busy_in_pauses"]
    threads = f"{data['threads']} thread{'s' if data['threads'] > 1 else ''}"
    lines = [
        f"- machine: {data['machine']}",
        f"- commit: {data['commit']}, {data['date']}",
        f"- command: `{data['command']}`",
        f"- work: whisper-{data['size']}, {data['precision']}, random weights, {threads} on cores "
        f"{','.join(map(str, data['cores']))}, {data['rounds_done']} round{'s' if data['rounds_done'] != 1 else ''}",
    ]
    if busy:
        quiet = "" if statistics.mean(busy) <= BUSY_LIMIT else ": **too busy, these figures mean nothing**"
        lines.append(f"- busy otherwise: {statistics.mean(busy):.2f} cores on average, {max(busy):.2f} at most{quiet}")
    if data["windows"] != WINDOWS:
        lines.append(f"- the long sound was cut to {data['windows']} windows: a trial, no figure")
    return lines


def arrangements(data):
    """Which arrangement each figure is of."""
    lines = []
    for engine in order(data["engines"]):
        chosen = {}
        for work, result in engine["works"].items():
            if result["arrangement"]:
                chosen.setdefault(result["arrangement"], []).append(work)
        told = "; ".join(f"{', '.join(works)}: {name}" for name, works in chosen.items())
        lines += [f"- {engine['name']}: {told}"] if told else []
    return lines


def table(data):
    """The whole text, in Markdown."""
    found, notes = columns(data), Notes()
    ours = next((engine for engine in data["engines"] if engine["name"] == OURS), None)
    headings = ["engine", "weights", "version", *(heading for heading, *_ in found)]
    rows = [row(engine, ours, found, notes) for engine in order(data["engines"])]
    lines = [*heading(data), "", "| " + " | ".join(headings) + " |", "|---" * len(headings) + "|", *rows]
    if notes.texts:
        lines += ["", "Failures:", "", *notes.lines()]
    if told := arrangements(data):
        lines += ["", "Arrangements, each the best of those that were tried:", "", *told]
    return "\n".join(lines) + "\n"
