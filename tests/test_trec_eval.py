"""Measures by score are trec_eval's, query by query: graded labels, equal scores, any level."""

import random
from pathlib import Path

import pytest
import pytrec_eval

from rocketqa.cli.__main__ import main
from rocketqa.evaluation.judgements import read_judgements, relevant_passages
from rocketqa.evaluation.measures import is_graded, mean, per_query
from rocketqa.evaluation.rankings import read_ranked_run
from rocketqa.files.formats import write_lines

TREC_NAMES = {  # measure -> trec_eval's name
    "MRR@40": "recip_rank",  # no ranking is longer
    "Recall@5": "recall_5",
    "Recall@20": "recall_20",
    "Success@1": "success_1",
    "Success@5": "success_5",
    "nDCG@1": "ndcg_cut_1",
    "nDCG@10": "ndcg_cut_10",
    "nDCG@40": "ndcg_cut_40",
    "MAP": "map",
    "MAP@10": "map_cut_10",
}
WANTED = {"recip_rank", "recall.5,20", "success.1,5", "ndcg_cut.1,10,40", "map", "map_cut.10"}

Labels = dict[str, dict[str, int]]  # query_id -> passage_id -> relevance
Scores = dict[str, dict[str, float]]  # query_id -> passage_id -> score


def random_case(drawing: random.Random) -> tuple[Labels, Scores]:
    """Returns labels of 8 queries and a run of most of them. Many scores are equal."""
    labels: Labels = {}
    for query in range(8):
        judged = drawing.sample(range(60), 12)
        labels[f"q{query}"] = {f"p{passage}": drawing.randint(-1, 3) for passage in judged}
    labels["q0"]["p7"] = 3
    scores: Scores = {}
    for query_id in labels:
        if query_id == "q0" or drawing.random() < 0.8:
            passages = drawing.sample(range(60), drawing.randint(1, 40))
            scores[query_id] = {f"p{passage}": drawing.randint(-9, 9) / 4 for passage in passages}
    return labels, scores


def write_case(folder, labels: Labels, scores: Scores) -> tuple[Path, Path]:
    """Writes labels and a run between spaces, with ranks of no order, and returns the paths."""
    run = []
    for query_id, of_query in scores.items():
        for rank, (passage_id, score) in enumerate(of_query.items(), 1):
            run.append(f"{query_id} Q0 {passage_id} {rank} {score} x")
    rows = []
    for query_id, judged in labels.items():
        for passage_id, relevance in judged.items():
            rows.append(f"{query_id} 0 {passage_id} {relevance}")
    write_lines(folder / "a.run", run)
    write_lines(folder / "qrels.txt", rows)
    return folder / "a.run", folder / "qrels.txt"


@pytest.mark.parametrize("level", [1, 2, 3])
def test_random_runs_have_the_values_of_trec_eval(tmp_path, level):
    """The values are those over all judged queries (trec_eval's `-c`)."""
    different_values = set()
    for seed in range(40):
        labels, scores = random_case(random.Random(seed))
        run, qrels = write_case(tmp_path, labels, scores)
        evaluator = pytrec_eval.RelevanceEvaluator(labels, WANTED, relevance_level=level)
        theirs = evaluator.evaluate(scores)
        judgements = read_judgements(qrels, "strict")
        relevant = relevant_passages(judgements, level)
        gains = {query_id: judgements[query_id] for query_id in relevant}
        rankings = read_ranked_run(run, "strict", "score", print).rankings
        for measure, name in TREC_NAMES.items():
            judged = gains if is_graded(measure) else relevant
            ours = per_query(rankings, judged, measure)
            assert ours.keys() == relevant.keys()
            for query_id, value in ours.items():
                expected = theirs[query_id][name] if query_id in theirs else 0.0
                assert value == pytest.approx(expected, abs=1e-12), (seed, measure, query_id)
                different_values.add(value)
            total = sum(theirs[query_id][name] for query_id in relevant if query_id in theirs)
            assert mean(ours) == pytest.approx(total / len(relevant), abs=1e-12)
    assert len(different_values) > 300


def evaluated(capsys, run, qrels, *flags: str) -> tuple[dict[str, float], str]:
    """Returns what the verb prints: measure -> value, and the remarks."""
    assert main(["evaluate", "--run", str(run), "--qrels", str(qrels), *flags]) == 0
    printed = capsys.readouterr()
    lines = (line.split("\t") for line in printed.out.splitlines())
    return {measure: float(value) for measure, value in lines}, printed.err


def test_the_verb_prints_the_means_of_trec_eval_at_a_level(tmp_path, capsys):
    labels, scores = random_case(random.Random(3))
    run, qrels = write_case(tmp_path, labels, scores)
    theirs = pytrec_eval.RelevanceEvaluator(labels, WANTED, relevance_level=2).evaluate(scores)
    judged = [query_id for query_id in labels if max(labels[query_id].values()) >= 2]
    flags = ("--order", "score", "--relevance-level", "2", "--measures", "nDCG@10", "MAP")
    values, _ = evaluated(capsys, run, qrels, *flags)
    for measure, name in (("nDCG@10", "ndcg_cut_10"), ("MAP", "map")):
        total = sum(theirs[query_id][name] for query_id in judged if query_id in theirs)
        assert values[measure] == pytest.approx(total / len(judged), abs=1e-12)


# What trec_eval gives for each of these runs of two queries is MRR .75, and 1 for the last one.
QRELS = "q1\t0\td1\t1\nq2\t0\td3\t1\n"
RANK_0 = "q1 Q0 d1 0 9.5 x\nq1 Q0 d2 1 9.0 x\nq2 Q0 d9 0 4.0 x\nq2 Q0 d3 1 3.0 x\n"
ALL_0 = "q1 Q0 d1 0 9.5 x\nq1 Q0 d2 0 9.0 x\nq2 Q0 d9 0 4.0 x\nq2 Q0 d3 0 3.0 x\n"
STALE = "q1 Q0 d2 1 9.0 x\nq1 Q0 d1 2 9.5 x\nq2 Q0 d9 1 4.0 x\nq2 Q0 d3 2 5.0 x\n"


@pytest.fixture(params=["\t", " ", "   "])
def written(request, tmp_path):
    """Writes a run with one kind of blanks between its columns, and the labels."""

    def write(run: str, qrels: str = QRELS):
        (tmp_path / "a.run").write_text(run.replace(" ", request.param))
        (tmp_path / "qrels.tsv").write_text(qrels.replace("\t", request.param))
        return tmp_path / "a.run", tmp_path / "qrels.tsv"

    return write


def test_any_blanks_give_the_same_values(written, capsys):
    run = "q1 Q0 d2 1 9.5 mine\nq1 Q0 d1 2 9.0 mine\nq2 Q0 d3 1 4.0 mine\nq2 Q0 d9 2 3.0 mine\n"
    qrels = "q1\t0\td1\t1\nq1\t0\td2\t0\nq2\t0\td3\t2\n"
    values, _ = evaluated(capsys, *written(run, qrels))
    assert values["MRR@10"] == 0.75 and values["Success@1"] == 0.5


@pytest.mark.parametrize("run", [RANK_0, ALL_0])
@pytest.mark.parametrize("flags", [(), ("--order", "score")])
def test_a_run_with_ranks_below_1_is_measured_by_score_and_that_is_said(
    written, capsys, run, flags
):
    paths = written(run)
    values, remarks = evaluated(capsys, *paths, *flags)
    assert values["MRR@10"] == 0.75
    said = (
        f"{paths[0]}:1: rank 0 is below 1: the run is measured by its scores, as trec_eval does, "
        "and its ranks are not read\n"
    )
    assert (said in remarks) == (not flags)


def test_a_run_whose_ranks_contradict_its_scores_is_named_with_the_values_of_both(written, capsys):
    paths = written(STALE)
    values, remarks = evaluated(capsys, *paths)
    assert values["MRR@10"] == 0.5
    assert remarks.splitlines()[-1] == (
        f"{paths[0]}:2: the ranks contradict the scores: rank 2 of query q1 has the score 9.5, "
        "rank 1 the score 9.0; MRR@10 0.5 by rank and 1.0 by score, Success@1 0.0 by rank and 1.0 "
        "by score (--order score measures by score)"
    )
    values, remarks = evaluated(capsys, *paths, "--order", "score")
    assert values["MRR@10"] == 1.0
    assert "contradict" not in remarks
