"""`rocketqa serve` over a tiny encoded collection with one hostile passage, and requests to it."""

import http.client
import io
import json
import shlex
import subprocess
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from stopping_processes import default_signals
from toy_files import ENVIRONMENT, verb, write_tiny_flight

from rocketqa.cli.__main__ import main

HOSTILE_TEXT = "<script>ran=1</script> w3 & \"w5\" 'w7' {query} $query"
VALID_BODY = b'{"query": "w1"}'


def run(*words: object) -> str:
    """Returns what a verb prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main([str(word) for word in words]) == 0
    return printed.getvalue()


def write_encoded_collection(folder: Path) -> None:
    """Writes a collection, a dual encoder, a cross encoder, and the vectors of the passages."""
    from rocketqa.cross_encoder import CrossEncoder
    from rocketqa.dual_encoder import DualEncoder
    from rocketqa.weights.pretrained import load_pretrained

    write_tiny_flight(folder)
    with (folder / "collection.tsv").open("a") as file:
        file.write(f"p<i>&\t<b>title</b>\t{HOSTILE_TEXT}\n")
    init = load_pretrained(folder / "init")
    dual_weights = DualEncoder.from_encoder_weights(init.weights)
    _save(folder / "dual", DualEncoder(init.config), dual_weights, init.tokenizer_files)
    cross_weights = CrossEncoder.from_encoder_weights(init.weights, init.config, 1)
    _save(folder / "cross", CrossEncoder(init.config), cross_weights, init.tokenizer_files)
    sources = ["--checkpoint", folder / "dual", "--collection", folder / "collection.tsv"]
    run("encode", "--output", folder / "vectors", *sources)


def _save(folder: Path, model, weights, tokenizer_files) -> None:
    from rocketqa.weights.checkpoint import save_model, set_weights

    set_weights(model, weights, "test")
    folder.mkdir()
    save_model(folder, model, tokenizer_files)


def search_flags(folder: Path) -> list[object]:
    """Returns the flags of `rocketqa search` and `rocketqa serve` for an encoded collection."""
    flags = ["--checkpoint", folder / "dual", "--collection", folder / "collection.tsv"]
    return [*flags, "--passage-vectors", folder / "vectors"]


@contextmanager
def serving(folder: Path, *further: object, shell: str = "exec"):
    """Gives a service in a process of its own, and its port; `shell`: what runs the command."""
    words = shlex.join(verb("serve", *search_flags(folder), "--port", 0, *further))
    service = subprocess.Popen(
        f"{shell} {words}",
        shell=True,
        env=ENVIRONMENT,
        text=True,
        stderr=subprocess.PIPE,
        preexec_fn=default_signals,
    )
    try:
        url = next(line for line in service.stderr if line.startswith("http://127.0.0.1:"))
        port = url.strip().strip("/").rsplit(":", 1)[1]
        yield service, int(port)
    finally:
        service.kill()
        service.wait()
        service.stderr.close()


def send_request(
    port: int, method: str, path: str, body=None, kind: str = "application/json", **headers
):
    """Returns status, headers and body of a response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": kind} | headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def search_answers(port: int, query: str, depth: int = 10) -> list[dict]:
    """Returns the answers of /search."""
    body = json.dumps({"query": query, "depth": depth})
    status, _, answer = send_request(port, "POST", "/search", body)
    assert status == 200
    return json.loads(answer)["answers"]
