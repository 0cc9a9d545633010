"""`rocketqa serve` over a tiny encoded collection, one passage of it hostile, for tests that ask it."""

import http.client
import io
import json
import shlex
import subprocess
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from toy_files import ENVIRONMENT, verb, write_tiny_flight

from rocketqa.cli.__main__ import main

HARM = "<script>ran=1</script> w3 & \"w5\" 'w7' {query}"


def run(*words: object) -> str:
    """Returns what a verb prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main([str(word) for word in words]) == 0
    return printed.getvalue()


def write_encoded_flight(folder: Path) -> None:
    """Writes a collection, both encoders and the vectors."""
    from rocketqa.cross_encoder import CrossEncoder
    from rocketqa.dual_encoder import DualEncoder
    from rocketqa.weights.checkpoint import save_model, set_weights
    from rocketqa.weights.pretrained import load_pretrained

    write_tiny_flight(folder)
    with (folder / "collection.tsv").open("a") as file:
        file.write(f"p<i>&\t<b>title</b>\t{HARM}\n")
    init = load_pretrained(folder / "init")
    for name, model, weights in (
        ("dual", DualEncoder(init.config), DualEncoder.from_encoder_weights(init.weights)),
        (
            "cross",
            CrossEncoder(init.config),
            CrossEncoder.from_encoder_weights(init.weights, init.config, 1),
        ),
    ):
        set_weights(model, weights, "test")
        (folder / name).mkdir()
        save_model(folder / name, model, init.tokenizer_files)
    run(
        "encode",
        "--output",
        folder / "vectors",
        "--checkpoint",
        folder / "dual",
        "--collection",
        folder / "collection.tsv",
    )


def flags(folder: Path) -> list:
    return [
        "--checkpoint",
        folder / "dual",
        "--collection",
        folder / "collection.tsv",
        "--passage-vectors",
        folder / "vectors",
    ]


@contextmanager
def serving(folder: Path, *further: object, shell: str = "exec"):
    """Gives a service in a process of its own, and its port; `shell`: what runs the command."""
    words = shlex.join(verb("serve", *flags(folder), "--port", 0, *further))
    service = subprocess.Popen(
        f"{shell} {words}", shell=True, env=ENVIRONMENT, text=True, stderr=subprocess.PIPE
    )
    try:
        url = next(line for line in service.stderr if line.startswith("http://127.0.0.1:"))
        yield service, int(url.strip().strip("/").rsplit(":", 1)[1])
    finally:
        service.kill()
        service.wait()
        service.stderr.close()


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
