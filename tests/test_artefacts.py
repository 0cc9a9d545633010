"""An artefact is whole or not there; it is made again where its job or its bytes changed, and only there."""

import hashlib
import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

import rocketqa
from rocketqa.cli import sample_negatives
from rocketqa.files.errors import DataError
from rocketqa.jobs.job import Job, digest, file_digest
from rocketqa.jobs.paths import NOT_FINISHED, InputPath, OutputPath

HERE = Path(__file__).resolve().parents[1]
LOG = "train_log.tsv"
INPUT_SHA256 = hashlib.sha256(b"q1\tp1\n").hexdigest()


@pytest.fixture
def job(tmp_path):
    """Returns a maker of jobs that read one file; `output` ends in .tsv where it is a file."""
    (tmp_path / "in.tsv").write_bytes(b"q1\tp1\n")

    def make(output: str = "out.tsv", verb: str = "copy", source: str = "in.tsv", **flags) -> Job:
        args = Namespace(
            output=OutputPath(tmp_path / output),
            check=False,
            run=InputPath(tmp_path / source),
            **{"depth": 10, "save_every": 5} | flags,
        )
        return Job(verb, args, not_identity=("save_every",), logs=(LOG,))

    return make


def made(job: Job, content: str = "result\n") -> Path:
    """Makes a file, or a directory of two files and a log."""
    with job as part:
        if job.output.suffix == ".tsv":
            (part / job.output.name).write_text(content)
        else:
            (part / "shards").mkdir()
            for name in ("weights", "shards/0", LOG):
                (part / name).write_text(content)
    return job.output


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def altered(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


@pytest.mark.parametrize("output", ["out.tsv", "out"])
def test_a_finished_output_is_kept(job, output, capsys):
    assert job(output).status_if_done(check=False) is None
    assert job(output).status_if_done(check=True) == NOT_FINISHED == 3
    made(job(output))
    assert job(output).status_if_done(check=False) == job(output).status_if_done(check=True) == 0
    assert capsys.readouterr().err.splitlines() == [f"{job(output).output}: up to date"] * 2


CHANGES = {
    "an input byte": lambda folder, output: altered(folder / "in.tsv"),
    "an output byte": lambda folder, output: altered(
        output if output.is_file() else output / "shards/0"
    ),
    "a missing output": lambda folder, output: (
        output if output.is_file() else output / "weights"
    ).unlink(),
}


@pytest.mark.parametrize("output", ["out.tsv", "out"])
@pytest.mark.parametrize("change", CHANGES)
def test_an_output_is_made_again_after_a_change_of(job, tmp_path, change, output):
    CHANGES[change](tmp_path, made(job(output)))
    assert job(output).status_if_done(check=True) == NOT_FINISHED
    assert job(output).status_if_done(check=False) is None
    made(job(output))
    assert job(output).status_if_done(check=False) == 0


@pytest.mark.parametrize("manifest", [None, "", "{", "[]", '{"url": "of a download"}', "\udc80"])
def test_what_has_no_manifest_of_ours_is_somebodys_own_and_never_replaced(job, tmp_path, manifest):
    (tmp_path / "mine").mkdir()
    for output, file, beside, kind in (
        ("out.tsv", "out.tsv", "out.tsv.meta.json", "file"),
        ("mine", "mine/thesis.txt", "mine/meta.json", "folder"),
    ):
        (tmp_path / file).write_text("years of work")
        if manifest is not None:
            (tmp_path / beside).write_text(manifest, errors="surrogateescape")
        with pytest.raises(
            DataError, match=f"{output}: expected nothing there .* a {kind} without "
        ):
            job(output).status_if_done(check=False)
        assert (tmp_path / file).read_text() == "years of work"


def test_a_file_whose_manifest_a_kill_has_kept_from_its_place_is_made_again(job, tmp_path):
    made(job("out.tsv"))
    (tmp_path / "out.tsv.meta.json").unlink()
    (tmp_path / "out.tsv.part").mkdir()
    assert job("out.tsv").status_if_done(check=False) is None
    made(job("out.tsv"))
    assert job("out.tsv").status_if_done(check=False) == 0


@pytest.mark.parametrize("flags", [{"depth": 11}, {"verb": "paste"}, {"titles": True}])
def test_an_output_is_made_again_after_a_change_of_a_flag_or_verb(job, flags):
    made(job())
    assert job(**flags).status_if_done(check=False) is None


def test_neutral_flags_and_names_of_inputs_do_not_matter(job, tmp_path):
    made(job())
    assert job(save_every=7).status_if_done(check=False) == 0
    (tmp_path / "in.tsv").rename(tmp_path / "moved.tsv")
    assert job(source="moved.tsv").status_if_done(check=False) == 0


def test_each_file_of_a_list_is_an_input(job, tmp_path):
    (tmp_path / "more.tsv").write_text("q2\tp2\n")
    files = [InputPath(tmp_path / "in.tsv"), InputPath(tmp_path / "more.tsv")]
    made(job(examples=files))
    assert job(examples=files).status_if_done(check=False) == 0
    assert job(examples=files[::-1]).status_if_done(check=False) is None
    altered(tmp_path / "more.tsv")
    assert job(examples=files).status_if_done(check=False) is None


def test_logs_are_kept_but_are_no_part_of_the_identity(job):
    output = made(job("out"))
    before = digest(output)
    assert names(output) == {"weights", "shards/0", LOG, "meta.json"}
    altered(output / LOG)
    assert job("out").status_if_done(check=False) == 0 and digest(output) == before


def test_the_manifest_says_how_the_output_was_made(job, tmp_path):
    job_of_file = job()
    job_of_file.facts = {"rows": 1}
    made(job_of_file)
    manifest = json.loads((tmp_path / "out.tsv.meta.json").read_text())
    assert manifest.pop("commit") is not None
    assert manifest == {
        "job": {"verb": "copy", "flags": {"depth": 10}, "inputs": {"run": [INPUT_SHA256]}},
        "inputs": {"run": [str(tmp_path / "in.tsv")]},
        "version": rocketqa.__version__,
        "rows": 1,
        "outputs": {"out.tsv": hashlib.sha256(b"result\n").hexdigest()},
    }
    made(job("out"))
    listed = json.loads((tmp_path / "out/meta.json").read_text())["outputs"]
    assert listed == dict.fromkeys(["weights", "shards/0"], hashlib.sha256(b"result\n").hexdigest())


@pytest.mark.parametrize(
    "collection, checkpoint, titles",
    [
        ("yes", None, "yes"),
        ("no", "no", "no"),
        (None, "yes", "yes"),
        ("yes", "no", "mixed"),
        ("mixed", None, "mixed"),
        (None, None, None),
        ([], "?", None),
    ],
)
def test_titles_are_recorded_from_the_collection_on_and_a_mixture_is_said(
    job, tmp_path, capsys, collection, checkpoint, titles
):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/meta.json").write_text(json.dumps({"titles": checkpoint}))
    (tmp_path / "in.tsv.meta.json").write_text(json.dumps({"titles": collection}))
    first = made(job("encoded", checkpoint=InputPath(tmp_path / "model")))
    then = made(job("a.tsv", source="encoded"))
    told = [
        json.loads(path.read_text()).get("titles")
        for path in (first / "meta.json", Path(f"{then}.meta.json"))
    ]
    assert told == [titles, titles]
    assert (
        "some inputs are of passages with titles, others without" in capsys.readouterr().err
    ) == (titles == "mixed")


@pytest.mark.parametrize("content", ["", "{", "[]", "5", "\udc80", '{"verb": 1}', "[" * 100_000])
def test_a_damaged_manifest_of_an_input_or_of_unfinished_work_is_no_traceback(
    tmp_path, job, content
):
    made(job("out"))
    (tmp_path / "out/meta.json").write_text(content, errors="surrogateescape")
    assert len(digest(tmp_path / "out")) == 64
    part = tmp_path / "a.tsv.part"
    part.mkdir()
    (part / "job.json").write_text(content, errors="surrogateescape")
    (part / "state-5").write_text("precious")
    precious = Job("copy", Namespace(output=tmp_path / "a.tsv"), keep_unfinished="state-*")
    with pytest.raises(
        DataError,
        match="job.json: expected what its unfinished work is, got something else; to begin",
    ):
        made(precious)
    assert (part / "state-5").read_text() == "precious"


@pytest.mark.parametrize("output", ["out.tsv", "out"])
def test_an_exception_leaves_the_part_and_no_output(job, tmp_path, output):
    with pytest.raises(ZeroDivisionError), job(output) as part:
        (part / "out.tsv").write_text("half")
        raise ZeroDivisionError
    assert names(tmp_path) == {"in.tsv", f"{output}.part/out.tsv", f"{output}.part/job.json"}
    assert job(output).status_if_done(check=False) is None


@pytest.mark.parametrize("output", ["out.tsv", "out"])
def test_an_exception_leaves_the_output_of_an_earlier_job_as_it_was(job, output):
    made(job(output))
    with pytest.raises(ZeroDivisionError), job(output, depth=11) as part:
        (part / "out.tsv").write_text("half")
        raise ZeroDivisionError
    assert (
        job(output).status_if_done(check=False) == 0
        and job(output, depth=11).status_if_done(check=False) is None
    )


def test_finished_pieces_survive_for_the_same_job_and_are_wiped_for_another(job):
    def pieces(**flags):
        with pytest.raises(ZeroDivisionError), job("out", **flags) as part:
            found = names(part) - {"job.json"}
            (part / "shards").mkdir(exist_ok=True)
            (part / "shards/0").write_text("piece")
            raise ZeroDivisionError
        return found

    assert pieces() == set()
    assert pieces() == pieces(save_every=7) == {"shards/0"}
    assert pieces(depth=11) == set()
    assert pieces() == set()


@pytest.mark.parametrize("output", ["out.tsv", "out"])
def test_making_again_leaves_nothing_of_the_old_output(job, tmp_path, output):
    made(job(output), "a longer old result\n")
    if output == "out":
        (tmp_path / "out/old").write_text("old")
    made(job(output, depth=11), "new\n")
    after = (
        {"out.tsv", "out.tsv.meta.json"}
        if output == "out.tsv"
        else {"out/weights", "out/shards/0", f"out/{LOG}", "out/meta.json"}
    )
    assert names(tmp_path) == {"in.tsv", *after}
    assert (tmp_path / ("out.tsv" if output == "out.tsv" else "out/weights")).read_text() == "new\n"
    assert (
        job(output, depth=11).status_if_done(check=False) == 0
        and job(output).status_if_done(check=False) is None
    )


def test_the_digest_of_a_directory_with_other_bytes_than_its_manifest_is_refused(job):
    output = made(job("out"))
    altered(output / "shards/0")
    with pytest.raises(DataError) as error:
        digest(output)
    assert (
        str(error.value)
        == f"{output}/shards/0: expected the bytes that meta.json lists, got others"
    )
    (output / "shards/0").unlink()
    with pytest.raises(DataError, match="shards/0: expected the bytes"):
        digest(output)


def test_digests_follow_bytes_and_names_inside_a_directory_and_not_its_own_name(job, tmp_path):
    assert digest(tmp_path / "in.tsv") == file_digest(tmp_path / "in.tsv") == INPUT_SHA256
    assert digest(made(job("a"))) == digest(made(job("b"))) != digest(made(job("c"), "other\n"))
    folder = tmp_path / "foreign"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/one").write_text("1")
    before = digest(folder)
    (folder / "deep/one").rename(folder / "deep/two")
    assert digest(folder) != before


def test_a_missing_input_is_refused(job, tmp_path):
    with pytest.raises(DataError, match="expected a file, got nothing there"):
        job(source="none.tsv")


PROCESS = """
import os, sys
from argparse import Namespace
from pathlib import Path
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath

folder, output = Path(sys.argv[1]), sys.argv[2]
job = Job("copy", Namespace(output=folder / output, check=False, run=InputPath(folder / "in.tsv"), depth=10))
status = job.status_if_done(False)
if status is None:
    with job as part:
        print("working", flush=True)
        word = sys.stdin.readline().strip()
        (part / (output if output == "out.tsv" else "weights")).write_text(word)
        if word == "die":
            os._exit(9)
print(status)
"""


@pytest.fixture
def process(tmp_path):
    """Starts processes that make the same output: each says "working" and writes the word it is told."""
    started = []

    def start(output: str, word: str = "") -> subprocess.Popen:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", PROCESS, str(tmp_path), output],
                cwd=HERE,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
        started[-1].stdin.write(word)
        started[-1].stdin.flush()
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


@pytest.mark.parametrize("output", ["out.tsv", "out"])
def test_a_second_process_waits_and_finds_the_output_finished(job, process, tmp_path, output):
    first = process(output)
    assert first.stdout.readline() == "working\n"
    second = process(output, "second\n")
    waiting = f"{tmp_path / output}.part: another process works there; waiting for it to end\n"
    assert second.stderr.readline() == waiting and second.poll() is None
    assert first.communicate("first", timeout=20)[0] == "None\n"
    assert second.communicate(timeout=20) == ("0\n", f"{tmp_path / output}: up to date\n")
    assert (tmp_path / output / ("weights" if output == "out" else "")).read_text() == "first"
    assert not list(tmp_path.glob("*.part"))


def test_a_killed_process_leaves_its_pieces_no_lock_and_no_output(job, process, tmp_path):
    first = process("out")
    assert first.communicate("die", timeout=20)[0] == "working\n" and first.returncode == 9
    assert names(tmp_path) == {"in.tsv", "out.part/job.json", "out.part/weights"}
    second = process("out")
    assert second.communicate("again", timeout=20) == ("working\nNone\n", "")
    assert (tmp_path / "out/weights").read_text() == "again"


def test_a_job_that_another_process_finished_meanwhile_is_not_made_twice(job):
    late = job()
    assert late.status_if_done(check=False) is None
    output = made(job())
    with pytest.raises(DataError, match="got it finished by another process"), late:
        pytest.fail("the work began")
    assert output.read_text() == "result\n"


def test_check_tells_whether_a_verb_has_work_to_do(tmp_path):
    collection, qrels, output = (
        tmp_path / "collection.tsv",
        tmp_path / "qrels.tsv",
        tmp_path / "examples.tsv",
    )
    collection.write_text("p1\t\tone\np2\t\ttwo\n")
    qrels.write_text("q1\t0\tp1\t1\n")
    flags = [
        "--for",
        "dual",
        "--qrels",
        str(qrels),
        "--collection",
        str(collection),
        "--negatives",
        "1",
        "--seed",
        "1",
        "--output",
        str(output),
    ]
    assert sample_negatives.main([*flags, "--check"]) == 3
    assert names(tmp_path) == {"collection.tsv", "qrels.tsv"}
    assert sample_negatives.main(flags) == 0
    assert sample_negatives.main([*flags, "--check"]) == 0
    assert output.read_text() == "q1\tp1\tp2\n"
    qrels.write_text("q1\t0\tp2\t1\n")
    assert sample_negatives.main([*flags, "--check"]) == 3
    assert output.read_text() == "q1\tp1\tp2\n"
