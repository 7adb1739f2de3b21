"""`POST /v1/audio/translations` and `/v1/models`."""

from urllib.parse import quote

import openai
import pytest

import shapes
from sounds import sample

TRANSLATIONS = "/v1/audio/translations"


def test_translation_json(target, transcribe):
    """A translation is a text"""
    answer = shapes.is_json(shapes.is_ok(transcribe(sample("german.wav"), path=TRANSLATIONS)))
    assert answer["text"].strip()
    if target.amanuensis:
        shapes.keys(answer, {"text", "usage"})


def test_translation_verbose(target, transcribe):
    """A translation's language is english in verbose_json"""
    answer = shapes.is_ok(transcribe(sample("german.wav"), path=TRANSLATIONS, response_format="verbose_json")).json()
    assert answer["language"] == "english"
    if target.amanuensis:
        shapes.verbose(answer, task="translate")


@pytest.mark.parametrize("response_format", ["text", "srt", "vtt"])
def test_translation_formats(transcribe, response_format):
    """A translation can be had as text and as subtitles"""
    response = shapes.is_ok(transcribe(sample("german.wav"), path=TRANSLATIONS, response_format=response_format))
    assert {"text": str.strip, "srt": shapes.srt, "vtt": shapes.vtt}[response_format](response.text)


def test_translation_with_prompt(transcribe):
    """A translation takes a prompt and a temperature"""
    shapes.is_ok(transcribe(sample("german.wav"), path=TRANSLATIONS, prompt="At the station.", temperature=0.2))


def test_translation_sdk(sdk, target):
    """OpenAI's client reads a translation"""
    assert sdk.audio.translations.create(file=("german.wav", sample("german.wav").data), model=target.model).text.strip()
    verbose = sdk.audio.translations.create(file=("german.wav", sample("german.wav").data), model=target.model, response_format="verbose_json")
    assert verbose.language == "english" and verbose.segments is not None


@pytest.mark.amanuensis
def test_translation_with_unknown_field(transcribe):
    """An unknown field is refused in a translation, too"""
    shapes.error(transcribe(sample("german.wav"), path=TRANSLATIONS, nonsense="1"), 400, names="nonsense")


# Models


def test_models(http):
    """The list of models has OpenAI's shape"""
    answer = shapes.is_json(shapes.is_ok(http.get("/v1/models")))
    assert answer["object"] == "list" and answer["data"]
    for model in answer["data"]:
        assert {"id", "object", "created", "owned_by"} <= set(model), model
        assert isinstance(model["id"], str) and model["object"] == "model" and isinstance(model["owned_by"], str)
        assert type(model["created"]) is int and model["created"] >= 0
    names = [model["id"] for model in answer["data"]]
    assert len(set(names)) == len(names)


@pytest.mark.amanuensis
def test_model_keys(http):
    """A model is the four keys of the contract"""
    for model in http.get("/v1/models").json()["data"]:
        shapes.keys(model, {"id", "object", "created", "owned_by"}, what="a model")


def test_model(http):
    """Every model of the list can be retrieved by its name, slashes written out or as %2F"""
    for model in http.get("/v1/models").json()["data"]:
        for name in {model["id"], quote(model["id"], safe="")}:
            assert shapes.is_json(shapes.is_ok(http.get(f"/v1/models/{name}"))) == model


def test_models_sdk(sdk):
    """OpenAI's client lists models and retrieves one"""
    models = list(sdk.models.list())
    assert sdk.models.retrieve(models[0].id) == models[0]


@pytest.mark.parametrize("name", ["nobody", "nobody/nothing", "nobody/nothing@main"])
def test_unknown_model_sdk(sdk, name):
    """An unknown model is OpenAI's NotFoundError with model_not_found, slashes or not"""
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.models.retrieve(name)
    assert caught.value.code == "model_not_found" and caught.value.type == "invalid_request_error"
    assert name in caught.value.message


@pytest.mark.amanuensis
@pytest.mark.parametrize("name", ["nobody/nothing", "nobody%2Fnothing"])
def test_unknown_model(http, name):
    """An unknown model with a slash is named in the message, slashes written out or as %2F"""
    shapes.error(http.get(f"/v1/models/{name}"), 404, kind="invalid_request_error", code="model_not_found", names="nobody/nothing")


@pytest.mark.parametrize("name", ["nobody", "../../etc/passwd", "/etc/passwd", "nobody/nothing", "C:\\x", "nul\x00", "~root", "http://127.0.0.1/x"])
def test_unknown_model_in_transcription(target, transcribe, name):
    """A transcription with an unknown model is refused, whatever the name tries"""
    response = transcribe(model=name)
    assert response.status_code in (400, 404), response.text
    if target.amanuensis:
        inside = shapes.keys(response.json()["error"], {"message", "type", "param", "code"}) or response.json()["error"]
        assert inside["param"] == "model", inside


def test_unknown_model_in_transcription_sdk(sdk):
    """A transcription with an unknown model is OpenAI's NotFoundError"""
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.audio.transcriptions.create(file=("english.wav", sample("english.wav").data), model="nobody")
    assert caught.value.code == "model_not_found"


@pytest.mark.amanuensis
@pytest.mark.parametrize("path", ["..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "a%00b", "%ff%fe", "a" * 4000])
def test_odd_paths(http, path):
    """No spelling of a model's path is anything but an unknown model or a bad request"""
    shapes.error(http.get(f"/v1/models/{path}"), 400, 404, 414)
