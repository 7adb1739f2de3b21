"""Speaks one shard of the corpus: OUT.pcm (16 kHz, mono, s16) and OUT.pkl (text, times, place in the .pcm).

make_corpus.py OUT SEED ENGLISH GERMAN [--held-out] [--wide]
"""

import argparse
import pickle
import random

from sentences import LIST_SHARE, english, german, is_held_out, written
from speech import SR, Espeak

ENGLISH_VOICES = [("gmw/en-US", 60), ("gmw/en", 40)]
VARIANTS = ["", "+m3", "+m7", "+f2"]
WIDE_ENGLISH_VOICES = [("gmw/en-US", 50), ("gmw/en", 30), ("gmw/en-GB-x-rp", 12), ("gmw/en-GB-scotland", 8)]
WIDE_VARIANTS = ["", "", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7", "+f1", "+f2", "+f3", "+f4"]


def pick_voice(r, language, wide=False):
    """A voice and variant; the wide choice has accents and variants that the tests do not use."""
    voices = WIDE_ENGLISH_VOICES if wide else ENGLISH_VOICES
    names, weights = zip(*voices)
    base = "gmw/de" if language == "de" else r.choices(names, weights)[0]
    return base + r.choice(WIDE_VARIANTS if wide else VARIANTS)


def make(r, espeak, language, held_out, wide=False, mixture=()):
    """(samples, what is known of them) of one utterance, held out from training or not.

    `mixture` holds the shares of word lists and of number lists, where they are not to be the generator's own.
    """
    while True:
        if language == "en":
            marked, translation = english(r, *mixture), None
        else:
            marked, translation = german(r)
        text = written(marked)
        if is_held_out(text) == held_out:
            break
    voice = pick_voice(r, language, wide)
    rate, pitch = r.randint(130, 200), r.randint(35, 65)
    pcm, words, phones = espeak.say(marked, voice, rate, pitch)
    return pcm, {
        "text": text,
        "lang": language,
        "translation": translation,
        "voice": voice,
        "rate": rate,
        "pitch": pitch,
        "words": [(word, float(start), float(end)) for word, start, end in words],
        "phones": [(float(start), symbol) for start, symbol in phones],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("seed", type=int)
    parser.add_argument("english", type=int, help="number of English utterances")
    parser.add_argument("german", type=int, help="number of German utterances")
    parser.add_argument("--held-out", action="store_true", help="sentences that training never sees")
    parser.add_argument("--lists", type=float, default=LIST_SHARE, help="share of lists of unrelated words")
    parser.add_argument("--numbers", type=float, default=0.0, help="share of lists of numbers")
    parser.add_argument("--wide", action="store_true", help="more accents and voice variants")
    options = parser.parse_args()
    r, espeak = random.Random(options.seed), Espeak()
    plan = ["en"] * options.english + ["de"] * options.german
    r.shuffle(plan)
    utterances, offset = [], 0
    mixture = options.lists, options.numbers
    with open(options.out + ".pcm", "wb") as samples:
        for language in plan:
            pcm, known = make(r, espeak, language, options.held_out, options.wide, mixture)
            samples.write(pcm.tobytes())
            utterances.append(known | {"off": offset, "n": len(pcm)})
            offset += len(pcm)
    with open(options.out + ".pkl", "wb") as out:
        pickle.dump(utterances, out)
    print(options.out, len(utterances), "utterances", round(offset / SR / 3600, 2), "hours")


if __name__ == "__main__":
    main()
