"""The initial weights stand for the last dual encoder on training queries, where they retrieve:
they choose the weight of BM25, and of the cross encoder beside both. The verbs only write what is
asked for.
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
    data_prep/bm25.py | retrieve | score)
        case ${verb##*/}:$output in
            bm25.py:*/bm25.$WITHOUT_WORDS.run) : >"$output" ;;
            *) printf '%s\\n' "$TWO_PASSAGES" >"$output" ;;
        esac
        ;;
    evaluate)
        case $run in
            */start.*) value=$START ;;
            */bm25.*) value=$WORDS ;;
            *) value=.5 ;;
        esac
        printf 'MRR@10\\t%s\\n' "$value" >"$output"
        ;;
esac
"""


@pytest.fixture
def calls_of_fusion(tmp_path):
    """Returns what runs fuse.sh with variables, and gives the calls of its verbs."""
    for name in ("c/cross_encoder", "c/dual_encoder_3", "c/start", "o", "d"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("collection", "queries.train", "qrels.train", "queries.dev", "qrels.dev"):
        (tmp_path / f"d/{name}.tsv").touch()
    for name in ("rocketqa", "python"):
        write_command(tmp_path / "bin" / name, FALSE_VERBS)

    def run(**changed: str) -> list[str]:
        (tmp_path / "calls").write_text("")
        variables = folders_below(tmp_path) | {
            "DATA_DIR": str(tmp_path / "d"),
            "PATH": path_with(tmp_path / "bin"),
            "WITHOUT_WORDS": "none",
            "CALLS": str(tmp_path / "calls"),
            "TWO_PASSAGES": "q\tQ0\tp1\t1\t0.9\tx\nq\tQ0\tp2\t2\t0.5\tx",
            **{name: "1" for name in ("DEVICES", "DEVICES_CROSS", "DEVICES_INFERENCE")},
        }
        done = sh(str(ROOT / "run_scripts/fuse.sh"), "run_scripts/own.env", **variables | changed)
        assert done.returncode == 0, done.stderr
        text = (tmp_path / "calls").read_text().replace(f"{tmp_path}/o/", "")
        return text.replace(f"{tmp_path}/c/", "CHECKPOINTS/").splitlines()

    return run


@pytest.mark.parametrize(
    "changed, model",
    [
        ({"START": "0.2", "WORDS": "0.4"}, "start"),  # half as good
        ({"START": "0.19", "WORDS": "0.4"}, "dual_encoder_3"),
        ({"START": "0.4", "WORDS": "0.2", "BASELINES": "no"}, "dual_encoder_3"),
    ],
)
def test_the_initial_weights_choose_the_weight_where_they_are_half_as_good_as_words(
    calls_of_fusion, changed, model
):
    [call] = [call for call in calls_of_fusion(**changed) if "--output fused.dev.run" in call]
    assert "--runs bm25.dev.run dual_encoder_3.dev.run" in call
    assert f"--training-runs bm25.train_sample.run {model}.train_sample.run" in call


def calls_with(output: str, calls: list[str]) -> list[str]:
    """Returns the calls that write an output."""
    return [call for call in calls if f" --output {output} " in f"{call} "]


def test_held_out_queries_choose_the_weight_of_the_cross_encoder(calls_of_fusion, tmp_path):
    [alone] = calls_with("fused_reranked.dev.run", calls_of_fusion(START="1", WORDS="1"))
    assert "--runs fused.dev.run fused.dev.scored.run --depth 20 --weights 0 1" in alone
    (tmp_path / "c/cross_encoder/held_out.tsv").touch()
    calls = calls_of_fusion(START="1", WORDS="1")
    [draw] = calls_with("held_out", calls)
    assert draw.endswith("--held-out-pairs CHECKPOINTS/cross_encoder/held_out.tsv")
    [chosen] = calls_with("fused_reranked.dev.run", calls)
    assert "--training-runs fused.held_out.run fused.held_out.scored.run" in chosen
    assert chosen.endswith("--training-qrels held_out/qrels.tsv")
    assert not calls_with("fused.train_sample.scored.run", calls)
    assert calls_with("fused.dev.scored.run", calls)


def test_the_cross_encoder_ranks_alone_where_words_find_nothing_for_the_held_out_queries(
    calls_of_fusion, tmp_path
):
    (tmp_path / "c/cross_encoder/held_out.tsv").touch()
    calls = calls_of_fusion(START="1", WORDS="1", WITHOUT_WORDS="held_out")
    assert calls_with("fused.dev.run", calls)
    [alone] = calls_with("fused_reranked.dev.run", calls)
    assert alone.endswith("--weights 0 1")
    for row in ("fused", "fused_reranked"):
        assert (tmp_path / f"o/{row}.measures.tsv").exists()


def test_a_fusion_without_the_initial_weights_names_the_command_that_makes_them(
    tmp_path, calls_of_fusion
):
    (tmp_path / "c/start").rmdir()
    with pytest.raises(AssertionError, match="c/start: expected .*run_scripts/rocket.sh"):
        calls_of_fusion(START="1", WORDS="1")
