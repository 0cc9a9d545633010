"""Folders that all nodes see are told from those that only have the same name."""

import threading
import time

from rocketqa.distributed.shared_folders import line_for, marked, not_shared


def test_a_folder_with_the_mark_is_shared_and_the_mark_is_removed(tmp_path):
    folder = tmp_path / "a/b"
    with marked([str(folder)]) as marks:
        assert not_shared(marks, patience=0) == []
        other = {str(tmp_path): marks[str(folder)], **marks}
        assert not_shared(other, patience=0) == [str(tmp_path)]
    assert not list(folder.iterdir())


def test_a_mark_may_come_late_as_on_a_network_disk(tmp_path):
    def write() -> None:
        time.sleep(0.3)
        (tmp_path / "mark").touch()

    threading.Thread(target=write).start()
    assert not_shared({str(tmp_path): "mark"}, patience=5) == []


def test_the_line_names_the_folders_the_node_and_the_cure():
    line = line_for(2, "big", ["a", "b"])
    assert line.startswith("a, b: expected the same on all nodes, got another on node 2 (big): ")
    assert "mount one disk on all nodes" in line
