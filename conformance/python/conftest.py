"""Fixtures, and a report in which every check is a sentence: the first line of its documentation."""

import json
import os
import time

import httpx
import openai
import pytest

import keys
from sounds import TEXTS, repeated, sample
from target import Target, parts, root_of, target_from_environment, with_model


def pytest_configure(config):
    config.addinivalue_line("markers", "amanuensis: only Amanuensis promises this; skipped on other servers")


def pytest_collection_modifyitems(items):
    if not target_from_environment().amanuensis:
        for item in items:
            if item.get_closest_marker("amanuensis"):
                item.add_marker(pytest.mark.skip(reason="only Amanuensis promises this"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    sentence = (item.function.__doc__ or item.function.__name__).strip().split("\n")[0].rstrip(".")
    case = item.callspec.id if hasattr(item, "callspec") else None
    report.check = f"{sentence} ({case})" if case else sentence
    report.part = "python " + item.path.stem.removeprefix("test_")


def pytest_runtest_logreport(report):
    """A line of JSON for every check, for the table. A check that could not be set up has failed; one that could not be cleared away, too."""
    path = os.environ.get("CONFORMANCE_RESULTS")
    if not path or (report.when != "call" and report.outcome == "passed"):
        return
    reason = ""
    if report.skipped:
        reason = report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else str(report.longrepr)
    elif report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = crash.message if crash else str(report.longrepr)
    outcome = {"passed": "pass", "failed": "fail", "skipped": "skip"}[report.outcome]
    with open(path, "a", encoding="utf-8") as results:
        results.write(json.dumps({"part": report.part, "check": report.check, "result": outcome, "reason": reason}) + "\n")


@pytest.fixture(scope="session")
def target():
    return target_from_environment()


@pytest.fixture
def http(target):
    """Plain HTTP with the key."""
    with target.client() as client:
        yield client


@pytest.fixture
def sdk(target):
    """OpenAI's own client. It does not try again, so that a check sees what the server answered first."""
    with openai.OpenAI(base_url=target.base_url, api_key=target.key or "none", max_retries=0, timeout=120) as client:
        yield client


@pytest.fixture
def transcribe(target, http):
    """Sends a transcription by plain HTTP. Fields are named by keywords or, where their names are no identifiers, in a dictionary."""

    def send(sound=None, fields=(), path="/v1/audio/transcriptions", headers=None, **more):
        fields = with_model(target, dict(fields) | more)
        return http.post(path, files=parts(fields, sound or sample("english.wav")), headers=headers)

    return send


@pytest.fixture(scope="session")
def long_sound():
    """Five minutes: long enough that the first words can be told from the last in time."""
    return repeated("two-voices.wav", 300)


@pytest.fixture(scope="session")
def very_long_sound():
    """Half an hour: nothing is done with it before the check has looked and stopped it."""
    return repeated("two-voices.wav", 1800)


@pytest.fixture(scope="session")
def text_of(target):
    """The text of a sample as this server hears it, asked once for each."""
    known = {}

    def text(name):
        if name not in known:
            with target.client() as client:
                response = client.post("/v1/audio/transcriptions", files=parts({"model": target.model}, sample(name)))
            response.raise_for_status()
            known[name] = response.json()["text"]
        return known[name]

    return text


@pytest.fixture(scope="session")
def expected_text():
    return {name: entry["text"] for name, entry in TEXTS.items()}


def other_server(variable, key=""):
    url = os.environ.get(variable)
    if not url:
        pytest.skip(f"no such server was started ({variable} is not set)")
    root = root_of(url)
    return Target(root=root, key=key, model="whisper-1", stream_model="whisper-1", amanuensis=True)


@pytest.fixture(scope="session")
def keyed():
    """The server with keys, and a client for each of them by name."""
    known = keys.read()
    if not known:
        pytest.skip("no server with keys was started (CONFORMANCE_KEYS is not set)")
    target = other_server("CONFORMANCE_KEYS_URL")
    opened = {name: target.client(key) for name, key in known.items()} | {"none": target.client()}
    yield opened
    for client in opened.values():
        client.close()


@pytest.fixture(scope="session")
def limited():
    """The server with small limits."""
    return other_server("CONFORMANCE_LIMITS_URL")


@pytest.fixture(scope="session")
def wait_for():
    """Waits until a function gives something true, and gives that back; fails with a sentence after so many seconds."""

    def wait(function, what, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := function():
                return value
            time.sleep(0.05)
        pytest.fail(f"{what}: not within {seconds} s")

    return wait


@pytest.fixture(autouse=True)
def alive(target):
    """Whatever a check sends, the process answers behind it."""
    yield
    if target.amanuensis:
        assert httpx.get(target.root + "/livez", timeout=30).status_code == 200, "the server does not answer /livez behind this check"
