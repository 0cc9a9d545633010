"""`rocketqa fuse` makes one run of several, and chooses their weights on training queries."""

import json
import shlex

import pytest

from rocketqa.cli.__main__ import main
from rocketqa.cli.fuse import EXAMPLE, build_parser
from rocketqa.files.runs import RunFile, ranked, run_lines

BM25 = {"q1": [("a", 9.0), ("b", 5.0), ("c", 1.0)], "q2": [("b", 2.0)]}
DUAL = {"q1": [("c", 82.0), ("a", 81.0), ("d", 78.0)], "q3": [("d", 80.0), ("a", 70.0)]}


def write_run(path, scores, run_format="trec"):
    lines = []
    for query_id, found in scores.items():
        lines += run_lines(ranked(query_id, found), run_format)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture
def folder(tmp_path):
    """Two runs, the same systems' runs of training queries, and their labels."""
    write_run(tmp_path / "bm25.run", BM25)
    write_run(tmp_path / "dual.run", DUAL)
    write_run(tmp_path / "bm25.train.run", {"t1": [("a", 3.0), ("b", 2.0), ("c", 0.0)]})
    write_run(tmp_path / "dual.train.run", {"t1": [("c", 3.0), ("b", 2.0), ("a", 0.0)]})
    (tmp_path / "qrels.tsv").write_text("t1\t0\tb\t1\nt2\t0\ta\t1\n")
    return tmp_path


def fuse(folder, *flags, runs=("bm25.run", "dual.run"), output="fused.run") -> int:
    words = ["fuse", "--runs", *(folder / run for run in runs), "--output", folder / output]
    return main([str(word) for word in (*words, *flags)])


def passages(folder, query_id):
    return [scored.passage_id for scored in RunFile(folder / "fused.run")[query_id]]


def training(folder):
    runs = (folder / "bm25.train.run", folder / "dual.train.run")
    return ("--training-runs", *runs, "--training-qrels", folder / "qrels.tsv")


def test_the_fused_run_has_all_queries_of_the_runs(folder, capsys):
    assert fuse(folder) == 0
    assert list(RunFile(folder / "fused.run")) == ["q1", "q2", "q3"]
    assert passages(folder, "q1") == ["a", "c", "b", "d"]
    assert (folder / "fused.run").read_text().startswith("q1\tQ0\ta\t1\t0.875\trocketqa\n")
    printed = capsys.readouterr().out
    assert printed.endswith(f"0.5 x {folder}/bm25.run + 0.5 x {folder}/dual.run\n")
    assert json.loads((folder / "fused.run.meta.json").read_text())["weights"] == [0.5, 0.5]


def test_weights_are_divided_by_their_sum(folder):
    assert fuse(folder, "--weights", "9", "1") == 0
    assert passages(folder, "q1") == ["a", "b", "c", "d"]
    assert json.loads((folder / "fused.run.meta.json").read_text())["weights"] == [0.9, 0.1]


def test_weights_are_chosen_on_training_queries_and_printed(folder, capsys):
    assert fuse(folder, *training(folder)) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "weights of the runs, and MRR@10 of 2 training queries:"
    assert printed[1] == "0.0 1.0\t0.2500"
    assert printed[6] == "0.5 0.5\t0.5000  <- chosen"
    record = json.loads((folder / "fused.run.meta.json").read_text())
    assert record["weights"] == [0.5, 0.5]
    assert record["training MRR@10"] == 0.5


def test_the_depth_is_that_of_each_run_and_of_the_fused_one(folder):
    assert fuse(folder, "--depth", "2") == 0
    assert passages(folder, "q1") == ["a", "c"]  # b has the lowest of two scores of BM25: 0


def test_a_run_without_scores_is_fused_by_its_ranks(folder, capsys):
    write_run(folder / "marco.run", BM25, "msmarco")
    runs = ("marco.run", "dual.run")
    assert fuse(folder, runs=runs) == 2
    assert "(--method ranks needs no scores)" in capsys.readouterr().err
    assert fuse(folder, "--method", "ranks", "--format", "msmarco", runs=runs) == 0
    assert (folder / "fused.run").read_text().startswith("q1\ta\t1\nq1\tc\t2\n")


def test_a_finished_run_is_kept_and_another_weight_makes_it_anew(folder, capsys):
    assert fuse(folder, *training(folder)) == 0
    assert fuse(folder, *training(folder)) == 0
    assert capsys.readouterr().err.endswith("fused.run: up to date\n")
    assert fuse(folder, "--weights", "1", "0", "--check") == 3
    write_run(folder / "dual.train.run", {"t1": [("b", 3.0)]})
    assert fuse(folder, *training(folder), "--check") == 3


EQUAL = {"q1": [("a", 1.0), ("b", 1.0)], "q2": [("a", 2.0)]}


@pytest.mark.parametrize(
    "scores, error",
    [
        ({"other": [("a", 1.0)]}, "other.run: expected queries of FOLDER/bm25.run, got none that"),
        ({}, "other.run:1: expected a line, got an empty file"),
        (EQUAL, "other.run: expected scores that differ, got equal ones for the passages of each"),
    ],
)
def test_runs_that_cannot_be_fused_are_refused(folder, capsys, scores, error):
    write_run(folder / "other.run", scores)
    assert fuse(folder, runs=("bm25.run", "other.run")) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert error.replace("FOLDER", str(folder)) in line
    assert not (folder / "fused.run").exists()


def test_one_query_with_equal_scores_is_said(folder, capsys):
    write_run(folder / "other.run", EQUAL | {"q3": [("a", 2.0), ("b", 1.0)]})
    assert fuse(folder, runs=("bm25.run", "other.run")) == 0
    assert "other.run: 1 of 3 queries have the same score" in capsys.readouterr().err


def test_distances_which_rise_with_the_ranks_are_refused(folder, capsys):
    (folder / "far.run").write_text("q1\ta\t1\t0.5\nq1\tb\t2\t0.9\n")
    assert fuse(folder, runs=("bm25.run", "far.run")) == 2
    assert "far.run:2: the ranks contradict the scores" in capsys.readouterr().err
    assert fuse(folder, "--method", "ranks", runs=("bm25.run", "far.run")) == 0


@pytest.mark.parametrize(
    "flags, error",
    [
        ("--weights 1", "--weights: expected 2, as many as --runs, got 1"),
        ("--weights 0 0", "--weights: expected one above 0, got only 0"),
        ("--training-runs A B", "--training-runs, --training-qrels: expected both or none"),
        ("--training-runs A --training-qrels Q", "--training-runs: expected 2, as many as --runs"),
        ("--training-runs A B --training-qrels Q --weights 1 1", "--weights: expected it without"),
    ],
)
def test_flags_that_do_not_fit_together_are_refused(folder, capsys, flags, error):
    assert fuse(folder, *flags.split()) == 2
    assert capsys.readouterr().err.startswith(f"rocketqa fuse: {error}")


def test_one_run_is_refused(folder, capsys):
    assert fuse(folder, runs=("bm25.run",)) == 2
    assert "--runs: expected two runs or more, got 1" in capsys.readouterr().err


def test_labels_of_other_queries_are_refused(folder, capsys):
    (folder / "qrels.tsv").write_text("x\t0\tb\t1\n")
    assert fuse(folder, *training(folder)) == 2
    assert "qrels.tsv: expected labels of the queries of" in capsys.readouterr().err


def test_the_example_is_understood():
    build_parser().parse_args(shlex.split(EXAMPLE)[2:])
