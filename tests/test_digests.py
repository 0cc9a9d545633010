"""Damaged bytes of an artefact, and of its manifest, are named before they are used."""

import json

import pytest
from copy_job import alter, is_due, make
from damage import DAMAGES, empty, flip, halve

from rocketqa.files.errors import DataError
from rocketqa.jobs.digests import (
    MANIFEST,
    MOST_ENTRIES,
    digest,
    is_sealed,
    manifest_of,
    read_manifest,
    refuse_damaged,
    seal_folder,
    sealed_text,
)


@pytest.mark.parametrize("output", ["out.tsv", "out"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named(job, output, damage):
    path = make(job(output))
    refuse_damaged(path, None)
    file = path if path.is_file() else path / "shards/0"
    damage(file)
    for look in (digest, refuse_damaged):
        with pytest.raises(DataError) as error:
            look(path)
        assert str(error.value).startswith(f"{file}: expected the bytes that ")


def test_a_file_that_is_changed_on_purpose_is_taken_when_its_manifest_is_removed(job):
    path = make(job("out.tsv"))
    alter(path)
    with pytest.raises(DataError, match="or remove out.tsv.meta.json if the change is meant"):
        digest(path)
    manifest_of(path).unlink()
    assert len(digest(path)) == 64


def test_a_renamed_file_with_its_manifest_is_still_compared(job, tmp_path):
    path = make(job("out.tsv"))
    manifest_of(path).rename(tmp_path / "moved.tsv.meta.json")
    moved = path.rename(tmp_path / "moved.tsv")
    refuse_damaged(moved)
    alter(moved)
    with pytest.raises(DataError, match="moved.tsv: expected the bytes"):
        refuse_damaged(moved)


def test_a_file_or_folder_within_an_artefact_is_compared_with_the_manifest_around_it(job):
    path = make(job("out"))
    refuse_damaged(path / "weights", path / "shards")
    before = digest(path / "shards")
    alter(path / "weights")
    alter(path / "shards/0")
    with pytest.raises(DataError, match="weights: expected the bytes that meta.json lists"):
        refuse_damaged(path / "weights")
    with pytest.raises(DataError, match="shards/0: expected the bytes that meta.json lists"):
        refuse_damaged(path / "shards")
    manifest_of(path).unlink()
    assert digest(path / "shards") != before


def test_a_missing_file_of_a_folder_is_named(job):
    path = make(job("out"))
    (path / "shards/0").unlink()
    with pytest.raises(DataError, match="shards/0: expected the bytes .*, got none: it is damaged"):
        refuse_damaged(path)


@pytest.mark.parametrize("output", ["out.tsv", "out"])
@pytest.mark.parametrize("damage", [halve, empty])
def test_a_cut_manifest_is_named(job, output, damage):
    path = make(job(output))
    damage(manifest_of(path))
    with pytest.raises(DataError, match="meta.json: expected a JSON object, got other bytes"):
        digest(path)


def test_no_flipped_bit_of_a_manifest_changes_what_it_says_in_silence(job):
    path = make(job("out"))
    manifest = manifest_of(path)
    content = manifest.read_bytes()
    said = json.loads(content)
    del said["digest"]
    for bit in range(0, 8 * len(content), 5):
        flip(manifest, bit)
        try:
            found = read_manifest(path)
        except DataError:
            continue
        finally:
            manifest.write_bytes(content)
        assert {name: found.get(name) for name in said} == said


def test_an_artefact_with_a_changed_manifest_is_made_again(job):
    path = make(job("out"))
    manifest = json.loads(manifest_of(path).read_text())
    manifest_of(path).write_text(json.dumps(manifest | {"titles": "yes"}))
    assert is_due(job("out"))
    make(job("out"))
    assert not is_due(job("out"))


def test_manifests_of_earlier_versions_and_files_of_others_are_taken(tmp_path):
    assert is_sealed({"outputs": {}})
    (tmp_path / MANIFEST).write_text("[1]")
    assert read_manifest(tmp_path) == {}
    refuse_damaged(tmp_path, tmp_path / "nothing")


def test_a_folder_with_too_many_files_to_be_a_model_is_refused_before_they_are_read(tmp_path):
    for number in range(MOST_ENTRIES + 1):
        (tmp_path / str(number)).touch()
    with pytest.raises(DataError, match="expected a model or another result, at most 10000 files"):
        digest(tmp_path)
    (tmp_path / "0").unlink()
    assert digest(tmp_path)


def test_a_seal_is_that_of_the_entries_as_they_are_read_back():
    assert is_sealed(json.loads(sealed_text({"shares": (0.1, 1e-300), 5: {"b": None}})))


def test_a_sealed_folder_has_the_digest_that_it_had_before(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/a").write_text("1")
    before = digest(tmp_path)
    seal_folder(tmp_path)
    assert digest(tmp_path) == before
    flip(tmp_path / "deep/a")
    with pytest.raises(DataError, match="deep/a: expected the bytes"):
        digest(tmp_path)
