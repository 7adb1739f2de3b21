"""The chart of one table or several: bars of the medians, as SVG that is readable on light and on dark.

    chart.py TABLE.json... --out FILE.svg

Every table is a block, every engine a line, every piece of work a column with a scale of its own. A bar is the median,
the line on it goes from the lowest to the highest; beside it stand the seconds and how many times ours they are.
"""

import argparse
import json
import statistics
from xml.sax.saxutils import escape

OURS = "amanuensis"
WORKS = {
    "encoder": "encoder, 30 s",
    "window": "30 s to 100 tokens",
    "window_beam5": "the same, beam of 5",
    "long": "10 minutes, 2,000 tokens",
}
MARGIN, NAME_WIDTH, BAR_WIDTH, TEXT_WIDTH, GAP = 24, 148, 92, 96, 12
COLUMN_WIDTH = BAR_WIDTH + TEXT_WIDTH + GAP
LINE, BAR_HEIGHT = 26, 14
TITLE_HEIGHT, HEAD_HEIGHT, BLOCK_GAP = 30, 26, 22
# A bar ends here, in multiples of ours, so that one slow engine does not make all the others dots.
LONGEST = 6

STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.quiet { fill: #59636e; font-size: 12px; }
.ours { font-weight: 600; }
.paper { fill: #ffffff; }
.bar { fill: #a9b4c0; }
.bar.best { fill: #1f6feb; }
.range { stroke: #1f2328; stroke-width: 1; }
.cut { stroke: #ffffff; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .quiet { fill: #9198a1; }
  .paper { fill: #0d1117; }
  .bar { fill: #4d5763; }
  .bar.best { fill: #4493f8; }
  .range { stroke: #e6edf3; }
  .cut { stroke: #0d1117; }
}
"""


def text(x, y, words, kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}"' + (f' class="{kind}"' if kind else "") + f">{escape(words)}</text>"


def seconds_text(seconds):
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.1 else f"{seconds:.3g} s"


def result_of(engine, work):
    """The samples of a piece of work, "failed", or None where the engine does not offer it."""
    result = engine["works"].get(work)
    if result is None or ("failure" not in result and not result["seconds"]):
        return None
    return "failed" if "failure" in result else result["seconds"]


def median_of(engine, work):
    result = result_of(engine, work) if engine else None
    return statistics.median(result) if isinstance(result, list) else None


def scale_of(engines, ours, work):
    """Pixels for a second: the longest bar fills its column, or ends at LONGEST times ours."""
    medians = [median for engine in engines if (median := median_of(engine, work)) is not None]
    reference = median_of(ours, work)
    longest = max(medians)
    return BAR_WIDTH / (min(longest, LONGEST * reference) if reference else longest)


def bar(x, y, samples, scale, ours):
    """A bar with its range; one that is too long ends with a cut."""
    middle = statistics.median(samples)
    width, top = max(1.5, min(BAR_WIDTH, middle * scale)), y - BAR_HEIGHT / 2
    kind = "bar best" if ours else "bar"
    parts = [f'<rect class="{kind}" x="{x}" y="{top}" width="{width:.1f}" height="{BAR_HEIGHT}" rx="2"/>']
    if middle * scale > BAR_WIDTH * 1.001:
        for place in (x + BAR_WIDTH - 16, x + BAR_WIDTH - 10):
            parts.append(f'<path class="cut" d="M{place} {top + BAR_HEIGHT + 1} l5 -{BAR_HEIGHT + 2}"/>')
    elif len(samples) > 1:
        low, high = (x + min(BAR_WIDTH, sample * scale) for sample in (min(samples), max(samples)))
        parts.append(f'<path class="range" d="M{low:.1f} {y} H{high:.1f}"/>')
    return parts


def cell(x, y, engine, work, scale, ours):
    """One engine's bar for one piece of work, and its figures."""
    result = result_of(engine, work)
    if result is None:
        return []
    if result == "failed":
        return [text(x, y + 4, "failed", "quiet")]
    middle, reference = statistics.median(result), median_of(ours, work)
    words = seconds_text(middle)
    if reference and engine is not ours:
        words += f"  ×{middle / reference:.2f}"
    shown = min(BAR_WIDTH, max(middle, max(result)) * scale)
    kind = "ours" if engine is ours else ""
    return [*bar(x, y, result, scale, engine is ours), text(x + shown + 6, y + 4, words, kind)]


def ordered(engines, works):
    """Ours first, then whoever is quickest at the longest work."""

    def key(engine):
        times = [median_of(engine, work) for work in reversed(works)]
        return (engine["name"] != OURS, *(float("inf") if time is None else time for time in times))

    return sorted(engines, key=key)


def block(data, y, works):
    """One table, from y downwards: its lines, and where the next begins."""
    engines = ordered(data["engines"], works)
    ours = next((engine for engine in engines if engine["name"] == OURS), None)
    threads = f"{data['threads']} thread{'s' if data['threads'] > 1 else ''}"
    lines = [text(MARGIN, y + 16, f"whisper-{data['size']}, {data['precision']}, {threads}", "title")]
    y += TITLE_HEIGHT
    shown = [work for work in works if any(median_of(engine, work) is not None for engine in engines)]
    places = {work: MARGIN + NAME_WIDTH + place * COLUMN_WIDTH for place, work in enumerate(works)}
    lines += [text(places[work], y + 12, WORKS[work], "quiet") for work in shown]
    y += HEAD_HEIGHT
    for engine in engines:
        middle = y + LINE / 2 - 6
        lines.append(text(MARGIN, middle + 4, engine["name"], "ours" if engine is ours else ""))
        for work in shown:
            lines += cell(places[work], middle, engine, work, scale_of(engines, ours, work), ours)
        y += LINE
    return lines, y + BLOCK_GAP


def chart(tables):
    """The whole picture."""
    works = [work for work in WORKS if any(work in data["works"] for data in tables)]
    lines, y = [], MARGIN
    for data in tables:
        more, y = block(data, y, works)
        lines += more
    machines = ", ".join(dict.fromkeys(data["machine"] for data in tables))
    rounds = min(data["rounds_done"] for data in tables)
    notes = [
        f"Seconds, less is better: medians of {rounds} round{'s' if rounds != 1 else ''}, lowest and highest as a line; random weights.",
        f"× is how many times ours; bars end at {LONGEST} times ours. {machines}.",
    ]
    for note in notes:
        lines.append(text(MARGIN, y + 4, note, "quiet"))
        y += 18
    width, height = 2 * MARGIN + NAME_WIDTH + len(works) * COLUMN_WIDTH, y + MARGIN - 12
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" width="{width}" role="img">'
    title = "<title>Amanuensis beside other Whisper engines</title>"
    paper = f'<rect class="paper" width="{width}" height="{height:.0f}" rx="6"/>'
    return "\n".join([head, title, f"<style>{STYLE}</style>", paper, *lines, "</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", metavar="TABLE.json")
    parser.add_argument("--out", required=True, metavar="FILE.svg")
    options = parser.parse_args()
    tables = []
    for path in options.tables:
        with open(path, encoding="utf8") as file:
            tables.append(json.load(file))
    with open(options.out, "w", encoding="utf8") as file:
        file.write(chart(tables))


if __name__ == "__main__":
    main()
