"""A manifest says how an artefact was made, and a digest follows every byte that counts."""

import hashlib
import json

import pytest
from copy_job import INPUT_SHA256, LOG, alter, make, names

import rocketqa
from rocketqa.files.errors import DataError
from rocketqa.jobs.digests import digest, file_digest, manifest_of
from rocketqa.jobs.manifest import flag_of, made_by, paths_in, verb_of

RESULT_SHA256 = hashlib.sha256(b"result\n").hexdigest()


def test_the_manifest_says_how_the_output_was_made(job, tmp_path):
    job_of_file = job()
    job_of_file.facts["rows"] = 1
    make(job_of_file)
    manifest = json.loads((tmp_path / "out.tsv.meta.json").read_text())
    assert manifest.pop("commit") is not None
    assert len(manifest.pop("digest")) == 64
    assert manifest == {
        "job": {"verb": "copy", "flags": {"depth": 10}, "inputs": {"run": [INPUT_SHA256]}},
        "inputs": {"run": [str(tmp_path / "in.tsv")]},
        "version": rocketqa.__version__,
        "rows": 1,
        "outputs": {"out.tsv": RESULT_SHA256},
    }


def test_the_manifest_of_a_directory_lists_its_results_and_not_its_logs(job, tmp_path):
    make(job("out"))
    assert manifest_of(tmp_path / "out") == tmp_path / "out/meta.json"
    listed = json.loads((tmp_path / "out/meta.json").read_text())["outputs"]
    assert listed == dict.fromkeys(["weights", "shards/0"], RESULT_SHA256)


def test_an_artefact_says_what_made_it_and_with_which_flags(job, tmp_path):
    output = make(job())
    assert made_by(output) == "the output of `copy`"
    assert verb_of(output) == "copy"
    assert (flag_of(output, "depth"), flag_of(output, "other")) == (10, None)


@pytest.mark.parametrize("content", ["[]", '{"job": 1}', '{"job": {"verb": "a\\nb", "flags": 1}}'])
def test_what_has_no_manifest_of_a_job_says_nothing(tmp_path, content):
    (tmp_path / "meta.json").write_text(content)
    assert (made_by(tmp_path), flag_of(tmp_path, "depth")) == ("", None)
    assert verb_of(tmp_path) == ""


def test_logs_are_kept_but_do_not_count(job):
    output = make(job("out"))
    before = digest(output)
    assert names(output) == {"weights", "shards/0", LOG, "meta.json"}
    alter(output / LOG)
    assert job("out").status_if_done(check=False) == 0
    assert digest(output) == before


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
def test_titles_are_passed_on_from_the_collection_and_a_mixture_is_named(
    job, tmp_path, capsys, collection, checkpoint, titles
):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/meta.json").write_text(json.dumps({"titles": checkpoint}))
    (tmp_path / "in.tsv.meta.json").write_text(json.dumps({"titles": collection}))
    first = make(job("encoded", more_inputs={"checkpoint": tmp_path / "model"}))
    second = make(job("a.tsv", source="encoded"))
    for output in (first, second):
        assert json.loads(manifest_of(output).read_text()).get("titles") == titles
    line = "some inputs are of passages with titles, others without"
    assert (line in capsys.readouterr().err) == (titles == "mixed")


def test_a_directory_with_other_bytes_than_its_manifest_lists_is_refused(job):
    output = make(job("out"))
    alter(output / "shards/0")
    complaint = f"{output}/shards/0: expected the bytes that meta.json lists, got others"
    complaint += ": it is damaged, make it again"
    with pytest.raises(DataError) as error:
        digest(output)
    assert str(error.value) == complaint
    (output / "shards/0").unlink()
    with pytest.raises(DataError, match="shards/0: expected the bytes"):
        digest(output)


def test_digests_follow_bytes_and_names_inside_a_directory_and_not_its_own_name(job, tmp_path):
    assert digest(tmp_path / "in.tsv") == file_digest(tmp_path / "in.tsv") == INPUT_SHA256
    one = digest(make(job("a")))
    assert one == digest(make(job("b")))
    assert one != digest(make(job("c"), "other\n"))


def test_every_file_of_a_directory_without_a_manifest_counts_with_its_name(tmp_path):
    folder = tmp_path / "foreign"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/one").write_text("1")
    before = digest(folder)
    (folder / "deep/one").rename(folder / "deep/two")
    assert digest(folder) != before


def test_a_missing_input_is_refused(job):
    with pytest.raises(DataError, match="expected a file, got nothing there"):
        job(source="none.tsv")


def test_only_paths_are_inputs(tmp_path):
    assert paths_in(tmp_path) == [tmp_path]
    assert paths_in([tmp_path, tmp_path / "b"]) == [tmp_path, tmp_path / "b"]
    assert list(paths_in("ernie-tiny")) == list(paths_in(None)) == list(paths_in([])) == []
