"""Blocks hold whole queries of bounded size, and each pair gets its own score."""

from types import MethodType, SimpleNamespace

import numpy as np
import pytest

from rocketqa.inference import scoring
from rocketqa.inference.engine import Engine


@pytest.mark.parametrize(
    "lines, queries, depth, expected",
    [
        (40_960, 4096, None, 409),
        (40_960, 40, None, 4),
        (40_961, 40, None, 3),
        (40_960, 40, 50, 81),
        (9000, 1, None, 1),
        (9, 9, 100, 4096),
    ],
)
def test_a_block_has_whole_queries_of_some_4096_pairs(lines, queries, depth, expected):
    assert scoring.queries_in_a_block(lines, queries, depth) == expected


def test_the_tokens_of_a_query_with_many_passages_are_never_all_in_memory(monkeypatch):
    """Ten pairs whose text is n tokens long and whose score is n, three in memory at once."""
    monkeypatch.setattr(scoring, "BLOCK_PAIRS", 3)
    held, batches = [], []

    def encode(pairs):
        held.append(len(pairs))
        return [SimpleNamespace(token_ids=[0] * pair) for pair in pairs]

    def run(given, count):
        for rows in given:
            batches.append([len(row.token_ids) for row in rows])
            yield np.array(batches[-1], np.float32)

    engine = SimpleNamespace(run_batches=run, _by_kernels=False)
    engine.run_all = MethodType(Engine.run_all, engine)
    pairs = [9, 2, 5, 4, 1, 3, 7, 7, 2, 6]
    assert scoring.scores_of(pairs, engine, encode, 8) == pairs
    assert held == [3, 3, 3, 1]
    assert batches == [[2], [5], [9], [1, 3], [4], [2], [7], [7], [6]]


def test_the_drawn_queries_depend_on_the_seed_and_the_ids_alone():
    query_ids = [f"q{number}" for number in range(40)]
    drawn = scoring.drawn_queries(query_ids, 7, seed=1)
    assert len(drawn) == 7 and drawn == [query_id for query_id in query_ids if query_id in drawn]
    assert drawn != query_ids[:7]
    assert scoring.drawn_queries(query_ids[::-1], 7, seed=1) == drawn[::-1]
    assert set(scoring.drawn_queries(query_ids, 7, seed=2)) != set(drawn)
    assert scoring.drawn_queries(query_ids, 400, seed=1) == query_ids
    assert scoring.drawn_queries(query_ids, None, seed=1) == query_ids
