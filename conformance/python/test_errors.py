"""What is refused, and how. Every row of the contract's table that can be provoked from outside is here or, where it needs keys, jobs or
small limits, in `test_keys.py`, `test_jobs.py`, `test_limits.py`."""

import json

import openai
import pytest

import shapes
from sounds import Sound, sample
from target import body_of, parts, raw_exchange, status_of

PATH = "/v1/audio/transcriptions"
BAD = "invalid_request_error"


# The file


def test_no_file(http, target):
    """A form without a file is refused, and the message names the field"""
    inside = shapes.error(http.post(PATH, files=parts({"model": target.model})), 400, kind=BAD, names="file")
    if target.amanuensis:
        assert inside["param"] == "file"


def test_no_model(http, target):
    """A form without a model is refused, and the message names the field"""
    inside = shapes.error(http.post(PATH, files=parts((), sample("english.wav"))), 400, kind=BAD, names="model")
    if target.amanuensis:
        assert inside["param"] == "model"


@pytest.mark.amanuensis
def test_empty_model(transcribe):
    """A form with an empty model is refused"""
    inside = shapes.error(transcribe(model=""), 400, 404, kind=BAD)
    assert inside["param"] == "model"


def test_empty_file(target, transcribe):
    """An empty file is refused"""
    inside = shapes.error(transcribe(Sound("empty.wav", b"")), 400, kind=BAD)
    if target.amanuensis:
        assert inside["param"] == "file" and "empty" in inside["message"]


def test_text_as_sound(target, transcribe):
    """A text file is refused as a sound"""
    response = transcribe(Sound("notes.wav", b"These are notes and no sound. " * 100))
    inside = shapes.error(response, 400, 415, kind=BAD)
    if target.amanuensis:
        assert inside["param"] == "file"


@pytest.mark.amanuensis
@pytest.mark.parametrize(
    "data",
    [
        b"RIFF\x24\x00\x00\x00WAVE",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"%PDF-1.7\n" + bytes(200),
        b"PK\x03\x04" + bytes(200),
        bytes(5000),
        b"ID3\x04\x00\x00\x00\x00\x0f\x76" + bytes(3000),
        b"OggS" + bytes(500),
        b"fLaC" + bytes(500),
        b"\x00\x00\x00\x20ftypM4A " + bytes(500),
        b"\x1aE\xdf\xa3" + bytes(500),
    ],
    ids=["cut WAV", "picture", "PDF", "archive", "zeros", "tag alone", "cut Ogg", "cut FLAC", "cut MP4", "cut Matroska"],
)
def test_broken_sounds(transcribe, data):
    """What is no sound, or the beginning of one, is refused as the client's fault"""
    inside = shapes.error(transcribe(Sound("sound", data)), 400, 415, kind=BAD)
    assert inside["param"] == "file"
    assert inside["code"] != "unsupported_media_type" or transcribe(Sound("sound", data)).status_code == 415


@pytest.mark.amanuensis
def test_video_without_sound(transcribe):
    """A picture in a container that is read is refused, too"""
    gif = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    shapes.error(transcribe(Sound("film.mp4", gif)), 400, 415, kind=BAD)


@pytest.mark.amanuensis
def test_two_files(http, target):
    """Two files are refused"""
    files = parts({"model": target.model}, sample("english.wav")) + parts((), sample("german.wav"))
    shapes.error(http.post(PATH, files=files), 400, kind=BAD, names="file")


@pytest.mark.amanuensis
def test_file_as_text_field(http, target):
    """A field `file` without a name of a file is a file as well, or refused by its name"""
    files = parts({"model": target.model, "file": sample("english.wav").data})
    response = http.post(PATH, files=files)
    if response.status_code != 200:
        shapes.error(response, 400, kind=BAD, names="file")


# Fields


@pytest.mark.amanuensis
@pytest.mark.parametrize("name", ["nonsense", "Language", "file2", "response-format", "stream[]", "x" * 300, "ü", ""])
def test_unknown_field(transcribe, name):
    """An unknown field is refused with 400, and the message names it"""
    inside = shapes.error(transcribe(fields={name: "1"}), 400, kind=BAD)
    assert name[:20] in inside["message"], inside


@pytest.mark.amanuensis
@pytest.mark.parametrize("name", ["known_speaker_names[]", "known_speaker_references[]", "languages[]", "keywords[]"])
def test_openai_fields_that_cannot(transcribe, name):
    """OpenAI's fields that cannot be obeyed are refused by name, not ignored"""
    shapes.error(transcribe(fields={name: "Anna"}), 400, kind=BAD, names=name.removesuffix("[]"))


@pytest.mark.amanuensis
@pytest.mark.parametrize("name", ["model", "language", "response_format", "temperature", "stream", "prompt"])
def test_field_twice(transcribe, name):
    """A field given twice, with two values, is refused by name"""
    values = {"model": ["whisper-1", "whisper-1x"], "language": ["en", "de"], "response_format": ["text", "json"], "temperature": ["0", "1"], "stream": ["true", "false"], "prompt": ["a", "b"]}
    shapes.error(transcribe(fields={name: values[name]}), 400, kind=BAD, names=name)


WRONG = [
    ("response_format", "xml"),
    ("response_format", "diarized_json"),
    ("response_format", "JSON "),
    ("response_format", ""),
    ("language", "xx"),
    ("language", "Klingon"),
    ("language", "en,de"),
    ("temperature", "7"),
    ("temperature", "-0.1"),
    ("temperature", "1.01"),
    ("temperature", "warm"),
    ("temperature", "nan"),
    ("temperature", "inf"),
    ("temperature", "1e400"),
    ("temperature", ""),
    ("timestamp_granularities[]", "sentence"),
    ("timestamp_granularities", '["word'),
    ("stream", "maybe"),
    ("chunking_strategy", "manual"),
    ("chunking_strategy", '{"type":"server_vad","threshold":"high"}'),
    ("chunking_strategy", '{"type":"client_vad"}'),
    ("chunking_strategy", '{"type":"server_vad","threshold":2}'),
    ("chunking_strategy", '{"type":"server_vad","nonsense":1}'),
    ("chunking_strategy", '{"type":"server_vad"'),
    ("include[]", "nonsense"),
]


@pytest.mark.amanuensis
@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_value(transcribe, name, value):
    """A value that a field cannot have is refused, and the message names the field"""
    fields = {"response_format": "verbose_json"} if name.startswith("timestamp") else {}
    inside = shapes.error(transcribe(fields=fields | {name: value}), 400, kind=BAD, names=name.removesuffix("[]"))
    assert inside["param"] and inside["param"].removesuffix("[]") == name.removesuffix("[]"), inside


WRONG_EXTENSIONS = [
    ("task", "summarise"),
    ("vad_filter", "perhaps"),
    ("without_timestamps", "2"),
    ("word_timestamps", "yes please"),
    ("beam_size", "0"),
    ("beam_size", "-1"),
    ("beam_size", "1000000"),
    ("beam_size", "2.5"),
    ("best_of", "0"),
    ("best_of", "1000000"),
    ("patience", "-1"),
    ("patience", "nan"),
    ("length_penalty", "long"),
    ("repetition_penalty", "0"),
    ("repetition_penalty", "-1"),
    ("no_repeat_ngram_size", "-1"),
    ("condition_on_previous_text", "sometimes"),
    ("compression_ratio_threshold", "tight"),
    ("log_prob_threshold", "nan"),
    ("no_speech_threshold", "2"),
    ("hallucination_silence_threshold", "-1"),
    ("suppress_tokens", "a,b"),
    ("suppress_tokens", "99999999"),
    ("suppress_blank", "void"),
    ("max_new_tokens", "0"),
    ("seed", "-1"),
    ("seed", "lucky"),
    ("clip_timestamps", "3,1"),
    ("clip_timestamps", "-1,2"),
    ("clip_timestamps", "a"),
    ("batch_size", "0"),
    ("batch_size", "1000000"),
]


@pytest.mark.amanuensis
@pytest.mark.parametrize(("name", "value"), WRONG_EXTENSIONS)
def test_wrong_extension(transcribe, name, value):
    """A value that a field of the extensions cannot have is refused, and the message names the field"""
    beside = {"temperature": "0.5"} if name in ("best_of", "seed") else {"word_timestamps": "true"} if name.startswith("hallucination") else {"beam_size": "2"} if name in ("patience", "length_penalty") else {}
    inside = shapes.error(transcribe(fields={"response_format": "verbose_json"} | beside | {name: value}), 400, kind=BAD)
    assert name in inside["message"] or inside["param"] == name, inside


@pytest.mark.amanuensis
@pytest.mark.parametrize("response_format", [None, "json", "text", "srt", "vtt"])
def test_words_without_verbose_json(transcribe, response_format):
    """Words are refused without verbose_json"""
    fields = {"timestamp_granularities[]": "word"} | ({"response_format": response_format} if response_format else {})
    shapes.error(transcribe(fields=fields), 400, kind=BAD, names="timestamp_granularities")


def test_temperature(transcribe):
    """A temperature of 7 is refused"""
    shapes.error(transcribe(temperature=7), 400, kind=BAD, names="temperature")


def test_response_format(transcribe):
    """An unknown response_format is refused"""
    shapes.error(transcribe(response_format="xml"), 400, kind=BAD, names="response_format")


@pytest.mark.amanuensis
def test_field_of_other_encoding(transcribe):
    """A field that is not UTF-8 is refused by name"""
    shapes.error(transcribe(prompt=b"\xff\xfe\xfa"), 400, kind=BAD, names="prompt")


@pytest.mark.amanuensis
def test_big_field(transcribe):
    """A field of a megabyte is refused by name"""
    shapes.error(transcribe(prompt="word " * 200_000), 400, 413, kind=BAD, names="prompt")


@pytest.mark.amanuensis
def test_long_prompt(transcribe):
    """A prompt longer than a model can hear is taken, as OpenAI takes it, or refused by name"""
    response = transcribe(prompt="Many words were said before this one. " * 200)
    if response.status_code != 200:
        shapes.error(response, 400, kind=BAD, names="prompt")


@pytest.mark.amanuensis
@pytest.mark.parametrize("count", [101, 2000])
def test_many_parts(transcribe, count):
    """A form of too many parts is refused"""
    shapes.error(transcribe(fields={"timestamp_granularities[]": ["word"] * count}, response_format="verbose_json"), 400, 413, kind=BAD, names="parts")


# The form


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"model":"whisper-1","file":"x"}'),
        ("application/x-www-form-urlencoded", b"model=whisper-1&file=x"),
        ("audio/wav", None),
        ("text/plain", b"hello"),
        (None, b"hello"),
    ],
    ids=["JSON", "urlencoded", "bare sound", "text", "no content type"],
)
@pytest.mark.amanuensis
def test_not_multipart(http, content_type, body):
    """What is not multipart is refused with 415"""
    headers = {"content-type": content_type} if content_type else {}
    response = http.post(PATH, content=sample("english.wav").data if body is None else body, headers=headers)
    shapes.error(response, 415, kind=BAD, code="unsupported_media_type")


@pytest.mark.amanuensis
@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=other"])
def test_boundary(http, target, content_type):
    """A multipart body without its boundary is refused"""
    body = http.build_request("POST", PATH, files=parts({"model": target.model}, sample("english.wav"))).read()
    shapes.error(http.post(PATH, content=body, headers={"content-type": content_type}), 400, 415, kind=BAD)


def form_text(*pieces, end="--x--\r\n"):
    return ("".join("--x\r\n" + piece for piece in pieces) + end).encode()


@pytest.mark.amanuensis
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x--\r\n",
        b"no form at all",
        form_text("Content-Disposition: form-data\r\n\r\nwhisper-1\r\n"),
        form_text("\r\nwhisper-1\r\n"),
        form_text('Content-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n', end=""),
        form_text('Content-Disposition: form-data; name="model\r\n\r\nwhisper-1\r\n'),
        form_text("X: " + "y" * 100_000 + '\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'),
        form_text(*['X-Many: 1\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na\r\n'] * 50),
    ],
    ids=["nothing", "end alone", "other text", "part without name", "part without headers", "no end", "open quote", "long header", "fifty prompts"],
)
def test_malformed_forms(http, body):
    """A form that is no form is refused as the client's fault"""
    response = http.post(PATH, content=body, headers={"content-type": "multipart/form-data; boundary=x"})
    shapes.error(response, 400, 413, 415, 431, kind=BAD)


@pytest.mark.amanuensis
def test_connection_after_error(target):
    """A connection can be used on after a refused request, or is closed in order"""
    with target.client() as client:
        for _ in range(3):
            shapes.error(client.post(PATH, files=parts({"model": "nobody"}, sample("two-voices.wav"))), 404)
            shapes.is_ok(client.get("/v1/models"))


# Lengths that lie


def head(target, length, extra=""):
    authorization = f"authorization: Bearer {target.key}\r\n" if target.key else ""
    host = target.root.partition("://")[2]
    return (
        f"POST {PATH} HTTP/1.1\r\nhost: {host}\r\n{authorization}content-type: multipart/form-data; boundary=x\r\n{extra}"
        + (f"content-length: {length}\r\n" if length is not None else "")
        + "\r\n"
    ).encode()


def whole_form(target):
    fields = form_text(f'Content-Disposition: form-data; name="model"\r\n\r\n{target.model}\r\n', end="")
    file = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + sample("english.wav").data
    return fields + file + b"\r\n--x--\r\n"


@pytest.mark.amanuensis
def test_length_of_a_terabyte(target):
    """A request that announces a terabyte is refused with 413 before it is sent"""
    answer = raw_exchange(target.root, head(target, 1 << 40))
    assert status_of(answer) == 413, answer[:300]
    shapes.error_object(body_of(answer), kind=BAD, code="request_too_large")


@pytest.mark.amanuensis
def test_length_too_short(target):
    """A body that is longer than announced is cut there, and refused"""
    body = whole_form(target)
    answer = raw_exchange(target.root, head(target, 1000) + body)
    assert status_of(answer) == 400, answer[:300]


@pytest.mark.amanuensis
def test_length_too_long(target):
    """A body that ends before its announced length is never answered with 200"""
    import socket
    from urllib.parse import urlsplit

    body = whole_form(target)
    address = urlsplit(target.root)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(head(target, len(body) + 1000) + body)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except (TimeoutError, ConnectionError):
            pass
    assert status_of(received) in (None, 400), received[:300]


@pytest.mark.amanuensis
@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "99999999999999999999999999"])
def test_length_that_is_none(target, length):
    """A content-length that is no number is refused"""
    answer = raw_exchange(target.root, head(target, length) + whole_form(target))
    assert status_of(answer) in (400, 413), answer[:300]


@pytest.mark.amanuensis
def test_both_lengths(target):
    """A request with a length and with chunks is refused, or its length is not believed"""
    answer = raw_exchange(target.root, head(target, 5, "transfer-encoding: chunked\r\n") + b"0\r\n\r\n")
    assert status_of(answer) == 400, answer[:300]


@pytest.mark.amanuensis
def test_continue(target, text_of):
    """A client that asks before it sends is told to go on"""
    body = whole_form(target)
    answer = raw_exchange(target.root, head(target, len(body), "expect: 100-continue\r\n"), [body])
    assert status_of(answer) == 200, answer[:300]
    assert body_of(answer)["text"] == text_of("english.wav")


@pytest.mark.amanuensis
@pytest.mark.parametrize("request_bytes", [b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GET / HTTP/9.9\r\n\r\n", b"GET /livez HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 200_000 + b"\r\n\r\n"], ids=["nothing", "no path", "TLS", "version", "header"])
def test_no_http(target, request_bytes):
    """Bytes that are no request are refused or ignored"""
    assert status_of(raw_exchange(target.root, request_bytes, seconds=3)) in (None, 400, 413, 414, 431, 505)


# Paths and methods


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_wrong_method(target, http, method):
    """A method that a path does not take is refused with 405"""
    response = http.request(method, PATH)
    if target.amanuensis:
        shapes.error(response, 405, kind=BAD, code="method_not_allowed")
        assert response.headers["allow"] == "POST" or "POST" in response.headers["allow"], response.headers
    else:
        shapes.error(response, 404, 405)


@pytest.mark.amanuensis
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/models"), ("DELETE", "/v1/status"), ("GET", "/v1/render"), ("PUT", "/v1/jobs"), ("POST", "/metrics"), ("GET", "/asr"), ("GET", "/inference")])
def test_wrong_method_elsewhere(http, method, path):
    """Other paths refuse other methods in the same way"""
    shapes.error(http.request(method, path), 405, kind=BAD, code="method_not_allowed")


@pytest.mark.parametrize("path", ["/v1/nowhere", "/v1/audio", "/v1/audio/speech", "/v1/chat/completions"])
def test_unknown_path(target, http, path):
    """An unknown path is a 404 in OpenAI's shape"""
    if not target.amanuensis and path != "/v1/nowhere":
        pytest.skip("another server may have this path")
    shapes.error(http.get(path), 404, kind=BAD, code="not_found" if target.amanuensis else None)


@pytest.mark.amanuensis
@pytest.mark.parametrize("path", ["/nowhere", "/v1", "/v2/models", "/V1/models", "/.env", "/v1/models/", "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/v1//models"])
def test_unknown_paths_elsewhere(target, path):
    """Paths near others, and those that climb, are 404 in the same shape"""
    authorization = f"authorization: Bearer {target.key}\r\n" if target.key else ""
    answer = raw_exchange(target.root, f"GET {path} HTTP/1.1\r\nhost: {target.root.partition('://')[2]}\r\n{authorization}\r\n".encode())
    assert status_of(answer) == 404, answer[:300]
    shapes.error_object(body_of(answer), kind=BAD)


@pytest.mark.amanuensis
def test_unknown_path_with_upload(http, target):
    """An unknown path with an upload is a 404 too"""
    shapes.error(http.post("/v1/audio/nowhere", files=parts({"model": target.model}, sample("two-voices.wav"))), 404, code="not_found")


@pytest.mark.amanuensis
def test_other_origins(http):
    """Pages of other origins are not let in"""
    response = http.get("/v1/models", headers={"origin": "https://example.org"})
    assert "access-control-allow-origin" not in response.headers
    response = http.options(PATH, headers={"origin": "https://example.org", "access-control-request-method": "POST"})
    assert "access-control-allow-origin" not in response.headers


# Through OpenAI's client


def test_sdk_bad_request(sdk, target):
    """A bad request is OpenAI's BadRequestError, with type and request id"""
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.audio.transcriptions.create(file=("english.wav", sample("english.wav").data), model=target.model, temperature=7)
    error = caught.value
    assert error.status_code == 400 and error.type == BAD and error.request_id
    assert set(error.body) == {"message", "type", "param", "code"}


@pytest.mark.amanuensis
def test_sdk_include(sdk, target):
    """The tokens of the text stand beside it with their log probabilities, and nowhere where there is no room for them"""
    sound = ("english.wav", sample("english.wav").data)
    answer = sdk.audio.transcriptions.create(file=sound, model=target.model, include=["logprobs"])
    assert b"".join(bytes(int(byte) for byte in entry.bytes) for entry in answer.logprobs).decode().strip() == answer.text
    assert all(entry.logprob <= 0 for entry in answer.logprobs)
    with pytest.raises(openai.BadRequestError, match="include|logprobs"):
        sdk.audio.transcriptions.create(file=sound, model=target.model, include=["logprobs"], response_format="srt")


@pytest.mark.amanuensis
def test_sdk_unknown_field(sdk, target):
    """An unknown field is a BadRequestError that names it"""
    with pytest.raises(openai.BadRequestError, match="nonsense"):
        sdk.audio.transcriptions.create(file=("english.wav", sample("english.wav").data), model=target.model, extra_body={"nonsense": 1})


def test_sdk_not_found(sdk):
    """An unknown path is OpenAI's NotFoundError"""
    with pytest.raises(openai.NotFoundError):
        sdk.get("/nowhere", cast_to=object)


def test_errors_are_json_without_insides(http, target, transcribe):
    """No error holds names of folders, lines of source or traces"""
    responses = [
        transcribe(Sound("broken.mp3", sample("english.mp3").data[:200])),
        transcribe(model="/etc/passwd\x01"),
        http.post(PATH, content=b"{", headers={"content-type": "application/json"}),
        http.get("/v1/models/" + "%00" * 10),
        transcribe(temperature="a" * 1000),
    ]
    for response in responses:
        if response.status_code == 200:
            continue
        text = json.dumps(response.json()).replace("/etc/passwd", "")
        assert not shapes.INSIDES.search(text), text
        assert len(text) < 3000, f"a message of {len(text)} characters"
