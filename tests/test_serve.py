"""The service answers as `rocketqa search` does, whoever asks at once, and refuses the unsound in a line of JSON."""
import asyncio
import http.client
import importlib.util
import io
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse
from contextlib import contextmanager, redirect_stdout

import pytest
from toy_files import ENVIRONMENT, verb, write_tiny_flight

from rocketqa.cli.__main__ import main

pytestmark = pytest.mark.skipif(importlib.util.find_spec("uvicorn") is None or importlib.util.find_spec(
    "fastapi") is None, reason="the extra `serve` is not installed")

HARM = "<script>alert(1)</script> w3 & \"w5\" 'w7' {query}"


def run(*words: object) -> str:
    """Returns what a verb prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main([str(word) for word in words]) == 0
    return printed.getvalue()


@pytest.fixture(scope="module")
def flight(tmp_path_factory):
    """A folder with an encoded collection, one passage of it hostile, and both encoders."""
    from rocketqa.checkpoint import save_model, set_weights
    from rocketqa.cross_encoder import CrossEncoder
    from rocketqa.dual_encoder import DualEncoder
    from rocketqa.pretrained import load_pretrained

    folder = tmp_path_factory.mktemp("flight")
    write_tiny_flight(folder)
    with (folder / "collection.tsv").open("a") as file:
        file.write(f"p<i>&\t<b>title</b>\t{HARM}\n")
    init = load_pretrained(folder / "init")
    for name, model, weights in (
            ("dual", DualEncoder(init.config), DualEncoder.from_encoder_weights(init.weights)),
            ("cross", CrossEncoder(init.config), CrossEncoder.from_encoder_weights(init.weights, init.config, 1))):
        set_weights(model, weights, "test")
        (folder / name).mkdir()
        save_model(folder / name, model, init.tokenizer_files)
    run("encode", "--output", folder / "vectors", "--checkpoint", folder / "dual", "--collection",
        folder / "collection.tsv")
    return folder


def flags(folder) -> list:
    return ["--checkpoint", folder / "dual", "--collection", folder / "collection.tsv", "--passage-vectors",
            folder / "vectors"]


@contextmanager
def serving(folder, *further):
    """Gives a service in a process of its own, and its port."""
    service = subprocess.Popen(verb("serve", *flags(folder), "--port", 0, *further), env=ENVIRONMENT, text=True,
                               stderr=subprocess.PIPE)
    try:
        url = next(line for line in service.stderr if line.startswith("http://127.0.0.1:"))
        yield service, int(url.strip().strip("/").rsplit(":", 1)[1])
    finally:
        service.kill()
        service.wait()
        service.stderr.close()


@pytest.fixture(scope="module")
def port(flight):
    with serving(flight) as (_, number):
        yield number


def asked(port: int, method: str, path: str, body=None, kind: str = "application/json", **headers):
    """Returns status, headers and body of a response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": kind} | headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def searched(port: int, query: str, depth: int = 10) -> list[dict]:
    status, _, body = asked(port, "POST", "/search", json.dumps({"query": query, "depth": depth}))
    assert status == 200
    return json.loads(body)["answers"]


def printed(answers: list[dict]) -> str:
    """Returns answers as `rocketqa search` prints them."""
    return "".join(f"{answer['rank']}\t{answer['score']:.6g}\t{answer['passage_id']}\t{answer['title']}\n"
                   f"\t{answer['text']}\n" for answer in answers) + "\n"


def test_answers_are_those_of_search(flight, port):
    assert printed(searched(port, "w1 w2", 7)) == run("search", *flags(flight), "--depth", 7, "w1 w2")
    assert [answer["rank"] for answer in searched(port, "w4")] == list(range(1, 11))
    with serving(flight, "--cross-encoder", flight / "cross") as (_, other):
        expected = run("search", *flags(flight), "--cross-encoder", flight / "cross", "--depth", 7, "w1 w2")
        assert printed(searched(other, "w1 w2", 7)) == expected
        assert json.loads(asked(other, "GET", "/health")[2]) == {"status": "ok", "passages": 41, "reranks": True}


@pytest.mark.parametrize("host, status", [("evil.example", 400), ("127.0.0.1.evil.example:80", 400),
                                          ("LOCALHOST:80", 200), ("127.0.0.1", 200)])
def test_a_name_that_is_not_of_this_machine_is_no_host(port, host, status):
    found, _, body = asked(port, "GET", "/health", Host=host)
    assert found == status and ("error" in json.loads(body)) == (status == 400)


def test_a_thousand_requests_at_once_are_each_answered_as_alone(port):
    queries = [f"w{i} w{i * 7 % 40}" for i in range(40)]
    alone = [searched(port, query) for query in queries]

    async def ask(number: int, ready: asyncio.Barrier) -> list[dict]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await ready.wait()
        body = json.dumps({"query": queries[number % 40]}).encode()
        writer.write(b"POST /search HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                     b"Content-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(body) + body)
        head, _, answer = (await reader.read(-1)).partition(b"\r\n\r\n")
        writer.close()
        assert head.startswith(b"HTTP/1.1 200 ")
        return json.loads(answer)["answers"]

    async def ask_all() -> list[list[dict]]:
        ready = asyncio.Barrier(1000)
        return await asyncio.gather(*(ask(number, ready) for number in range(1000)))

    assert asyncio.run(ask_all()) == [alone[number % 40] for number in range(1000)]


SOUND = b'{"query": "w1"}'


@pytest.mark.parametrize(("status", "body"), [
    (422, b""), (422, b"{"), (422, b"nonsense"), (422, b"[]"), (422, b"null"), (422, b'"w1"'), (422, b"{}"),
    (422, b'{"query": 1}'), (422, b'{"query": null}'), (422, b'{"query": ["w1"]}'), (422, b'{"query": ""}'),
    (422, b'{"query": " \\n\\t"}'), (422, b'{"query": "w1\\u0000"}'), (422, b'{"query": "\\ud800"}'),
    (422, b'{"query": "w1", "depth": 0}'), (422, b'{"query": "w1", "depth": 101}'),
    (422, b'{"query": "w1", "depth": 1.5}'), (422, b'{"query": "w1", "depth": "5"}'),
    (422, b'{"query": "w1", "depth": true}'),
    (422, b'{"query": "w1", "depth": 1e999}'),
    (400, b'{"query": "w1", "depth": ' + b"9" * 5000 + b"}"),
    (422, b'{"query": "w1", "more": 1}'), (422, json.dumps({"query": "w" * 2001}).encode()), (400, SOUND + b"\xff"),
    (422, SOUND + b"\0"), (400, b'{"query": "\xff\xfe"}'), (400, b"[" * 60_000), (400, b'{"query":' * 7000),
    (413, b'{"query": "' + b"w" * (1 << 17) + b'"}')])
def test_an_unsound_body_is_refused_in_one_line_of_json(port, status, body):
    found, headers, answer = asked(port, "POST", "/search", body)
    told = json.loads(answer)["error"]
    assert (found, headers["Content-Type"]) == (status, "application/json")
    assert told and "\n" not in told and "Traceback" not in answer and "rocketqa/" not in answer and len(answer) < 500
    assert searched(port, "w1", 1)


def test_what_is_refused_is_named(port):
    def told(body):
        return json.loads(asked(port, "POST", "/search", json.dumps(body))[2])["error"]

    assert told({"query": "w1", "depth": 101}) == "depth: Input should be less than or equal to 100"
    assert told({"depth": 1}) == "query: Field required"
    assert "expected text, got none or a NUL" in told({"query": " "})


def test_another_content_type_path_or_method_is_refused_with_json(port):
    for status, method, path, kind in ((422, "POST", "/search", "text/plain"), (405, "GET", "/search", "text/plain"),
                                       (404, "GET", "/nothing", ""), (404, "GET", "/../../etc/passwd", ""),
                                       (405, "POST", "/", ""), (404, "GET", "/docs", ""),
                                       (404, "GET", "/openapi.json", "")):
        found, _, body = asked(port, method, path, SOUND if method == "POST" else None, kind)
        assert found == status and json.loads(body).keys() == {"error"}, (method, path, body)


def test_what_is_no_http_does_no_harm(port):
    for sent in (b"\0\xff\n\n", b"GET / HTTP/1.1\r\n" + b"x" * 100_000,
                 b"POST /search HTTP/1.1\r\nContent-Length: -1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            try:
                assert b"200 OK" not in connection.recv(1 << 16)
            except ConnectionError:
                pass
    assert searched(port, "w1", 1)


def page(port: int, **form: str):
    return asked(port, "GET", "/?" + urllib.parse.urlencode(form))


def test_the_page_shows_the_answers_and_escapes_what_it_shows(port):
    status, headers, empty = page(port)
    assert status == 200 and headers["Content-Type"].startswith("text/html") and "<ol>" not in empty
    assert empty.count("<form") == 1 and "<script" not in empty and "http" not in empty
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    status, _, shown = page(port, query='w1 "><script>alert(2)</script>', depth="41")
    assert status == 200 and shown.count("<li>") == 41 and "<script" not in shown and "<b>" not in shown
    assert 'value="w1 &quot;&gt;&lt;script&gt;alert(2)&lt;/script&gt;"' in shown
    assert "&lt;b&gt;title&lt;/b&gt;" in shown and "p&lt;i&gt;&amp;," in shown and "&#x27;w7&#x27; {query}" in shown


@pytest.mark.parametrize("form", [{"query": "w" * 2001}, {"query": "w1\0"}, *(
    {"query": "w1", "depth": depth} for depth in ("0", "<b>", "", "9" * 5000))])
def test_the_page_says_what_it_does_not_take(port, form):
    status, _, shown = page(port, **form)
    assert status == 422 and "<p>" in shown and "<b>" not in shown and "<form" in shown


def test_it_listens_at_this_machine_alone(port):
    address = socket.gethostbyname(socket.gethostname())
    if not address.startswith("127."):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=5)


def test_it_ends_when_it_is_told_to_after_it_has_answered(flight):
    with serving(flight) as (service, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.putrequest("POST", "/search")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(SOUND)))
        connection.endheaders(SOUND[:5])
        time.sleep(0.2)
        service.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        connection.send(SOUND[5:])
        assert connection.getresponse().status == 200
        connection.close()
        assert service.wait(20) == 0 and "Traceback" not in service.stderr.read()


async def called(app, receive, sent: list[dict]) -> int:
    """Returns the status of a POST to /search; `sent` gets what the application sends."""
    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    await app({"type": "http", "method": "POST", "path": "/search", "headers": headers, "query_string": b""}, receive,
              send)
    return sent[0]["status"]


def test_a_fault_of_the_service_is_told_without_its_trace():
    from rocketqa import service

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
    from rocketqa import service

    taken = []

    async def endless():
        taken.append(b"w" * 10_000)
        return {"type": "http.request", "body": taken[-1], "more_body": len(taken) < 1000}

    assert asyncio.run(called(service.application(None, 0, False), endless, [])) == 413 and len(taken) == 7


def test_a_slow_or_one_request_too_many_is_refused(monkeypatch):
    from rocketqa import service

    monkeypatch.setattr(service, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(service, "MOST_REQUESTS", 1)
    gate = service.Gate(service.application(lambda query, depth: [], 0, False))

    async def never():
        await asyncio.sleep(5)

    async def both() -> list[int]:
        return await asyncio.gather(called(gate, never, []), called(gate, never, []))

    assert asyncio.run(both()) == [408, 503]


def test_a_taken_port_is_one_line(flight, port):
    ended = subprocess.run(verb("serve", *flags(flight), "--port", port), env=ENVIRONMENT, text=True,
                           capture_output=True)
    assert ended.returncode == 2 and "Address already in use" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_without_its_extra_it_says_so_in_one_line_and_still_helps(tmp_path):
    (tmp_path / "fastapi.py").write_text("raise ModuleNotFoundError(\"No module named 'fastapi'\", name='fastapi')")
    environment = ENVIRONMENT | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ENVIRONMENT.get('PYTHONPATH', '')}"}
    for words, status, told in ((["--help"], 0, ""), (flags(tmp_path), 2,
                                "rocketqa serve: expected fastapi, got none: pip install 'rocketqa[serve]'\n")):
        ended = subprocess.run(verb("serve", *words), env=environment, text=True, capture_output=True)
        assert (ended.returncode, ended.stderr) == (status, told)
