"""The run scripts are plain sh, obey their caller, and stop if something is missing."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from script_runs import BIN, ENVS, ROOT, SCRIPTS, folders_below, path_with, sh, variable_names
from toy_files import dual_flags, write_tiny_flight

SOURCED = ("lib.sh", "steps.sh")
TRAINING_FILES = {
    "collection.tsv",
    "queries.train.tsv",
    "qrels.train.tsv",
    "queries.unlabelled.tsv",
}


def make_empty_files(folder: Path, names: set[str]) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("")


def head_of(script: Path) -> str:
    """Returns the comment that a script begins with."""
    lines = script.read_text().splitlines()
    count = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return "\n".join(lines[:count])


def test_shellcheck_finds_nothing():
    done = subprocess.run(
        [BIN / "shellcheck", "-s", "sh", "-x", *SCRIPTS], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "script",
    [path for path in SCRIPTS if path.name not in SOURCED],
    ids=lambda path: path.name,
)
def test_the_head_of_a_script_says_what_it_reads_and_writes(script):
    head = head_of(script)
    assert re.search(r"^# reads   \S", head, re.MULTILINE)
    assert re.search(r"^# writes  \S", head, re.MULTILINE)


@pytest.mark.parametrize(
    "script",
    [path for path in SCRIPTS if path.name.startswith("stage")],
    ids=lambda path: path.name,
)
def test_the_head_of_a_stage_names_its_section_its_cost_and_its_result(script):
    head = head_of(script)
    section = r"sections? [\d. and]*3\.4|beyond the paper: RocketQAv2, fixed teacher"
    assert re.match(rf"#!/bin/sh\n# Stage \d \(({section})\): ", head)
    assert re.search(r"^# Cost on the toy data with two cores: .* MB of disk", head, re.M | re.S)
    assert re.search(r"^# Result on the toy data .*\d\d\.\d\d / \d\d\.\d\d", head, re.M | re.S)


@pytest.mark.parametrize("name", SOURCED)
def test_a_sourced_file_opens_with_a_line_for_each_of_its_functions(name):
    script = ROOT / "run_scripts" / name
    functions = re.findall(r"^([a-z_]+)\(\) [{(]$", script.read_text(), re.MULTILINE)
    described = re.findall(r"^# ([a-z_]+) .*\w", head_of(script), re.MULTILINE)
    assert len(functions) >= 9 and described == functions


def test_every_variable_of_an_env_file_is_read_by_a_script():
    scripts = "".join(path.read_text() for path in SCRIPTS)
    plan = "".join(path.read_text() for path in (ROOT / "rocketqa").rglob("plan*.py"))
    for name in variable_names(ENVS[0]):
        assert re.search(rf"\$\{{?{name}\b", scripts) or f'"{name}"' in plan, name


def test_a_variable_of_the_caller_wins_over_the_env_file(tmp_path):
    env = tmp_path / "my.env"
    folders = f"OUTPUT_DIR={tmp_path}/o\nCHECKPOINT_DIR={tmp_path}/c\n"
    env.write_text(f"{folders}SEED=1\nDEVICES=2  # two\nINIT=\n")
    script = ROOT / "run_scripts" / "lib.sh"
    program = f'. "{script}"; load_env "{env}"; echo "$SEED $DEVICES $INIT"'
    probe = ROOT / "run_scripts" / "probe"
    assert sh("-c", program, str(probe)).stdout == "1 2 \n"
    assert sh("-c", program, str(probe), SEED="3", INIT="a folder").stdout == "3 2 a folder\n"
    emptied = sh("-c", program, str(probe), DEVICES="", INIT="it's $HOME")
    assert emptied.stdout == "1  it's $HOME\n"


PREDECESSORS = {
    "stage2_cross.sh": "stage1_dual.sh",
    "stage3_dual_denoised.sh": "stage1_dual.sh",
    "stage4_dual_augmented.sh": "stage2_cross.sh",
    "stage5_distilled.sh": "stage2_cross.sh",
}


@pytest.mark.parametrize("stage", PREDECESSORS)
def test_a_stage_without_its_predecessor_says_which_command_makes_it_and_exits_2(stage, tmp_path):
    data = tmp_path / "data"
    make_empty_files(data, TRAINING_FILES)
    done = sh(
        f"run_scripts/{stage}",
        "run_scripts/toy.env",
        DATA_DIR=str(data),
        **folders_below(tmp_path),
    )
    assert done.returncode == 2
    command = f"sh run_scripts/{PREDECESSORS[stage]} run_scripts/toy.env"
    assert f"make it with: {command}" in done.stderr.splitlines()[-1]


def test_a_stage_without_data_says_how_to_make_them_and_exits_2(tmp_path):
    missing = str(tmp_path / "none")
    done = sh("run_scripts/stage1_dual.sh", DATA_DIR=missing, **folders_below(tmp_path))
    assert done.returncode == 2
    assert "data_prep/toy.py" in done.stderr.splitlines()[-1]


def test_a_missing_env_file_is_refused(tmp_path):
    done = sh("run_scripts/stage1_dual.sh", str(tmp_path / "no.env"))
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path}/no.env: expected an env file, got none\n"


@pytest.mark.parametrize("line", ["SEED=1; nothing-of-the-kind", "SEED='1", "SEED=$NOTHING"])
def test_an_env_file_that_the_shell_cannot_read_is_one_line(tmp_path, line):
    env = tmp_path / "my.env"
    env.write_text(f"{line}\n")
    done = sh("run_scripts/stage1_dual.sh", str(env))
    assert done.returncode == 2
    assert done.stderr.startswith(f"{env}: expected lines NAME=VALUE, got: ")
    assert done.stderr.count("\n") == 1


def test_an_env_file_of_windows_is_refused_in_one_line(tmp_path):
    env = tmp_path / "my.env"
    env.write_bytes(b"SEED=1\r\n")
    done = sh("run_scripts/rocket.sh", str(env))
    expected = "expected the line ends of Linux, got those of Windows (sed -i 's/\\r$//' mends it)"
    assert (done.returncode, done.stderr) == (2, f"{env}: {expected}\n")


def test_a_stage_works_from_any_folder(tmp_path):
    done = sh(
        str(ROOT / "run_scripts/stage2_cross.sh"),
        cwd=tmp_path,
        DATA_DIR=str(tmp_path / "none"),
        **folders_below(tmp_path),
    )
    assert done.returncode == 2
    assert "collection.tsv: expected it to be made already" in done.stderr


def test_a_finished_training_of_two_devices_is_not_launched_again(tmp_path):
    write_tiny_flight(tmp_path)
    env = tmp_path / "my.env"
    env.write_text(f"OUTPUT_DIR={tmp_path}/o\nCHECKPOINT_DIR={tmp_path}/c\n")
    program = f'. "{ROOT}/run_scripts/lib.sh"; load_env "{env}"; launch 2 train-dual-encoder "$@"'
    flags = dual_flags(tmp_path, tmp_path / "x", 4)
    command = ("-c", program, str(ROOT / "run_scripts/probe"), *flags)
    first = sh(*command)
    assert first.returncode == 0, first.stderr
    assert (tmp_path / "x/meta.json").is_file()
    # The launcher is run by `python`, so this one fails the test if the launcher is called.
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin/python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    path = path_with(tmp_path / "bin")
    again = sh(*command, PATH=path)
    assert again.returncode == 0
    assert again.stderr.splitlines()[-1].endswith("x: up to date")
    shutil.rmtree(tmp_path / "x")
    assert sh(*command, PATH=path).returncode == 2
