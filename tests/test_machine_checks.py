"""What a machine lacks is named: room, packages, GPUs, folders; what has been made counts."""

import os
import sys

import pytest
from flight_fixture import write_flight
from script_runs import variable_values

from rocketqa.training.machine_checks import (
    refusals_of_devices,
    refusals_of_disk,
    refusals_of_folders,
    refusals_of_nodes,
    refusals_of_packages,
    refusals_of_the_launcher,
)

TOO_MUCH = "2000000000"  # passages a query


@pytest.mark.parametrize("value, count", [("", 0), ("1", 0), ("2", 1), ("1:4", 1)])
@pytest.mark.parametrize("name", ["PADDLE_NNODES", "PADDLE_TRAINERS_NUM"])
def test_more_than_one_machine_or_process_is_refused(monkeypatch, name, value, count):
    for variable in ("PADDLE_NNODES", "PADDLE_TRAINERS_NUM"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, value)
    refused = list(refusals_of_the_launcher())
    assert len(refused) == count
    assert all(refusal.line.startswith(f"{name}: expected 1 or no value") for refusal in refused)


def test_a_folder_may_be_there_or_not_and_leaves_nothing(tmp_path):
    variables = {"OUTPUT_DIR": str(tmp_path), "CHECKPOINT_DIR": str(tmp_path / "a/b c/d")}
    assert list(refusals_of_folders(variables)) == []
    assert os.listdir(tmp_path) == []


def test_a_broken_link_is_not_a_folder(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    [refusal] = refusals_of_folders({"OUTPUT_DIR": str(tmp_path / "link")})
    assert refusal.line == f"OUTPUT_DIR: expected a folder, got {tmp_path}/link, which is none"


def test_a_flight_does_not_write_into_the_folder_of_its_data(tmp_path):
    variables = {"DATA_DIR": str(tmp_path / "."), "OUTPUT_DIR": str(tmp_path)}
    [refusal] = refusals_of_folders(variables)
    assert refusal.line == "OUTPUT_DIR: expected another folder than DATA_DIR, got the same"


def test_only_packages_that_cannot_be_imported_are_named(monkeypatch, tmp_path):
    (tmp_path / "bm25s.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "bm25s", raising=False)
    [refusal] = refusals_of_packages(["matplotlib", "bm25s"])
    assert refusal.line == (
        "package bm25s: expected it to be installed (pip install -e '.[bm25]', or set "
        "BASELINES=no FUSE=no), got ZeroDivisionError: division by zero"
    )


def test_devices_above_the_number_of_gpus_are_refused_with_what_stands_in_for_them():
    variables = {"DEVICES": "8", "DEVICES_CROSS": "4", "DEVICES_INFERENCE": "5"}
    refused = list(refusals_of_devices(variables, gpus=4))
    assert [refusal.line for refusal in refused] == [
        "DEVICES: expected at most 4, the GPUs of this machine, got 8; "
        "ACCUMULATE stands in for devices",
        "DEVICES_INFERENCE: expected at most 4, the GPUs of this machine, got 5",
    ]
    assert all(refusal.of_machine for refusal in refused)


def test_nodes_share_the_devices_evenly_and_bring_their_gpus(monkeypatch):
    variables = {"DEVICES": "8", "DEVICES_CROSS": "3", "DEVICES_INFERENCE": "1"}
    monkeypatch.delenv("NODES", raising=False)
    assert list(refusals_of_nodes(variables)) == []
    monkeypatch.setenv("NODES", "2")
    [refusal] = refusals_of_nodes(variables)
    assert refusal.line == "DEVICES_CROSS: expected 1 or a multiple of NODES=2, got 3"
    assert list(refusals_of_devices(variables, gpus=4)) == []
    [refusal] = refusals_of_devices(variables, gpus=3)
    assert "DEVICES: expected at most 6, the GPUs of 2 machines like this one" in refusal.line


def test_the_disk_must_have_what_the_plan_foretells_less_what_is_there(tmp_path):
    variables = variable_values(write_flight(tmp_path))
    variables |= {"AUGMENT_DEPTH": TOO_MUCH, "HELD_OUT": "0"}
    [refusal] = refusals_of_disk(variables)
    assert refusal.of_machine
    assert refusal.line.startswith(f"{tmp_path}/o: expected 3352.8 GiB of free disk, as the plan")
    (tmp_path / "o").mkdir()
    with (tmp_path / "o/made").open("wb") as file:
        file.truncate(4 * 2**40)  # a file with a hole, which takes no room
    assert list(refusals_of_disk(variables)) == []


def test_folders_on_one_disk_share_its_room(tmp_path):
    variables = variable_values(write_flight(tmp_path))
    assert list(refusals_of_disk(variables)) == []
    both = variables | {"AUGMENT_DEPTH": TOO_MUCH, "CHECKPOINT_DIR": variables["OUTPUT_DIR"]}
    assert len(list(refusals_of_disk(both))) == 1
