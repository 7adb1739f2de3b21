"""Keys and their scopes, on a second server that was started with a file of keys; and what can be seen of keys on any server."""

import openai
import pytest

import shapes
from keys import SCOPES
from sounds import sample
from target import SECONDS, parts

PATH = "/v1/audio/transcriptions"


def asked(client, fields=None, path=PATH):
    return client.post(path, files=parts(fields or {"model": "whisper-1"}, sample("english.wav")))


# Any server that wants a key


def wants_a_key(target):
    with target.client("") as client:
        return client.get("/v1/models").status_code != 200


def test_wrong_key(target):
    """A wrong key is OpenAI's AuthenticationError with invalid_api_key"""
    if not target.key or not wants_a_key(target):
        pytest.skip("this server wants no key; the server with keys is checked below")
    with openai.OpenAI(base_url=target.base_url, api_key="sk-wrong", max_retries=0) as sdk, pytest.raises(openai.AuthenticationError) as caught:
        sdk.models.list()
    assert caught.value.code == "invalid_api_key"


# The server with keys


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/models"), ("POST", PATH), ("POST", "/v1/audio/translations"), ("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/v1/jobs/job_x"), ("GET", "/v1/status"), ("GET", "/metrics"), ("POST", "/v1/render"), ("POST", "/inference"), ("POST", "/asr"), ("POST", "/detect-language")],
)
def test_no_key(keyed, method, path):
    """Without a key the answer is 401 with invalid_api_key and WWW-Authenticate"""
    response = keyed["none"].request(method, path)
    assert response.status_code == 401, response.text
    assert response.headers["www-authenticate"].startswith("Bearer")
    if path not in ("/inference", "/asr", "/detect-language"):
        shapes.error(response, 401, kind="invalid_request_error", code="invalid_api_key")


@pytest.mark.parametrize("value", ["Bearer sk-wrong", "Bearer", "Basic c2stOng=", "sk-wrong", "Bearer " + "x" * 4000, "Bearer \xfc"], ids=["wrong", "nothing", "Basic", "bare", "long", "bytes"])
def test_wrong_keys(keyed, value):
    """A wrong key, or one in another dress, is 401"""
    response = keyed["none"].get("/v1/models", headers={"authorization": value.encode("latin-1")})
    inside = shapes.error(response, 401, kind="invalid_request_error", code="invalid_api_key")
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert "sk-wrong" not in inside["message"], "the key is in the message"


def test_upload_without_key(keyed):
    """An upload without a key is refused before it is read"""
    shapes.error(asked(keyed["none"]), 401, code="invalid_api_key")


def test_right_keys(keyed, text_of):
    """A right key with its scope is served"""
    for name in ("everything", "only-transcribe"):
        assert shapes.is_ok(asked(keyed[name])).json()["text"] == text_of("english.wav")
    shapes.is_ok(keyed["only-transcribe"].get("/v1/models"))
    shapes.is_ok(keyed["only-jobs"].get("/v1/jobs"))
    shapes.is_ok(keyed["only-status"].get("/v1/status"))
    shapes.is_ok(keyed["only-metrics"].get("/metrics"))


def test_admin(keyed):
    """The scope admin may do everything"""
    shapes.is_ok(asked(keyed["only-admin"]))
    for path in ("/v1/models", "/v1/jobs", "/v1/status", "/metrics"):
        shapes.is_ok(keyed["only-admin"].get(path))


def test_bearer_in_any_case(keyed):
    """The word Bearer counts in any case"""
    key = keyed["everything"].headers["authorization"].split()[1]
    for word in ("bearer", "BEARER"):
        shapes.is_ok(keyed["none"].get("/v1/models", headers={"authorization": f"{word} {key}"}))


NEEDS = {"/v1/jobs": "jobs", "/v1/status": "status", "/metrics": "metrics"}


@pytest.mark.parametrize(("scope", "path"), [(scope, path) for scope in SCOPES for path in NEEDS if scope not in (NEEDS[path], "admin")])
def test_other_scope(keyed, scope, path):
    """A key without the scope is refused with 403"""
    shapes.error(keyed[f"only-{scope}"].get(path), 403, kind="permission_error")


@pytest.mark.parametrize("scope", ["jobs", "status", "metrics"])
def test_transcribing_without_scope(keyed, scope):
    """A key without the scope cannot transcribe"""
    for path in (PATH, "/v1/audio/translations"):
        shapes.error(asked(keyed[f"only-{scope}"], path=path), 403, kind="permission_error")


def test_job_without_scope(keyed):
    """A key for transcribing cannot post a job"""
    shapes.error(asked(keyed["only-transcribe"], path="/v1/jobs"), 403, kind="permission_error")


def test_jobs_of_others(keyed, wait_for):
    """A job is not seen by the key of another, unless it is an admin's"""
    job = shapes.is_ok(asked(keyed["only-jobs"], path="/v1/jobs"), 202).json()["id"]
    try:
        assert shapes.is_ok(keyed["only-jobs"].get(f"/v1/jobs/{job}")).json()["id"] == job
        shapes.is_ok(keyed["only-admin"].get(f"/v1/jobs/{job}"))
        shapes.error(keyed["everything"].request("GET", "/v1/jobs/job_nobody"), 404, code="not_found")
    finally:
        wait_for(lambda: keyed["only-jobs"].get(f"/v1/jobs/{job}").json()["finished_at"], "the job ends", SECONDS)
        shapes.is_ok(keyed["only-jobs"].delete(f"/v1/jobs/{job}"))


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/healthz"])
def test_health_needs_no_key(keyed, path):
    """Whether the server is alive can be asked without a key"""
    shapes.is_ok(keyed["none"].get(path))


def test_document_names_the_key(keyed):
    """The OpenAPI document says how the key is sent"""
    response = keyed["none"].get("/openapi.json")
    if response.status_code == 401:
        response = keyed["everything"].get("/openapi.json")
    schemes = shapes.is_ok(response).json()["components"]["securitySchemes"]
    assert any(scheme.get("type") == "http" and scheme.get("scheme", "").lower() == "bearer" for scheme in schemes.values()), schemes


def test_unknown_path_without_key(keyed):
    """An unknown path is 401 or 404 without a key, not more"""
    shapes.error(keyed["none"].get("/v1/nowhere"), 401, 404)


# Through OpenAI's client


def sdk_with(keyed, name):
    client = keyed[name]
    key = client.headers["authorization"].split()[1] if name != "none" else "sk-wrong"
    return openai.OpenAI(base_url=str(client.base_url).rstrip("/") + "/v1", api_key=key, max_retries=0)


def test_sdk_wrong_key(keyed):
    """A wrong key is OpenAI's AuthenticationError"""
    with sdk_with(keyed, "none") as sdk, pytest.raises(openai.AuthenticationError) as caught:
        sdk.audio.transcriptions.create(file=("english.wav", sample("english.wav").data), model="whisper-1")
    assert caught.value.code == "invalid_api_key" and caught.value.response.headers["www-authenticate"]


def test_sdk_other_scope(keyed):
    """A key without the scope is OpenAI's PermissionDeniedError"""
    with sdk_with(keyed, "only-metrics") as sdk, pytest.raises(openai.PermissionDeniedError) as caught:
        sdk.audio.transcriptions.create(file=("english.wav", sample("english.wav").data), model="whisper-1")
    assert caught.value.type == "permission_error"


def test_sdk_right_key(keyed, text_of):
    """OpenAI's client works with a key"""
    with sdk_with(keyed, "only-transcribe") as sdk:
        assert sdk.audio.transcriptions.create(file=("english.wav", sample("english.wav").data), model="whisper-1").text == text_of("english.wav")
