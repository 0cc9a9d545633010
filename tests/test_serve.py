"""`rocketqa serve` answers as `rocketqa search` does, whoever asks at once."""

import asyncio
import json
import os
import shlex
import subprocess

import pytest
from tiny_service import run, search_answers, search_flags, send_request, serving
from toy_files import ENVIRONMENT, verb

from rocketqa.cli.serve import EXAMPLE, build_parser


def as_printed(answers: list[dict]) -> str:
    """Returns answers as `rocketqa search` prints them."""
    printed = ""
    for answer in answers:
        printed += f"{answer['rank']}\t{answer['score']:.6g}\t{answer['passage_id']}\t"
        printed += f"{answer['title']}\n\t{answer['text']}\n"
    return printed + "\n"


def test_answers_are_those_of_search(encoded, port, tmp_path):
    flags = [*search_flags(encoded), "--depth", 7, "w1 w2"]
    assert as_printed(search_answers(port, "w1 w2", 7)) == run("search", *flags)
    ranks = [answer["rank"] for answer in search_answers(port, "w4")]
    assert ranks == list(range(1, 11))
    cross_encoder = ["--cross-encoder", encoded / "cross"]
    index = tmp_path / "index"
    run("index", "--passage-vectors", encoded / "vectors", "--factory", "Flat", "--output", index)
    with serving(encoded, *cross_encoder, "--index", index) as (_, other):
        expected = run("search", *flags, *cross_encoder)
        assert as_printed(search_answers(other, "w1 w2", 7)) == expected
        health = json.loads(send_request(other, "GET", "/health")[2])
        assert health == {"status": "ok", "passages": 41, "reranks": True, "rerank_depth": 50}


def test_a_thousand_requests_at_once_are_each_answered_as_alone(port):
    queries = [f"w{i} w{i * 7 % 40}" for i in range(40)]
    alone = [search_answers(port, query) for query in queries]

    async def ask(number: int, ready: asyncio.Barrier) -> list[dict]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await ready.wait()
        body = json.dumps({"query": queries[number % 40]}).encode()
        head = (
            b"POST /search HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        writer.write(head + body)
        response = await reader.read(-1)
        writer.close()
        assert response.startswith(b"HTTP/1.1 200 ")
        return json.loads(response.partition(b"\r\n\r\n")[2])["answers"]

    async def ask_all() -> list[list[dict]]:
        ready = asyncio.Barrier(1000)
        return await asyncio.gather(*(ask(number, ready) for number in range(1000)))

    assert asyncio.run(ask_all()) == [alone[number % 40] for number in range(1000)]


def serve_until_error(*flags: object, environment=ENVIRONMENT) -> subprocess.CompletedProcess:
    command = verb("serve", *flags)
    return subprocess.run(command, env=environment, text=True, capture_output=True)


def test_a_taken_port_is_one_line(encoded, port):
    ended = serve_until_error(*search_flags(encoded), "--port", port)
    assert ended.returncode == 2 and "Address already in use" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_without_its_extra_it_says_so_in_one_line_and_still_helps(tmp_path):
    (tmp_path / "fastapi.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'fastapi'\", name='fastapi')"
    )
    path = f"{tmp_path}{os.pathsep}{ENVIRONMENT.get('PYTHONPATH', '')}"
    environment = ENVIRONMENT | {"PYTHONPATH": path}
    helped = serve_until_error("--help", environment=environment)
    assert (helped.returncode, helped.stderr) == (0, "")
    ended = serve_until_error(*search_flags(tmp_path), environment=environment)
    error = "rocketqa serve: expected fastapi, got none: pip install 'rocketqa[serve]'\n"
    assert (ended.returncode, ended.stderr) == (2, error)


@pytest.mark.parametrize("value", ["-1", "65536", "http", ""])
def test_a_port_is_a_number_that_tcp_knows(value, capsys):
    with pytest.raises(SystemExit):
        build_parser().parse_args([*shlex.split(EXAMPLE)[2:-1], value])
    assert "--port" in capsys.readouterr().err


def test_the_example_of_the_help_is_a_command_that_the_parser_takes():
    _, name, *flags = shlex.split(EXAMPLE)
    assert name == "serve"
    args = build_parser().parse_args(flags)
    assert (args.host, args.port) == ("127.0.0.1", 8000)
