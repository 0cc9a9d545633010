"""The functions of steps.sh decide as their heads say, each on literal files."""

import subprocess
from pathlib import Path

import pytest
from script_runs import ROOT, sh


def with_steps(folder: Path, program: str, **variables: str) -> subprocess.CompletedProcess:
    """Runs a program with the functions of steps.sh, on a flight with batches of 2 x 2 rows."""
    env = folder / "my.env"
    sizes = "BATCH_SIZE=2\nDEVICES=2\nACCUMULATE=1\nTHRESHOLDS=calibrated\nDISTIL=no\n"
    sizes += f"HELD_OUT=200\nFILL_DEPTH=0\nDATA_DIR={folder}\nDATA_PREP=\n"
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
    together = "fills_a_batch three.tsv four.tsv && echo seven; true"
    assert with_steps(tmp_path, together).stdout == "seven\n"
    assert with_steps(tmp_path, together, ACCUMULATE="2").stdout == ""


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
    program = "for step in denoise augment; do if is_refused M $step use; then echo $step; fi; done"
    variables = {"CHECKPOINT_DIR": str(tmp_path), "MIN_STEPS_CROSS": "7"}
    assert with_steps(tmp_path, program, **variables).stdout == ""  # of an earlier cross encoder
    (tmp_path / "cross_encoder").mkdir()
    (tmp_path / "cross_encoder/held_out.tsv").touch()
    for others in ({"THRESHOLDS": "paper"}, {"PLAN": "yes"}):
        assert with_steps(tmp_path, program, **variables | others).stdout == ""
    assert not (tmp_path / "M.left_out.txt").exists()
    expected = "denoise\n" if answer == "no" else ""
    assert with_steps(tmp_path, program, **variables).stdout == expected
    assert (tmp_path / "M.left_out.txt").exists() == (answer == "no")
    if answer == "no":
        assert (tmp_path / "M.left_out.txt").read_text() == (
            "M is not trained: the cross encoder does not agree with the held-out labels: 9 % of 9 "
            "are: 1 times; train the cross encoder longer (MIN_STEPS_CROSS=7) or on more labels, "
            f"or set THRESHOLDS=paper to use all the same: {tmp_path}/calibration/report.md has "
            "the calibration.\n"
        )


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


@pytest.mark.parametrize(
    "changed, expected",
    [
        ({}, "in-batch 2 1"),
        ({"DEVICES": "1"}, "in-batch 1 2"),
        ({"DEVICES": "1", "ACCUMULATE": "4"}, "in-batch 2 4"),
        ({"DEVICES": "1", "BATCH_SIZE": "1"}, "in-batch 1 1"),
    ],
)
def test_in_batch_negatives_are_fewer_than_cross_batch_ones_on_one_device_too(
    tmp_path, changed, expected
):
    program = (
        'train_dual() { echo "$NEGATIVES $BATCH_SIZE $ACCUMULATE $*"; }; '
        'train_in_batch a 1 b --c d; echo "$BATCH_SIZE $ACCUMULATE"'
    )
    after = f"{changed.get('BATCH_SIZE', '2')} {changed.get('ACCUMULATE', '1')}"
    assert with_steps(tmp_path, program, **changed).stdout == f"{expected} a 1 b --c d\n{after}\n"


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
    (tmp_path / "queries.unlabelled.tsv").touch()
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


@pytest.mark.parametrize(
    "variables, stemmer",
    [
        ({"CHOOSE": "yes", "BM25_STEMMER": ""}, "german"),
        ({"CHOOSE": "yes", "BM25_STEMMER": "none"}, ""),
        ({"CHOOSE": "yes", "BM25_STEMMER": "porter"}, "porter"),
        ({"CHOOSE": "no", "BM25_STEMMER": ""}, ""),
    ],
)
def test_bm25_takes_the_stemmer_that_was_chosen_where_the_env_file_is_silent(
    tmp_path, variables, stemmer
):
    (tmp_path / "stemmer_choice").mkdir()
    rows = "german\t0.6\tyes\nnone\t0.5\tno\n"
    (tmp_path / "stemmer_choice/choice.tsv").write_text(f"stemmer\tMRR@10\tchosen\n{rows}")
    program = 'echo "[$(stemmer)]"'
    assert with_steps(tmp_path, program, **variables).stdout == f"[{stemmer}]\n"


@pytest.mark.parametrize(
    "choose, stemmer, called",
    [("yes", "", 1), ("yes", "none", 0), ("yes", "porter", 0), ("no", "", 0)],
)
def test_a_stemmer_is_chosen_once_where_it_is_open(tmp_path, choose, stemmer, called):
    program = 'rocketqa() { echo "$1"; }; draw_sample() { echo "$1"; }; '
    open_variables = {"CHOOSE": choose, "BM25_STEMMER": stemmer, "DATA_DIR": str(tmp_path)}
    others = {"SEED": "1", "BM25_K1": "1", "BM25_B": "0"}
    done = with_steps(
        tmp_path, program + "choose_stemmer; choose_stemmer", **open_variables, **others
    )
    assert done.stdout == "train_sample\nchoose-stemmer\n" * called
    assert done.stderr == ""


def test_without_unlabelled_queries_the_model_of_stage_4_is_not_the_last_one(tmp_path):
    assert with_steps(tmp_path, "last_model").stdout == "dual_encoder_1\n"
    assert with_steps(tmp_path, "last_model", THRESHOLDS="paper").stdout == "dual_encoder_2\n"
    (tmp_path / "queries.unlabelled.tsv").touch()
    assert with_steps(tmp_path, "last_model").stdout == "dual_encoder_2\n"
