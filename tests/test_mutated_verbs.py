"""A mutated file ends no verb or builder in a traceback; verbs refuse what validate names."""

import io
import shutil
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
from broken_files import SOUND
from data_prep_runs import call
from hypothesis import given, settings
from hypothesis import strategies as st
from marco_files import MICROSOFT, RELEASED
from mutations import mutated

from rocketqa.cli.__main__ import main
from rocketqa.jobs import finishing

FILES = {name: content for name, content in SOUND.items() if not name.startswith("examples")} | {
    "answers.train.tsv": b"q1\tmoon\nq2\tgemini\tfour\n",
    "train.run": (
        b"q1\tp1\t1\t2.5\nq1\tp2\t2\t1.5\nq1\tp4\t3\t1.5\nq2\tp4\t1\t0.5\nq2\tp3\t2\t0.25\n"
    ),
    "scored.run": (
        b"q1\tp1\t1\t0.95\nq1\tp4\t2\t0.05\nq1\tp2\t3\t0.01\nq2\tp4\t1\t0.95\nq2\tp3\t2\t0.02\n"
    ),
}
# Classes of faults that only a comparison of two files shows; a verb may read just one of them.
FAULTS_OF_TWO_FILES = ("unknown ids", "training queries", "positive and negative")

SAMPLE_DUAL = "sample-negatives --negatives 2 --seed 1 --output out --for dual"
SAMPLE_CROSS = "sample-negatives --negatives 2 --seed 1 --output out --for cross"
STRICT_COMMANDS = (
    "evaluate --run dev.run --qrels qrels.dev.tsv",
    "evaluate --run marco.run --qrels qrels.dev.tsv",
    "evaluate --run dev.run --answers answers.dev.tsv --collection collection.tsv",
    f"{SAMPLE_DUAL} --qrels qrels.train.tsv --run train.run",
    f"{SAMPLE_CROSS} --qrels qrels.train.tsv --run train.run --scores scored.run "
    "--depth 2 --fill-depth 3",
    f"{SAMPLE_DUAL} --qrels qrels.train.tsv --collection collection.tsv",
    f"{SAMPLE_DUAL} --answers answers.train.tsv --run train.run --collection collection.tsv "
    "--scores scored.run",
    "pseudo-label --run train.run --scores scored.run --negatives 2 --output out",
    "report-denoising --run train.run --scores scored.run --collection collection.tsv "
    "--queries queries.train.tsv --qrels qrels.train.tsv --max-negative 0.01 --output out",
    "statistics --collection collection.tsv --queries queries.train.tsv queries.dev.tsv "
    "--output out",
)
LENIENT_COMMANDS = (
    "evaluate --mode official --run dev.run --qrels qrels.dev.tsv",
    "evaluate --mode official --match regex --run dev.run --answers answers.dev.tsv "
    "--collection collection.tsv",
    "evaluate --mode released --run marco.run --answers answers.dev.tsv "
    "--collection collection.tsv",
)


class Ended(NamedTuple):
    """How a verb ended and what it printed."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture(autouse=True, scope="module")
def without_git() -> Iterator[None]:
    """Manifests name no commit: a git process for each would take most of the time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(finishing, "current_commit", str)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sound FILES."""
    path = tmp_path_factory.mktemp("data")
    for name, content in FILES.items():
        (path / name).write_bytes(content)
    return path


def call_verb(words: list[str]) -> Ended:
    """Calls a verb in this process."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        status = main(words)
    return Ended(status, stdout.getvalue(), stderr.getvalue())


def run_anew(folder: Path, command: str) -> Ended:
    """Runs a command without earlier output; names of FILES and `out` are meant in the folder."""
    for path in list(folder.glob("out*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    words = []
    for word in command.split():
        is_path = word in FILES or word == "out"
        words.append(str(folder / word) if is_path else word)
    return call_verb(words)


@pytest.mark.parametrize("command", STRICT_COMMANDS + LENIENT_COMMANDS)
def test_the_sound_files_are_taken_by_every_verb(folder, command):
    assert run_anew(folder, command).status == 0


def names_a_fault_of_one_file(validated: Ended, path: Path, *allowed: str) -> bool:
    """Returns whether validate names the file, and a fault that it shows without other files.

    allowed: classes of faults that do not count.
    """
    lines = validated.stdout.splitlines()
    classes = {line.split("\t")[0] for line in lines if ": expected " not in line}
    is_named = validated.status == 2 and f"{path}:" in validated.stdout
    return is_named and bool(classes.difference(FAULTS_OF_TWO_FILES, allowed))


@settings(max_examples=200, deadline=None)
@given(mutated(FILES))
def test_verbs_refuse_in_one_line_what_validate_names_in_their_files(folder, case):
    file, content = case
    (folder / file).write_bytes(content)
    validated = call_verb(["validate", str(folder)])
    assert validated.status in (0, 2)
    for command in STRICT_COMMANDS + LENIENT_COMMANDS:
        verb, *words = command.split()
        if file not in words:
            continue
        ended = run_anew(folder, command)
        assert ended.status in (0, 2)
        if ended.status == 2:
            assert ended.stderr.splitlines()[-1].startswith(f"rocketqa {verb}: ")
        # A run with scores is evaluated by these where its ranks begin below 1.
        allowed = ("ranks",) if verb == "evaluate" else ()
        is_faulty = names_a_fault_of_one_file(validated, folder / file, *allowed)
        if is_faulty and command in STRICT_COMMANDS:
            assert ended.status == 2, command
    (folder / file).write_bytes(FILES[file])


def with_dots(files: dict[str, str], folder: str = "") -> dict[str, bytes]:
    """Returns file name -> content; `__` in a name becomes a dot."""
    return {folder + name.replace("__", "."): text.encode() for name, text in files.items()}


SOURCES = with_dots(MICROSOFT) | with_dots(RELEASED, "marco/")


@settings(max_examples=150, deadline=None)
@given(mutated(SOURCES), st.sampled_from(["microsoft", "released"]))
def test_a_builder_builds_what_validate_takes_or_ends_in_one_line(tmp_path_factory, case, source):
    built = tmp_path_factory.mktemp("built")
    mutated_file, mutated_content = case
    for name, content in SOURCES.items():
        path = built / "from" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutated_content if name == mutated_file else content)
    flags = ("--output", built / "out", "--from", built / "from", "--source", source)
    status, stderr = call("marco.py", *flags)
    if status:
        assert status == 2 and stderr.splitlines()[-1].startswith("data_prep/marco.py: ")
    else:
        validated = call_verb(["validate", str(built / "out")])
        faults = [line for line in validated.stdout.splitlines() if "\t" in line]
        assert all(line.startswith("unknown ids\t") for line in faults), validated.stdout
        assert validated.stdout, validated.stderr
    shutil.rmtree(built)
