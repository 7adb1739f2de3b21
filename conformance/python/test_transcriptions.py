"""`POST /v1/audio/transcriptions`: what is in the answers."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

import shapes
from sounds import Sound, sample, tone, wav
from target import CONTRACT, parts

ENGLISH = "english.wav"


# json and text


def test_json(target, transcribe):
    """The json answer is the text and the usage"""
    answer = shapes.is_json(shapes.is_ok(transcribe()))
    assert isinstance(answer["text"], str) and answer["text"].strip()
    if target.amanuensis:
        shapes.keys(answer, {"text", "usage"})


def test_json_is_the_default(text_of, transcribe):
    """response_format=json answers as no response_format does"""
    answer = shapes.is_json(shapes.is_ok(transcribe(response_format="json")))
    assert answer["text"] == text_of(ENGLISH)


@pytest.mark.amanuensis
def test_usage(transcribe):
    """The usage is the length of the sound in seconds"""
    shapes.usage(transcribe().json()["usage"], sample(ENGLISH).seconds)


@pytest.mark.amanuensis
@pytest.mark.parametrize("name", ["english.wav", "english.mp3", "english-numbers.wav", "german.wav", "two-voices.wav", "ten-sentences.opus", "silence.flac"])
def test_samples(text_of, expected_text, name):
    """The samples are heard to the letter"""
    assert text_of(name).strip() == expected_text[name]


def test_text(text_of, transcribe):
    """The text answer is the text and a line break, as UTF-8"""
    response = shapes.is_ok(transcribe(response_format="text"))
    shapes.content_type(response, "text/plain")
    assert response.text.removesuffix("\n") == text_of(ENGLISH)


@pytest.mark.amanuensis
def test_text_beyond_ascii(transcribe, expected_text):
    """A text with letters beyond ASCII is whole in every format"""
    for response_format in ["json", "text", "srt", "vtt", "verbose_json", "tsv", "lrc", "csv", "ass", "aud"]:
        response = shapes.is_ok(transcribe(sample("german.wav"), response_format=response_format))
        body = response.content.decode("utf-8")
        if "json" in response_format:
            body = json.loads(body)["text"]
        assert "nächstes" in body, f"{response_format}: {body}"


# Subtitles and tables


def test_srt(target, text_of, transcribe):
    """The srt answer is well-formed and says the text"""
    response = shapes.is_ok(transcribe(sample("two-voices.wav"), response_format="srt"))
    shapes.content_type(response, "application/x-subrip", "text/plain", "text/srt")
    cues = shapes.srt(response.text)
    assert cues and cues[-1][1] <= sample("two-voices.wav").seconds + shapes.SLACK
    if target.amanuensis:
        assert shapes.squeeze(" ".join(text for _, _, text in cues)) == shapes.squeeze(text_of("two-voices.wav"))


def test_vtt(target, text_of, transcribe):
    """The vtt answer is well-formed and says the text"""
    response = shapes.is_ok(transcribe(sample("two-voices.wav"), response_format="vtt"))
    shapes.content_type(response, "text/vtt", "text/plain")
    cues = shapes.vtt(response.text)
    assert cues and cues[-1][1] <= sample("two-voices.wav").seconds + shapes.SLACK
    if target.amanuensis:
        assert shapes.squeeze(" ".join(text for _, _, text in cues)) == shapes.squeeze(text_of("two-voices.wav"))


@pytest.mark.amanuensis
def test_subtitles_and_segments(transcribe):
    """The cues of srt and vtt are the segments of verbose_json"""
    sound = sample("ten-sentences.opus")
    segments = transcribe(sound, response_format="verbose_json").json()["segments"]
    expected = [(round(segment["start"], 3), round(segment["end"], 3), segment["text"].strip()) for segment in segments]
    assert shapes.srt(transcribe(sound, response_format="srt").text) == expected
    assert shapes.vtt(transcribe(sound, response_format="vtt").text) == expected


@pytest.mark.amanuensis
@pytest.mark.parametrize(
    ("name", "first", "sign"),
    [("tsv", "start\tend\ttext\n", "\t"), ("lrc", "[", "]"), ("csv", "start,end,text\n", ","), ("ass", "[Script Info]", "Dialogue:"), ("aud", "", "\t")],
)
def test_other_formats(transcribe, text_of, name, first, sign):
    """The further formats are answered, as UTF-8, and say the words"""
    response = shapes.is_ok(transcribe(response_format=name))
    assert "utf-8" in response.headers["content-type"].lower(), response.headers["content-type"]
    assert response.text.startswith(first) and sign in response.text, response.text
    for word in text_of(ENGLISH).split():
        assert word in response.text


# verbose_json


@pytest.mark.parametrize("name", ["english.wav", "two-voices.wav", "ten-sentences.opus", "silence.flac"])
def test_verbose(target, transcribe, text_of, name):
    """verbose_json has every key that it should have, no other, and values that can be"""
    answer = shapes.is_json(shapes.is_ok(transcribe(sample(name), response_format="verbose_json")))
    if target.amanuensis:
        shapes.verbose(answer)
        assert answer["text"] == text_of(name)
    else:
        assert {"language", "duration", "text"} <= set(answer)


def test_duration(transcribe):
    """The duration in verbose_json is that of the sound"""
    for name in ["english.wav", "two-voices.wav"]:
        answer = transcribe(sample(name), response_format="verbose_json").json()
        assert abs(float(answer["duration"]) - sample(name).seconds) <= shapes.SLACK


@pytest.mark.amanuensis
def test_silence(transcribe):
    """Silence is answered with an empty text and no segment or word"""
    fields = {"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]}
    answer = shapes.is_ok(transcribe(sample("silence.flac"), fields)).json()
    assert (answer["text"], answer["segments"], answer["words"]) == ("", [], [])


@pytest.mark.parametrize(("name", "language"), [("english.wav", "english"), ("german.wav", "german")])
def test_detected_language(transcribe, name, language):
    """A language that was detected is an English name in verbose_json"""
    assert transcribe(sample(name), response_format="verbose_json").json()["language"] == language


def test_language_as_code(transcribe, text_of):
    """A language can be given as a code"""
    answer = shapes.is_ok(transcribe(sample("german.wav"), language="de", response_format="verbose_json")).json()
    assert answer["language"] == "german" and answer["text"] == text_of("german.wav")


@pytest.mark.amanuensis
@pytest.mark.parametrize("language", ["german", "German", "DE"])
def test_language_as_name(transcribe, text_of, language):
    """A language can be given as an English name, in any case"""
    answer = shapes.is_ok(transcribe(sample("german.wav"), language=language, response_format="verbose_json")).json()
    assert answer["language"] == "german" and answer["text"] == text_of("german.wav")


def test_language_is_obeyed(transcribe):
    """A language that was given is kept, whatever is spoken"""
    answer = shapes.is_ok(transcribe(language="de", response_format="verbose_json")).json()
    assert answer["language"] == "german"


# Granularities

BOTH = ["word", "segment"]


def test_segments_are_the_default(transcribe):
    """Without granularities there are segments and no words"""
    answer = transcribe(response_format="verbose_json").json()
    assert answer["segments"] and not answer.get("words")


@pytest.mark.parametrize(("asked", "segments"), [(["word"], False), (["segment"], True), (BOTH, True)], ids=["word", "segment", "both"])
def test_granularities(target, transcribe, asked, segments):
    """Words and segments are in the answer as they were asked for"""
    answer = shapes.is_ok(transcribe(fields={"timestamp_granularities[]": asked}, response_format="verbose_json")).json()
    assert bool(answer.get("words")) == ("word" in asked)
    if target.amanuensis:
        shapes.verbose(answer, "word" in asked, segments)


@pytest.mark.amanuensis
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timestamp_granularities[]", BOTH),
        ("timestamp_granularities", BOTH),
        ("timestamp_granularities", "word,segment"),
        ("timestamp_granularities", "word, segment"),
        ("timestamp_granularities", '["word", "segment"]'),
        ("timestamp_granularities[]", '["word","segment"]'),
    ],
    ids=["brackets, repeated", "repeated", "commas", "commas and blanks", "JSON", "brackets, JSON"],
)
def test_spellings_of_granularities(transcribe, name, value):
    """Every spelling of the granularities is understood"""
    answer = shapes.is_ok(transcribe(fields={name: value}, response_format="verbose_json")).json()
    shapes.verbose(answer, True, True)


@pytest.mark.parametrize("name", ["english.wav", "two-voices.wav", "ten-sentences.opus"])
def test_words(transcribe, name):
    """Words stand at the top without blanks, in order, within the sound, and are the text"""
    answer = transcribe(sample(name), {"timestamp_granularities[]": BOTH}, response_format="verbose_json").json()
    shapes.words(answer["words"], answer["duration"])
    assert answer["words"][-1]["end"] > answer["words"][0]["start"]
    bare = [[letter for letter in text.lower() if letter.isalnum()] for text in ("".join(word["word"] for word in answer["words"]), answer["text"])]
    assert bare[0] == bare[1], "the words are not the text"
    assert not any("words" in segment for segment in answer["segments"]), "words are also in the segments"


# Other fields of OpenAI's


def test_prompt(transcribe, text_of):
    """A prompt is taken, and what was said is heard nevertheless"""
    text = shapes.is_ok(transcribe(prompt="The server, weeks, names: Amanuensis.")).json()["text"]
    assert text.strip() and "Amanuensis" not in text


@pytest.mark.parametrize("temperature", ["0", "0.0", "0.4", "1"])
def test_temperature(transcribe, temperature):
    """A temperature is taken"""
    assert shapes.is_ok(transcribe(temperature=temperature)).json()["text"].strip()


@pytest.mark.amanuensis
def test_temperature_is_in_the_segments(transcribe):
    """The temperature that was used is in the segments"""
    for temperature in (0, 0.4):
        answer = transcribe(temperature=temperature, response_format="verbose_json").json()
        assert {segment["temperature"] for segment in answer["segments"]} == {temperature}


@pytest.mark.amanuensis
def test_same_again(transcribe):
    """At temperature 0 the same request has the same answer, to the byte"""
    first, second = (transcribe(temperature=0, response_format="verbose_json").content for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "value",
    ["auto", '{"type":"server_vad"}', '{"type":"server_vad","threshold":0.5,"prefix_padding_ms":300,"silence_duration_ms":200}'],
    ids=["auto", "object", "object with all its members"],
)
@pytest.mark.amanuensis
def test_chunking_strategy(transcribe, text_of, value):
    """A chunking strategy is taken as a word or as JSON"""
    text = shapes.is_ok(transcribe(sample("two-voices.wav"), chunking_strategy=value)).json()["text"]
    assert text.strip()


@pytest.mark.amanuensis
def test_fields_in_any_order(http, target, text_of):
    """The file may stand before the other fields or behind them"""
    file = parts((), sample(ENGLISH))
    fields = parts({"model": target.model, "response_format": "text"})
    for order in (file + fields, fields[:1] + file + fields[1:], fields + file):
        response = shapes.is_ok(http.post("/v1/audio/transcriptions", files=order))
        assert response.text.strip() == text_of(ENGLISH).strip()


@pytest.mark.amanuensis
def test_every_model(http, transcribe):
    """Every model in the list can be asked for by its name"""
    for model in http.get("/v1/models").json()["data"]:
        shapes.is_ok(transcribe(model=model["id"]))


# The extensions

EXTENSIONS = {
    "task": "transcribe",
    "hotwords": "Amanuensis",
    "prefix": "Please",
    "vad_filter": "true",
    "without_timestamps": "true",
    "word_timestamps": "true",
    "beam_size": "2",
    "best_of": "2",
    "patience": "1",
    "length_penalty": "1",
    "repetition_penalty": "1.1",
    "no_repeat_ngram_size": "3",
    "condition_on_previous_text": "false",
    "compression_ratio_threshold": "2.4",
    "log_prob_threshold": "-1",
    "no_speech_threshold": "0.6",
    "hallucination_silence_threshold": "2",
    "suppress_tokens": "-1",
    "suppress_blank": "true",
    "max_new_tokens": "100",
    "seed": "1",
    "clip_timestamps": "0,2",
    "batch_size": "2",
}
# Some say something only beside others.
BESIDE = {
    "best_of": {"temperature": "0.4"},
    "seed": {"temperature": "0.4"},
    "patience": {"beam_size": "2"},
    "length_penalty": {"beam_size": "2"},
    "hallucination_silence_threshold": {"word_timestamps": "true"},
}


def extensions_of_the_contract():
    paragraph = next(part for part in CONTRACT.read_text("utf-8").split("\n\n") if part.startswith("Extensions"))
    return set(paragraph.split("A field that is not known")[0].split("`")[1::2])


@pytest.mark.amanuensis
def test_all_extensions_are_tried():
    """Every extension in the contract is tried below"""
    assert extensions_of_the_contract() == set(EXTENSIONS)


@pytest.mark.amanuensis
@pytest.mark.parametrize("name", EXTENSIONS)
def test_extension(transcribe, name):
    """A field of the extensions is taken"""
    fields = {name: EXTENSIONS[name], "response_format": "verbose_json"} | BESIDE.get(name, {})
    answer = shapes.is_ok(transcribe(sample("two-voices.wav"), fields)).json()
    assert answer["text"].strip()


@pytest.mark.amanuensis
def test_seed(transcribe):
    """A seed makes a temperature above 0 repeatable"""
    first, second = (transcribe(temperature=1, seed=7, response_format="verbose_json").content for _ in range(2))
    assert first == second


@pytest.mark.amanuensis
def test_clip(transcribe):
    """Nothing is heard outside of clip_timestamps"""
    whole = transcribe(sample("two-voices.wav"), response_format="verbose_json").json()
    clipped = transcribe(sample("two-voices.wav"), response_format="verbose_json", clip_timestamps="0,3").json()
    assert len(clipped["text"]) < len(whole["text"])
    assert all(segment["end"] <= 3 + shapes.SLACK for segment in clipped["segments"])


@pytest.mark.amanuensis
def test_task(transcribe):
    """task=translate is said in verbose_json"""
    answer = shapes.is_ok(transcribe(sample("german.wav"), task="translate", response_format="verbose_json")).json()
    assert answer["task"] == "translate"


# Sounds


def test_name_without_ending(transcribe, text_of):
    """The format is found from the sound, whatever its name is"""
    for name in ["sound", "sound.txt", "wrong.flac"]:
        response = transcribe(sample("english.mp3").named(name))
        assert shapes.is_ok(response).json()["text"] == text_of("english.mp3")


@pytest.mark.amanuensis
@pytest.mark.parametrize("name", ['a"b.wav', "../../x.wav", "Tür und Angel.wav", "a;b=c.wav", "x" * 200 + ".wav", "%0d%0aset-cookie: a=b.wav"])
def test_name_is_not_believed(transcribe, text_of, name):
    """No name of a file is trouble, and none gets into a header"""
    response = shapes.is_ok(transcribe(sample(ENGLISH).named(name)))
    assert response.json()["text"] == text_of(ENGLISH)
    assert "set-cookie" not in response.headers
    assert not any("x.wav" in value for value in response.headers.values())


@pytest.mark.amanuensis
@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (11025, 1), (44100, 2), (48000, 2), (96000, 1), (16000, 6)])
def test_rates_and_channels(transcribe, rate, channels):
    """A tone at any usual rate, with any usual number of channels, is listened to"""
    answer = shapes.is_ok(transcribe(tone(1, rate, channels), response_format="verbose_json")).json()
    assert abs(answer["duration"] - 1) <= shapes.SLACK


@pytest.mark.amanuensis
def test_very_short(transcribe):
    """A sound of a hundredth of a second is listened to"""
    answer = shapes.is_ok(transcribe(tone(0.01), response_format="verbose_json")).json()
    shapes.verbose(answer)


@pytest.mark.amanuensis
def test_no_samples(transcribe):
    """A file that holds no sample is an empty text or a clear error"""
    response = transcribe(wav(b""))
    if response.status_code == 200:
        assert response.json()["text"] == ""
    else:
        shapes.error(response, 400, kind="invalid_request_error")


@pytest.mark.amanuensis
def test_unfinished_wav(transcribe, text_of):
    """A WAV file whose lengths were never filled in, as from a pipe, is heard"""
    data = bytearray(sample(ENGLISH).data)
    assert data[36:40] == b"data"
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    assert shapes.is_ok(transcribe(Sound("pipe.wav", bytes(data)))).json()["text"] == text_of(ENGLISH)


# Transport


def test_chunked_upload(http, target, text_of):
    """An upload of unknown length, in chunks, is taken"""
    request = http.build_request("POST", "/v1/audio/transcriptions", files=parts({"model": target.model}, sample(ENGLISH)))
    body = request.read()
    pieces = (body[start : start + 5000] for start in range(0, len(body), 5000))
    response = http.post("/v1/audio/transcriptions", content=pieces, headers={"content-type": request.headers["content-type"]})
    assert shapes.is_ok(response).json()["text"] == text_of(ENGLISH)


def test_several_at_once(target, text_of):
    """Eight requests at once each get their own answer"""
    names = ["english.wav", "german.wav", "english-numbers.wav", "two-voices.wav"] * 2

    def send(name):
        with target.client() as client:
            return client.post("/v1/audio/transcriptions", files=parts({"model": target.model}, sample(name)))

    with ThreadPoolExecutor(len(names)) as pool:
        answers = list(pool.map(send, names))
    for name, response in zip(names, answers):
        assert shapes.is_ok(response).json()["text"] == text_of(name)


@pytest.mark.amanuensis
def test_request_id_is_echoed(transcribe):
    """A sane request id comes back"""
    for sane in ["conformance-1", "0f8fad5b-d9cb-469f-a165-70867728950e", "req_abc.DEF-123"]:
        assert transcribe(headers={"x-request-id": sane}).headers["x-request-id"] == sane


@pytest.mark.amanuensis
@pytest.mark.parametrize("insane", ["x" * 5000, "a b", '<script>"', "a,b;c=d", "\xfc\xe4".encode("latin-1"), ""], ids=["long", "blank", "marks", "lists", "bytes", "empty"])
def test_request_id_is_replaced(http, insane):
    """An insane request id does not come back, another is made"""
    response = http.get("/v1/models", headers={"x-request-id": insane})
    made = response.headers["x-request-id"]
    assert made and made.encode("latin-1") != (insane if isinstance(insane, bytes) else insane.encode())
    assert 8 <= len(made) <= 128 and all(letter.isalnum() or letter in "-_" for letter in made), made


def test_request_ids_differ(http):
    """Every answer has a request id of its own"""
    made = [http.get("/v1/models").headers["x-request-id"] for _ in range(5)]
    assert len(set(made)) == 5


def test_processing_time(transcribe):
    """openai-processing-ms is a whole number"""
    assert transcribe().headers["openai-processing-ms"].isdecimal()


@pytest.mark.amanuensis
@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/nobody", "/nowhere", "/livez", "/metrics", "/openapi.json", "/v1/audio/transcriptions"])
def test_headers_are_everywhere(http, path):
    """x-request-id and openai-processing-ms are on every answer, errors too"""
    response = http.get(path)
    assert response.headers.get("x-request-id"), response.headers
    assert response.headers.get("openai-processing-ms", "").isdecimal(), response.headers


# Through OpenAI's client


def test_sdk_json(sdk, target, text_of):
    """OpenAI's client reads the json answer"""
    answer = sdk.audio.transcriptions.create(file=("english.wav", sample(ENGLISH).data), model=target.model)
    assert answer.text == text_of(ENGLISH)
    if target.amanuensis:
        assert answer.usage.type == "duration" and answer.usage.seconds > 0


@pytest.mark.parametrize("response_format", ["text", "srt", "vtt"])
def test_sdk_text(sdk, target, response_format):
    """OpenAI's client gives texts and subtitles as strings"""
    answer = sdk.audio.transcriptions.create(file=("english.wav", sample(ENGLISH).data), model=target.model, response_format=response_format)
    assert isinstance(answer, str) and answer.strip()


def test_sdk_verbose(sdk, target, text_of):
    """OpenAI's client reads segments and words"""
    answer = sdk.audio.transcriptions.create(
        file=("english.wav", sample(ENGLISH).data), model=target.model, response_format="verbose_json", timestamp_granularities=BOTH, language="en", prompt="Servers.", temperature=0
    )
    assert answer.language == "english" and abs(answer.duration - sample(ENGLISH).seconds) <= shapes.SLACK
    assert answer.segments[0].start >= 0 and answer.segments[0].avg_logprob <= 0
    assert answer.words[0].word == answer.words[0].word.strip()


@pytest.mark.amanuensis
def test_sdk_chunking_object(sdk, target):
    """A chunking strategy as OpenAI's client sends it, one field for each member, is taken"""
    strategy = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200}
    answer = sdk.audio.transcriptions.create(file=("two-voices.wav", sample("two-voices.wav").data), model=target.model, chunking_strategy=strategy)
    assert answer.text.strip()


@pytest.mark.amanuensis
def test_sdk_extensions(sdk, target, text_of):
    """Extensions go through extra_body of OpenAI's client"""
    answer = sdk.audio.transcriptions.create(file=("english.wav", sample(ENGLISH).data), model=target.model, extra_body={"vad_filter": True, "beam_size": 2, "suppress_tokens": [1, 2]})
    assert answer.text.strip()


def test_sdk_headers(sdk, target):
    """OpenAI's client reads the request id and the time"""
    raw = sdk.audio.transcriptions.with_raw_response.create(file=("english.wav", sample(ENGLISH).data), model=target.model)
    assert raw.request_id and int(raw.headers["openai-processing-ms"]) >= 0
    assert raw.parse().text.strip()
