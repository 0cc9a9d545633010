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


def with_steps(folder: Path, program: str, **variables: str) -> subprocess.CompletedProcess:
    """Runs a program with the functions of steps.sh, on a flight with batches of 2 x 2 rows."""
    env = folder / "my.env"
    sizes = "BATCH_SIZE=2\nDEVICES=2\nACCUMULATE=1\nTHRESHOLDS=calibrated\nDISTIL=no\n"
    sizes += "HELD_OUT=200\nFILL_DEPTH=0\n"
    env.write_text(f"OUTPUT_DIR={folder}\nCHECKPOINT_DIR={folder}\nMAX_NEGATIVE=\n{sizes}")
    start = f'. "{ROOT}/run_scripts/steps.sh"; load_env "{env}"; '
    return sh("-c", start + program, str(ROOT / "run_scripts/probe"), **variables)


def test_a_stage_with_fewer_rows_than_a_batch_does_not_fill_it(tmp_path):
    (tmp_path / "three.tsv").write_text("row\n" * 3)
    (tmp_path / "four.tsv").write_text("row\n" * 4)
    program = "for file in three four; do fills_a_batch $file.tsv && echo $file; done; true"
    assert with_steps(tmp_path, program).stdout == "four\n"
    assert with_steps(tmp_path, program, THRESHOLDS="paper").stdout == "three\nfour\n"
    assert with_steps(tmp_path, program, ACCUMULATE="2").stdout == ""


def test_a_threshold_rises_as_far_as_it_spares_the_labelled_passages(tmp_path):
    (tmp_path / "denoising.train").mkdir()
    table = tmp_path / "denoising.train/max_negative.tsv"
    head = "threshold\tnegatives\tshare_removed\tqueries_with_negatives\tlabelled\trelevant\n"
    lines = ["0.05\t9\t0.9\t9\t0.0\t\n", "0.1\t3\t0.9\t3\t0.0\t\n", "0.2\t4\t0.8\t3\t0.0\t\n"]
    table.write_text(head + "".join(lines) + "0.3\t7\t0.8\t4\t0.01\t\n0.4\t9\t0.7\t5\t0.01\t\n")
    assert with_steps(tmp_path, "higher_threshold", MAX_NEGATIVE="0.1").stdout == "0.3\n"
    table.write_text(head + "".join(lines) + "0.3\t7\t0.8\t4\t0.02\t\n")
    assert with_steps(tmp_path, "higher_threshold", MAX_NEGATIVE="0.1").stdout == ""
    held_out = [line.replace("\n", "\t0.0\n") for line in lines]
    held_out += ["0.3\t7\t0.8\t4\t0.0\t\t0.06\n", "0.4\t9\t0.7\t5\t0.02\t\t0.05\n"]
    table.write_text(head.replace("\n", "\theld_out\n") + "".join(held_out))
    assert with_steps(tmp_path, "higher_threshold", MAX_NEGATIVE="0.1").stdout == "0.4\n"


@pytest.mark.parametrize(
    "changed", [{}, {"THRESHOLDS": "paper"}, {"HELD_OUT": "0"}, {"FILL_DEPTH": "9"}]
)
def test_a_chosen_depth_counts_in_a_calibrated_flight_alone(tmp_path, changed):
    rows = ["depth\tqueries_with_enough\tshare_of_drawn\tchosen", "1\t3\t0.1\tno"]
    table = tmp_path / "a.train.depth.tsv"
    table.write_text("\n".join([*rows, "7\t30\t0.9\tyes\n"]))
    program = "as_deep 20 a.train; as_deep 20 b.train"
    expected = "20\n20\n" if changed else "7\n20\n"
    assert with_steps(tmp_path, program, **changed).stdout == expected


@pytest.mark.parametrize("answer", ["yes", "no", "unknown"])
def test_a_stage_is_refused_with_the_evidence_where_held_out_labels_say_no(tmp_path, answer):
    (tmp_path / "calibration").mkdir()
    decision = tmp_path / "calibration/decision.tsv"
    rows = f"denoise\t{answer}\t9 % of 9 are: 1 times\t0.1\naugment\tyes\tall\t0.9\n"
    decision.write_text(f"step\tanswer\tevidence\tthreshold\n{rows}")
    program = "refusal denoise; refusal augment"
    expected = "9 % of 9 are: 1 times\n" if answer == "no" else ""
    assert with_steps(tmp_path, program).stdout == expected
    assert with_steps(tmp_path, program, THRESHOLDS="paper").stdout == ""
    assert with_steps(tmp_path, program, PLAN="yes").stdout == ""


@pytest.mark.parametrize(
    "changed, lowered",
    [({}, "0.02 0.8"), ({"THRESHOLDS": "paper"}, "0.1 0.9"), ({"HELD_OUT": "0"}, "0.1 0.9")],
)
def test_thresholds_fall_in_a_calibrated_flight_alone(tmp_path, changed, lowered):
    (tmp_path / "cross_encoder").mkdir()
    rows = "q\tp\t1\t0.02\nq\tp\t1\t0.85\nq\tp\t0\t0.01\n"
    pairs = "query_id\tpassage_id\tlabel\tprobability\n" + rows
    (tmp_path / "cross_encoder/held_out.tsv").write_text(pairs)
    variables = {"CHECKPOINT_DIR": str(tmp_path), "MAX_NEGATIVE": "0.1", "MIN_POSITIVE": "0.9"}
    program = 'calibrate >"$OUTPUT_DIR/log"; echo "$MAX_NEGATIVE $MIN_POSITIVE"'
    assert with_steps(tmp_path, program, **variables | changed).stdout == f"{lowered}\n"


def test_what_a_script_has_made_is_not_asked_for_again(tmp_path):
    program = "for what in a b a; do is_made $what || echo $what; done"
    assert with_steps(tmp_path, program).stdout == "a\nb\n"


def test_a_run_whose_queries_have_one_score_each_for_all_passages_is_known(tmp_path):
    first = "q1 Q0 a 1 2.0 x\nq2 Q0 a 1 3.0 x\n"
    for name, more in {
        "single": "",
        "equal": "q1 Q0 b 2 2.0 x\n",
        "sound": "q2 Q0 b 2 1 x\n",
    }.items():
        (tmp_path / name).write_text(first + more)
    program = (
        f"for run in single equal sound; do scores_differ {tmp_path}/$run && echo $run; done; :"
    )
    assert with_steps(tmp_path, program).stdout == "single\nsound\n"


def test_a_model_that_is_left_out_is_not_the_last_one_and_says_why(tmp_path):
    program = (
        "last_model; leave_out dual_encoder_2 'too few'; last_model; is_left_out dual_encoder_2"
    )
    done = with_steps(tmp_path, program)
    assert (done.returncode, done.stdout) == (0, "dual_encoder_2\ndual_encoder_1\n")
    assert done.stderr == "dual_encoder_2 is not trained: too few.\n"
    assert (tmp_path / "dual_encoder_2.left_out.txt").read_text() == done.stderr


def test_a_training_takes_what_was_chosen_where_the_env_file_is_silent(tmp_path):
    (tmp_path / "start_choice").mkdir()
    head = "representation\tsimilarity\tMRR@10\tas_the_weights_say\tchosen\tlength\n"
    rows = "first\tdot\t0.5\tyes\tno\t9\nmean\tcosine\t0.6\tno\tyes\t20\n"
    (tmp_path / "start_choice/choice.tsv").write_text(head + rows)
    program = 'for column in 1 2; do as_chosen "$GIVEN" $column; done'
    chosen = {"CHOOSE": "yes", "GIVEN": ""}
    assert with_steps(tmp_path, program, **chosen).stdout == "mean\ncosine\n"
    assert with_steps(tmp_path, program, CHOOSE="yes", GIVEN="x").stdout == "x\nx\n"
    assert with_steps(tmp_path, program, CHOOSE="no", GIVEN="").stdout == "\n\n"
    # A passage is cut after 20 tokens instead of 9, so that a pair of 12 becomes one of 23.
    lengths = {"CHOOSE": "yes", "PASSAGE_LENGTH": "9", "PASSAGE_LENGTHS": "20"}
    for changed, expected in (
        ({}, "20 23"),
        ({"PASSAGE_LENGTHS": ""}, "9 12"),
        ({"CHOOSE": "no"}, "9 12"),
    ):
        program = "echo $(as_long 9) $(as_long 12)"
        assert with_steps(tmp_path, program, **lengths | changed).stdout == f"{expected}\n"


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
