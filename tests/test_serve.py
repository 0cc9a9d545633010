"""The service answers as `rocketqa search` does, whoever asks at once, at this machine alone, until told to end."""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import time

import pytest
from tiny_service import asked, flags, run, searched, serving
from toy_files import ENVIRONMENT, verb


def printed(answers: list[dict]) -> str:
    """Returns answers as `rocketqa search` prints them."""
    return (
        "".join(
            f"{answer['rank']}\t{answer['score']:.6g}\t{answer['passage_id']}\t{answer['title']}\n"
            f"\t{answer['text']}\n"
            for answer in answers
        )
        + "\n"
    )


def test_answers_are_those_of_search(encoded, port):
    assert printed(searched(port, "w1 w2", 7)) == run(
        "search", *flags(encoded), "--depth", 7, "w1 w2"
    )
    assert [answer["rank"] for answer in searched(port, "w4")] == list(range(1, 11))
    with serving(encoded, "--cross-encoder", encoded / "cross") as (_, other):
        expected = run(
            "search", *flags(encoded), "--cross-encoder", encoded / "cross", "--depth", 7, "w1 w2"
        )
        assert printed(searched(other, "w1 w2", 7)) == expected
        assert json.loads(asked(other, "GET", "/health")[2]) == {
            "status": "ok",
            "passages": 41,
            "reranks": True,
        }


@pytest.mark.parametrize(
    "host, status",
    [
        ("evil.example", 400),
        ("127.0.0.1.evil.example:80", 400),
        ("LOCALHOST:80", 200),
        ("127.0.0.1", 200),
    ],
)
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
        writer.write(
            b"POST /search HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        head, _, answer = (await reader.read(-1)).partition(b"\r\n\r\n")
        writer.close()
        assert head.startswith(b"HTTP/1.1 200 ")
        return json.loads(answer)["answers"]

    async def ask_all() -> list[list[dict]]:
        ready = asyncio.Barrier(1000)
        return await asyncio.gather(*(ask(number, ready) for number in range(1000)))

    assert asyncio.run(ask_all()) == [alone[number % 40] for number in range(1000)]


SOUND = b'{"query": "w1"}'


def test_it_listens_at_this_machine_alone(port):
    address = socket.gethostbyname(socket.gethostname())
    if not address.startswith("127."):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=5)


def test_it_ends_when_it_is_told_to_after_it_has_answered(encoded):
    with serving(encoded) as (service, port):
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


def test_a_taken_port_is_one_line(encoded, port):
    ended = subprocess.run(
        verb("serve", *flags(encoded), "--port", port),
        env=ENVIRONMENT,
        text=True,
        capture_output=True,
    )
    assert ended.returncode == 2 and "Address already in use" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_without_its_extra_it_says_so_in_one_line_and_still_helps(tmp_path):
    (tmp_path / "fastapi.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'fastapi'\", name='fastapi')"
    )
    environment = ENVIRONMENT | {
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{ENVIRONMENT.get('PYTHONPATH', '')}"
    }
    for words, status, told in (
        (["--help"], 0, ""),
        (
            flags(tmp_path),
            2,
            "rocketqa serve: expected fastapi, got none: pip install 'rocketqa[serve]'\n",
        ),
    ):
        ended = subprocess.run(
            verb("serve", *words), env=environment, text=True, capture_output=True
        )
        assert (ended.returncode, ended.stderr) == (status, told)
