"""Stage 4 follows the calibration where too few pseudo-labels are sure, and it and stage 5 are left
out where they have too little to learn from, with verbs that only write what they are asked for.
"""

from pathlib import Path

import pytest
from false_commands import write_command
from script_runs import ROOT, folders_below, path_with, sh

# `pseudo-label` writes three rows where --min-positive is at most SURE; a batch are two.
# `sample-negatives` writes one.
FALSE_VERBS = """verb=$1
echo "$*" >>"$CALLS"
while [ $# -gt 0 ]; do
    case $1 in
        --output) output=$2 ;;
        --min-positive) threshold=$2 ;;
    esac
    shift
done
[ "$verb" != sample-negatives ] || echo row >"$output"
[ "$verb" = pseudo-label ] || exit 0
rows=0
awk "BEGIN { exit !($threshold <= $SURE) }" && rows=3
yes row | head -n "$rows" >"$output"
"""
HEAD = "threshold\tqueries_with_a_positive\tshare_of_queries\tlabelled_or_relevant"
SHARES = {0.05: 0.0, 0.3: 0.2, 0.5: 0.05, 0.7: 0.01, 0.8: 0.01, 0.9: 0.0}  # of held-out others


@pytest.fixture
def run_stage(tmp_path):
    """Returns what runs stage 4 with SURE and further variables, and gives what it has asked."""
    for name in ("c/cross_encoder", "c/dual_encoder_1", "o/denoising.unlabelled", "d"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "o/examples.dual.1.tsv").touch()
    for name in ("collection", "queries.train", "qrels.train", "queries.unlabelled"):
        (tmp_path / f"d/{name}.tsv").touch()
    rows = [f"{threshold}\t9\t0.5\t\t{share}" for threshold, share in SHARES.items()]
    table = "\n".join([f"{HEAD}\theld_out_others_taken_for_positives", *rows, ""])
    (tmp_path / "o/denoising.unlabelled/min_positive.tsv").write_text(table)
    write_command(tmp_path / "bin/rocketqa", FALSE_VERBS)

    def run(sure: str, script: str = "stage4_dual_augmented.sh", **changed: str) -> list[str]:
        (tmp_path / "calls").write_text("")
        variables = folders_below(tmp_path) | {
            "DATA_DIR": str(tmp_path / "d"),
            "PATH": path_with(tmp_path / "bin"),
            "CALLS": str(tmp_path / "calls"),
            "SURE": sure,
            "BATCH_SIZE": "2",
            **{name: "1" for name in ("DEVICES", "DEVICES_CROSS", "DEVICES_INFERENCE")},
        }
        path = str(ROOT / "run_scripts" / script)
        done = sh(path, "run_scripts/own.env", **variables | changed)
        assert done.returncode == 0, done.stderr
        return (tmp_path / "calls").read_text().splitlines()

    return run


def thresholds_of(calls: list[str]) -> list[str]:
    """Returns the --min-positive of each labelling."""
    labellings = [call.split() for call in calls if call.startswith("pseudo-label ")]
    return [words[words.index("--min-positive") + 1] for words in labellings]


def note(tmp_path: Path, kind: str, model: str = "dual_encoder_2") -> str:
    """Returns a note of a stage; an empty text where there is none."""
    path = tmp_path / f"o/{model}.{kind}.txt"
    return path.read_text() if path.exists() else ""


def test_the_lower_threshold_falls_as_far_as_a_batch_is_filled(run_stage, tmp_path):
    calls = run_stage("0.75")
    assert thresholds_of(calls) == ["0.9", "0.8", "0.7"]
    assert calls[-1].startswith("train-dual-encoder ")
    assert note(tmp_path, "lowered") == (
        "MIN_POSITIVE=0.9 leaves 0 examples of stage 4, fewer than a batch of 2. It is lowered to "
        "0.7, above which are at most 5 % of the held-out passages without a label.\n"
    )
    assert not note(tmp_path, "left_out")


def test_it_never_falls_where_held_out_passages_without_a_label_would_be_positives(
    run_stage, tmp_path
):
    calls = run_stage("0.4")  # 0.3 would fill a batch, but is above 5 %
    assert thresholds_of(calls) == ["0.9", "0.8", "0.7", "0.5"]
    assert not [call for call in calls if call.startswith("train-dual-encoder ")]
    assert "because few unlabelled queries have a passage above MIN" in note(tmp_path, "left_out")
    assert not note(tmp_path, "lowered")
    # A passage below MAX_NEGATIVE=0.1 cannot be a positive, however few others are above it.
    assert thresholds_of(run_stage("0.05"))[-1] == "0.5"


@pytest.mark.parametrize("changed", [{"THRESHOLDS": "paper"}, {"HELD_OUT": "0"}])
def test_without_a_calibration_the_threshold_stays(run_stage, changed):
    assert thresholds_of(run_stage("0.75", **changed)) == ["0.9"]
    assert thresholds_of(run_stage("0.9")) == ["0.9"]


def test_without_unlabelled_queries_the_stage_is_left_out(run_stage, tmp_path):
    path = tmp_path / "d/queries.unlabelled.tsv"
    path.unlink()
    assert [call.split()[0] for call in run_stage("0.9")] == ["preflight"]
    assert note(tmp_path, "left_out") == (
        "dual_encoder_2 is not trained: stage 4 needs queries without labels, and there is no "
        f"{path}.\n"
    )
    for strict in ({"THRESHOLDS": "paper"}, {"DATA_PREP": "true"}):
        with pytest.raises(AssertionError, match="queries.unlabelled.tsv: expected it"):
            run_stage("0.9", **strict)


def test_stage_5_is_left_out_where_all_its_rows_do_not_fill_a_batch(run_stage, tmp_path):
    (tmp_path / "c/dual_encoder_2").mkdir()
    calls = run_stage("0", "stage5_distilled.sh", BATCH_SIZE_5="5")  # 1 labelled and 3 others
    assert not [call for call in calls if call.startswith("train-dual-encoder ")]
    assert note(tmp_path, "left_out", "dual_encoder_3") == (
        "dual_encoder_3 is not trained: stage 5 has 4 examples, fewer than a batch of 5; lower "
        "BATCH_SIZE_5=5 or take more queries.\n"
    )
    calls = run_stage("0", "stage5_distilled.sh", BATCH_SIZE_5="4")
    assert calls[-1].startswith("train-dual-encoder ") and "--batch-size 4 " in calls[-1]
    assert not note(tmp_path, "left_out", "dual_encoder_3")


def test_a_note_of_an_earlier_call_goes(run_stage, tmp_path):
    run_stage("0.75")
    run_stage("0.9")
    assert not note(tmp_path, "lowered")
