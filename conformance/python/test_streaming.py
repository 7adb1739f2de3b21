"""`stream=true`: server-sent events."""

import time

import pytest

import shapes
from sounds import sample
from target import events, parts, with_model

DELTA, DONE = "transcript.text.delta", "transcript.text.done"


@pytest.fixture
def stream(target, http):
    """All events of a stream, with the headers."""

    def send(sound=None, **fields):
        fields = with_model(target, {"model": target.stream_model, "stream": "true"} | fields)
        with http.stream("POST", "/v1/audio/transcriptions", files=parts(fields, sound or sample("english.wav"))) as response:
            if response.status_code != 200:
                response.read()
            shapes.is_ok(response)
            return response.headers, list(events(response.iter_lines()))

    return send


def test_headers(target, stream):
    """A stream says that it is one, and that nobody should hold it back"""
    headers, _ = stream()
    assert headers["content-type"].split(";")[0] == "text/event-stream"
    assert headers["x-request-id"]
    if target.amanuensis:
        assert headers["x-accel-buffering"] == "no"
        assert "no-cache" in headers["cache-control"] or "no-store" in headers["cache-control"]
        assert "content-length" not in headers and "content-encoding" not in headers


@pytest.mark.parametrize("name", ["english.wav", "german.wav", "two-voices.wav", "ten-sentences.opus", "silence.flac"])
def test_order(target, stream, text_of, name):
    """Deltas come first, then done, once; joined they are its text, which is that of an answer without a stream"""
    _, received = stream(sample(name))
    kinds = [event["type"] for event in received]
    assert kinds == [DELTA] * (len(kinds) - 1) + [DONE], kinds
    assert "".join(event["delta"] for event in received[:-1]) == received[-1]["text"]
    if target.stream_model == target.model:
        assert received[-1]["text"] == text_of(name)


@pytest.mark.amanuensis
def test_shapes(stream):
    """The events have the keys of the contract, and the types of OpenAI's client"""
    _, received = stream(sample("two-voices.wav"))
    for event in received[:-1]:
        shapes.keys(event, {"type", "delta", "segment_id"}, what="a delta")
        assert isinstance(event["delta"], str) and event["delta"]
        assert isinstance(event["segment_id"], str), f"segment_id is {event['segment_id']!r}; OpenAI's type is a string"
    shapes.keys(received[-1], {"type", "text", "language", "usage"}, what="done")
    assert received[-1]["language"] == "en"
    shapes.usage(received[-1]["usage"], sample("two-voices.wav").seconds)


@pytest.mark.amanuensis
def test_a_delta_for_each_segment(stream, transcribe):
    """There is a delta for each segment of verbose_json"""
    _, received = stream(sample("ten-sentences.opus"))
    segments = transcribe(sample("ten-sentences.opus"), response_format="verbose_json").json()["segments"]
    assert [event["delta"].strip() for event in received[:-1]] == [segment["text"].strip() for segment in segments]


@pytest.mark.amanuensis
@pytest.mark.parametrize("response_format", ["json", "text", "verbose_json"])
def test_formats(stream, response_format):
    """A stream can be had with json, text and verbose_json"""
    _, received = stream(response_format=response_format)
    assert received[-1]["type"] == DONE


@pytest.mark.amanuensis
@pytest.mark.parametrize("value", ["false", "0"])
def test_no_stream(transcribe, text_of, value):
    """stream=false answers as without it"""
    assert shapes.is_ok(transcribe(stream=value)).json()["text"] == text_of("english.wav")


@pytest.mark.amanuensis
def test_translation(target, http):
    """Translations can be streamed too"""
    fields = {"model": target.model, "stream": "true"}
    with http.stream("POST", "/v1/audio/translations", files=parts(fields, sample("german.wav"))) as response:
        received = list(events(shapes.is_ok(response).iter_lines()))
    assert received[-1]["type"] == DONE


def test_first_event_is_early(sdk, target, long_sound):
    """The first words of a long recording come before the last"""
    begin = time.monotonic()
    first = None
    for event in sdk.audio.transcriptions.create(file=("long.wav", long_sound.data), model=target.stream_model, stream=True):
        first = first or time.monotonic() - begin
    whole = time.monotonic() - begin
    assert event.type == DONE
    assert first < whole * 0.7, f"the first event came after {first:.2f} s of {whole:.2f} s"


@pytest.mark.amanuensis
def test_headers_are_early(http, target, long_sound):
    """The headers of a stream come before its first words"""
    begin = time.monotonic()
    fields = {"model": target.model, "stream": "true"}
    with http.stream("POST", "/v1/audio/transcriptions", files=parts(fields, long_sound)) as response:
        headers = time.monotonic() - begin
        received = events(response.iter_lines())
        next(received)
        first = time.monotonic() - begin
        last = list(received)[-1]
        whole = time.monotonic() - begin
    assert last["type"] == DONE
    assert headers < whole * 0.5, f"headers after {headers:.2f} s, the first event after {first:.2f} s, the end after {whole:.2f} s"


def test_sdk(sdk, target, text_of):
    """OpenAI's client reads the stream into its own events"""
    received = list(sdk.audio.transcriptions.create(file=("two-voices.wav", sample("two-voices.wav").data), model=target.stream_model, stream=True))
    assert [event.type for event in received] == [DELTA] * (len(received) - 1) + [DONE]
    assert "".join(event.delta for event in received[:-1]) == received[-1].text
    if target.stream_model == target.model:
        assert received[-1].text == text_of("two-voices.wav")


def test_error_before(sdk, target):
    """A request that cannot be done is an error with a status, not a stream"""
    import openai

    with pytest.raises(openai.BadRequestError):
        sdk.audio.transcriptions.create(file=("english.wav", b""), model=target.stream_model, stream=True)


@pytest.mark.amanuensis
@pytest.mark.parametrize("response_format", ["srt", "vtt", "tsv", "lrc", "csv", "ass", "aud"])
def test_formats_that_cannot(transcribe, response_format):
    """A format that cannot be streamed is refused"""
    shapes.error(transcribe(stream="true", response_format=response_format), 400, kind="invalid_request_error")


@pytest.mark.amanuensis
def test_disconnect(http, target, very_long_sound, text_of, wait_for):
    """Who goes away in the middle stops the work"""
    with target.client() as other:
        fields = {"model": target.model, "stream": "true"}
        with other.stream("POST", "/v1/audio/transcriptions", files=parts(fields, very_long_sound)) as response:
            next(events(response.iter_lines()))
            assert at_work(http), "/v1/status says that nothing is done while something is"
    wait_for(lambda: not at_work(http), "the work stops when its client has gone", 8)


def at_work(http):
    """Whether /v1/status knows of work that is done or waits."""
    queue = shapes.is_ok(http.get("/v1/status")).json()["queue"]
    return any(value for key, value in queue.items() if key in ("open", "running", "waiting"))
