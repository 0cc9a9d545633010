"""A temporary folder goes with its process, or else with the next one that is made."""

import subprocess
import sys
from pathlib import Path

import pytest

from rocketqa.jobs.temporary_folders import (
    PREFIX,
    remove_folders_of_the_dead,
    temporary_folder,
)

ROOT = Path(__file__).parents[1]
USER = """
import sys, time
from pathlib import Path
from rocketqa.jobs.temporary_folders import temporary_folder
folder = temporary_folder(Path(sys.argv[1]))
print(folder.name, flush=True)
time.sleep(60)
"""


@pytest.fixture
def user(tmp_path):
    """A process that uses a temporary folder, and the folder."""
    command = [sys.executable, "-c", USER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        (folder / "graph").write_text("weights")
        yield process, folder
        process.kill()


def test_the_folder_of_a_killed_process_is_removed_by_the_next_call(tmp_path, user):
    process, left = user
    process.kill()
    process.wait()
    assert left.is_dir()
    with temporary_folder(tmp_path) as folder:
        assert [str(path) for path in tmp_path.iterdir()] == [folder]
    assert not list(tmp_path.iterdir())


def test_the_folder_of_a_living_process_stays(tmp_path, user):
    _, used = user
    with temporary_folder(tmp_path):
        assert (used / "graph").read_text() == "weights"


def test_what_only_looks_like_a_temporary_folder_stays(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    (tmp_path / f"{PREFIX}file").touch()
    (tmp_path / "rocketqa-other").mkdir()
    remove_folders_of_the_dead(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4 and (elsewhere / "precious").exists()


def test_a_folder_is_removed_where_nobody_refers_to_it_any_more(tmp_path):
    folder = temporary_folder(tmp_path)
    assert Path(folder.name).is_dir()
    with pytest.warns(ResourceWarning):
        del folder
    assert not list(tmp_path.iterdir())
