"""An artefact is whole or not there; it is made again after its job or its bytes have changed."""

import json
import re

import pytest
from copy_job import LOG, alter, copy_job, is_due, make, names

from rocketqa.cli import sample_negatives
from rocketqa.files.errors import DataError
from rocketqa.jobs.job import NOT_FINISHED, Job


@pytest.mark.parametrize("output", ["out.tsv", "out"])
def test_a_finished_output_is_kept(job, output, capsys):
    assert is_due(job(output))
    assert job(output).status_if_done(check=True) == NOT_FINISHED == 3
    make(job(output))
    assert job(output).status_if_done(check=False) == job(output).status_if_done(check=True) == 0
    assert capsys.readouterr().err.splitlines() == [f"{job(output).output}: up to date"] * 2


def test_a_finished_job_is_not_run(job):
    make(job())
    assert job().run(lambda part: pytest.fail("the work began")) == 0


def test_check_makes_nothing(job, tmp_path):
    assert job().run(lambda part: pytest.fail("the work began"), check=True) == NOT_FINISHED
    assert names(tmp_path) == {"in.tsv"}


def change_input(folder, output):
    alter(folder / "in.tsv")


def change_output(folder, output):
    alter(output if output.is_file() else output / "shards/0")


def remove_output(folder, output):
    (output if output.is_file() else output / "weights").unlink()


@pytest.mark.parametrize("output", ["out.tsv", "out"])
@pytest.mark.parametrize("change", [change_input, change_output, remove_output])
def test_an_output_is_made_again_after(job, tmp_path, change, output):
    change(tmp_path, make(job(output)))
    assert job(output).status_if_done(check=True) == NOT_FINISHED
    assert is_due(job(output))
    make(job(output))
    assert not is_due(job(output))


@pytest.mark.parametrize("manifest", [None, "[]", '{"url": "of a download"}', "\udc80", "{a", " "])
@pytest.mark.parametrize(
    "output, file, beside, kind",
    [
        ("out.tsv", "out.tsv", "out.tsv.meta.json", "file"),
        ("mine", "mine/thesis.txt", "mine/meta.json", "folder"),
    ],
)
def test_what_has_no_manifest_of_ours_is_never_replaced(
    job, tmp_path, manifest, output, file, beside, kind
):
    (tmp_path / "mine").mkdir()
    (tmp_path / file).write_text("years of work")
    if manifest is not None:
        (tmp_path / beside).write_text(manifest, errors="surrogateescape")
    complaint = f"{output}: expected nothing there .* a {kind} without "
    with pytest.raises(DataError, match=complaint):
        job(output).status_if_done(check=False)
    assert (tmp_path / file).read_text() == "years of work"


@pytest.mark.parametrize("content", [b"", bytes(9), b'{\n "commit": "ab', b'{\n "comm\0\0\0', b"{"])
@pytest.mark.parametrize("output", ["out.tsv", "out"])
def test_an_artefact_whose_manifest_a_power_cut_has_spoiled_is_made_again(
    job, output, content, capsys
):
    make(job(output))
    manifest = job(output).manifest
    whole = manifest.read_bytes()
    manifest.write_bytes(content)
    assert is_due(job(output))
    made_again = f"{manifest}: damaged, so {job(output).output} is made again\n"
    assert capsys.readouterr().err == made_again
    make(job(output))
    assert manifest.read_bytes() == whole


def test_a_file_whose_manifest_a_kill_has_kept_from_its_place_is_made_again(job, tmp_path):
    make(job("out.tsv"))
    (tmp_path / "out.tsv.meta.json").unlink()
    (tmp_path / "out.tsv.part").mkdir()
    assert is_due(job("out.tsv"))
    make(job("out.tsv"))
    assert not is_due(job("out.tsv"))


@pytest.mark.parametrize("changed", [{"depth": 11}, {"verb": "paste"}, {"titles": True}])
def test_an_output_is_made_again_after_a_change_of_a_flag_or_verb(job, changed):
    make(job())
    assert is_due(job(**changed))


def test_names_of_inputs_do_not_matter(job, tmp_path):
    make(job())
    (tmp_path / "in.tsv").rename(tmp_path / "moved.tsv")
    assert not is_due(job(source="moved.tsv"))


def test_each_file_of_a_list_is_an_input(job, tmp_path):
    (tmp_path / "more.tsv").write_text("q2\tp2\n")
    files = [tmp_path / "in.tsv", tmp_path / "more.tsv"]
    make(job(more_inputs={"examples": files}))
    assert not is_due(job(more_inputs={"examples": files}))
    assert is_due(job(more_inputs={"examples": files[::-1]}))
    alter(tmp_path / "more.tsv")
    assert is_due(job(more_inputs={"examples": files}))


@pytest.mark.parametrize("value", [None, [], "ernie-tiny"])
def test_an_input_that_is_no_path_counts_as_a_flag(job, value):
    made = job(more_inputs={"init": value})
    assert made.identity["flags"]["init"] == value and "init" not in made.identity["inputs"]
    make(made)
    assert not is_due(job(more_inputs={"init": value}))
    assert is_due(job(more_inputs={"init": "another"}))


@pytest.mark.parametrize("content", ["", "{", "[]", "5", "\udc80", '{"verb": 1}', "[" * 100_000])
def test_work_that_nobody_can_tell_the_job_of_is_kept_aside_and_blocks_nothing(
    tmp_path, content, capsys
):
    job = Job("copy", tmp_path / "a.tsv", flags={}, inputs={}, keep_unfinished="state-*")
    for number in range(2):
        job.part.mkdir()
        (job.part / "job.json").write_text(content, errors="surrogateescape")
        (job.part / "state-5").write_text(f"days of work {number}")
        make(job)
        job.output.unlink()
    asides = [tmp_path / "a.tsv.damaged", tmp_path / "a.tsv.damaged-2"]
    assert [(aside / "state-5").read_text()[-1] for aside in asides] == ["0", "1"]
    line = f"a.tsv.part/job.json: damaged, so .* the work is kept as {asides[0]}, and begun anew"
    assert re.search(line, capsys.readouterr().err)


def test_work_whose_job_a_flipped_bit_changed_is_kept_aside(tmp_path, capsys):
    job = Job("copy", tmp_path / "a.tsv", flags={"depth": 8}, inputs={}, keep_unfinished="state-*")

    def fail(part):
        (part / "state-5").write_text("days of work")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        job.run(fail)
    job_file = job.part / "job.json"
    job_file.write_text(job_file.read_text().replace("8", "9", 1))
    make(job)
    assert "a.tsv.part/job.json: damaged, so nobody" in capsys.readouterr().err
    assert (tmp_path / "a.tsv.damaged/state-5").read_text() == "days of work"


def test_work_of_an_earlier_version_without_a_digest_is_gone_on_with(job):
    fail_halfway(job("out"))
    job_file = job("out").part / "job.json"
    job_file.write_text(json.dumps(job("out").identity))
    assert fail_halfway(job("out")) == {"shards/0"}


@pytest.mark.parametrize("content", ["", "{", bytes(9).decode()])
def test_pieces_without_a_readable_job_are_wiped(job, content):
    fail_halfway(job("out"))
    (job("out").part / "job.json").write_text(content)
    assert fail_halfway(job("out")) == set()


def fail_halfway(job):
    """Runs a job that writes half of its output and fails; returns what it has found there."""
    found = set()

    def write(part):
        found.update(names(part) - {"job.json"})
        (part / "shards").mkdir(exist_ok=True)
        (part / "shards/0").write_text("piece")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        job.run(write)
    return found


@pytest.mark.parametrize("output", ["out.tsv", "out"])
def test_an_exception_leaves_the_work_and_no_output(job, tmp_path, output):
    fail_halfway(job(output))
    assert names(tmp_path) == {"in.tsv", f"{output}.part/shards/0", f"{output}.part/job.json"}
    assert is_due(job(output))


def test_a_refusal_before_any_work_leaves_nothing(job, tmp_path):
    def refuse(part):
        raise DataError("in.tsv:1: expected something else, got this")

    with pytest.raises(DataError):
        job().run(refuse)
    assert [path.name for path in tmp_path.iterdir()] == ["in.tsv"]


@pytest.mark.parametrize("output", ["out.tsv", "out"])
def test_an_exception_leaves_the_output_of_an_earlier_job_as_it_was(job, output):
    make(job(output))
    fail_halfway(job(output, depth=11))
    assert not is_due(job(output))
    assert is_due(job(output, depth=11))


def test_finished_pieces_survive_for_the_same_job_and_are_wiped_for_another(job):
    assert fail_halfway(job("out")) == set()
    assert fail_halfway(job("out")) == {"shards/0"}
    assert fail_halfway(job("out", depth=11)) == set()
    assert fail_halfway(job("out")) == set()


@pytest.mark.parametrize("output", ["out.tsv", "out"])
def test_making_again_leaves_nothing_of_the_old_output(job, tmp_path, output):
    make(job(output), "a longer old result\n")
    expected = {"in.tsv", "out.tsv", "out.tsv.meta.json"}
    result = tmp_path / "out.tsv"
    if output == "out":
        (tmp_path / "out/old").write_text("old")
        expected = {"in.tsv", "out/weights", "out/shards/0", f"out/{LOG}", "out/meta.json"}
        result = tmp_path / "out/weights"
    make(job(output, depth=11), "new\n")
    assert names(tmp_path) == expected
    assert result.read_text() == "new\n"
    assert not is_due(job(output, depth=11))
    assert is_due(job(output))


def test_work_of_a_training_with_other_settings_is_refused_and_kept(tmp_path):
    (tmp_path / "in.tsv").write_text("1")

    def training(**flags):
        inputs = {"init": tmp_path / "in.tsv"}
        return Job("t", tmp_path / "out", flags=flags, inputs=inputs, keep_unfinished="shards")

    fail_halfway(training(rate=1))
    with pytest.raises(DataError) as error:
        make(training(rate=2))
    remove = "; to begin anew, remove the folder"
    complaint = f"{tmp_path}/out.part: expected rate 1, as its unfinished work has, got 2{remove}"
    assert str(error.value) == complaint
    (tmp_path / "in.tsv").write_text("2")
    with pytest.raises(DataError, match="expected the init of its unfinished work, got other byte"):
        make(training(rate=1))
    assert (tmp_path / "out.part/shards/0").read_text() == "piece"


def test_a_job_that_another_process_finished_meanwhile_is_not_made_twice(job, monkeypatch, capsys):
    late = job()
    assert is_due(late)
    output = make(job())
    monkeypatch.setattr(late, "status_if_done", lambda check: None)  # it was asked before
    assert late.run(lambda part: pytest.fail("the work began")) == 0
    assert capsys.readouterr().err == f"{output}: up to date\n"
    assert not late.part.exists()
    assert output.read_text() == "result\n"


def test_check_tells_whether_a_verb_has_work_to_do(tmp_path):
    collection = tmp_path / "collection.tsv"
    qrels = tmp_path / "qrels.tsv"
    output = tmp_path / "examples.tsv"
    collection.write_text("p1\t\tone\np2\t\ttwo\n")
    qrels.write_text("q1\t0\tp1\t1\n")
    flags = ["--for", "dual", "--negatives", "1", "--seed", "1"]
    flags += ["--qrels", str(qrels), "--collection", str(collection), "--output", str(output)]
    assert sample_negatives.main([*flags, "--check"]) == 3
    assert names(tmp_path) == {"collection.tsv", "qrels.tsv"}
    assert sample_negatives.main(flags) == 0
    assert sample_negatives.main([*flags, "--check"]) == 0
    assert output.read_text() == "q1\tp1\tp2\n"
    qrels.write_text("q1\t0\tp2\t1\n")
    assert sample_negatives.main([*flags, "--check"]) == 3
    assert output.read_text() == "q1\tp1\tp2\n"


def test_the_same_job_has_the_same_identity_in_another_folder(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "in.tsv").write_text("same")
    assert copy_job(tmp_path / "a").identity == copy_job(tmp_path / "b").identity
