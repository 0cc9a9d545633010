"""Requests that are too large, too slow or too many are refused or cut off; others are answered."""

import asyncio
import select
import socket
import threading
import time
from contextlib import ExitStack

import pytest
import uvicorn
from asgi_calls import BROWSER, call_search
from tiny_service import VALID_BODY, search_answers, serving
from waiting import wait_until

from rocketqa.search import request_limits
from rocketqa.search.answer import Answer
from rocketqa.search.service import application

REQUEST = (
    b"POST /search HTTP/1.1\r\n"
    b"Host: localhost\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(VALID_BODY)
) + VALID_BODY
LONG_TEXT = "w" * (1 << 24)  # more than the buffers between two processes hold


def no_answers(query: str, depth: int) -> list[Answer]:
    return []


def test_of_a_body_without_an_end_no_more_is_read_than_is_taken():
    read = []

    async def receive_endlessly():
        read.append(b"w" * 10_000)
        return {"type": "http.request", "body": read[-1], "more_body": len(read) < 1000}

    app = application(no_answers, 0)
    assert asyncio.run(call_search(app, receive_endlessly, [])) == 413
    assert len(read) == 7


def test_a_slow_or_one_request_too_many_is_refused(monkeypatch):
    monkeypatch.setattr(request_limits, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(request_limits, "MOST_REQUESTS", 1)
    gate = request_limits.Gate(application(no_answers, 0))

    async def receive_never():
        await asyncio.sleep(5)

    async def call_both() -> list[int]:
        calls = [call_search(gate, receive_never, []) for _ in range(2)]
        return await asyncio.gather(*calls)

    assert asyncio.run(call_both()) == [408, 503]


def test_a_browser_that_is_refused_gets_the_page(monkeypatch):
    monkeypatch.setattr(request_limits, "MOST_REQUESTS", 0)
    sent: list[dict] = []

    async def receive_never():
        await asyncio.sleep(5)

    app = application(no_answers, 0)
    assert asyncio.run(call_search(app, receive_never, sent, **BROWSER)) == 503
    assert b"expected at most 0 requests at a time</p>" in sent[1]["body"]
    headers = dict(sent[0]["headers"])
    assert headers[b"connection"] == b"close" and b"text/html" in headers[b"content-type"]


@pytest.mark.parametrize("status, closes", [(400, False), (408, True), (413, True), (503, True)])
def test_a_refusal_closes_the_connection_of_who_sent_too_much(status, closes):
    refused = request_limits.refusal(status, "expected x, got y", {"Allow": "GET"})
    assert refused.status_code == status and refused.body == b'{"error":"expected x, got y"}'
    assert (refused.headers.get("Connection") == "close") == closes
    assert refused.headers["Allow"] == "GET"
    assert refused.headers["X-Content-Type-Options"] == "nosniff"


@pytest.fixture
def impatient(monkeypatch):
    """The port of a service in this process that waits .2 seconds; answers are slow and long."""

    def answer_slowly(query: str, depth: int) -> list[Answer]:
        time.sleep(0.5)
        return [Answer("p", "", LONG_TEXT, 1.0)]

    monkeypatch.setattr(request_limits, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(request_limits, "RESPONSE_SECONDS", 0.2)
    app = application(answer_slowly, 1)
    config = uvicorn.Config(app, http=request_limits.Connection, log_level="critical")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        yield bound.getsockname()[1]
        server.should_exit = True
        thread.join()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def count_bytes(connection: socket.socket) -> int:
    """Returns how many bytes came before the connection was at its end or cut off."""
    count = 0
    try:
        while received := connection.recv(1 << 20):
            count += len(received)
    except ConnectionResetError:
        pass
    return count


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT",
    ],
)
def test_who_never_ends_a_request_is_cut_off(impatient, begun):
    with connect(impatient) as connection:
        connection.sendall(begun)
        assert (count_bytes(connection) > 0) == (b"health" in begun)


@pytest.mark.parametrize("pause, least, most", [(0, 2, 3), (2, 0, 1)])
def test_who_takes_no_answer_is_cut_off_and_who_takes_it_gets_it_all(impatient, pause, least, most):
    with connect(impatient) as connection:
        connection.sendall(2 * REQUEST)
        time.sleep(pause)
        assert least * len(LONG_TEXT) <= count_bytes(connection) < most * len(LONG_TEXT)


def test_who_has_left_is_not_waited_for(impatient):
    for _ in range(20):
        with connect(impatient) as connection:
            connection.sendall(REQUEST)
    begin = time.monotonic()
    with connect(impatient) as connection:
        connection.sendall(REQUEST)
        assert b"200 OK" in connection.recv(100) and time.monotonic() - begin < 5


def test_more_connections_than_files_may_be_open_are_cut_off(encoded):
    with serving(encoded, shell="ulimit -n 256; exec") as (service, port), ExitStack() as opened:
        waiting = [
            opened.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(400)
        ]
        wait_until(lambda: len(select.select(waiting, [], [], 0)[0]) > 250)
        opened.close()
        assert search_answers(port, "w1", 1)
        service.terminate()
        assert service.stderr.read() == ""
