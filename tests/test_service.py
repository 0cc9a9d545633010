"""The service answers in JSON, and what it does not take it refuses in one line of JSON."""

import asyncio
import json
import socket
import threading

import pytest
from asgi_calls import BROWSER, call_search, post_search
from tiny_service import VALID_BODY, search_answers, send_request
from waiting import wait_until

from rocketqa.files.errors import DataError
from rocketqa.search import service
from rocketqa.search.answer import Answer
from rocketqa.search.service import application


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
        (400, VALID_BODY + b"\xff"),
        (422, VALID_BODY + b"\0"),
        (400, b'{"query": "\xff\xfe"}'),
        (400, b"[" * 60_000),
        (400, b'{"":' * 15_000),
        (413, b'{"query": "' + b"w" * (1 << 17) + b'"}'),
    ],
)
def test_an_unsound_body_is_refused_in_one_line_of_json(port, status, body):
    response_status, headers, response = send_request(port, "POST", "/search", body)
    error = json.loads(response)["error"]
    assert (response_status, headers["Content-Type"]) == (status, "application/json")
    assert error and "\n" not in error
    assert "Traceback" not in response and "rocketqa/" not in response and len(response) < 500
    assert search_answers(port, "w1", 1)


def error_of(port: int, body: bytes, kind: str = "application/json") -> str:
    _, _, response = send_request(port, "POST", "/search", body, kind)
    return json.loads(response)["error"]


@pytest.mark.parametrize(
    "fields, error",
    [
        ({"query": "w1", "depth": 101}, "depth: Input should be less than or equal to 100"),
        ({"depth": 1}, "query: Field required"),
        ({"query": "w1", "more": 1}, "more: Extra inputs are not permitted"),
        ({"query": " "}, "query: Value error, expected text, got none or a NUL"),
    ],
)
def test_a_refused_field_is_named(port, fields, error):
    assert error_of(port, json.dumps(fields).encode()) == error


@pytest.mark.parametrize(
    "body, kind, error",
    [
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
        (VALID_BODY, "text/plain", "expected Content-Type: application/json, got text/plain"),
    ],
)
def test_a_body_that_is_not_json_is_named(port, body, kind, error):
    assert error in error_of(port, body, kind)


@pytest.mark.parametrize("path", ["/", "/health"])
def test_a_head_is_the_answer_without_its_body(port, path):
    status, headers, body = send_request(port, "HEAD", path)
    _, headers_of_get, body_of_get = send_request(port, "GET", path)
    assert (status, body) == (200, "") and body_of_get
    assert headers["Content-Length"] == headers_of_get["Content-Length"]


@pytest.mark.parametrize(
    "status, method, path, kind",
    [
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
    ],
)
def test_another_content_type_path_or_method_is_refused_with_json(port, status, method, path, kind):
    sent = VALID_BODY if method == "POST" else None
    response_status, headers, body = send_request(port, method, path, sent, kind)
    assert response_status == status
    assert json.loads(body).keys() == {"error"}
    assert ("Allow" in headers) == (status == 405)


@pytest.mark.parametrize(
    "sent",
    [
        b"\0\xff\n\n",
        b"GET / HTTP/1.1\r\n" + b"x" * 100_000,
        b"POST /search HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_what_is_no_http_does_no_harm(port, sent):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        try:
            assert b"200 OK" not in connection.recv(1 << 16)
        except ConnectionError:
            pass
    assert search_answers(port, "w1", 1)


def test_the_answers_of_a_query_are_json_with_ranks():
    asked = []

    def answer_query(query: str, depth: int) -> list[Answer]:
        asked.append((query, depth))
        return [Answer("p1", "t", "x", 2.5), Answer("p2", "", "y", -1.0)]

    status, body = post_search(application(answer_query, 2), b'{"query": "w", "depth": 7}')
    assert status == 200 and asked == [("w", 7)]
    assert body == (
        b'{"query":"w","answers":['
        b'{"rank":1,"score":2.5,"passage_id":"p1","title":"t","text":"x"},'
        b'{"rank":2,"score":-1.0,"passage_id":"p2","title":"","text":"y"}]}'
    )


def test_a_fault_of_the_service_is_told_without_its_trace():
    def answer_query(query: str, depth: int) -> list[Answer]:
        raise ZeroDivisionError("secret")

    sent = []
    with pytest.raises(ZeroDivisionError):  # for the log
        post_search(application(answer_query, 0), VALID_BODY, sent)
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"]) == {"error": "the service failed; its own log says why"}


def health_of(app) -> tuple[int, dict]:
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b""}

    request = {"method": "GET", "path": "/health", "headers": []}
    status = asyncio.run(call_search(app, receive, sent, **request))
    return status, json.loads(sent[1]["body"])


def test_it_is_unhealthy_from_a_failed_query_until_one_as_deep_is_answered(capsys):
    largest_depth = 5

    def answer_query(query: str, depth: int) -> list[Answer]:
        if depth > largest_depth:
            raise DataError("processes: expected x, got y")
        return []

    app = application(answer_query, 2)
    healthy = {"status": "ok", "passages": 2, "reranks": False}
    assert health_of(app) == (200, healthy)
    assert post_search(app, b'{"query": "w", "depth": 7}')[0] == 500
    assert capsys.readouterr().err == "rocketqa serve: processes: expected x, got y\n"
    unhealthy = {"error": "the service failed; its own log says why"}
    assert health_of(app) == (503, unhealthy)
    assert post_search(app, b'{"query": "w", "depth": 3}')[0] == 200
    assert health_of(app) == (503, unhealthy)
    largest_depth = 2
    assert post_search(app, b'{"query": "w", "depth": 3}')[0] == 500
    largest_depth = 3
    assert health_of(app) == (503, unhealthy)  # the query of depth 7 still fails
    largest_depth = 10
    assert health_of(app) == (200, healthy)


def test_it_is_unhealthy_while_a_search_does_not_end(monkeypatch):
    monkeypatch.setattr(service, "SLOW_SECONDS", 0)
    ended = threading.Event()
    app = application(lambda query, depth: ended.wait() and [], 2)
    searching = threading.Thread(target=post_search, args=(app, VALID_BODY))
    searching.start()
    wait_until(lambda: health_of(app)[0] == 503)
    assert health_of(app)[1] == {"error": "a search has not ended for 0 seconds"}
    ended.set()
    searching.join()
    assert health_of(app)[0] == 200


def test_a_browser_sees_on_the_page_that_the_service_failed():
    def answer_query(query: str, depth: int) -> list[Answer]:
        raise ZeroDivisionError("secret")

    async def receive() -> dict:
        return {"type": "http.request", "body": b""}

    sent: list[dict] = []
    with pytest.raises(ZeroDivisionError):  # for the log
        asyncio.run(call_search(application(answer_query, 0), receive, sent, **BROWSER))
    assert sent[0]["status"] == 500
    page = sent[1]["body"].decode()
    assert "<strong>No answer:</strong> the service failed; its own log says why</p>" in page
    assert 'value="w1"' in page and "secret" not in page


def test_the_page_says_what_the_scores_of_its_service_are():
    def answer_query(query: str, depth: int) -> list[Answer]:
        return [Answer("p1", "t", "x", 0.5)]

    async def receive() -> dict:
        return {"type": "http.request", "body": b""}

    for rerank_depth, unit in ((None, "dot product 0.5,"), (50, "probability of relevance 0.5,")):
        sent: list[dict] = []
        app = application(answer_query, 1, rerank_depth)
        assert asyncio.run(call_search(app, receive, sent, **BROWSER)) == 200
        assert unit in sent[1]["body"].decode()


def test_no_request_is_deeper_than_what_is_re_ranked():
    depths: list[int] = []
    app = application(lambda query, depth: depths.append(depth) or [], 9, 4, largest_depth=4)
    status, body = post_search(app, b'{"query": "w", "depth": 5}')
    assert (status, json.loads(body)["error"]) == (
        422,
        "depth: Input should be less than or equal to 4",
    )
    assert post_search(app, b'{"query": "w", "depth": 4}')[0] == 200
    assert post_search(app, b'{"query": "w"}')[0] == 200
    assert depths == [4, 4]

    async def receive() -> dict:
        return {"type": "http.request", "body": b""}

    def page(query_string: bytes) -> tuple[int, str]:
        sent: list[dict] = []
        browser = BROWSER | {"query_string": query_string}
        status = asyncio.run(call_search(app, receive, sent, **browser))
        return status, sent[1]["body"].decode()

    status, refused = page(b"query=w&depth=5")
    assert status == 422
    assert "Passages to show: expected a whole number from 1 to 4, got 5" in refused
    status, found = page(b"query=w")
    assert status == 200 and 'value="4" type="number" min="1" max="4"' in found
