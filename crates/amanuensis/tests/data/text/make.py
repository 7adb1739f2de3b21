"""Writes the golden files beside it: for each NAME.transcript.json the files that openai-whisper's own writers make.

    python make.py        # with openai-whisper installed (20250625 made the files here)
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
