"""What the checks are run against, and the few ways in which they speak to it.

Everything comes from the environment, which `conformance/run` fills:

BASE_URL               the server, with or without `/v1` behind it
API_KEY                a key for it, if it wants one
MODEL, STREAM_MODEL    names of models; `whisper-1` and MODEL if not given
CONFORMANCE_AMANUENSIS `yes` or `no`: whether the checks that only Amanuensis promises are run; asked of the server if not given
CONFORMANCE_KEYS_URL   a second Amanuensis, started with a file of keys; and a third, started with small limits
CONFORMANCE_LIMITS_URL
CONFORMANCE_KEYS       the file that `keys.py` wrote, with the keys in the clear
"""

import json
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

REPOSITORY = Path(os.environ.get("CONFORMANCE_REPOSITORY") or Path(__file__).resolve().parents[2])
CONTRACT = REPOSITORY / "docs" / "server.md"
SECONDS = float(os.environ.get("CONFORMANCE_TIMEOUT", "120"))


@dataclass(frozen=True)
class Target:
    root: str
    key: str | None
    model: str
    stream_model: str
    amanuensis: bool

    @property
    def base_url(self):
        return self.root + "/v1"

    def client(self, key=None, **options):
        """An HTTP client that sends the key, or another one, or none where `key` is empty."""
        key = self.key if key is None else key
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.root, headers=headers, timeout=SECONDS, **options)


def root_of(url):
    return url.rstrip("/").removesuffix("/v1")


def says_that_it_is_amanuensis(root):
    """Asks the OpenAPI document, which needs no key."""
    try:
        document = httpx.get(root + "/openapi.json", timeout=10).json()
        return "amanuensis" in document["info"]["title"].lower()
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False


def target_from_environment():
    root = root_of(os.environ.get("BASE_URL") or "http://127.0.0.1:8000")
    stated = os.environ.get("CONFORMANCE_AMANUENSIS")
    model = os.environ.get("MODEL") or "whisper-1"
    return Target(
        root=root,
        key=os.environ.get("API_KEY") or None,
        model=model,
        stream_model=os.environ.get("STREAM_MODEL") or model,
        amanuensis=stated == "yes" if stated else says_that_it_is_amanuensis(root),
    )


# Requests


def parts(fields=(), sound=None, file_field="file"):
    """Multipart parts in the order given: `fields` is a dictionary or a list of pairs, a list as value is repeated.

    httpx sends a dictionary of data in an order of its own, and never one field twice; as files without names both can be had.
    """
    pairs = fields.items() if isinstance(fields, dict) else fields
    result = []
    for name, value in pairs:
        for one in value if isinstance(value, list) else [value]:
            result.append((name, (None, one if isinstance(one, bytes) else str(one))))
    if sound is not None:
        result.append((file_field, (sound.name, sound.data, sound.content_type)))
    return result


def with_model(target, fields):
    """The fields with the model before them, unless they name one or are told to go without (`model=None`)."""
    fields = dict(fields)
    fields.setdefault("model", target.model)
    return {name: value for name, value in fields.items() if value is not None}


def raw_exchange(root, request, more=(), seconds=20):
    """Sends bytes as they are, for what no HTTP library can be made to send; gives back all that comes until the server closes or is silent."""
    address = urlsplit(root)
    received = b""
    with socket.create_connection((address.hostname, address.port or 80), timeout=seconds) as connection:
        try:
            connection.sendall(request)
            for piece in more:
                connection.sendall(piece)
            while piece := connection.recv(65536):
                received += piece
                if complete(received):
                    break
        except (TimeoutError, ConnectionError):
            pass
    return received


def complete(received):
    """Whether an answer with a stated length is there as a whole, interim answers (`100 Continue`) before it left out."""
    while True:
        head, separator, body = received.partition(b"\r\n\r\n")
        if not separator:
            return False
        if re.match(rb"HTTP/1\.\d 1\d\d", head):
            received = body
            continue
        length = re.search(rb"(?i)content-length:\s*(\d+)", head)
        return bool(length) and len(body) >= int(length[1])


def status_of(received):
    """The status of the last answer in the bytes of an exchange, None if there is no answer."""
    found = re.findall(rb"HTTP/1\.\d (\d{3})", received)
    return int(found[-1]) if found else None


def body_of(received):
    return json.loads(received[received.rindex(b"\r\n\r\n") + 4 :])


def events(lines):
    """The events of a stream as the contract writes them, and nothing else: `data: {...}`, an empty line, comments between."""
    data = None
    for line in lines:
        if line.startswith(":"):
            continue
        if line == "":
            if data is not None:
                yield json.loads(data)
            data = None
            continue
        assert line.startswith("data: "), f"a line that is no event: {line!r}"
        assert data is None, "an event has two lines"
        data = line.removeprefix("data: ")
    assert data is None, "the last event has no empty line behind it"
