"""Writes sizes.json beside it: how many bytes zlib makes of texts, at its default level.

    python make.py

Texts are not stored, for any program can make them again: each row has what the function of its name needs, then the size.
Numbers made by chance come from `Chance`. zlib 1.2.13 made the file here, as Python's `zlib.compress`.
"""

import json
import pathlib
import zlib

WORDS = {
    "english": "the a and of to it was she he that ship harbour morning nobody remembered where letters "
    "had been left, again; \"Quite so,\" answered Margaret. Yes! eleven 1987 weeks — perhaps",
    "german": "der die das und nicht ein über Straße Mädchen schöne größte Wörter zwölf Bücher können "
    "müssen, außerdem »Gewiß« Übung Donaudampfschiff ging. Heute? gestern war es kalt",
    "chinese": "今天 天气 很好 我们 去 公园 散步 。 他 说 ， 明天 会 下雨 图书馆 里 没有 人 谢谢 再见 北京 二十 年 以前 时间",
    "emoji": "😀 😂 👍 ❤️ 🎉 🚀 👩‍👩‍👧 🇩🇪 ☕ 🌧️ haha ok lol … ♪ 🤷🏽‍♀️ 🐈‍⬛ 💤 🥨 yes 🌈",
}
WORDS = {language: words.split() for language, words in WORDS.items()}


class Chance:
    """Knuth's linear congruential generator of 64 bits, of which the upper 31 are used."""

    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % bound


def uniform(seed, values, length):
    """Bytes below `values`, each as likely as the next."""
    chance = Chance(seed)
    return bytes(chance.below(values) for _ in range(length))


def periodic(seed, period, length):
    """The same bytes again and again."""
    once = uniform(seed, 256, period)
    return bytes(once[place % period] for place in range(length))


def counting(length, repeated):
    """Numbers of two bytes from 0, in which no three bytes come twice; then `repeated` bytes of them from the fifth."""
    numbers = bytes((place // 2 >> (8 if place % 2 == 0 else 0)) & 255 for place in range(length))
    return numbers + numbers[4 : 4 + repeated]


def skewed(seed, percent, length):
    """Every byte value occurs `percent` as often as the one below."""
    chance, text = Chance(seed), bytearray()
    while len(text) < length:
        value = 0
        while value < 255 and chance.below(100) < percent:
            value += 1
        text.append(value)
    return bytes(text)


def nested(seed, draws, length):
    """Each of `draws` numbers is drawn below the one before: small bytes are common, large ones ever rarer."""
    chance, text = Chance(seed), bytearray()
    for _ in range(length):
        value = 255
        for _ in range(draws):
            value = chance.below(value + 1)
        text.append(value)
    return bytes(text)


DISTANCES = [1, 2, 3, 4, 5, 9, 100, 257, 1000, 4095, 4096, 4097, 9000, 20000, 32505, 32506, 32507, 32768]
LENGTHS = [3, 3, 3, 4, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33, 127, 128, 129, 257, 258, 259, 600]


def copied(seed, values, length):
    """New bytes, and copies over distances at which zlib decides differently."""
    chance, text = Chance(seed), bytearray()
    while len(text) < length:
        if not text or chance.below(3) == 0:
            for _ in range(1 + chance.below(8)):
                text.append(chance.below(values))
        else:
            distance = min(len(text), DISTANCES[chance.below(len(DISTANCES))])
            for _ in range(LENGTHS[chance.below(len(LENGTHS))]):
                text.append(text[-distance])
    return bytes(text[:length])


def one_copy(seed, place, distance, copied, length):
    """Bytes below 128, of which `copied` at `place` stand at `distance` before, too."""
    text = bytearray(uniform(seed, 128, length))
    for at in range(place, place + copied):
        text[at] = text[at - distance]
    return bytes(text)


def spoken(language, seed, length):
    """Words between spaces, the first of the list more often; cut off in the middle of a letter if need be."""
    chance, text, words = Chance(seed), bytearray(), WORDS[language]
    while len(text) < length:
        text += words[min(chance.below(len(words)), chance.below(len(words)))].encode() + b" "
    return bytes(text[:length])


BLOCK = 16383  # symbols
SLIDE = 65274  # from here on the window may slide


def cases():
    for length in [*range(11), 13, 50, 100, 300]:
        for values in [1, 4, 256]:
            yield uniform, length + values, values, length
    for values in [1, 2, 3, 10, 64, 128, 200, 256]:
        for length in [1000, 20000, 66000, 140000]:
            yield uniform, length + values, values, length
    for period in range(1, 301):
        yield periodic, period, period, 700
    for period in [1, 2, 3, 257, 258, 259, 4096, 4097, 32505, 32506, 32507, 32768]:
        yield periodic, period, period, 100000
    # Blocks end here; a text that ends with one has another, empty one behind it if it ends with a match.
    for length in [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 1, 2 * BLOCK, 2 * BLOCK + 1]:
        for repeated in [0, 3, 100, 258, 300]:
            yield counting, length, repeated
    for percent in [38, 50, 62, 75, 90]:
        for length in [100, 3000, 40000]:
            yield skewed, length + percent, percent, length
    # Code words of these texts would be too long.
    for seed, draws, length in [(1, 3, 4000), (3, 2, 4000), (8, 2, 1000), (15, 2, 4000)]:
        yield nested, seed, draws, length
    # The last block is as many bytes with a code of its own as with the fixed one, but fewer bits.
    for seed, values, length in [(1, 64, 16943), (1, 80, 16784), (2, 100, 16665)]:
        yield uniform, seed, values, length
    for values in [1, 16, 256]:
        for length in [30, 300, 3000, 33000, 65500, 120000]:
            for seed in range(2):
                yield copied, length + seed, values, length
    for ending in [8, 200, 261, 262, 300]:
        for windows in [0, 1]:
            for distance in [32505, 32506, 32507]:
                place = SLIDE + 32768 * windows
                yield one_copy, 2 - windows, place, distance, min(20, ending), place + ending
    for language in WORDS:
        for length in [20, 45, 70, 100, 150, 200, 250, 300, 400, 1000, 4000, 20000, 110000]:
            yield spoken, language, length, length


rows = {}
for function, *settings in cases():
    size = len(zlib.compress(function(*settings)))
    rows.setdefault(function.__name__, []).append([*settings, size])
about = {"about": f"zlib {zlib.ZLIB_RUNTIME_VERSION}, level 6", "words": WORDS, "distances": DISTANCES, "lengths": LENGTHS}
entries = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in about.items()]
for name, of_function in rows.items():
    lines = [", ".join(map(json.dumps, of_function[at : at + 8])) for at in range(0, len(of_function), 8)]
    entries.append(f'"{name}": [\n' + ",\n".join(lines) + "\n]")
text = "{\n" + ",\n".join(entries) + "\n}\n"
pathlib.Path(__file__).with_name("sizes.json").write_text(text, encoding="utf-8")
