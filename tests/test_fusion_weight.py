"""The weight of BM25 is chosen with the initial weights where they retrieve, else with the last
dual encoder; with verbs that only write what they are asked for.
"""

import pytest
from false_commands import write_command
from script_runs import ROOT, folders_below, path_with, sh

# MRR@10 is $START of the initial weights and $WORDS of BM25.
FALSE_VERBS = """verb=$1
echo "$*" >>"$CALLS"
while [ $# -gt 0 ]; do
    case $1 in
        --output) output=$2 ;;
        --run) run=$2 ;;
    esac
    shift
done
case $verb in
    data_prep/bm25.py | retrieve) printf '%s\\n' "$TWO_PASSAGES" >"$output" ;;
    evaluate)
        case $run in */start.*) value=$START ;; */bm25.*) value=$WORDS ;; *) value=.5 ;; esac
        printf 'MRR@10\\t%s\\n' "$value" >"$output"
        ;;
esac
"""


@pytest.fixture
def weigher(tmp_path):
    """Returns what runs fuse.sh with variables, and gives the model that chooses the weight."""
    for name in ("c/cross_encoder", "c/dual_encoder_2", "c/start", "o", "d"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("collection", "queries.train", "qrels.train", "queries.dev", "qrels.dev"):
        (tmp_path / f"d/{name}.tsv").touch()
    for name in ("rocketqa", "python"):
        write_command(tmp_path / "bin" / name, FALSE_VERBS)

    def run(**changed: str) -> str:
        (tmp_path / "calls").write_text("")
        variables = folders_below(tmp_path) | {
            "DATA_DIR": str(tmp_path / "d"),
            "PATH": path_with(tmp_path / "bin"),
            "CALLS": str(tmp_path / "calls"),
            "TWO_PASSAGES": "q\tQ0\tp1\t1\t0.9\tx\nq\tQ0\tp2\t2\t0.5\tx",
            **{name: "1" for name in ("DEVICES", "DEVICES_CROSS", "DEVICES_INFERENCE")},
        }
        done = sh(str(ROOT / "run_scripts/fuse.sh"), "run_scripts/own.env", **variables | changed)
        assert done.returncode == 0, done.stderr
        calls = (tmp_path / "calls").read_text().splitlines()
        [dev] = [
            call.split() for call in calls if call.startswith("fuse ") and "fused.dev.run" in call
        ]
        words, model = dev[dev.index("--training-runs") + 1 :][:2]
        assert words == str(tmp_path / "o/bm25.train_sample.run")
        return model.removeprefix(f"{tmp_path}/o/").removesuffix(".train_sample.run")

    return run


@pytest.mark.parametrize(
    "changed, model",
    [
        ({"START": "0.2", "WORDS": "0.4"}, "start"),  # half as good
        ({"START": "0.19", "WORDS": "0.4"}, "dual_encoder_2"),
        ({"START": "0.4", "WORDS": "0.2", "BASELINES": "no"}, "dual_encoder_2"),
    ],
)
def test_the_initial_weights_choose_where_they_are_half_as_good_as_words(weigher, changed, model):
    assert weigher(**changed) == model


def test_a_fusion_without_the_initial_weights_names_the_command_that_makes_them(tmp_path, weigher):
    (tmp_path / "c/start").rmdir()
    with pytest.raises(AssertionError, match="c/start: expected .*run_scripts/rocket.sh"):
        weigher(START="1", WORDS="1")
