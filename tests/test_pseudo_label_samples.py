"""Pseudo-labels to be read: those that stage 4 would make, of queries that a seed draws."""

from rocketqa.data_augmentation import PseudoLabelSettings, pseudo_labelled_examples
from rocketqa.evaluation.pseudo_label_samples import (
    MAX_QUERIES,
    PseudoLabelSamples,
    pseudo_label_lines,
    pseudo_labels_with_texts,
)
from rocketqa.files.formats import Passage, Query
from rocketqa.files.runs import ranked

SCORES = {"a": 0.95, "b": 0.5, "c": 0.01, "d": 0.05, "e": 0.97}
SETTINGS = PseudoLabelSettings(5, 0.9, 0.1, rows=10, negatives_per_row=1)


def samples_of(*queries, seed=1) -> PseudoLabelSamples:
    """Returns the samples of (query_id, passage ids by rank, truth)."""
    samples = PseudoLabelSamples(0.9, 0.1, seed)
    for query_id, passage_ids, truth in queries:
        scores = {(query_id, passage_id): SCORES[passage_id] for passage_id in passage_ids}
        samples.add(query_id, ranking_of(query_id, passage_ids), scores, truth)
    return samples


def ranking_of(query_id: str, passage_ids: str):
    pairs = [(passage_id, -float(place)) for place, passage_id in enumerate(passage_ids)]
    return ranked(query_id, pairs)


def test_a_query_shows_its_positive_and_one_of_its_negatives_with_rank_score_and_truth():
    positive, negative = samples_of(("q", "bac", ["a", "c"])).labels()
    assert positive == ("q", "positive", 2, 0.95, "a", True)
    assert negative == ("q", "negative", 3, 0.01, "c", True)
    assert [label.relevant for label in samples_of(("q", "ac", None)).labels()] == [None, None]


def test_the_labels_are_those_that_stage_4_trains_on():
    for passage_ids in ("bacde", "cd", "ab", "eadcb", "b", ""):
        scores = {("q", passage_id): SCORES[passage_id] for passage_id in passage_ids}
        ranking = ranking_of("q", passage_ids)
        rows = pseudo_labelled_examples("q", ranking, scores, SETTINGS)
        found = samples_of(("q", passage_ids, None)).labels()
        assert bool(rows) == bool(found), passage_ids
        if rows:
            assert found[0].passage_id == rows[0].positive_id
            assert found[1].passage_id in {row.negative_ids[0] for row in rows}


def test_the_queries_are_drawn_by_the_seed_and_not_by_their_order():
    queries = [(f"q{number}", "acd", None) for number in range(60)]
    drawn = samples_of(*queries).labels()
    assert len({label.query_id for label in drawn}) == MAX_QUERIES and len(drawn) == 40
    assert drawn == samples_of(*queries[::-1]).labels()
    assert drawn != samples_of(*queries, seed=2).labels()


def test_the_table_has_the_texts_and_the_page_a_heading():
    samples = samples_of(("q", "ac", ["a"]))
    passages = {"a": Passage("a", "A", "text a"), "c": Passage("c", "", "text c")}
    table = pseudo_labels_with_texts(samples, {"q": Query("q", "who")}, passages)
    assert table[1:] == [
        ["q", "who", "positive", 1, "0.95", "a", "A", "text a", "yes"],
        ["q", "who", "negative", 2, "0.01", "c", "", "text c", "no"],
    ]
    lines = list(pseudo_label_lines(table))
    assert lines[1] == "## Pseudo-labels, drawn by chance"
    assert "| q | who | positive | 1 | 0.95 | a | A | text a | yes |" in lines
