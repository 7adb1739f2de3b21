"""`/v1/live`: sound in binary messages, text as it is said, by a plain WebSocket client."""

import json
import re
import time
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import shapes
from sounds import raw_samples
from target import root_of

pytestmark = pytest.mark.amanuensis

SILENCE = bytes(32000)
FINAL = {"type", "id", "utterance", "text", "start", "end", "lag"}


def address(root, path="/v1/live"):
    return root_of(root).replace("http", "ws", 1) + path


@contextmanager
def session(root, settings=None, path="/v1/live", **options):
    with connect(address(root, path), open_timeout=30, **options) as socket:
        if settings is not None:
            socket.send(json.dumps(settings))
        yield socket


def messages(socket, seconds=120):
    """What comes until the server closes."""
    end = time.monotonic() + seconds
    try:
        while True:
            yield json.loads(socket.recv(timeout=max(0.1, end - time.monotonic())))
    except ConnectionClosed:
        return


def speak(socket, sound, piece=3200):
    for place in range(0, len(sound), piece):
        socket.send(sound[place : place + piece])


def words(text):
    return re.findall(r"\w+", text.lower())


def finals(received):
    return [message for message in received if message["type"] == "final"]


@pytest.mark.parametrize("name", ["english.wav", "two-voices.wav"])
def test_text(target, text_of, name):
    """What is said live is what is in the file, line by line"""
    with session(target.root, {}) as socket:
        assert shapes_of_ready(json.loads(socket.recv()))["resumed"] is False
        speak(socket, raw_samples(name))
        socket.send('{"type":"finish"}')
        received = list(messages(socket))
        assert socket.close_code == 1000
    assert received[-1]["type"] == "done"
    lines = finals(received)
    assert [line["id"] for line in lines] == list(range(len(lines)))
    assert words(" ".join(line["text"] for line in lines)) == words(text_of(name))
    times = [time for line in lines for time in (line["start"], line["end"])]
    assert times == sorted(times), times
    assert all("lag" in message for message in received)


def shapes_of_ready(message):
    shapes.keys(message, {"type", "session", "model", "resumed", "received", "resume_seconds", "lag"}, what="ready")
    assert message["type"] == "ready"
    return message


def test_order(target):
    """Speech begins, is partial, stops, and is final; a partial begins with what is stable of it"""
    with session(target.root, {"words": True}) as socket:
        speak(socket, raw_samples("english.wav") + 2 * SILENCE)
        socket.send('{"type":"finish"}')
        received = list(messages(socket))
    kinds = [message["type"] for message in received]
    assert kinds.index("speech_started") < kinds.index("speech_stopped") < len(kinds) - 1 - kinds[::-1].index("final")
    for message in received:
        if message["type"] == "partial":
            assert message["text"].startswith(message["stable"])
        if message["type"] == "final":
            shapes.keys(message, FINAL | {"words"}, what="final")
            assert words(" ".join(word["word"] for word in message["words"])) == words(message["text"])


def test_no_interim(target):
    """Without interim there are no partials"""
    with session(target.root, {"interim": False}) as socket:
        speak(socket, raw_samples("english.wav"))
        socket.send('{"type":"finish"}')
        assert "partial" not in [message["type"] for message in messages(socket)]


def test_sound_first(target):
    """Settings may be left out"""
    with session(target.root) as socket:
        speak(socket, raw_samples("english.wav"))
        socket.send('{"type":"finish"}')
        assert finals(messages(socket))


def test_silence(target):
    """Where nobody speaks nothing is told"""
    with session(target.root, {}) as socket:
        speak(socket, 5 * SILENCE)
        socket.send('{"type":"finish"}')
        assert [message["type"] for message in messages(socket)] == ["ready", "done"]


@pytest.mark.parametrize(
    ("settings", "param"),
    [({"language": "klingon"}, "language"), ({"modell": "x"}, "modell"), ({"model": "nothing"}, "model"), ({"sample_rate": 4000}, "sample_rate"), ({"encoding": "mp3"}, "encoding"), ({"resume": "live_nobody"}, "resume")],
)
def test_wrong_settings(target, settings, param):
    """Settings that cannot be are refused by name, with a code that says so"""
    with session(target.root, settings) as socket:
        received = list(messages(socket))
        assert socket.close_code == 1008
    shapes.keys(received[0]["error"], {"message", "type", "param", "code"}, what="an error")
    assert received[0]["error"]["param"] == param and len(received) == 1


def test_too_fast(target):
    """Sound that comes much faster than it is heard ends the session with an error"""
    with session(target.root, {}) as socket:
        try:
            for _ in range(200):
                socket.send(raw_samples("two-voices.wav"))
        except ConnectionClosed:
            pass
        errors = [message["error"] for message in messages(socket) if message["type"] == "error"]
    assert errors and errors[0]["code"] == "too_fast"


def test_resume(target):
    """A session whose connection was lost goes on, and what was not seen is told again"""
    sound = raw_samples("two-voices.wav")
    with session(target.root, {}) as socket:
        name = json.loads(socket.recv())["session"]
        speak(socket, sound + SILENCE)
        first = next(message for message in messages(socket) if message["type"] == "final")
        socket.socket.close()
    time.sleep(0.5)
    with session(target.root, {"resume": name}) as socket:
        ready = shapes_of_ready(json.loads(socket.recv()))
        assert ready["resumed"] and ready["session"] == name and ready["received"] > 0
        speak(socket, raw_samples("english.wav"))
        socket.send('{"type":"finish"}')
        lines = finals(messages(socket))
    assert lines[0] == first | {"lag": lines[0]["lag"]}
    assert [line["id"] for line in lines] == list(range(len(lines)))
    with session(target.root, {"resume": name}) as socket:
        assert json.loads(socket.recv())["error"]["code"] == "session_not_found"


def test_foreign_origin(target):
    """A page of another site cannot open one"""
    with pytest.raises(InvalidStatus) as caught, session(target.root, origin="https://elsewhere.example"):
        pass
    assert caught.value.response.status_code == 403


def test_no_websocket(http):
    """A request that is no WebSocket is refused"""
    shapes.error(http.get("/v1/live"), 400)


def test_keys(keyed):
    """A key is asked for; it may stand in a header, the address or a protocol"""
    root, key = str(keyed["everything"].base_url), keyed["everything"].headers["authorization"].split()[1]
    for options in [{}, {"path": "/v1/live?token=wrong"}, {"subprotocols": ["openai-insecure-api-key.wrong"]}]:
        with pytest.raises(InvalidStatus) as caught, session(root, **options):
            pass
        assert caught.value.response.status_code == 401
    for options in [{"additional_headers": {"authorization": f"Bearer {key}"}}, {"path": f"/v1/live?token={key}"}, {"subprotocols": ["amanuensis", f"openai-insecure-api-key.{key}"]}]:
        with session(root, {}, **options) as socket:
            name = shapes_of_ready(json.loads(socket.recv()))["session"]
            socket.socket.close()
    time.sleep(0.5)
    other = keyed["only-transcribe"].headers["authorization"]
    with session(root, {"resume": name}, additional_headers={"authorization": other}) as socket:
        assert json.loads(socket.recv())["error"]["code"] == "session_not_found", "another key resumed it"
