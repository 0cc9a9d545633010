"""What the service does not take is refused in a line of JSON or cut off, and it answers on."""

import asyncio
import json
import select
import socket
import threading
import time
from contextlib import ExitStack

import pytest
import uvicorn
from misbehaving_server import wait_until
from tiny_service import asked, searched, serving

SOUND = b'{"query": "w1"}'
REQUEST = (
    b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    % len(SOUND)
    + SOUND
)
LONG = "w" * (1 << 24)  # more than buffers between two processes hold


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, b""),
        (422, b"{"),
        (422, b"nonsense"),
        (422, b"[]"),
        (422, b"null"),
        (422, b'"w1"'),
        (422, b"{}"),
        (422, b'{"query": 1}'),
        (422, b'{"query": null}'),
        (422, b'{"query": ["w1"]}'),
        (422, b'{"query": ""}'),
        (422, b'{"query": " \\n\\t"}'),
        (422, b'{"query": "w1\\u0000"}'),
        (422, b'{"query": "\\ud800"}'),
        (422, b'{"query": "w1", "depth": 0}'),
        (422, b'{"query": "w1", "depth": 101}'),
        (422, b'{"query": "w1", "depth": 1.5}'),
        (422, b'{"query": "w1", "depth": "5"}'),
        (422, b'{"query": "w1", "depth": true}'),
        (422, b'{"query": "w1", "depth": 1e999}'),
        (400, b'{"query": "w1", "depth": ' + b"9" * 5000 + b"}"),
        (422, b'{"query": "w1", "more": 1}'),
        (422, json.dumps({"query": "w" * 2001}).encode()),
        (400, SOUND + b"\xff"),
        (422, SOUND + b"\0"),
        (400, b'{"query": "\xff\xfe"}'),
        (400, b"[" * 60_000),
        (400, b'{"query":' * 7000),
        (413, b'{"query": "' + b"w" * (1 << 17) + b'"}'),
    ],
)
def test_an_unsound_body_is_refused_in_one_line_of_json(port, status, body):
    found, headers, answer = asked(port, "POST", "/search", body)
    told = json.loads(answer)["error"]
    assert (found, headers["Content-Type"]) == (status, "application/json")
    assert (
        told
        and "\n" not in told
        and "Traceback" not in answer
        and "rocketqa/" not in answer
        and len(answer) < 500
    )
    assert searched(port, "w1", 1)


def test_what_is_refused_is_named(port):
    def told(body):
        return json.loads(asked(port, "POST", "/search", json.dumps(body))[2])["error"]

    assert told({"query": "w1", "depth": 101}) == "depth: Input should be less than or equal to 100"
    assert told({"depth": 1}) == "query: Field required"
    assert "expected text, got none or a NUL" in told({"query": " "})
    for body, kind, expected in (
        (
            b"{'query'}",
            "application/json",
            "body: expected JSON, got at character 1: Expecting property name",
        ),
        (
            b"[" * 60_000,
            "application/json",
            "body: expected JSON in UTF-8, got none that can be read",
        ),
        (SOUND, "text/plain", "expected Content-Type: application/json, got text/plain"),
    ):
        assert expected in json.loads(asked(port, "POST", "/search", body, kind)[2])["error"]


@pytest.mark.parametrize("path", ["/", "/health"])
def test_a_head_is_the_answer_without_its_body(port, path):
    status, headers, body = asked(port, "HEAD", path)
    _, whole, answer = asked(port, "GET", path)
    assert (status, headers["Content-Length"], body) == (
        200,
        whole["Content-Length"],
        "",
    ) and answer


def test_another_content_type_path_or_method_is_refused_with_json(port):
    for status, method, path, kind in (
        (415, "POST", "/search", "text/plain"),
        (405, "GET", "/search", "text/plain"),
        (415, "POST", "/search", "application/x-www-form-urlencoded"),
        (404, "GET", "/health/", ""),
        (405, "OPTIONS", "/", ""),
        (405, "PUT", "/", ""),
        (404, "GET", "/nothing", ""),
        (404, "GET", "/../../etc/passwd", ""),
        (405, "POST", "/", ""),
        (404, "GET", "/docs", ""),
        (404, "GET", "/openapi.json", ""),
    ):
        found, headers, body = asked(port, method, path, SOUND if method == "POST" else None, kind)
        assert found == status and json.loads(body).keys() == {"error"}, (method, path, body)
        assert ("Allow" in headers) == (status == 405)


def test_what_is_no_http_does_no_harm(port):
    for sent in (
        b"\0\xff\n\n",
        b"GET / HTTP/1.1\r\n" + b"x" * 100_000,
        b"POST /search HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            try:
                assert b"200 OK" not in connection.recv(1 << 16)
            except ConnectionError:
                pass
    assert searched(port, "w1", 1)


async def called(app, receive, sent: list[dict]) -> int:
    """Returns the status of a POST to /search; `sent` gets what the application sends."""

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    await app(
        {
            "type": "http",
            "method": "POST",
            "path": "/search",
            "headers": headers,
            "query_string": b"",
        },
        receive,
        send,
    )
    return sent[0]["status"]


def test_a_fault_of_the_service_is_told_without_its_trace():
    from rocketqa.search import service

    def broken(query, depth):
        raise ZeroDivisionError("secret")

    async def receive():
        return {"type": "http.request", "body": SOUND}

    sent = []
    with pytest.raises(ZeroDivisionError):  # for the log
        asyncio.run(called(service.application(broken, 0, False), receive, sent))
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"]) == {"error": "the service failed; its own log says why"}


def test_of_a_body_without_an_end_no_more_is_read_than_is_taken():
    from rocketqa.search import service

    taken = []

    async def endless():
        taken.append(b"w" * 10_000)
        return {"type": "http.request", "body": taken[-1], "more_body": len(taken) < 1000}

    assert (
        asyncio.run(called(service.application(None, 0, False), endless, [])) == 413
        and len(taken) == 7
    )


def test_a_slow_or_one_request_too_many_is_refused(monkeypatch):
    from rocketqa.search import service

    monkeypatch.setattr(service, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(service, "MOST_REQUESTS", 1)
    gate = service.Gate(service.application(lambda query, depth: [], 0, False))

    async def never():
        await asyncio.sleep(5)

    async def both() -> list[int]:
        return await asyncio.gather(called(gate, never, []), called(gate, never, []))

    assert asyncio.run(both()) == [408, 503]


@pytest.fixture
def impatient(monkeypatch):
    """The port of a service in this process that waits a fifth of a second, and answers slowly, at length."""
    from rocketqa.search import service
    from rocketqa.search.retriever import Answer

    def ask(query: str, depth: int) -> list[Answer]:
        time.sleep(0.5)
        return [Answer("p", "", LONG, 1.0)]

    monkeypatch.setattr(service, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(service, "TAKE_SECONDS", 0.2)
    app = service.application(ask, 1, False)
    server = uvicorn.Server(uvicorn.Config(app, http=service.Connection, log_level="critical"))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        yield bound.getsockname()[1]
        server.should_exit = True
        thread.join()


def read_all(connection: socket.socket) -> int:
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
    with socket.create_connection(("127.0.0.1", impatient), timeout=10) as connection:
        connection.sendall(begun)
        assert (read_all(connection) > 0) == (b"health" in begun)


def test_who_takes_no_answer_is_cut_off_and_who_takes_it_gets_it_all(impatient):
    for pause, least, most in ((0, 2 * len(LONG), 3 * len(LONG)), (2, 0, len(LONG))):
        with socket.create_connection(("127.0.0.1", impatient), timeout=10) as connection:
            connection.sendall(2 * REQUEST)
            time.sleep(pause)
            assert least <= read_all(connection) < most


def test_who_has_left_is_not_waited_for(impatient):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", impatient), timeout=10) as connection:
            connection.sendall(REQUEST)
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", impatient), timeout=10) as connection:
        connection.sendall(REQUEST)
        assert b"200 OK" in connection.recv(100) and time.monotonic() - begin < 5


def test_more_connections_than_files_may_be_open_are_cut_off(encoded):
    with serving(encoded, shell="ulimit -n 256; exec") as (service, port), ExitStack() as opened:
        waiting = [
            opened.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(400)
        ]
        wait_until(lambda: len(select.select(waiting, [], [], 0)[0]) > 250)
        opened.close()
        assert searched(port, "w1", 1)
        service.terminate()
        assert service.stderr.read() == ""
