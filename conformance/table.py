"""Prints what the checks found as a table, and ends with 1 if one failed or none was run."""

import json
import sys
from pathlib import Path


def main(folder):
    results = [json.loads(line) for path in sorted(Path(folder).glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    width = max((len(result["part"]) for result in results), default=0)
    for result in results:
        note = f"  [{one_line(result['reason'])}]" if result["result"] == "skip" else ""
        print(f"{result['result']:4}  {result['part']:{width}}  {result['check']}{note}")
    failed = [result for result in results if result["result"] == "fail"]
    if failed:
        print("\nWhat failed, and why:\n")
    for result in failed:
        print(f"{result['part']}: {result['check']}\n    {one_line(result['reason'], 600)}")
    counts = {kind: sum(result["result"] == kind for result in results) for kind in ("pass", "fail", "skip")}
    print(f"\n{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")
    return 0 if counts["pass"] and not failed else 1


def one_line(text, most=160):
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
