"""Mutated files end no verb and no builder in a traceback; what validate names in a file, verbs that read it refuse."""

import io
import shutil
from contextlib import redirect_stderr, redirect_stdout

import pytest
from broken_files import SOUND
from data_prep_runs import call
from hypothesis import given, settings
from hypothesis import strategies as st
from test_marco import MICROSOFT, RELEASED
from test_mutations import mutated

from rocketqa.cli.__main__ import main
from rocketqa.jobs import job as artefacts

FILES = {name: content for name, content in SOUND.items() if not name.startswith("examples")} | {
    "answers.train.tsv": b"q1\tmoon\nq2\tgemini\tfour\n",
    "train.run": b"q1\tp1\t1\t2.5\nq1\tp2\t2\t1.5\nq1\tp4\t3\t1.5\nq2\tp4\t1\t0.5\nq2\tp3\t2\t0.25\n",
    "scored.run": b"q1\tp1\t1\t0.95\nq1\tp4\t2\t0.05\nq1\tp2\t3\t0.01\nq2\tp4\t1\t0.95\nq2\tp3\t2\t0.02\n",
}
OF_TWO_FILES = ("unknown ids", "training queries", "positive and negative")
SAMPLE = "sample-negatives --negatives 2 --seed 1 --output out"
VERBS = tuple(
    map(
        str.split,
        (
            "evaluate --run dev.run --qrels qrels.dev.tsv",
            "evaluate --run marco.run --qrels qrels.dev.tsv",
            "evaluate --run dev.run --answers answers.dev.tsv --collection collection.tsv",
            f"{SAMPLE} --for dual --qrels qrels.train.tsv --run train.run",
            f"{SAMPLE} --for cross --qrels qrels.train.tsv --run train.run --scores scored.run --depth 2 --fill-depth 3",
            f"{SAMPLE} --for dual --qrels qrels.train.tsv --collection collection.tsv",
            f"{SAMPLE} --for dual --answers answers.train.tsv --run train.run --collection collection.tsv --scores scored.run",
            "pseudo-label --run train.run --scores scored.run --negatives 2 --output out",
            "report-denoising --run train.run --scores scored.run --collection collection.tsv --queries queries.train.tsv "
            "--qrels qrels.train.tsv --max-negative 0.01 --output out",
            "statistics --collection collection.tsv --queries queries.train.tsv queries.dev.tsv --output out",
        ),
    )
)
LENIENT = tuple(
    map(
        str.split,
        (
            "evaluate --mode official --run dev.run --qrels qrels.dev.tsv",
            "evaluate --mode official --match regex --run dev.run --answers answers.dev.tsv --collection collection.tsv",
            "evaluate --mode released --run marco.run --answers answers.dev.tsv --collection collection.tsv",
        ),
    )
)


@pytest.fixture(autouse=True, scope="module")
def without_git():
    """Manifests name no commit: a process for each would take most of the time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(artefacts, "_commit", str)
        yield


@pytest.fixture(scope="module")
def flight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flight")
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


def called(folder, words: list[str]) -> tuple[int, str, str]:
    """Returns exit status, output and complaints of a verb whose files are in the folder."""
    for path in list(folder.glob("out*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    said, complaint = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(complaint):
        status = main(
            [str(folder / word) if word in FILES or word == "out" else word for word in words]
        )
    return status, said.getvalue(), complaint.getvalue()


@pytest.mark.parametrize("words", VERBS + LENIENT, ids=" ".join)
def test_the_sound_files_are_taken_by_every_verb(flight, words):
    assert called(flight, words)[0] == 0


@settings(max_examples=500, deadline=None)
@given(mutated(FILES))
def test_verbs_refuse_in_one_line_what_validate_names_in_their_files(flight, case):
    file, content = case
    (flight / file).write_bytes(content)
    status, said, _ = called(flight, ["validate", str(flight)])
    assert status in (0, 2)
    counted = {line.split("\t")[0] for line in said.splitlines() if ": expected " not in line}
    named = status == 2 and f"{flight / file}:" in said and counted.difference(OF_TWO_FILES)
    for words in VERBS + LENIENT:
        if file in words:
            status, _, complaint = called(flight, words)
            assert (
                status == 0
                or status == 2
                and complaint.splitlines()[-1].startswith(f"rocketqa {words[0]}: ")
            )
            assert status == 2 or not named or words in LENIENT, words
    (flight / file).write_bytes(FILES[file])


SOURCES = {name.replace("__", "."): content.encode() for name, content in MICROSOFT.items()} | {
    f"marco/{name.replace('__', '.')}": content.encode() for name, content in RELEASED.items()
}


@settings(max_examples=300, deadline=None)
@given(mutated(SOURCES), st.sampled_from(["microsoft", "released"]))
def test_a_builder_builds_what_validate_takes_or_ends_in_one_line(tmp_path_factory, case, source):
    folder, (file, content) = tmp_path_factory.mktemp("built"), case
    for name, sound in SOURCES.items():
        (folder / "from" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "from" / name).write_bytes(content if name == file else sound)
    status, told = call(
        "marco.py", "--output", folder / "out", "--from", folder / "from", "--source", source
    )
    if status:
        assert status == 2 and told.splitlines()[-1].startswith("data_prep/marco.py: ")
    else:
        said = called(folder, ["validate", str(folder / "out")])[1]
        assert {line.split("\t")[0] for line in said.splitlines()[-1:] if "\t" in line} <= {
            "unknown ids"
        }, said
    shutil.rmtree(folder)
