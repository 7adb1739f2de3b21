"""`POST /v1/render`, whisper.cpp's `/inference`, and whisper-asr-webservice's `/asr` and `/detect-language`."""

import json

import pytest

import shapes
from sounds import Sound, raw_samples, sample, tone
from target import parts

pytestmark = pytest.mark.amanuensis

FORMATS = ["json", "text", "srt", "vtt", "verbose_json", "tsv", "lrc", "csv", "ass", "aud"]


# Render


@pytest.fixture(scope="module")
def transcripts(target):
    """two-voices.wav in every format, and with words."""
    result = {}
    with target.client() as client:
        for name in FORMATS:
            result[name] = shapes.is_ok(client.post("/v1/audio/transcriptions", files=parts({"model": target.model, "response_format": name}, sample("two-voices.wav"))))
        fields = {"model": target.model, "response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]}
        result["words"] = shapes.is_ok(client.post("/v1/audio/transcriptions", files=parts(fields, sample("two-voices.wav"))))
    return result


@pytest.mark.parametrize("name", FORMATS)
def test_render(http, transcripts, name):
    """verbose_json is rendered as the transcription would be written itself"""
    response = shapes.is_ok(http.post("/v1/render", params={"format": name}, json=transcripts["verbose_json"].json()))
    assert response.headers["content-type"] == transcripts[name].headers["content-type"]
    if "json" in name:
        assert response.json() == transcripts[name].json()
    else:
        assert response.text == transcripts[name].text


def test_render_edited(http, transcripts):
    """An edited transcript is rendered as it was edited"""
    edited = transcripts["verbose_json"].json()
    edited["segments"][0]["text"] = " Edited by häñd --> here."
    edited["segments"][0]["end"] = edited["segments"][0]["start"] + 0.5
    cues = shapes.srt(shapes.is_ok(http.post("/v1/render", params={"format": "srt"}, json=edited)).text)
    assert cues[0][2].startswith("Edited by häñd") and "-->" not in cues[0][2]
    assert abs(cues[0][1] - cues[0][0] - 0.5) < 0.002


def test_render_words(http, transcripts):
    """A transcript with words is rendered"""
    value = transcripts["words"].json()
    shapes.srt(shapes.is_ok(http.post("/v1/render", params={"format": "srt"}, json=value)).text)
    rendered = shapes.is_ok(http.post("/v1/render", params={"format": "verbose_json"}, json=value)).json()
    assert rendered["words"] == value["words"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"text":"x"}', b'{"segments":[{"text":"no times"}]}', b'{"segments":[{"start":2,"end":1,"text":"x"}],"language":"english","duration":3,"text":"x"}', b"[" * 100_000, b'{"segments":' * 3000, b"\xff\xfe"],
    ids=["nothing", "open", "list", "null", "no segments", "no times", "end before start", "deep lists", "deep objects", "no UTF-8"],
)
def test_render_nonsense(http, body):
    """What is no transcript is refused"""
    response = http.post("/v1/render", params={"format": "srt"}, content=body, headers={"content-type": "application/json"})
    if response.status_code == 200:
        # A transcript of a text alone has no cue, and that is true.
        assert body == b'{"text":"x"}' and response.text.strip() == ""
        return
    shapes.error(response, 400, kind="invalid_request_error")


def test_render_unknown_format(http, transcripts):
    """An unknown format is refused by name"""
    shapes.error(http.post("/v1/render", params={"format": "xml"}, json=transcripts["verbose_json"].json()), 400, names="format")


# whisper.cpp


@pytest.fixture
def inference(http):
    def send(sound=None, **fields):
        return http.post("/inference", files=parts(fields, sound or sample("english.wav")))

    return send


def test_inference(inference, text_of):
    """/inference answers with the text alone, as JSON, and asks for no model"""
    answer = shapes.is_json(shapes.is_ok(inference()))
    shapes.keys(answer, {"text"})
    assert shapes.squeeze(answer["text"]) == shapes.squeeze(text_of("english.wav"))


@pytest.mark.parametrize("name", ["json", "text", "srt", "vtt", "verbose_json"])
def test_inference_formats(inference, text_of, name):
    """/inference knows whisper.cpp's formats"""
    response = shapes.is_ok(inference(response_format=name, temperature="0.0", temperature_inc="0.2"))
    if name == "srt":
        said = " ".join(cue[2] for cue in shapes.srt(response.text))
    elif name == "vtt":
        said = " ".join(cue[2] for cue in shapes.vtt(response.text))
    else:
        said = response.text if name == "text" else shapes.is_json(response)["text"]
    assert shapes.squeeze(said) == shapes.squeeze(text_of("english.wav"))


def test_inference_verbose(inference):
    """/inference's verbose_json is whisper.cpp's: words stand inside of the segments"""
    answer = inference(response_format="verbose_json").json()
    assert {"task", "language", "duration", "text", "segments"} <= set(answer), sorted(answer)
    assert answer["language"] == "english"
    for segment in answer["segments"]:
        assert {"id", "text", "start", "end", "tokens", "words", "temperature", "avg_logprob", "no_speech_prob"} <= set(segment), sorted(segment)
        for word in segment["words"]:
            assert {"word", "start", "end"} <= set(word), word


@pytest.mark.parametrize(("field", "value"), [("language", "auto"), ("language", "en"), ("translate", "true"), ("prompt", "Server."), ("beam_size", "2"), ("best_of", "2"), ("no_timestamps", "true"), ("offset_t", "0"), ("duration", "0")])
def test_inference_fields(inference, field, value):
    """/inference takes whisper.cpp's fields"""
    assert shapes.is_ok(inference(**{field: value})).json()["text"].strip()


def test_inference_errors(http, inference):
    """/inference's errors are whisper.cpp's: an object with a text"""
    for response in (http.post("/inference", files=parts({"response_format": "json"})), inference(Sound("x.wav", b"no sound " * 100))):
        assert 400 <= response.status_code < 500, response.text
        answer = response.json()
        assert isinstance(answer["error"], str) and not shapes.INSIDES.search(answer["error"]), answer


# whisper-asr-webservice


@pytest.fixture
def asr(http):
    def send(sound=None, path="/asr", **query):
        return http.post(path, params=query, files=parts((), sound or sample("english.wav"), "audio_file"))

    return send


def test_asr(asr, text_of):
    """/asr answers with plain text"""
    response = shapes.is_ok(asr())
    shapes.content_type(response, "text/plain")
    assert shapes.squeeze(response.text) == shapes.squeeze(text_of("english.wav"))
    assert response.headers["asr-engine"]


@pytest.mark.parametrize("name", ["txt", "text", "vtt", "srt", "tsv", "json"])
def test_asr_formats(asr, text_of, name):
    """/asr's `output` gives every format of the webservice, and a name for the file"""
    if name == "text":
        name = "txt"
    response = shapes.is_ok(asr(output=name, encode="true", task="transcribe"))
    text = text_of("english.wav")
    if name == "json":
        answer = json.loads(response.text)
        assert {"text", "segments", "language"} <= set(answer) and answer["language"] == "en"
        assert shapes.squeeze(answer["text"]) == shapes.squeeze(text)
    elif name == "srt":
        assert shapes.squeeze(" ".join(cue[2] for cue in shapes.srt(response.text))) == shapes.squeeze(text)
    elif name == "vtt":
        assert shapes.squeeze(" ".join(cue[2] for cue in shapes.vtt(response.text))) == shapes.squeeze(text)
    else:
        assert shapes.squeeze(text) in shapes.squeeze(response.text)
    assert response.headers["content-disposition"].startswith("attachment"), response.headers
    assert name in response.headers["content-disposition"]


def test_asr_json_with_words(asr):
    """/asr's JSON has words with word_timestamps"""
    answer = json.loads(shapes.is_ok(asr(output="json", word_timestamps="true")).text)
    assert all(segment["words"] for segment in answer["segments"])


def test_asr_options(asr, text_of):
    """/asr takes the webservice's options"""
    response = shapes.is_ok(asr(sample("german.wav"), language="de", task="transcribe", initial_prompt="Bahnhof", vad_filter="true", word_timestamps="false", output="txt"))
    assert response.text.strip()
    shapes.is_ok(asr(sample("german.wav"), task="translate"))


def test_asr_raw(asr, text_of):
    """/asr with encode=false takes raw samples of 16 bits at 16 kHz"""
    response = shapes.is_ok(asr(Sound("raw", raw_samples("english.wav")), encode="false"))
    assert shapes.squeeze(response.text) == shapes.squeeze(text_of("english.wav"))


def refused(response):
    assert 400 <= response.status_code < 500, f"{response.status_code}: {response.text[:300]}"
    assert not shapes.INSIDES.search(response.text), response.text


def test_asr_without_sound(http, asr):
    """/asr refuses a request without a sound, with another name for it, and what is no sound"""
    refused(http.post("/asr"))
    refused(http.post("/asr", files=parts((), sample("english.wav"), "sound")))
    refused(asr(Sound("x.wav", b"no sound " * 100)))


@pytest.mark.parametrize(("name", "value"), [("output", "xml"), ("task", "sing"), ("language", "xx"), ("diarize", "true")])
def test_asr_errors(asr, name, value):
    """/asr refuses an option that cannot be obeyed"""
    refused(asr(**{name: value}))


@pytest.mark.parametrize(("name", "language", "code"), [("english.wav", "english", "en"), ("german.wav", "german", "de")])
def test_detect_language(asr, name, language, code):
    """/detect-language names the language, its code and how sure it is"""
    answer = shapes.is_json(shapes.is_ok(asr(sample(name), path="/detect-language")))
    shapes.keys(answer, {"detected_language", "language_code", "confidence"})
    assert (answer["detected_language"], answer["language_code"]) == (language, code)
    assert shapes.is_number(answer["confidence"]) and 0 < answer["confidence"] <= 1


def test_detect_language_of_a_tone(asr):
    """/detect-language answers something about any sound"""
    assert asr(tone(1), path="/detect-language").status_code in (200, 400)
