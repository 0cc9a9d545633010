"""A choice is measured on the labelled queries, over their passages and drawn ones."""

import pytest

from rocketqa.evaluation.small_search import drawn_passages, read_small_search


def test_passages_are_drawn_by_the_seed_and_their_ids():
    collection = dict.fromkeys(f"p{number}" for number in range(50))
    backwards = dict.fromkeys(reversed(collection))
    drawn = drawn_passages(collection, {"p1", "p2"}, 10, seed=1)
    assert drawn == drawn_passages(backwards, {"p1", "p2"}, 10, seed=1)
    assert len(set(drawn)) == 10 and not {"p1", "p2"} & set(drawn)
    assert drawn != drawn_passages(collection, {"p1", "p2"}, 10, seed=2)
    assert len(drawn_passages(collection, {"p1"}, 100, seed=1)) == 49


def test_labelled_queries_search_their_passages_and_the_drawn_ones_in_order(tmp_path):
    passages = [f"p{number}\t\ttext {number}\n" for number in range(9)]
    (tmp_path / "collection.tsv").write_text("".join(passages))
    (tmp_path / "queries.tsv").write_text("q1\ta\nq2\tb\nq3\tc\n")
    (tmp_path / "qrels.tsv").write_text("q3\t0\tp5\t1\nq1\t0\tp8\t1\nq1\t0\tp0\t1\n")
    files = [tmp_path / f"{name}.tsv" for name in ("collection", "queries", "qrels")]
    search = read_small_search(*files, count=2, seed=1)
    assert set(search.queries) == {"q1", "q3"}  # q2 has no label
    assert list(search.passages) == sorted(search.passages)
    assert len(search.passages) == 5 and {"p0", "p5", "p8"} <= set(search.passages)
    assert search.size() == "2 labelled queries over 5 passages"
    found = {"q3": ["p0", "p5"], "q1": ["p5", "p1", "p8", "p0"]}
    assert search.mrr(found[query_id] for query_id in search.queries) == 0.4167
    late = [*("p1" for _ in range(10)), "p0", "p5"]  # behind the tenth
    assert search.mrr([late, late]) == 0
    with pytest.raises(ValueError, match="zip"):
        search.mrr([["p5"]])
