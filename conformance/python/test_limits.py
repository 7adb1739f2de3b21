"""A third server, which was started with small limits (`run` says which): what is over them."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import openai
import pytest

import shapes
from sounds import Sound, repeated, sample, tone
from target import parts, status_of

PATH = "/v1/audio/transcriptions"


@pytest.fixture
def client(limited):
    with limited.client() as client:
        yield client


def form(sound):
    return parts({"model": "whisper-1"}, sound)


def test_within(client):
    """What is within the limits is served"""
    shapes.is_ok(client.post(PATH, files=form(sample("english.wav"))))


def test_upload_too_large(client):
    """An upload over the limit is refused with 413"""
    big = Sound("big.wav", sample("english.wav").data + bytes(6_000_000))
    shapes.error(client.post(PATH, files=form(big)), 413, kind="invalid_request_error", code="request_too_large")


def test_upload_of_unknown_length_too_large(client):
    """An upload over the limit in chunks, of no stated length, is refused with 413"""
    request = client.build_request("POST", PATH, files=form(Sound("big.wav", sample("english.wav").data + bytes(6_000_000))))
    body = request.read()
    pieces = (body[start : start + 65536] for start in range(0, len(body), 65536))
    response = client.post(PATH, content=pieces, headers={"content-type": request.headers["content-type"]})
    shapes.error(response, 413, kind="invalid_request_error", code="request_too_large")


def test_too_long(client):
    """A sound over the limit of time is refused with 413"""
    shapes.error(client.post(PATH, files=form(tone(100, 8000))), 413, kind="invalid_request_error", code="request_too_large")


def test_too_long_but_small(client):
    """A sound whose header announces days is refused, or heard as far as it goes"""
    data = bytearray(sample("english.wav").data)
    data[4:8] = data[40:44] = b"\xff\xff\xff\x7f"
    response = client.post(PATH, files=form(Sound("long.wav", bytes(data))))
    assert response.status_code in (200, 400, 413), response.text


def test_slow_body(limited):
    """A body that comes too slowly is refused with 408"""
    address = urlsplit(limited.root)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: 1000\r\n\r\n--x\r\n".encode())
        begin = time.monotonic()
        answer = connection.recv(65536)
    assert status_of(answer) == 408, answer[:300]
    assert b"timeout_error" in answer and time.monotonic() - begin < 20


def test_slow_head(limited):
    """A head that does not end is given up"""
    address = urlsplit(limited.root)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(f"GET /livez HTTP/1.1\r\nhost: {address.netloc}\r\n".encode())
        try:
            answer = connection.recv(65536)
        except ConnectionError:
            answer = b""
    assert status_of(answer) in (None, 408), answer[:300]


def busy(limited, count):
    sound = repeated("two-voices.wav", 55)

    def send(_):
        with limited.client() as client:
            return client.post(PATH, files=form(sound))

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(send, range(count)))


def test_queue_full(limited):
    """More than the queue holds is refused with 429 and Retry-After"""
    responses = busy(limited, 12)
    refused = [response for response in responses if response.status_code == 429]
    assert refused, [response.status_code for response in responses]
    assert any(response.status_code == 200 for response in responses), [response.status_code for response in responses]
    for response in refused:
        inside = shapes.error(response, 429, kind="rate_limit_error")
        assert inside["code"] in ("queue_full", "rate_limited")
        assert int(response.headers["retry-after"]) >= 1
    for response in responses:
        assert response.status_code in (200, 429), response.text


def test_rate_limit(limited):
    """More requests in a minute than are allowed are OpenAI's RateLimitError, with Retry-After"""
    with openai.OpenAI(base_url=limited.base_url, api_key="none", max_retries=0) as sdk:
        with pytest.raises(openai.RateLimitError) as caught:
            for _ in range(300):
                sdk.models.list()
    assert caught.value.type == "rate_limit_error" and caught.value.code == "rate_limited"
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_health_at_the_limit(client):
    """Whether the server is alive can be asked when nothing else can"""
    for path in ("/livez", "/readyz", "/health"):
        shapes.is_ok(client.get(path))
