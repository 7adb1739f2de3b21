"""Sentence generator for the synthetic-speech corpus.

Sentences are built from hand-written templates over a closed lexicon.  A
sentence belongs to the held-out set when the CRC of its text falls in one of
the held-out residues, so held-out sentences are made of known words but are
never seen in training.

A slot value may be written as ``[written|spoken]`` when the text differs from
what the synthesiser should say (years, numbers above twelve).
"""

import re
import zlib

from lexicon import GERMAN_TEMPLATES, GERMAN_WORDS, LEXICON, TEMPLATES

HELD_OUT_MOD = 24
# Share of lists of unrelated words.
LIST_SHARE = 0.14


def is_held_out(text: str) -> bool:
    return zlib.crc32(text.encode("utf-8")) % HELD_OUT_MOD == 0


ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()


def say_number(n: int) -> str:
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10] + ("" if n % 10 == 0 else " " + ONES[n % 10])
    if n < 1000:
        rest = n % 100
        return ONES[n // 100] + " hundred" + ("" if rest == 0 else " " + say_number(rest))
    raise ValueError(n)


def say_year(y: int) -> str:
    hi, lo = divmod(y, 100)
    if y == 2000:
        return "two thousand"
    if hi == 20 and lo < 10:
        return "two thousand " + ONES[lo]
    if lo == 0:
        return say_number(hi) + " hundred"
    if lo < 10:
        return say_number(hi) + " oh " + ONES[lo]
    return say_number(hi) + " " + say_number(lo)


ORD = {
    1: "first",
    2: "second",
    3: "third",
    5: "fifth",
    8: "eighth",
    9: "ninth",
    12: "twelfth",
    20: "twentieth",
    30: "thirtieth",
}


def say_ordinal(n: int) -> str:
    if n in ORD:
        return ORD[n]
    if n < 20:
        return ONES[n] + "th"
    return TENS[n // 10] + " " + say_ordinal(n % 10)


def ordinal(n: int) -> str:
    suffix = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


def pick(r, name):
    return r.choice(LEXICON[name])


def number(r, lo, hi):
    n = r.randint(lo, hi)
    if n <= 12:
        return ONES[n]
    return f"[{n}|{say_number(n)}]"


def year(r):
    y = r.randint(1960, 2029)
    return f"[{y}|{say_year(y)}]"


def date(r):
    d = r.randint(1, 31)
    m = pick(r, "month")
    return f"{m} [{ordinal(d)}|{say_ordinal(d)}]"


def clock(r):
    k = r.random()
    if k < 0.45:
        return pick(r, "clock") + " o'clock"
    return pick(r, "clockpart") + " " + pick(r, "clock")


def digits(r):
    return " ".join(pick(r, "digit") for _ in range(r.randint(3, 6)))


def an(word):
    return ("an " if word[0].lower() in "aeiou" else "a ") + word


SPECIAL = {
    "temp": lambda r: number(r, 2, 99),
    "num": lambda r: number(r, 2, 99),
    "tensnum": lambda r: number(r, 13, 99),
    "hund": lambda r: (lambda n: f"[{n}|{say_number(n)}]")(
        r.choice([100, 150, 200, 250, 300, 400, 500, 600, 700, 750, 800, 900])
    ),
    "year": year,
    "date": date,
    "time": clock,
    "digits": digits,
    "a_adj": lambda r: an(pick(r, "adj")),
    "a_docadj": lambda r: an(pick(r, "docadj")),
    "a_person": lambda r: an(pick(r, "person")),
    "a_object": lambda r: an(pick(r, "object")),
    "a_animal": lambda r: an(pick(r, "animal")),
}

LIST_POOL = sorted({word for values in LEXICON.values() for word in values if " " not in word})
SLOT = re.compile(r"\{(\w+)\}")
MARK = re.compile(r"\[([^|\]]+)\|([^\]]+)\]")


def fill(r, template):
    """One sentence of a template, marked where written and spoken form differ."""

    def value(slot):
        name = slot.group(1)
        return SPECIAL[name](r) if name in SPECIAL else pick(r, name)

    sentence = SLOT.sub(value, template)
    return sentence if sentence[0] == "[" else sentence[0].upper() + sentence[1:]


def word_list(r):
    """Unrelated words: nothing but the sound tells what they are."""
    chosen = [r.choice(LIST_POOL) for _ in range(r.randint(3, 8))]
    sentence = (", " if r.random() < 0.5 else " ").join(chosen) + "."
    return sentence[0].upper() + sentence[1:]


def number_list(r):
    """Numbers and a few dates and times in a row, which no neighbour helps to guess."""
    makers = [lambda: number(r, 2, 99)] * 6 + [lambda: SPECIAL["hund"](r), lambda: year(r), lambda: date(r)]
    sentence = ", ".join(r.choice(makers)() for _ in range(r.randint(2, 6))) + "."
    return sentence if sentence[0] == "[" else sentence[0].upper() + sentence[1:]


def english(r, lists=LIST_SHARE, numbers=0.0):
    """A marked English sentence; training asks for more of what has no context than the tests hold."""
    kind = r.random()
    if kind < lists:
        return word_list(r)
    if kind < lists + numbers:
        return number_list(r)
    return fill(r, r.choice(TEMPLATES))


def german(r):
    """(German sentence, its English translation)."""
    templates = r.choice(GERMAN_TEMPLATES)
    values = {}
    for slot, choices in GERMAN_WORDS.items():
        values[slot], values[slot + "2"] = r.sample(choices, 2)
    filled = (
        template.format(**{slot: value[side] for slot, value in values.items()})
        for side, template in enumerate(templates)
    )
    return tuple(sentence[0].upper() + sentence[1:] for sentence in filled)


def written(marked):
    """The sentence as it is written."""
    return MARK.sub(lambda mark: mark.group(1), marked)


def words_with_spoken(marked):
    """[(written word with its punctuation, spoken form)]."""
    out = []
    for match in re.finditer(r"\[[^\]]+\]\S*|\S+", marked):
        word = match.group(0)
        mark = MARK.match(word)
        if mark:
            rest = word[mark.end() :]
            out.append((mark.group(1) + rest, mark.group(2) + rest))
        else:
            out.append((word, word))
    return out
