"""Writes the golden files beside it: for each NAME.transcript.json the files that openai-whisper's own writers make.

    python make.py    # with openai-whisper and faster-whisper installed (20250625 and 1.2.1 made the files here)
"""

import json
import pathlib

from whisper.utils import get_writer

HERE = pathlib.Path(__file__).resolve().parent


def segment(id, start, end, text, **more):
    return {
        "id": id, "seek": int(start * 100) // 3000 * 3000, "start": start, "end": end, "text": text,
        "tokens": [50364 + id, 1000 + id, 50364 + int((end - start) * 50)], "temperature": 0.0,
        "avg_logprob": -0.25, "compression_ratio": 1.375, "no_speech_prob": 0.0125, **more,
    }


def transcript(language, duration, *pieces):
    segments = [segment(i, *piece) for i, piece in enumerate(pieces)]
    text = "".join(piece["text"] for piece in segments)
    return {"text": text, "segments": segments, "language": language, "duration": duration}


CASES = {
    "plain": transcript(
        "en", 9.5, (0.0, 3.24, " Good morning, everyone."), (3.24, 6.0, " It's 7 o'clock, and \"all\" is well."),
        (6.0, 9.5, " C:\\temp/a\tb   c "),
    ),
    "languages": transcript(
        "ja", 30.0, (0.0, 2.5, "こんにちは、世界。"), (2.5, 4.02, " Größe, naïve, Ærø, Łódź"), (4.02, 6.0, " שלום עולם ‏"),
        (6.0, 8.0, " 👩‍👩‍👧 and 𝄞 and e\u0301"), (8.0, 10.0, "\u3000全角空白\u3000"), (10.0, 12.0, "\u00a0مرحبا\u00a0"),
    ),
    "long": transcript(
        "en", 400000.0, (59.9996, 3599.9994, " across a minute"), (3599.9996, 3600.0, " across an hour"),
        (3661.5, 3662.0005, " an hour and more"), (35999.999, 36000.0625, " ten hours"), (359999.9, 360000.5, " a hundred"),
    ),
    "blank": transcript(
        "en", 12.0, (0.0, 0.0, ""), (0.0, 2.0, "   "), (2.0, 4.0, " spoken"), (4.0, 4.0, ""), (4.0, 6.0, "\t \u00a0"),
    ),
    "arrows": transcript(
        "en", 10.0, (0.0, 1.0, " from --> to"), (1.0, 2.0, "-->"), (2.0, 3.0, " a -> b --> c --> d"), (3.0, 4.0, " a > b"),
        (4.0, 5.0, " -- > spaced"), (5.0, 6.0, "\ttabs\tinside\tthe text\t"),
    ),
    "halves": transcript(
        "en", 10.0, (0.0005, 0.0015, " half to even"), (0.0625, 0.1875, " exact halves of a millisecond"),
        (2.0004999, 2.0005001, " beside a half"),
    ),
    "empty": transcript("en", 5.0),
}

for name, case in CASES.items():
    source = HERE / f"{name}.transcript.json"
    source.write_text(json.dumps(case, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    result = {key: case[key] for key in ("text", "segments", "language")}
    get_writer("all", str(HERE))(result, f"{name}.wav", {})


# Subtitles of words that have times, laid out as openai-whisper's flags ask for; `words-SETTINGS.srt` and `.vtt`.

def words(start, *pieces):
    """Words as (text, seconds), a number alone being a pause before the next."""
    made, now = [], start
    for piece in pieces:
        if isinstance(piece, (int, float)):
            now += piece
            continue
        text, length = piece
        end = round(now + length, 2)
        made.append({"word": text, "start": round(now, 2), "end": end, "probability": 0.5})
        now = end
    return made


def spoken(id, made):
    text = "".join(word["word"] for word in made)
    return segment(id, made[0]["start"], made[-1]["end"], text, words=made)


SPOKEN = [
    spoken(0, words(
        0.0, (" When", 0.3), (" the", 0.1), (" rain", 0.42), (" had", 0.2), (" stopped,", 0.5), 0.24, (" we", 0.2), (" went", 0.31),
        (" for", 0.17), (" a", 0.06), (" long", 0.4), (" walk.", 0.5))),
    spoken(1, words(3.9, (" It's", 0.2), (" o'clock", 0.5), (" -", 0.0), (" seven,", 0.4), (" \"all\"", 0.3), (" is", 0.1), (" well.", 0.6))),
    spoken(2, words(10.1, (" Then", 0.3), 3.4, (" extraordinarily", 1.2), (" long", 0.3), 0.5, (" pauses.", 0.6), (" Größe", 0.5))),
    spoken(3, words(17.0, ("今", 0.2), ("日", 0.2), ("は", 0.1), ("晴れ", 0.4), ("です。", 0.4), (" OK", 0.3))),
    spoken(4, words(3599.5, (" An", 0.2), (" hour", 0.3), (" later.", 0.5))),
]
SETTINGS = {
    "plain": {},
    "width": {"max_line_width": 22},
    "width-count": {"max_line_width": 18, "max_line_count": 2},
    "count": {"max_line_count": 1},
    "narrow": {"max_line_width": 5, "max_line_count": 1},
    "chunks": {"max_words_per_line": 3},
    "chunks-width": {"max_words_per_line": 2, "max_line_width": 12},
    "chunks-width-count": {"max_words_per_line": 2, "max_line_width": 12, "max_line_count": 3},
    "highlight": {"highlight_words": True},
    "highlight-width-count": {"highlight_words": True, "max_line_width": 18, "max_line_count": 2},
    "highlight-chunks": {"highlight_words": True, "max_words_per_line": 4},
}

result = {"text": "".join(piece["text"] for piece in SPOKEN), "segments": SPOKEN, "language": "en"}
source = {**result, "duration": 3602.25}
(HERE / "words.transcript.json").write_text(json.dumps(source, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
get_writer("json", str(HERE))(result, "words.wav", {})
for name, settings in SETTINGS.items():
    for format in ("srt", "vtt"):
        get_writer(format, str(HERE))(result, f"words-{name}.wav", settings)


# The other dialects of JSON, from what is known of their keys and with faster-whisper's own classes.

from dataclasses import asdict  # noqa: E402

from faster_whisper.transcribe import Segment, Word  # noqa: E402

segments = [
    asdict(Segment(**{**piece, "id": piece["id"] + 1, "words": [Word(**word) for word in piece["words"]]})) for piece in SPOKEN
]
document = {"language": "en", "duration": 3602.25, "segments": segments}
(HERE / "words.faster-whisper.json").write_text(json.dumps(document), encoding="utf-8")


def scored(word):
    return {"word": word["word"].strip(), "start": word["start"], "end": word["end"], "score": word["probability"]}


segments = [
    {"start": piece["start"], "end": piece["end"], "text": piece["text"], "words": [scored(word) for word in piece["words"]],
     "avg_logprob": piece["avg_logprob"]}
    for piece in SPOKEN
]
document = {"segments": segments, "word_segments": [word for piece in segments for word in piece["words"]], "language": "en"}
(HERE / "words.whisperx.json").write_text(json.dumps(document), encoding="utf-8")


def clock(seconds):
    whole = round(seconds * 1000)
    return f"{whole // 3600000:02d}:{whole // 60000 % 60:02d}:{whole // 1000 % 60:02d},{whole % 1000:03d}"


document = {
    "params": {"language": "en"}, "result": {"language": "en"},
    "transcription": [
        {"timestamps": {"from": clock(piece["start"]), "to": clock(piece["end"])},
         "offsets": {"from": round(piece["start"] * 1000), "to": round(piece["end"] * 1000)}, "text": piece["text"]}
        for piece in SPOKEN
    ],
}
(HERE / "words.whisper-cpp.json").write_text(json.dumps(document, ensure_ascii=False, indent="\t"), encoding="utf-8")
