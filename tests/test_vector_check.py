"""A service refuses damaged vectors before it listens, or answers 503 until it knows."""

import asyncio
import json
import signal
import threading

import pytest
from asgi_calls import SCOPE, post_search
from damage import flip
from tiny_service import VALID_BODY
from waiting import wait_until

from rocketqa.files.errors import DataError
from rocketqa.jobs.digests import seal_folder
from rocketqa.search import vector_check
from rocketqa.search.service import application
from rocketqa.search.vector_check import VectorCheck


@pytest.fixture
def folder(tmp_path):
    """A folder with a manifest."""
    (tmp_path / "vectors.00000.npy").write_bytes(bytes(100))
    seal_folder(tmp_path)
    return tmp_path


@pytest.fixture
def slow(monkeypatch):
    """Lets a check last until the event is set."""
    event = threading.Event()
    refuse = vector_check.refuse_damaged

    def wait_and_refuse(*folders):
        assert event.wait(30)
        refuse(*folders)

    monkeypatch.setattr(vector_check, "refuse_damaged", wait_and_refuse)
    return event


def test_sound_vectors_may_be_used_when_the_check_has_ended(folder):
    check = VectorCheck([folder])
    check.start()
    assert not check.is_running()
    check.raise_fault()


def test_damaged_vectors_are_refused_at_the_start(folder):
    flip(folder / "vectors.00000.npy")
    with pytest.raises(DataError, match="vectors.00000.npy: expected the bytes that meta.json"):
        VectorCheck([folder]).start()


def test_damage_that_is_found_late_ends_the_process_and_is_named(folder, slow):
    flip(folder / "vectors.00000.npy")
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        check = VectorCheck([folder], patience=0)
        check.start()
        assert check.is_running()
        slow.set()
        wait_until(lambda: received)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert check.is_running()
    with pytest.raises(DataError, match="vectors.00000.npy: expected the bytes"):
        check.raise_fault()


def health(app) -> tuple[int, dict]:
    """Returns status and content of GET /health."""
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b""}

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(app(SCOPE | {"method": "GET", "path": "/health"}, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_a_query_gets_503_while_the_vectors_are_checked(folder, slow):
    check = VectorCheck([folder], patience=0)
    check.start()
    app = application(lambda query, depth: [], 1, is_checking=check.is_running)
    status, body = post_search(app, VALID_BODY)
    assert status == 503 and "still compared with their digests" in json.loads(body)["error"]
    assert health(app) == (503, {"status": "checking", "passages": 1, "reranks": False})
    slow.set()
    check._thread.join(30)
    assert post_search(app, VALID_BODY)[0] == 200
    assert health(app)[1]["status"] == "ok"
