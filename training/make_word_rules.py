"""Golden cases for the rules of word times: random input, and what openai-whisper makes of it.

    python make_word_rules.py ../crates/amanuensis/tests/data/golden/word_rules.json

The package's own functions run; what would come from a model (alignment, tokens, spectrogram) is made up here.
"""

import json
import random
import sys
from types import SimpleNamespace

import torch
import whisper.timing as timing
import whisper.transcribe
from whisper.decoding import DecodingResult
from whisper.timing import WordTiming
from whisper.tokenizer import get_tokenizer

END_OF_TEXT = 100
WORDS = [" one", " two", "n't", " -", " (", "(", ")", ".", ",", " ?", "!", "。", ".。", " \"", "\"", " four", " five", " a", "b ", " "]


def draw_alignment(chance, count):
    words, now = [], chance.randrange(0, 40)
    for _ in range(count):
        now += chance.choice([0, 0, 0, 0, chance.randrange(0, 60)])
        length = chance.choice([0, 1, 5, 8, 10, 12, 15, 20, 30, 60, 150])
        tokens = [chance.randrange(END_OF_TEXT) for _ in range(chance.randrange(1, 4))]
        word = chance.choice(WORDS[:3] + WORDS[15:18]) if chance.random() < 0.6 else chance.choice(WORDS)
        words.append(WordTiming(word, tokens, now / 50, (now + length) / 50, chance.random()))
        now += length
    if chance.random() < 0.3:
        # A mark behind a space is merged with nothing, so what happens to its times can be seen.
        words.append(WordTiming("b ", [1], now / 50, (now + 10) / 50, 0.5))
        words.append(WordTiming(".", [2], (now + 10) / 50, (now + 10 + chance.choice([5, 100, 200])) / 50, 0.5))
    return words


def place_case(chance):
    alignment = draw_alignment(chance, chance.randrange(1, 14))
    tokens = [token for word in alignment for token in word.tokens]
    cuts = sorted(chance.sample(range(len(tokens) + 1), min(len(tokens), chance.randrange(0, 4))))
    seek = chance.choice([0, 0, 1234, 3000])
    pieces, place = [], seek
    bounds = [0] + cuts + [len(tokens)]
    length = max(1, int(alignment[-1].end * 100))
    for first, last in zip(bounds, bounds[1:]):
        start = place + 2 * chance.randrange(0, 40)
        end = start + 2 * chance.randrange(0, max(2, length // len(bounds)))
        place = end
        pieces.append({"start": start / 100, "end": end / 100, "seek": seek,
                       "tokens": [END_OF_TEXT + 5] + tokens[first:last] + [END_OF_TEXT + 9]})
    last_speech = chance.choice([0.0, seek / 100, max(0, seek - chance.randrange(0, 500)) / 100])
    case = {
        "seek": seek,
        "last_speech": last_speech,
        "words": [{"word": w.word, "tokens": list(w.tokens), "start": float(w.start), "end": float(w.end)}
                  for w in alignment],
        "pieces": [{key: piece[key] for key in ("start", "end", "tokens")} for piece in pieces],
    }
    timing.find_alignment = lambda *_, **__: alignment
    timing.add_word_timestamps(segments=pieces, model=None, tokenizer=SimpleNamespace(eot=END_OF_TEXT), mel=None,
                               num_frames=3000, last_speech_timestamp=last_speech)
    case["expected"] = [{"start": float(piece["start"]), "end": float(piece["end"]),
                         "words": [{"word": w["word"], "start": float(w["start"]), "end": float(w["end"])}
                                   for w in piece["words"]]} for piece in pieces]
    return case


SENTENCES = [
    ("zh", "今天天气很好，我们去公园吧。"),
    ("ja", "東京は日本の首都です。𠮷野家😀"),
    ("ko", " 안녕하세요, 저는 학생입니다."),
    ("th", "วันนี้อากาศดี"),
    ("lo", "ສະບາຍດີ"),
    ("my", "မင်္ဂလာပါ"),
    ("en", " Don't \"quote\" (this) – it's 3.5% off... OK?"),
    ("de", " Größe über 1.000 Straßen – „ja“!"),
    ("fr", " Qu'est-ce que c'est ?"),
    ("ru", " Привет, мир! 🙂"),
    ("ar", " مرحبا بالعالم؟"),
    ("el", " Καλημέρα· κόσμε;"),
]


def split_case(language, text):
    tokenizer = get_tokenizer(True, num_languages=99, language=language)
    words, tokens = tokenizer.split_to_word_tokens(tokenizer.encode(text) + [tokenizer.eot])
    return {"language": language, "words": words[:-1], "tokens": tokens[:-1]}


TEXT, BEGIN = 5, 200


class Stop(Exception):
    """The second window was reached."""


def judge_case(chance):
    start = chance.choice([100, 100, 1000, 2000])
    content = start + chance.choice([700, 1500, 3000, 3200, 5000])
    last_speech = max(50, chance.choice([start - 600, start - 50, start])) / 100
    heard_to_end = chance.random() < 0.4
    threshold = chance.choice([None, 0.5, 1.0, 2.0, 2.0, 3.0, 12.0])
    frames = min(3000, content - start)

    # Pieces as timestamps between pairs, each with words or without.
    pieces, tokens, now = [], [], start
    for index in range(chance.randrange(1, 5)):
        begin = now + 2 * chance.randrange(0, chance.choice([2, 40, 300]))
        if chance.random() < 0.1:
            begin = max(begin, start + frames - 2 * chance.randrange(1, 150))
        end = begin + 2 * chance.randrange(1, chance.choice([30, 100, 300]))
        begin, end = min(begin, start + frames - 2), min(end, start + frames)
        end = max(end, begin + 2) if begin + 2 <= start + frames else end
        tokens += [BEGIN + (begin - start) // 2, TEXT, BEGIN + (end - start) // 2]
        words = []
        if chance.random() < 0.85:
            odd, at = chance.random() < 0.5, begin
            count = chance.randrange(1, 10)
            for _ in range(count):
                length = chance.choice([0, 4, 6, 240]) if odd and chance.random() < 0.7 else (end - begin) // count
                until = min(at + length, start + frames)
                words.append({"word": chance.choice([" one", " two", ".", ",", " three"]), "start": at / 100,
                              "end": until / 100,
                              "probability": chance.choice([0.05, 0.1, 0.5]) if odd else chance.choice([0.2, 0.9])})
                at = until
        pieces.append({"start": begin / 100, "end": end / 100, "words": words})
        now = end
    if not heard_to_end:
        tokens.append(tokens[-1])
    # The cut of the timestamps alone.
    pairs = len(pieces) > 1 or not heard_to_end
    following = start + frames if heard_to_end or not pairs else start + (tokens[-1] - BEGIN) * 2

    def run(observe):
        calls = []
        leading = [{"word": " a", "start": last_speech - 0.5, "end": last_speech, "probability": 0.9}]

        def decode(mel, _):
            calls.append(round(float(mel[0, 0])))
            if len(calls) == 1:
                return DecodingResult(audio_features=None, language="en", tokens=[BEGIN, TEXT, BEGIN + 10], text="a")
            if len(calls) == 2:
                return DecodingResult(audio_features=None, language="en", tokens=tokens, text="a")
            if observe == "segments":
                return DecodingResult(audio_features=None, language="en", tokens=[], no_speech_prob=1.0, avg_logprob=-9)
            return DecodingResult(audio_features=None, language="en", tokens=[BEGIN, TEXT, BEGIN + 10], text="a")

        def add_words(segments, last_speech_timestamp, **_):
            if len(calls) == 1:
                segments[0]["words"] = [dict(word) for word in leading]
                segments[0]["end"] = last_speech
            elif len(calls) == 2:
                assert last_speech_timestamp == last_speech and len(segments) == len(pieces), (len(segments), len(pieces))
                for segment, piece in zip(segments, pieces):
                    segment.update({**piece, "words": [dict(word) for word in piece["words"]]})
            else:
                raise Stop(last_speech_timestamp)

        model = SimpleNamespace(decode=decode, device="cpu", is_multilingual=True, num_languages=99,
                                dims=SimpleNamespace(n_mels=80, n_audio_ctx=1500, n_text_ctx=448))
        tokenizer = SimpleNamespace(eot=END_OF_TEXT, timestamp_begin=BEGIN, decode=lambda tokens: "x" * len(tokens))
        frame_numbers = torch.arange(content + 3000, dtype=torch.float32).repeat(80, 1)
        module = sys.modules["whisper.transcribe"]
        module.get_tokenizer = lambda *_, **__: tokenizer
        module.log_mel_spectrogram = lambda *_, **__: frame_numbers
        module.add_word_timestamps = add_words
        result = whisper.transcribe(model, None, language="en", word_timestamps=True, temperature=0.0, fp16=False,
                                    condition_on_previous_text=False, hallucination_silence_threshold=threshold,
                                    clip_timestamps=[0.0, 0.5, start / 100, content / 100])
        return calls, result

    # What stays is told by a run that hears silence afterwards, when the last word was by one that hears a word.
    calls, result = run("segments")
    following_seek = calls[2] if len(calls) > 2 else content
    kept = sum(1 for segment in result["segments"] if segment["seek"] == start)
    try:
        run("last speech")
        spoken = None
    except Stop as stop:
        spoken = float(stop.args[0])
    return {
        "start": start, "frames": frames, "content": content, "next": following, "heard_to_end": heard_to_end,
        "last_speech": last_speech, "threshold": threshold, "pieces": pieces,
        "expected": {"kept": kept, "next": following_seek, "last_speech": spoken},
    }


def main(out):
    chance = random.Random(20250625)
    judged = [judge_case(chance) for _ in range(250)]
    parts = {
        "split": [split_case(*sentence) for sentence in SENTENCES],
        "place": [place_case(chance) for _ in range(150)],
        "judge": judged,
    }
    with open(out, "w", encoding="utf-8") as file:
        file.write('{"end_of_text":%d' % END_OF_TEXT)
        for name, cases in parts.items():
            lines = (json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
            file.write(',\n"%s":[\n%s\n]' % (name, ",\n".join(lines)))
        file.write("}\n")


if __name__ == "__main__":
    main(sys.argv[1])
