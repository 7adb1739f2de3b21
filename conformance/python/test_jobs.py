"""`/v1/jobs`: transcriptions that outlive their connection."""

import json
import time
import uuid

import pytest

import shapes
from sounds import Sound, sample
from target import SECONDS, events, parts

pytestmark = pytest.mark.amanuensis

JOB_KEYS = {"id", "object", "status", "created_at", "started_at", "finished_at", "expires_at", "name", "model", "options", "duration", "processed", "language", "error"}
OVER = {"succeeded", "failed", "cancelled"}
FORMATS = ["json", "text", "srt", "vtt", "verbose_json", "tsv", "lrc", "csv", "ass", "aud"]


def check(job):
    shapes.keys(job, JOB_KEYS, what="a job")
    assert job["id"].startswith("job_") and job["object"] == "transcription.job"
    assert job["status"] in {"queued", "running"} | OVER, job["status"]
    assert type(job["created_at"]) is int and abs(job["created_at"] - time.time()) < 3600
    for key in ("started_at", "finished_at", "expires_at"):
        assert job[key] is None or type(job[key]) is int, f"{key} is {job[key]!r}"
    assert job["started_at"] is None or job["created_at"] <= job["started_at"]
    assert job["finished_at"] is None or job["created_at"] <= job["finished_at"]
    assert (job["finished_at"] is not None) == (job["status"] in OVER), job
    assert isinstance(job["model"], str) and isinstance(job["options"], dict)
    assert job["duration"] is None or shapes.is_number(job["duration"])
    assert shapes.is_number(job["processed"]) and job["processed"] >= 0
    assert (job["error"] is not None) == (job["status"] == "failed"), job
    if job["error"] is not None:
        shapes.error_object({"error": job["error"]})
    return job


@pytest.fixture
def post(http, target, wait_for):
    """Posts a job, and clears it away behind the check."""
    made = []

    def send(sound=None, headers=None, status=202, **fields):
        response = http.post("/v1/jobs", files=parts({"model": target.model} | fields, sound or sample("english.wav")), headers=headers)
        job = check(shapes.is_json(shapes.is_ok(response, status)))
        made.append(job["id"])
        return job

    yield send
    for job in set(made):
        if http.get(f"/v1/jobs/{job}").status_code == 200:
            http.post(f"/v1/jobs/{job}/cancel")
            wait_for(lambda: http.delete(f"/v1/jobs/{job}").status_code in (200, 404), "a job that is over can be deleted", SECONDS)


@pytest.fixture
def finished(http, wait_for):
    def wait(job):
        def over():
            now = check(shapes.is_ok(http.get(f"/v1/jobs/{job['id']}")).json())
            return now if now["status"] in OVER else None

        return wait_for(over, "the job ends", SECONDS)

    return wait


@pytest.fixture
def done(post, finished):
    """A job that has succeeded."""
    job = finished(post(sample("two-voices.wav")))
    assert job["status"] == "succeeded", job
    return job


# Posting


def test_post(post, finished):
    """A job is taken with 202, and succeeds"""
    job = post(sample("two-voices.wav"))
    assert job["status"] in ("queued", "running") and job["name"] == "two-voices.wav"
    job = finished(job)
    assert job["status"] == "succeeded" and job["started_at"] is not None and job["language"] == "en"
    assert abs(job["duration"] - sample("two-voices.wav").seconds) <= shapes.SLACK
    assert abs(job["processed"] - job["duration"]) <= shapes.SLACK, job


def test_post_names_the_job(http, target, wait_for):
    """The answer to a post names the job's place"""
    response = http.post("/v1/jobs", files=parts({"model": target.model}, sample("english.wav")))
    job = shapes.is_ok(response, 202).json()
    location = response.headers.get("location")
    wait_for(lambda: http.get(f"/v1/jobs/{job['id']}").json()["status"] in OVER, "the job ends", SECONDS)
    http.delete(f"/v1/jobs/{job['id']}")
    assert location is None or location.endswith(f"/v1/jobs/{job['id']}"), location


def test_options(post, finished):
    """The options of a job are those that were posted"""
    job = post(sample("german.wav"), language="de", temperature="0.2", beam_size="2", prompt="Bahnhof")
    assert job["options"]["language"] == "de", job["options"]
    assert finished(job)["status"] == "succeeded"


@pytest.mark.parametrize(("name", "value"), [("stream", "true"), ("response_format", "srt"), ("nonsense", "1"), ("temperature", "7"), ("language", "xx")])
def test_fields_that_a_job_has_not(http, target, name, value):
    """A field that a job has not, or cannot have so, is refused by name"""
    response = http.post("/v1/jobs", files=parts({"model": target.model, name: value}, sample("english.wav")))
    shapes.error(response, 400, kind="invalid_request_error", names=name)


def test_jobs_without_file(http, target):
    """A job without a sound is refused"""
    shapes.error(http.post("/v1/jobs", files=parts({"model": target.model})), 400, names="file")
    shapes.error(http.post("/v1/jobs", files=parts({"model": target.model}, Sound("empty.wav", b""))), 400)
    shapes.error(http.post("/v1/jobs", files=parts({}, sample("english.wav"))), 400, names="model")
    shapes.error(http.post("/v1/jobs", files=parts({"model": "nobody"}, sample("english.wav"))), 404, code="model_not_found")
    shapes.error(http.post("/v1/jobs", content=b"{}", headers={"content-type": "application/json"}), 415)


def test_sound_that_cannot_be_read(http, target, finished):
    """A job whose sound cannot be read is refused, or fails with an error of four keys"""
    response = http.post("/v1/jobs", files=parts({"model": target.model}, Sound("notes.wav", b"no sound " * 100)))
    if response.status_code != 202:
        shapes.error(response, 400, 415)
        return
    job = finished(response.json())
    assert job["status"] == "failed" and job["error"]["type"] == "invalid_request_error", job
    shapes.error(http.get(f"/v1/jobs/{job['id']}/result"), 400, 404, 409, 415)
    shapes.is_ok(http.delete(f"/v1/jobs/{job['id']}"))


# Idempotency


def test_same_key_same_request(post):
    """The same idempotency key with the same request gives the same job"""
    key = {"idempotency-key": str(uuid.uuid4())}
    first = post(headers=key)
    again = post(headers=key)
    assert again["id"] == first["id"] and again["created_at"] == first["created_at"]


def test_same_key_other_request(post, http, target):
    """The same idempotency key with another request is a conflict"""
    key = {"idempotency-key": str(uuid.uuid4())}
    post(headers=key)
    for fields, sound in [({}, sample("german.wav")), ({"temperature": "0.4"}, sample("english.wav"))]:
        response = http.post("/v1/jobs", files=parts({"model": target.model} | fields, sound), headers=key)
        shapes.error(response, 409, kind="conflict")


def test_other_key(post):
    """Other keys, and none, give jobs of their own"""
    ids = {post(headers={"idempotency-key": str(uuid.uuid4())})["id"], post(headers={"idempotency-key": str(uuid.uuid4())})["id"], post()["id"], post()["id"]}
    assert len(ids) == 4


@pytest.mark.parametrize("key", ["", "x" * 5000], ids=["empty", "long"])
def test_key_that_is_none(http, target, key):
    """An idempotency key that is empty or endless is refused"""
    response = http.post("/v1/jobs", files=parts({"model": target.model}, sample("english.wav")), headers={"idempotency-key": key})
    shapes.error(response, 400, kind="invalid_request_error")


# Lists


def test_list(post, http):
    """Jobs are listed newest first, in pages"""
    made = [post()["id"] for _ in range(3)]
    first = shapes.is_json(shapes.is_ok(http.get("/v1/jobs", params={"limit": 2})))
    shapes.keys(first, {"object", "data", "has_more"})
    assert first["object"] == "list" and [check(job)["id"] for job in first["data"]] == made[:0:-1] and first["has_more"] is True
    second = shapes.is_ok(http.get("/v1/jobs", params={"limit": 2, "after": made[1]})).json()
    assert second["data"][0]["id"] == made[0]


def test_all_pages(post, http):
    """All pages together are every job, once"""
    made = [post()["id"] for _ in range(5)]
    seen, after = [], None
    while True:
        page = shapes.is_ok(http.get("/v1/jobs", params={"limit": 2} | ({"after": after} if after else {}))).json()
        seen += [job["id"] for job in page["data"]]
        if not page["has_more"]:
            break
        assert len(page["data"]) == 2
        after = page["data"][-1]["id"]
    assert len(set(seen)) == len(seen) and set(made) <= set(seen)
    times = [http.get(f"/v1/jobs/{job}").json()["created_at"] for job in seen]
    assert times == sorted(times, reverse=True)


def test_list_by_status(done, http):
    """Jobs can be listed by status"""
    listed = shapes.is_ok(http.get("/v1/jobs", params={"status": "succeeded"})).json()["data"]
    assert done["id"] in [job["id"] for job in listed] and {job["status"] for job in listed} == {"succeeded"}
    listed = shapes.is_ok(http.get("/v1/jobs", params={"status": "failed"})).json()["data"]
    assert done["id"] not in [job["id"] for job in listed]


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=many", "status=lost", "after=job_nobody", "limit=1000000", "nonsense=1"])
def test_list_of_nothing(http, query):
    """A list that cannot be meant is refused by name"""
    shapes.error(http.get(f"/v1/jobs?{query}"), 400, 404, names=query.partition("=")[0])


def test_unknown_job(http):
    """An unknown job is a 404 with not_found, for every question"""
    for method, path in [("GET", ""), ("POST", "/cancel"), ("DELETE", ""), ("GET", "/result"), ("GET", "/events"), ("GET", "/audio")]:
        shapes.error(http.request(method, f"/v1/jobs/job_nobody{path}"), 404, kind="invalid_request_error", code="not_found")


# Results


def test_results(done, http, transcribe):
    """The result in every format is the direct transcription, to the letter"""
    for name in FORMATS:
        direct = shapes.is_ok(transcribe(sample("two-voices.wav"), response_format=name))
        result = shapes.is_ok(http.get(f"/v1/jobs/{done['id']}/result", params={"format": name}))
        assert result.headers["content-type"] == direct.headers["content-type"], name
        if "json" in name:
            assert result.json() == direct.json(), name
        else:
            assert result.text == direct.text, name


def test_result_is_verbose(done, http):
    """The result is verbose_json if no format is asked for"""
    shapes.verbose(shapes.is_json(shapes.is_ok(http.get(f"/v1/jobs/{done['id']}/result"))))


def test_result_with_words(post, finished, http, transcribe):
    """A job with words has them in its result, as a direct transcription has"""
    job = finished(post(sample("two-voices.wav"), **{"timestamp_granularities[]": ["word", "segment"]}))
    result = shapes.is_ok(http.get(f"/v1/jobs/{job['id']}/result")).json()
    shapes.verbose(result, words_asked=True)
    direct = transcribe(sample("two-voices.wav"), {"timestamp_granularities[]": ["word", "segment"]}, response_format="verbose_json").json()
    assert result == direct


def test_result_longer_than_a_window(post, finished, http, transcribe):
    """A job of more than one window gives what the direct transcription gives"""
    job = finished(post(sample("ten-sentences.opus")))
    assert http.get(f"/v1/jobs/{job['id']}/result").json() == transcribe(sample("ten-sentences.opus"), response_format="verbose_json").json()


def test_result_of_unknown_format(done, http):
    """A result in an unknown format is refused"""
    shapes.error(http.get(f"/v1/jobs/{done['id']}/result", params={"format": "xml"}), 400, names="format")


def test_result_before(post, http, very_long_sound):
    """A result before the end is a conflict with not_finished"""
    job = post(very_long_sound)
    shapes.error(http.get(f"/v1/jobs/{job['id']}/result"), 409, kind="conflict", code="not_finished")


# Events


def test_events(post, http, long_sound):
    """Events begin with the status, tell every segment once and in order, and end with done"""
    job = post(long_sound)
    with http.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        shapes.is_ok(response)
        assert response.headers["content-type"].split(";")[0] == "text/event-stream"
        assert response.headers["x-accel-buffering"] == "no"
        received = list(events(response.iter_lines()))
    kinds = [event["type"] for event in received]
    assert kinds[0] == "job.status" and kinds[-1] == "job.done" and kinds.count("job.done") == 1, kinds
    assert set(kinds) <= {"job.status", "job.progress", "job.segment", "job.done"}, set(kinds)
    for event in received:
        if event["type"] in ("job.status", "job.done"):
            shapes.keys(event, {"type", "job"}, what="an event")
            check(event["job"])
    assert received[-1]["job"]["status"] == "succeeded"
    segments = [event["segment"] for event in received if event["type"] == "job.segment"]
    result = http.get(f"/v1/jobs/{job['id']}/result").json()
    assert [segment["text"] for segment in segments] == [segment["text"] for segment in result["segments"]]
    shapes.segments(segments, result["duration"])
    progress = [event for event in received if event["type"] == "job.progress"]
    assert progress, "there is no progress"
    for event in progress:
        shapes.keys(event, {"type", "processed", "total"}, what="progress")
        assert 0 <= event["processed"] <= event["total"] + shapes.SLACK, event
    assert [event["processed"] for event in progress] == sorted(event["processed"] for event in progress)


def test_events_afterwards(done, http):
    """The events of a job that is over tell its segments and end"""
    with http.stream("GET", f"/v1/jobs/{done['id']}/events") as response:
        received = list(events(shapes.is_ok(response).iter_lines()))
    assert received[0]["type"] == "job.status" and received[-1] == {"type": "job.done", "job": done}
    result = http.get(f"/v1/jobs/{done['id']}/result").json()
    assert [event["segment"] for event in received if event["type"] == "job.segment"] == result["segments"]


def test_events_of_a_cancelled_job(post, http, very_long_sound):
    """The events of a job that is cancelled end"""
    job = post(very_long_sound)
    with http.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        received = events(response.iter_lines())
        next(received)
        http.post(f"/v1/jobs/{job['id']}/cancel")
        last = list(received)[-1]
    assert last["type"] == "job.done" and last["job"]["status"] == "cancelled"


def test_events_from_the_middle(post, http, long_sound):
    """Who comes in the middle hears the segments that are finished first"""
    job = post(long_sound)
    with http.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        next(event for event in events(response.iter_lines()) if event["type"] == "job.segment")
    with http.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        received = list(events(response.iter_lines()))
    segments = [event["segment"] for event in received if event["type"] == "job.segment"]
    assert segments == http.get(f"/v1/jobs/{job['id']}/result").json()["segments"]


# Cancelling and deleting


def test_cancel(post, http, very_long_sound, finished):
    """A job can be cancelled, and stays so"""
    job = post(very_long_sound)
    answer = check(shapes.is_ok(http.post(f"/v1/jobs/{job['id']}/cancel")).json())
    assert answer["id"] == job["id"]
    assert finished(job)["status"] == "cancelled"
    shapes.error(http.get(f"/v1/jobs/{job['id']}/result"), 404, 409)


def test_cancel_twice(post, http, very_long_sound, finished):
    """Cancelling a job that is over is a conflict"""
    job = post(very_long_sound)
    http.post(f"/v1/jobs/{job['id']}/cancel")
    finished(job)
    shapes.error(http.post(f"/v1/jobs/{job['id']}/cancel"), 409, kind="conflict")


def test_cancel_afterwards(done, http):
    """Cancelling a job that has succeeded is a conflict, and changes nothing"""
    shapes.error(http.post(f"/v1/jobs/{done['id']}/cancel"), 409, kind="conflict")
    assert http.get(f"/v1/jobs/{done['id']}").json() == done


def test_delete(done, http):
    """A deleted job is forgotten, with its result and its sound"""
    answer = shapes.is_json(shapes.is_ok(http.delete(f"/v1/jobs/{done['id']}")))
    assert answer == {"id": done["id"], "object": "transcription.job", "deleted": True}
    for path in ("", "/result", "/events", "/audio"):
        shapes.error(http.get(f"/v1/jobs/{done['id']}{path}"), 404, code="not_found")
    shapes.error(http.delete(f"/v1/jobs/{done['id']}"), 404, code="not_found")


def test_delete_before(post, http, very_long_sound):
    """A job that is not over cannot be deleted"""
    job = post(very_long_sound)
    shapes.error(http.delete(f"/v1/jobs/{job['id']}"), 409, kind="conflict")
    shapes.is_ok(http.get(f"/v1/jobs/{job['id']}"))


def test_direct_beside_jobs(post, http, very_long_sound, transcribe, text_of):
    """A short request is answered while a long job runs"""
    post(very_long_sound)
    begin = time.monotonic()
    assert shapes.is_ok(transcribe()).json()["text"] == text_of("english.wav")
    assert time.monotonic() - begin < 20


# The sound


def test_audio(done, http):
    """The sound comes back as it was uploaded"""
    response = shapes.is_ok(http.get(f"/v1/jobs/{done['id']}/audio"))
    assert response.content == sample("two-voices.wav").data
    assert response.headers["accept-ranges"] == "bytes"
    assert not response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(("asked", "start", "end"), [("bytes=0-99", 0, 100), ("bytes=1000-1000", 1000, 1001), ("bytes=339000-", 339000, None), ("bytes=-100", -100, None), ("bytes=339000-99999999", 339000, None)])
def test_ranges(done, http, asked, start, end):
    """A part of the sound can be had"""
    data = sample("two-voices.wav").data
    response = shapes.is_ok(http.get(f"/v1/jobs/{done['id']}/audio", headers={"range": asked}), 206)
    assert response.content == data[start:end]
    first = start % len(data)
    assert response.headers["content-range"] == f"bytes {first}-{first + len(response.content) - 1}/{len(data)}"
    assert int(response.headers["content-length"]) == len(response.content)


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_ranges_outside(done, http, asked):
    """A part that is not there is refused with 416"""
    response = http.get(f"/v1/jobs/{done['id']}/audio", headers={"range": asked})
    assert response.status_code == 416, response.status_code
    assert response.headers["content-range"] == f"bytes */{len(sample('two-voices.wav').data)}"


@pytest.mark.parametrize("asked", ["bytes=5-2", "lines=1-2", "bytes=a-b", "bytes="])
def test_ranges_that_are_none(done, http, asked):
    """A range that is none is passed over, or refused"""
    response = http.get(f"/v1/jobs/{done['id']}/audio", headers={"range": asked})
    assert response.status_code in (200, 400, 416), response.status_code
    assert response.status_code != 200 or response.content == sample("two-voices.wav").data


def test_audio_cannot_do_harm(post, finished, http):
    """A sound that calls itself a page is not shown as one"""
    job = finished(post(Sound('a"b\r\nx: y.html', sample("english.wav").data, "text/html")))
    response = shapes.is_ok(http.get(f"/v1/jobs/{job['id']}/audio"))
    assert not response.headers["content-type"].startswith("text/html"), response.headers
    assert response.headers.get("x-content-type-options") == "nosniff" or "attachment" in response.headers.get("content-disposition", ""), response.headers
    assert "x" not in response.headers


def test_jobs_are_json(done):
    """A job can be written as JSON and read back"""
    assert json.loads(json.dumps(done, allow_nan=False)) == done
