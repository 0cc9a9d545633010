"""A link is followed; a place that cannot take the artefact is refused before the work begins."""

import os
import subprocess
import sys

import pytest
from copy_job import is_due, make, names

from rocketqa.files.errors import DataError
from rocketqa.jobs.digests import manifest_of
from rocketqa.jobs.manifest import verb_of
from rocketqa.jobs.output_place import free_name, is_mount_point, try_rename


def refusal(job) -> str:
    """Returns the line that refuses a job, which does not begin."""
    with pytest.raises(DataError) as error:
        job.run(lambda part: pytest.fail("the work began"))
    assert not job.part.exists()
    return str(error.value)


@pytest.mark.parametrize("output", ["out.tsv", "out"])
def test_the_target_of_a_link_is_replaced_and_the_link_stays(job, tmp_path, output):
    (tmp_path / "big").mkdir()
    make(job(f"big/{output}"), "old\n")
    link = tmp_path / f"link.{output}"
    link.symlink_to(tmp_path / "big" / output)
    for depth in (11, 12):
        linked = job(link.name, depth=depth)
        assert is_due(linked)
        make(linked, "new\n")
        assert not is_due(linked)
    target = tmp_path / "big" / output
    result = target if target.is_file() else target / "weights"
    assert link.is_symlink() and result.read_text() == "new\n"
    assert not is_due(job(f"big/{output}", depth=12))
    assert verb_of(link) == "copy" and manifest_of(link).samefile(manifest_of(target))
    beside = {path.name for path in (tmp_path / "big").iterdir()}
    assert beside <= {output, f"{output}.meta.json"}
    assert {path.name for path in tmp_path.iterdir()} == {"in.tsv", "big", link.name}


def test_a_verb_may_name_its_file_as_the_link_is_named(job, tmp_path):
    (tmp_path / "big").mkdir()
    make(job("big/out.tsv"))
    (tmp_path / "link").symlink_to("big/out.tsv")
    linked = job("link", depth=11)
    assert linked.run(lambda part: (part / "link").write_text("new\n") and None) == 0
    assert (tmp_path / "link").read_text() == "new\n"
    assert not is_due(job("link", depth=11)) and not is_due(job("big/out.tsv", depth=11))


def test_the_manifest_beside_a_link_counts_where_its_target_has_none(job, tmp_path):
    (tmp_path / "blob").write_text("x")
    (tmp_path / "a.tsv").symlink_to("blob")
    (tmp_path / "a.tsv.meta.json").write_text("{}")
    assert manifest_of(tmp_path / "a.tsv") == tmp_path / "a.tsv.meta.json"


def test_a_link_to_nothing_is_refused(job, tmp_path):
    (tmp_path / "out").symlink_to("gone")
    cure = "make that, or remove the link"
    line = f"{tmp_path}/out: expected a link to something that is there, got one to gone: {cure}"
    assert refusal(job("out")) == line


def test_a_link_to_itself_is_refused(job, tmp_path):
    (tmp_path / "out").symlink_to("out")
    assert "got one to out: make that, or remove" in refusal(job("out"))


def test_a_name_that_leaves_no_room_for_that_of_the_manifest_is_refused(job, tmp_path):
    longest = "a" * 241 + ".tsv"
    make(job(longest))
    name = f"a{longest}"
    line = f"{tmp_path}/{name}: expected a name of at most 245 bytes, got 246"
    assert refusal(job(name)) == line


@pytest.fixture
def mounted(tmp_path):
    """A folder, and a file, that something is mounted on; its name has a blank."""
    (tmp_path / "source").mkdir()
    places = [tmp_path / "my out", tmp_path / "out.tsv"]
    places[0].mkdir()
    for path in (tmp_path / "source.tsv", places[1]):
        path.write_text("")
    sources = ["source", "source.tsv"]
    done = []
    for source, place in zip(sources, places):
        command = ["mount", "--bind", str(tmp_path / source), str(place)]
        try:
            status = subprocess.run(command, capture_output=True, check=False).returncode
        except OSError:
            status = 1
        if status == 0:
            done.append(place)
    if len(done) < len(places):
        for place in done:
            subprocess.run(["umount", str(place)], check=True)
        pytest.skip("this machine lets nobody mount")
    yield places
    for place in places:
        subprocess.run(["umount", str(place)], check=True)


def test_a_mount_point_is_refused(job, mounted):
    for place in mounted:
        line = (
            f"{place}: expected a path that a finished artefact can be renamed to, "
            "got a mount point: give a path inside it"
        )
        assert refusal(job(place.name)) == line
    with pytest.raises(DataError, match="got Device or resource busy"):
        try_rename(mounted[0].parent, mounted[0])
    make(job(f"{mounted[0].name}/inside"))


def test_the_roots_of_file_systems_are_mount_points_and_their_folders_are_not(tmp_path):
    assert is_mount_point(type(tmp_path)("/")) and is_mount_point(type(tmp_path)("/proc"))
    assert not is_mount_point(tmp_path) and not is_mount_point(tmp_path / "none")


@pytest.mark.parametrize("output", ["out.tsv", "out"])
def test_the_trial_of_the_rename_changes_nothing(job, tmp_path, output):
    make(job(output))
    before = names(tmp_path)
    (tmp_path / "part").mkdir()
    try_rename(tmp_path / "part", tmp_path / output)
    try_rename(tmp_path / "part", tmp_path / "none")
    assert names(tmp_path) == before and not list((tmp_path / "part").iterdir())


AS_SOMEBODY_ELSE = """
import os, sys
from pathlib import Path
from rocketqa.jobs.output_place import try_rename

os.chdir(sys.argv[1])
os.setuid(2)
Path("out.part").mkdir()
try_rename(Path("out.part"), Path("out"))
"""


def test_an_output_that_permissions_keep_in_its_place_is_refused(job, tmp_path):
    if os.getuid():
        pytest.skip("only root can give a folder to somebody else")
    make(job("out"))
    for folder in (tmp_path / "out", tmp_path):
        os.chown(folder, 1, 1)
    tmp_path.chmod(0o1777)  # as /tmp: only the owner of a folder may rename it
    command = [sys.executable, "-c", AS_SOMEBODY_ELSE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "out: expected a path that a finished artefact can be renamed to, got " in done.stderr
    assert done.stderr.strip().endswith("Operation not permitted")


def test_a_free_name_has_nothing(tmp_path):
    assert free_name(tmp_path / "a").name == "a"
    for name in ("a", "a-2"):
        (tmp_path / name).mkdir()
    assert free_name(tmp_path / "a").name == "a-3"
