"""Very many nearly equal passages are ranked exactly, and few of them need an exact score."""

from fractions import Fraction

import numpy as np
import pytest
from numpy import float32, float64, ndarray, uint32

from rocketqa.search.block_index import BlockIndex, Gpus
from rocketqa.search.exact_scores import EMPTY_KEY, Block, decode_keys, norms_of, score_bounds
from rocketqa.search.exact_search import merge_block
from rocketqa.search.near_equal_passages import merge_all_passages, possible_passages

SIZE = 32
COUNT = 700
BALANCED = np.tile([1, -1], SIZE // 2).astype(float32)


def within_one_unit(base: ndarray) -> ndarray:
    """Returns COUNT vectors, whose numbers are within a unit in the last place of base's."""
    steps = np.random.default_rng(3).integers(-1, 2, (COUNT, SIZE))
    bits = base.astype(float32).view(np.int32) + steps.astype(np.int32)
    return bits.view(float32)


def collections() -> dict[str, ndarray]:
    """Returns collections of nearly equal passages, by name."""
    random = np.random.default_rng(4)
    near_one = within_one_unit(np.ones(SIZE))
    third = -BALANCED - 0.01 * random.random((COUNT, SIZE)).astype(float32)
    third[::3] = 1
    ascending = np.ones((COUNT, SIZE), float32)
    ascending[:, 1] -= float32(2**-24) * np.arange(COUNT, dtype=float32)
    wide = near_one.copy()
    wide[:, 0] = 1e-30 * (1 + random.random(COUNT))
    return {
        "random": within_one_unit(random.standard_normal(SIZE)),
        "orthogonal": near_one,
        "identical": np.ones((COUNT, SIZE), float32),
        "a third identical": third,
        "ascending": ascending,
        "wide": wide,
    }


def queries() -> ndarray:
    random = np.random.default_rng(5).standard_normal((2, SIZE))
    first = np.eye(1, SIZE)
    return np.concatenate([BALANCED[None], -BALANCED[None], first, random]).astype(float32)


def slow_ranking(query: ndarray, block: Block, depth: int) -> list[tuple[float, int]]:
    """The definition in fractions: scores with the order of each passage's id, by rank."""
    scored = []
    for vector, order in zip(block.vectors.tolist(), block.orders.tolist()):
        terms = [Fraction(a) * Fraction(b) for a, b in zip(query.tolist(), vector)]
        scored.append((float(float32(float(sum(terms)))), order))
    return sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:depth]


def ranking(keys: ndarray) -> list[tuple[float, int]]:
    scores, orders = decode_keys(np.sort(keys))
    return list(zip(scores.tolist(), orders.tolist()))


def blocks_of(vectors: ndarray, count: int) -> list[Block]:
    orders = np.random.default_rng(6).permutation(COUNT).astype(uint32)
    rows = np.array_split(np.arange(COUNT), count)
    return [Block(vectors[some], norms_of(vectors[some]), orders[some]) for some in rows]


def merge_by_faiss(best: ndarray, queries: ndarray, block: Block) -> None:
    merge_block(best, queries, block, BlockIndex(block.vectors, Gpus()))


@pytest.mark.parametrize("name", collections())
def test_the_ranking_is_that_of_fractions(name):
    vectors = collections()[name]
    [whole] = blocks_of(vectors, 1)
    expected = [slow_ranking(query, whole, 200) for query in queries()]
    for depth in (1, 200):
        for count in (1, 3):
            for merge in (merge_all_passages, merge_by_faiss):
                best = np.full((len(queries()), depth), EMPTY_KEY)
                for block in blocks_of(vectors, count):
                    merge(best, queries(), block)
                assert [ranking(keys) for keys in best] == [row[:depth] for row in expected]


def test_passages_that_their_bounds_rule_out_are_not_possible():
    best = np.full((1, 2), EMPTY_KEY)
    lowest = np.array([[0.0, 1.0, 2.0, 1.0]], float32)
    highest = np.array([[3.0, 1.0, 2.0, 1.5]], float32)
    orders = np.arange(4, dtype=uint32)
    possible = possible_passages(best, lowest, highest, orders)
    assert possible.tolist() == [[True, True, True, True]]
    lowest[0, 0] = 2.0
    possible = possible_passages(best, lowest, highest, orders)
    assert possible.tolist() == [[True, False, True, False]]


def test_of_equal_scores_only_the_first_ids_are_possible():
    best = np.full((1, 3), EMPTY_KEY)
    scores = np.ones((1, 100), float32)
    orders = np.random.default_rng(7).permutation(100).astype(uint32)
    possible = possible_passages(best, scores, scores, orders)
    assert sorted(orders[possible[0]].tolist()) == [0, 1, 2]


def test_few_of_many_orthogonal_passages_need_an_exact_score():
    """Float64 leaves all their scores open, but most are ruled out by passages before them."""
    vectors = within_one_unit(np.ones(SIZE))
    block = Block(vectors, norms_of(vectors), np.arange(COUNT, dtype=uint32))
    best = np.full((1, 10), EMPTY_KEY)
    merge_all_passages(best, BALANCED[None], block)
    products = BALANCED.astype(float64)[None] @ vectors.T.astype(float64)
    norms = block.norms[None] * norms_of(BALANCED[None])
    lowest, highest = score_bounds(products, norms, SIZE)
    assert np.count_nonzero(lowest != highest) > COUNT / 2
    possible = possible_passages(best, lowest, highest, block.orders)
    assert 0 < np.count_nonzero(possible) < COUNT / 20
