"""Processes that make the same output: one works, the others wait; a kill leaves no lock."""

import subprocess
import sys
from pathlib import Path

import pytest
from copy_job import names

ROOT = Path(__file__).resolve().parents[1]
PROCESS = """
import os, sys
from pathlib import Path
from copy_job import copy_job

folder, output = Path(sys.argv[1]), sys.argv[2]

def make(part):
    print("working", flush=True)
    word = sys.stdin.readline().strip()
    (part / (output if output == "out.tsv" else "weights")).write_text(word)
    if word == "die":
        os._exit(9)

print(copy_job(folder, output).run(make))
"""


@pytest.fixture
def process(job, tmp_path):
    """Starts processes that make the same output: each says "working" and writes a word."""
    started = []

    def start(output: str, word: str = "") -> subprocess.Popen:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", PROCESS, str(tmp_path), output]
        path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        one = subprocess.Popen(command, env=path, text=True, stdin=pipe, stdout=pipe, stderr=pipe)
        started.append(one)
        one.stdin.write(word)
        one.stdin.flush()
        return one

    yield start
    for one in started:
        one.kill()
        one.communicate()


@pytest.mark.parametrize("output", ["out.tsv", "out"])
def test_a_second_process_waits_and_finds_the_output_finished(process, tmp_path, output):
    first = process(output)
    assert first.stdout.readline() == "working\n"
    second = process(output, "second\n")
    waiting = f"{tmp_path / output}.part: another process works there; waiting for it to end\n"
    assert second.stderr.readline() == waiting
    assert second.poll() is None
    assert first.communicate("first", timeout=20)[0] == "0\n"
    assert second.communicate(timeout=20) == ("0\n", f"{tmp_path / output}: up to date\n")
    result = tmp_path / output / "weights" if output == "out" else tmp_path / output
    assert result.read_text() == "first"
    assert not list(tmp_path.glob("*.part"))


def test_a_killed_process_leaves_its_pieces_no_lock_and_no_output(process, tmp_path):
    first = process("out")
    assert first.communicate("die", timeout=20)[0] == "working\n" and first.returncode == 9
    assert names(tmp_path) == {"in.tsv", "out.part/job.json", "out.part/weights"}
    second = process("out")
    assert second.communicate("again", timeout=20) == ("working\n0\n", "")
    assert (tmp_path / "out/weights").read_text() == "again"
