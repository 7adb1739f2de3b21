"""`/v1/realtime`: transcription sessions, through OpenAI's own client and as plain events in the form of the beta."""

import base64
import json

import openai
import pytest
from websockets.sync.client import connect

import shapes
from sounds import raw_samples
from test_live import address, words

pytestmark = pytest.mark.amanuensis

DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"
SILENCE = bytes(2 * 24000)


def at_24_khz(name):
    """A sample at 24 kHz, by the straight line between neighbours."""
    data = memoryview(raw_samples(name)).cast("h")
    out = []
    for place in range(len(data) * 3 // 2 - 2):
        left, rest = divmod(place * 2, 3)
        out.append((data[left] * (3 - rest) + data[left + 1] * rest) // 3)
    return b"".join(value.to_bytes(2, "little", signed=True) for value in out)


def at_8_khz_in_mu_law(name):
    """A sample as a telephone has it."""
    data = memoryview(raw_samples(name)).cast("h")

    def code(value):
        sign, value = (0x80, -value) if value < 0 else (0, value)
        value = min(value, 32635) + 132
        exponent = value.bit_length() - 8
        return ~(sign | exponent << 4 | value >> (exponent + 3) & 15) & 0xFF

    return bytes(code((data[place] + data[place + 1]) // 2) for place in range(0, len(data) - 1, 2))


def encoded(sound, piece=9600):
    return [base64.b64encode(sound[place : place + piece]).decode() for place in range(0, len(sound), piece)]


def session_of(target, turn_detection="unset"):
    sound = {"transcription": {"model": target.model, "language": "en"}}
    if turn_detection != "unset":
        sound["turn_detection"] = turn_detection
    return {"type": "transcription", "audio": {"input": sound}}


@pytest.fixture
def realtime(sdk):
    with sdk.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        created = connection.recv()
        assert created.type == "session.created" and created.session.type == "transcription"
        yield connection


def until(connection, *kinds, most=500):
    """The events up to the first of these kinds."""
    received = []
    for _ in range(most):
        received.append(connection.recv())
        if received[-1].type in kinds:
            return received
    raise AssertionError(f"no {kinds} among {[event.type for event in received]}")


def test_server_vad(target, realtime, text_of):
    """Speech is found, committed and written down; the deltas of an item are its transcript"""
    realtime.session.update(session=session_of(target))
    updated = realtime.recv()
    assert updated.type == "session.updated" and updated.session.audio.input.transcription.language == "en"
    for audio in encoded(at_24_khz("english.wav") + 2 * SILENCE):
        realtime.input_audio_buffer.append(audio=audio)
    received = until(realtime, "conversation.item.done")
    kinds = [event.type for event in received if event.type != DELTA]
    assert kinds == ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed", "conversation.item.added", COMPLETED, "conversation.item.done"]
    completed = next(event for event in received if event.type == COMPLETED)
    assert "".join(event.delta for event in received if event.type == DELTA) == completed.transcript
    assert words(completed.transcript) == words(text_of("english.wav"))
    assert completed.usage.type == "duration" and completed.usage.seconds > 0
    items = {getattr(event, "item_id", None) or event.item.id for event in received}
    assert items == {completed.item_id}
    assert len({event.event_id for event in received}) == len(received)


def test_commit_by_hand(target, realtime, text_of):
    """With turn_detection null a commit ends an item; one after the other names the one before"""
    realtime.session.update(session=session_of(target, None))
    assert realtime.recv().session.audio.input.turn_detection is None
    before = None
    for name in ("english.wav", "english-numbers.wav"):
        for audio in encoded(at_24_khz(name)):
            realtime.input_audio_buffer.append(audio=audio)
        realtime.input_audio_buffer.commit()
        received = until(realtime, "conversation.item.done")
        assert [event.type for event in received][:2] == ["input_audio_buffer.committed", "conversation.item.added"]
        assert received[0].previous_item_id == before
        before = received[0].item_id
        transcript = next(event.transcript for event in received if event.type == COMPLETED)
        assert "".join(event.delta for event in received if event.type == DELTA) == transcript
        assert words(transcript) == words(text_of(name))


def test_clear(target, realtime, text_of):
    """What is cleared is not written down"""
    realtime.session.update(session=session_of(target, None))
    until(realtime, "session.updated")
    for audio in encoded(at_24_khz("english-numbers.wav")):
        realtime.input_audio_buffer.append(audio=audio)
    realtime.input_audio_buffer.clear()
    until(realtime, "input_audio_buffer.cleared")
    for audio in encoded(at_24_khz("english.wav")):
        realtime.input_audio_buffer.append(audio=audio)
    realtime.input_audio_buffer.commit()
    received = until(realtime, COMPLETED)
    assert words(received[-1].transcript) == words(text_of("english.wav"))


@pytest.mark.parametrize(
    ("event", "param", "code"),
    [
        ({"type": "input_audio_buffer.commit"}, None, "input_audio_buffer_commit_empty"),
        ({"type": "input_audio_buffer.append", "audio": "not base64!"}, "audio", "invalid_value"),
        ({"type": "input_audio_buffer.append"}, "audio", "invalid_value"),
        ({"type": "response.create"}, "type", "unknown_event"),
        ({"type": "session.update", "session": {"type": "realtime"}}, "session.type", "invalid_value"),
        ({"type": "session.update", "session": {"type": "transcription", "voice": "alloy"}}, "session.voice", "unknown_parameter"),
        ({"type": "session.update", "session": {"audio": {"input": {"transcription": {"language": "klingon"}}}}}, "session.audio.input.transcription.language", "invalid_value"),
        ({"type": "session.update", "session": {"audio": {"input": {"transcription": {"model": "nothing"}}}}}, "model", "model_not_found"),
    ],
    ids=["commit", "base64", "nothing", "event", "type", "field", "language", "model"],
)
def test_errors(realtime, event, param, code):
    """An error names its event and its field, and the session stays open"""
    realtime.send(event | {"event_id": "mine"})
    error = until(realtime, "error")[-1].error
    assert (error.event_id, error.param, error.code) == ("mine", param, code)
    realtime.input_audio_buffer.clear()
    until(realtime, "input_audio_buffer.cleared")


def test_beta(target, text_of):
    """The form of the beta: transcription_session.update, g711_ulaw, conversation.item.created"""
    headers = {"openai-beta": "realtime=v1"} | ({"authorization": f"Bearer {target.key}"} if target.key else {})
    with connect(address(target.root, "/v1/realtime?intent=transcription"), additional_headers=headers) as socket:
        assert json.loads(socket.recv())["type"] == "transcription_session.created"
        session = {"input_audio_format": "g711_ulaw", "input_audio_transcription": {"model": target.model, "language": "en"}, "turn_detection": None}
        socket.send(json.dumps({"type": "transcription_session.update", "session": session}))
        updated = json.loads(socket.recv())
        assert updated["type"] == "transcription_session.updated" and updated["session"]["input_audio_format"] == "g711_ulaw"
        for audio in encoded(at_8_khz_in_mu_law("english.wav"), 800):
            socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        socket.send(json.dumps({"type": "input_audio_buffer.commit"}))
        received = []
        while not received or received[-1]["type"] != COMPLETED:
            received.append(json.loads(socket.recv(timeout=60)))
    assert received[1]["type"] == "conversation.item.created"
    assert "".join(event["delta"] for event in received if event["type"] == DELTA) == received[-1]["transcript"]


def test_secrets(keyed):
    """A short-lived secret opens a session as it was described, and nothing else"""
    client = keyed["everything"]
    root = str(client.base_url)
    body = {"expires_after": {"anchor": "created_at", "seconds": 60}, "session": {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1", "language": "de"}}}}}
    made = shapes.is_ok(client.post("/v1/realtime/client_secrets", json=body)).json()
    assert made["value"].startswith("ek_") and made["expires_at"] > 0
    headers = {"authorization": f"Bearer {made['value']}"}
    with connect(address(root, "/v1/realtime?intent=transcription"), additional_headers=headers) as socket:
        created = json.loads(socket.recv())
        assert created["session"]["audio"]["input"]["transcription"]["language"] == "de"
    assert keyed["none"].get("/v1/models", headers=headers).status_code == 401
    beta = shapes.is_ok(client.post("/v1/realtime/transcription_sessions", json={"input_audio_format": "pcm16"})).json()
    assert beta["client_secret"]["value"].startswith("ek_") and beta["input_audio_format"] == "pcm16"
    shapes.error(client.post("/v1/realtime/client_secrets", json={"session": {"type": "realtime"}}), 400)
    shapes.error(keyed["none"].post("/v1/realtime/client_secrets", json={}), 401)


def test_intent(sdk):
    """Another intent than transcription is refused"""
    with pytest.raises(Exception) as caught, sdk.realtime.connect(extra_query={"intent": "conversation"}):
        pass
    assert "400" in str(caught.value) or isinstance(caught.value, openai.BadRequestError)
