"""Health, figures, and the OpenAPI document."""

import re

import pytest
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families

import shapes
from sounds import sample
from target import CONTRACT, SECONDS, parts

pytestmark = pytest.mark.amanuensis


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/healthz"])
def test_health(target, path):
    """Whether the server is alive and ready can be asked without a key"""
    with target.client("") as client:
        shapes.is_ok(client.get(path))


def test_health_as_whisper_cpp(http):
    """/health says what whisper.cpp's says"""
    assert shapes.is_json(http.get("/health"))["status"] == "ok"


def test_status(http):
    """/v1/status tells version, uptime, models, queue and devices"""
    answer = shapes.is_json(shapes.is_ok(http.get("/v1/status")))
    assert re.match(r"\d+\.\d+", str(answer["version"])), answer
    assert any("uptime" in key for key in answer) and answer["models"] and "queue" in answer, sorted(answer)
    assert "device" in http.get("/v1/status").text, "no device is named"
    assert not shapes.INSIDES.search(http.get("/v1/status").text)


# Metrics


@pytest.fixture
def metrics(http):
    def ask():
        response = shapes.is_ok(http.get("/metrics"))
        shapes.content_type(response, "text/plain", "application/openmetrics-text")
        return {family.name: family for family in text_string_to_metric_families(response.text)}

    return ask


def test_metrics(metrics):
    """/metrics is Prometheus' text, with help and type for every family"""
    families = metrics()
    assert families
    for family in families.values():
        assert family.type != "unknown" and family.documentation, family.name
        assert re.fullmatch(r"amanuensis_[a-z0-9_]+|process_[a-z_]+", family.name), family.name
    assert any(family.samples for family in families.values())


def test_metrics_are_raw(http):
    """/metrics has no line twice, and its counters end in _total"""
    lines = [line for line in http.get("/metrics").text.split("\n") if line]
    names = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(set(names)) == len(names)
    for line in lines:
        if kind := re.fullmatch(r"# TYPE (\S+) counter", line):
            assert kind[1].endswith("_total"), line
    assert http.get("/metrics").text.endswith("\n")


def test_histograms(metrics):
    """Histograms rise, and end with all"""
    families = [family for family in metrics().values() if family.type == "histogram"]
    assert families
    for family in families:
        series = {}
        for one in family.samples:
            labels = tuple(sorted((key, value) for key, value in one.labels.items() if key != "le"))
            series.setdefault(labels, {"buckets": [], "count": None})
            if one.name.endswith("_bucket"):
                series[labels]["buckets"].append((float(one.labels["le"]), one.value))
            elif one.name.endswith("_count"):
                series[labels]["count"] = one.value
        for value in series.values():
            buckets = [count for _, count in sorted(value["buckets"])]
            assert buckets == sorted(buckets) and buckets[-1] == value["count"], family.name
            assert sorted(value["buckets"])[-1][0] == float("inf"), family.name


def test_metrics_count(metrics, transcribe):
    """A transcription is counted"""

    def counters():
        return {(one.name, tuple(one.labels.items())): one.value for family in metrics().values() if family.type == "counter" for one in family.samples}

    before = counters()
    shapes.is_ok(transcribe())
    after = counters()
    assert all(after[key] >= value for key, value in before.items()), "a counter went back"
    risen = [name for (name, labels), value in after.items() if value > before.get((name, labels), 0)]
    assert len(risen) >= 2, risen
    seconds = [after[key] - before.get(key, 0) for key in after if "seconds" in key[0] and after[key] > before.get(key, 0)]
    assert any(abs(value - sample("english.wav").seconds) < 0.1 for value in seconds), f"the seconds of sound are not counted: {risen} {seconds}"


# The OpenAPI document


@pytest.fixture(scope="module")
def document(target):
    with target.client() as client:
        return shapes.is_json(shapes.is_ok(client.get("/openapi.json")))


def test_document(document):
    """/openapi.json is a valid OpenAPI document"""
    assert document["openapi"].startswith("3.")
    validate(document)


def routes_of_the_contract():
    """Every path in the contract's code spans, with its method where one stands before it; a path behind another has the other's."""
    found = set()
    for line in CONTRACT.read_text("utf-8").splitlines():
        method = None
        for span in re.findall(r"`([^`]+)`", line):
            match = re.fullmatch(r"(?:(GET|POST|PUT|PATCH|DELETE) )?(/[a-z][\w/{}.-]*)(\?.*)?", span)
            if match:
                method = match[1] or method
                found.add((method, match[2]))
    return found


@pytest.mark.parametrize(("method", "path"), sorted(route for route in routes_of_the_contract() if route[0]))
def test_routes_are_in_the_document(document, method, path):
    """Every route of the contract is in /openapi.json"""
    paths = {re.sub(r"\{[^}]*\}", "{}", known): methods for known, methods in document["paths"].items()}
    assert method.lower() in paths.get(re.sub(r"\{[^}]*\}", "{}", path), {}), f"{method} {path} is not in the document"


def test_document_is_in_the_contract(document):
    """Every route of /openapi.json is in the contract"""
    known = {re.sub(r"\{[^}]*\}", "{}", path) for _, path in routes_of_the_contract()}
    assert {re.sub(r"\{[^}]*\}", "{}", path) for path in document["paths"]} - known <= {"/"}


def test_document_knows_the_fields(document):
    """The fields of a transcription are in /openapi.json as they are in the contract"""
    body = document["paths"]["/v1/audio/transcriptions"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    while "$ref" in body:
        body = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    text = CONTRACT.read_text("utf-8")
    table = re.findall(r"^\| `([a-z_]+(?:\[\])?)` \|", text[: text.index("Extensions")], re.M)
    extensions = next(part for part in text.split("\n\n") if part.startswith("Extensions")).split("A field that is not known")[0].split("`")[1::2]
    missing = set(table) | set(extensions)
    missing -= set(body["properties"])
    assert not missing, f"not in the document: {sorted(missing)}"
    assert {"file", "model"} <= set(body["required"])


def test_routes_answer(document, http, target, wait_for):
    """Every route of /openapi.json answers a well-formed request with something other than 404, 405 or a fault"""
    wrong = []
    # Routes that take something away come last.
    order = sorted(((method, path) for path, item in document["paths"].items() for method in item if method in ("get", "post", "put", "patch", "delete")), key=lambda route: (route[0] == "delete", route[1].endswith("cancel")))
    model = http.get("/v1/models").json()["data"][0]["id"]
    job = shapes.is_ok(http.post("/v1/jobs", files=parts({"model": target.model}, sample("english.wav"))), 202).json()["id"]
    wait_for(lambda: http.get(f"/v1/jobs/{job}").json()["finished_at"], "the job ends", SECONDS)
    for method, path in order:
        operation = document["paths"][path][method]
        address = re.sub(r"\{[^}]*\}", model if "models" in path else job, path)
        content = operation.get("requestBody", {}).get("content", {})
        if "multipart/form-data" in content:
            file = "audio_file" if path in ("/asr", "/detect-language") else "file"
            fields = {} if file == "audio_file" or path == "/inference" else {"model": target.model}
            response = http.request(method, address, files=parts(fields, sample("english.wav"), file))
        elif content:
            response = http.request(method, address, params={"format": "srt"}, json=http.get(f"/v1/jobs/{job}/result").json())
        else:
            # A stream may be endless, a socket is not opened: the status is enough.
            with http.stream(method, address) as response:
                pass
        if response.status_code in (404, 405) or response.status_code >= 500:
            wrong.append(f"{method.upper()} {path}: {response.status_code}")
    assert not wrong, "; ".join(wrong)


def test_statuses_are_in_the_document(document):
    """The errors of a transcription are in /openapi.json"""
    responses = set(document["paths"]["/v1/audio/transcriptions"]["post"]["responses"])
    if "default" not in responses:
        assert {"200", "400", "401", "403", "404", "413", "415", "429", "503"} <= responses, sorted(responses)


def test_head(http):
    """HEAD answers as GET does, without a body"""
    response = http.head("/v1/models")
    assert response.status_code == 200 and response.content == b""


def test_page(http):
    """The page is at /"""
    response = shapes.is_ok(http.get("/"))
    shapes.content_type(response, "text/html")
    assert "<html" in response.text.lower() or "<!doctype" in response.text.lower()
    assert "content-security-policy" in response.headers, "the page has no content-security-policy"
