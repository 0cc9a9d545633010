"""`rocketqa tokenize` makes a store once, and continues after a kill."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from toy_files import ENVIRONMENT, verb, write_tiny_flight
from waiting import wait_until

from rocketqa.cli import tokenize
from rocketqa.files.formats import write_lines
from rocketqa.text.tokenizer import load_text_encoder


@pytest.fixture
def flight(tmp_path) -> Path:
    """A folder with tiny data files."""
    write_tiny_flight(tmp_path)
    return tmp_path


def tokenized(flight: Path, kind: str, *flags: object) -> int:
    """Returns the exit status of the verb on a file of the flight."""
    arguments = ["--checkpoint", flight / "init", f"--{kind}", flight / f"{kind}.tsv"]
    arguments += ["--output", flight / "out", *flags]
    return tokenize.main([str(argument) for argument in arguments])


@pytest.mark.parametrize("kind, other", [("collection", "queries"), ("queries", "collection")])
def test_the_manifest_names_the_tokenizer_and_not_the_checkpoint(flight, kind, other):
    assert tokenized(flight, kind) == 0
    manifest = json.loads((flight / "out/meta.json").read_text())
    digest = load_text_encoder(flight / "init").digest
    assert manifest["job"]["verb"] == "tokenize"
    assert manifest["job"]["flags"] == {other: None, "tokenizer": digest}
    assert list(manifest["job"]["inputs"]) == [kind]
    assert manifest["rows"] == 40


def test_a_store_is_up_to_date_with_every_folder_of_the_same_tokenizer(flight, capsys):
    assert tokenized(flight, "queries", "--check") == 3
    assert tokenized(flight, "queries") == 0
    assert capsys.readouterr().out == f"{flight}/out: 40 rows\n"
    (flight / "init").rename(flight / "moved")
    (flight / "init").mkdir()
    (flight / "init/vocab.txt").write_bytes((flight / "moved/vocab.txt").read_bytes())
    assert tokenized(flight, "queries", "--check") == 0
    (flight / "init/tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert tokenized(flight, "queries", "--check") == 3


def test_tokenising_that_was_killed_continues_to_the_same_bytes(flight):
    lines = (f"p{i}\tt\tw{i % 40} w{i // 40 % 40}" for i in range(300_000))
    write_lines(flight / "c.tsv", lines)
    flags = ["--checkpoint", flight / "init", "--collection", flight / "c.tsv", "--output"]
    straight, killed = flight / "straight", flight / "out"
    run = {"env": ENVIRONMENT, "stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    subprocess.run(verb("tokenize", *flags, straight), check=True, **run)
    process = subprocess.Popen(verb("tokenize", *flags, killed), **run)
    first_segment = flight / "out.part/ids.00000.ends.npy"
    wait_until(lambda: first_segment.is_file() or process.poll() is not None, seconds=60)
    assert process.poll() is None, "ended before it could be killed"
    time.sleep(random.Random(os.environ.get("KILL_SEED", "1")).uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    before = first_segment.stat().st_mtime_ns
    subprocess.run(verb("tokenize", *flags, killed), check=True, **run)
    assert (killed / first_segment.name).stat().st_mtime_ns == before
    files = {path.name for path in straight.iterdir()}
    assert files == {path.name for path in killed.iterdir()}
    for name in files - {"meta.json"}:
        assert (killed / name).read_bytes() == (straight / name).read_bytes()
