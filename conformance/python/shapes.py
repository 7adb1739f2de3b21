"""What an answer has to look like. Each function fails with a sentence that says what is wrong."""

import re

# Names of folders, of files of the program's source, of its types and of its ways to die: none of them belongs into an answer.
INSIDES = re.compile(
    r"(?<![\w.])/(home|root|tmp|var|usr|work|etc|opt|proc|build)/\S|\.rs\b|\.py\"|panicked|RUST_BACKTRACE|backtrace|Traceback"
    r"|\b[a-z_]\w*::\w+|\bunwrap\(\)|os error \d"
)

SEGMENT_KEYS = {"id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob"}

# Times are whole milliseconds, and a recording is cut to whole frames of ten of them.
SLACK = 0.05


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def keys(value, required, optional=(), what="the answer"):
    assert isinstance(value, dict), f"{what} is no object: {value!r}"
    missing, extra = set(required) - set(value), set(value) - set(required) - set(optional)
    assert not missing, f"{what} lacks {sorted(missing)}: it has {sorted(value)}"
    assert not extra, f"{what} has {sorted(extra)}, which the contract does not name"


def content_type(response, *allowed):
    """Without its parameters it is one of those allowed; a text says that it is UTF-8."""
    value = response.headers.get("content-type", "")
    kind = value.split(";")[0].strip().lower()
    assert kind in allowed, f"the content type is {value!r}, not one of {allowed}"
    if kind.startswith("text/") and kind != "text/event-stream":
        assert "utf-8" in value.lower(), f"the content type {value!r} does not name its encoding"


def is_json(response):
    content_type(response, "application/json")
    return response.json()


def is_ok(response, status=200):
    """The status is as expected; where it is not, the answer is shown."""
    assert response.status_code == status, f"{status} expected, not {response.status_code}: {response.text[:500]}"
    return response


def usage(value, seconds=None):
    keys(value, {"type", "seconds"}, what="usage")
    assert value["type"] == "duration", value
    assert is_number(value["seconds"]) and value["seconds"] >= 0, value
    if seconds is not None:
        # OpenAI rounds up to whole seconds; the plain duration is as good.
        assert seconds - SLACK <= value["seconds"] <= seconds + 1, f"usage says {value['seconds']} s of {seconds} s"


def segments(value, duration):
    assert isinstance(value, list)
    before = 0
    for index, segment in enumerate(value):
        what = f"segment {index}"
        keys(segment, SEGMENT_KEYS, {"flags", "channel"}, what=what)
        assert segment["id"] == index, f"{what} has the id {segment['id']!r}"
        assert type(segment["seek"]) is int and segment["seek"] >= 0, segment["seek"]
        assert isinstance(segment["text"], str)
        assert isinstance(segment["tokens"], list) and all(type(token) is int and token >= 0 for token in segment["tokens"])
        for key in ("start", "end", "temperature"):
            assert is_number(segment[key]), f"{what}: {key} is {segment[key]!r}"
        for key in ("avg_logprob", "compression_ratio", "no_speech_prob"):
            assert is_number(segment[key]), f"{what}: {key} is {segment[key]!r}"
        assert segment["avg_logprob"] <= 0 and 0 <= segment["no_speech_prob"] <= 1, segment
        assert before - SLACK <= segment["start"] <= segment["end"] <= duration + SLACK, f"{what} is from {segment['start']} to {segment['end']} of {duration}, the one before ended at {before}"
        before = segment["end"]


def words(value, duration):
    assert isinstance(value, list)
    before = 0
    for index, word in enumerate(value):
        keys(word, {"word", "start", "end"}, {"probability"}, what=f"word {index}")
        assert isinstance(word["word"], str) and word["word"], f"word {index} is {word['word']!r}"
        assert word["word"] == word["word"].strip(), f"word {index} has blanks about it: {word['word']!r}"
        assert is_number(word["start"]) and is_number(word["end"])
        assert before - SLACK <= word["start"] <= word["end"] <= duration + SLACK, f"word {index} is from {word['start']} to {word['end']} of {duration}, the one before began at {before}"
        before = word["start"]


def verbose(value, words_asked=False, segments_asked=True, task="transcribe"):
    required = {"task", "language", "duration", "text", "usage"}
    required |= {"segments"} if segments_asked else set()
    required |= {"words"} if words_asked else set()
    keys(value, required, {"warnings"}, what="verbose_json")
    assert value["task"] == task, value["task"]
    assert isinstance(value["language"], str) and isinstance(value["text"], str)
    assert is_number(value["duration"]) and value["duration"] >= 0
    usage(value["usage"], value["duration"])
    if segments_asked:
        segments(value["segments"], value["duration"])
        joined = "".join(segment["text"] for segment in value["segments"])
        assert squeeze(joined) == squeeze(value["text"]), "the segments are not the text"
    if words_asked:
        words(value["words"], value["duration"])


def squeeze(text):
    """Runs of blanks and line breaks as one blank, none at the ends: what formats may do to a text."""
    return " ".join(text.split())


def error(response, *statuses, kind=None, code=None, names=None):
    """An error as OpenAI writes it. `names` is what the message has to name; the last three are checked if given."""
    assert response.status_code in statuses, f"{' or '.join(map(str, statuses))} expected, not {response.status_code}: {response.text[:500]}"
    content_type(response, "application/json")
    return error_object(response.json(), kind, code, names)


def error_object(value, kind=None, code=None, names=None):
    keys(value, {"error"}, what="the error")
    inside = value["error"]
    keys(inside, {"message", "type", "param", "code"}, what="error")
    assert isinstance(inside["message"], str) and inside["message"].strip(), inside
    assert isinstance(inside["type"], str) and inside["type"], inside
    assert inside["param"] is None or isinstance(inside["param"], str), inside
    assert inside["code"] is None or isinstance(inside["code"], str), inside
    leak = INSIDES.search(inside["message"])
    assert not leak, f"the message lets out {leak[0]!r}: {inside['message']}"
    if kind is not None:
        assert inside["type"] == kind, f"the type is {inside['type']!r}, not {kind!r}: {inside['message']}"
    if code is not None:
        assert inside["code"] == code, f"the code is {inside['code']!r}, not {code!r}: {inside['message']}"
    if names is not None:
        assert names in inside["message"], f"the message does not name {names!r}: {inside['message']}"
    return inside


# Formats


def cue_seconds(text, mark):
    clock = re.fullmatch(rf"(?:(\d{{2,}}):)?([0-5]\d):([0-5]\d){re.escape(mark)}(\d{{3}})", text)
    assert clock, f"no time: {text!r}"
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in clock.groups())
    return ((hours * 60 + minutes) * 60_000 + seconds * 1000 + milliseconds) / 1000


def cues(blocks, mark):
    result = []
    for block in blocks:
        times, *text = block.split("\n")
        start, arrow, end = times.partition(" --> ")
        assert arrow, f"no times: {times!r}"
        result.append((cue_seconds(start, mark), cue_seconds(end, mark), "\n".join(text)))
    for before, after in zip(result, result[1:]):
        assert before[0] <= before[1] and before[0] <= after[0], f"cues in disorder: {before} {after}"
    return result


def srt(text):
    """The cues of SubRip subtitles, numbered from 1, with hours in every time."""
    blocks = [block for block in text.strip("\n").split("\n\n") if block]
    for index, block in enumerate(blocks, 1):
        number, _, rest = block.partition("\n")
        assert number == str(index), f"cue {index} has the number {number!r}"
        assert re.match(r"\d{2,}:\d\d:\d\d,\d{3} --> \d{2,}:\d\d:\d\d,\d{3}\n", rest), f"cue {index} is {block!r}"
    return cues([block.partition("\n")[2] for block in blocks], ",")


def vtt(text):
    """The cues of WebVTT subtitles, which have no numbers."""
    header, _, rest = text.partition("\n\n")
    assert header == "WEBVTT", f"the first line is {header!r}"
    return cues([block for block in rest.strip("\n").split("\n\n") if block], ".")
