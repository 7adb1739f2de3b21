"""Webhooks, heard by a receiver of the check's own on 127.0.0.1, where only a server may send that was started for it."""

import http.server
import json
import os
import queue
import threading
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

import shapes
from sounds import Sound, sample
from target import SECONDS, parts

pytestmark = pytest.mark.amanuensis


class Receiver:
    """Takes what is posted to it, and answers with the statuses given, 204 when they are used up."""

    def __init__(self, statuses=()):
        self.received = queue.Queue()
        self.statuses = list(statuses)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.received.put((dict(self.headers.items()), body, time.time()))
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                self.send_response(status)
                if status in (301, 302, 307, 308):
                    self.send_header("location", receiver.url + "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, seconds=60):
        try:
            headers, body, when = self.received.get(timeout=seconds)
        except queue.Empty:
            pytest.fail(f"no webhook came within {seconds} s")
        return {name.lower(): value for name, value in headers.items()}, body, when

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    made = []

    def make(*statuses):
        made.append(Receiver(statuses))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def secret():
    value = os.environ.get("CONFORMANCE_WEBHOOK_SECRET")
    if not value:
        pytest.skip("this server was not started for webhooks to this machine (CONFORMANCE_WEBHOOK_SECRET is not set)")
    return value


@pytest.fixture
def post(http, target, wait_for):
    made = []

    def send(url, sound=None, status=202):
        response = http.post("/v1/jobs", files=parts({"model": target.model, "webhook_url": url}, sound or sample("english.wav")))
        job = shapes.is_ok(response, status).json()
        made.append(job["id"])
        return job

    yield send
    for job in made:
        http.post(f"/v1/jobs/{job}/cancel")
        wait_for(lambda: http.delete(f"/v1/jobs/{job}").status_code in (200, 404), "a job that is over can be deleted", SECONDS)


def test_webhook(post, receiver, secret, http):
    """A webhook comes when a job has succeeded, and says which"""
    listening = receiver()
    job = post(listening.url + "/hook?a=b")
    headers, body, _ = listening.next()
    assert headers["content-type"].split(";")[0] == "application/json"
    value = json.loads(body)
    told = value.get("job") or value.get("data") or value
    assert told["id"] == job["id"] and told["status"] == "succeeded", value
    assert http.get(f"/v1/jobs/{job['id']}").json()["status"] == "succeeded"


def test_signature(post, receiver, secret):
    """The signature is that of Standard Webhooks: their own library takes it, and nothing that was changed"""
    listening = receiver()
    post(listening.url)
    headers, body, when = listening.next()
    assert headers["webhook-id"] and abs(int(headers["webhook-timestamp"]) - when) < 60
    assert headers["webhook-signature"].startswith("v1,")
    Webhook(secret).verify(body, headers)
    for changed, other in [(body + b" ", headers), (body, headers | {"webhook-id": "msg_other"}), (body, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)})]:
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(changed, other)


def test_ids(post, receiver, secret):
    """Each job's webhook has an id of its own"""
    listening = receiver()
    for _ in range(2):
        post(listening.url)
    assert listening.next()[0]["webhook-id"] != listening.next()[0]["webhook-id"]


def test_once(post, receiver, secret):
    """A webhook that was taken does not come again"""
    listening = receiver()
    post(listening.url)
    listening.next()
    time.sleep(3)
    assert listening.received.empty()


def test_again(post, receiver, secret):
    """A webhook that was not taken comes again, with the same id, and is signed anew"""
    listening = receiver(500)
    post(listening.url)
    first, body, _ = listening.next()
    again, same, _ = listening.next(90)
    assert again["webhook-id"] == first["webhook-id"] and same == body
    Webhook(secret).verify(same, again)


def test_redirect(post, receiver, secret):
    """A webhook does not follow a redirection"""
    elsewhere, listening = receiver(), receiver(302)
    listening.url, own = elsewhere.url, listening.url
    post(own)
    listening.next()
    time.sleep(2)
    assert elsewhere.received.empty(), "the redirection was followed"


def test_cancelled(post, receiver, secret, http, very_long_sound):
    """A cancelled job is told as well"""
    listening = receiver()
    job = post(listening.url, very_long_sound)
    shapes.is_ok(http.post(f"/v1/jobs/{job['id']}/cancel"))
    value = json.loads(listening.next()[1])
    told = value.get("job") or value.get("data") or value
    assert told["status"] == "cancelled", value


def test_failed(post, receiver, secret, http, target):
    """A failed job is told with its error, if its sound was not refused at once"""
    listening = receiver()
    response = http.post("/v1/jobs", files=parts({"model": target.model, "webhook_url": listening.url}, Sound("notes.wav", b"no sound " * 100)))
    if response.status_code != 202:
        shapes.error(response, 400, 415)
        return
    value = json.loads(listening.next()[1])
    told = value.get("job") or value.get("data") or value
    assert told["status"] == "failed" and told["error"]["message"], value


def test_nobody_listens(post, secret, http, wait_for):
    """A job whose webhook nobody takes succeeds nevertheless"""
    job = post("http://127.0.0.1:9/nobody")
    wait_for(lambda: http.get(f"/v1/jobs/{job['id']}").json()["status"] == "succeeded", "the job succeeds", SECONDS)


@pytest.mark.parametrize("url", ["nonsense", "ftp://example.org/x", "file:///etc/passwd", "//example.org", "http://", "javascript:alert(1)", "http://example.org:99999/", "http://user:password@example.org/", "http://example.org/" + "x" * 10_000], ids=lambda url: url[:40])
def test_no_address(http, target, url):
    """A webhook to what is no address, or holds a password, is refused by name"""
    response = http.post("/v1/jobs", files=parts({"model": target.model, "webhook_url": url}, sample("english.wav")))
    shapes.error(response, 400, kind="invalid_request_error", names="webhook_url")


PRIVATE = [
    "http://127.0.0.1:8000/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://localhost/",
    "http://localhost./",
]


@pytest.mark.parametrize("url", PRIVATE)
def test_private_addresses(keyed, url):
    """A webhook to this machine or to a private network is refused by name, however it is written"""
    response = keyed["everything"].post("/v1/jobs", files=parts({"model": "whisper-1", "webhook_url": url}, sample("english.wav")))
    shapes.error(response, 400, kind="invalid_request_error", names="webhook_url")
