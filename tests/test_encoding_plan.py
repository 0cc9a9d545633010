"""Batches do not depend on the shards; shards hold every row once, and parts every shard once."""

import numpy as np
import pytest

from rocketqa.inference.encoding_plan import EncodingPlan, Part

LENGTHS = np.random.default_rng(0).integers(1, 60, 500)


def rows_of(plan: EncodingPlan) -> list[list[int]]:
    """Returns the batches of all shards, one after the other."""
    batches = []
    for shard in range(plan.shards):
        of_shard = plan.batches_in(shard)
        assert sum(map(len, of_shard)) == plan.rows_in(shard) > 0
        batches += of_shard
    return batches


def test_every_row_is_in_one_batch_and_the_batches_are_the_same_for_all_shard_counts():
    one = rows_of(EncodingPlan(LENGTHS, 256, num_shards=1))
    assert sorted(sum(one, [])) == list(range(500))
    for shards in (2, 7, 30):
        plan = EncodingPlan(LENGTHS, 256, num_shards=shards)
        assert plan.shards == shards
        assert rows_of(plan) == one


def test_neighbouring_shards_have_the_places_of_their_batches():
    plan = EncodingPlan(LENGTHS, 256, num_shards=7)
    batches = plan.batches_in(2) + plan.batches_in(3)
    assert plan.places_in(range(2, 4)).tolist() == sum(batches, [])
    assert plan.places_in(range(3, 3)).tolist() == []


def test_no_batch_has_more_tokens_than_its_budget():
    for batch in rows_of(EncodingPlan(LENGTHS, 256)):
        assert len(batch) * max(LENGTHS[batch]) <= 256


@pytest.mark.parametrize(
    "rows, is_collection, shards",
    [(500, True, 8), (500, False, 1), (250_000, True, 10), (60_000, False, 3), (3, True, 1)],
)
def test_the_number_of_shards_follows_the_number_of_rows(rows, is_collection, shards):
    lengths = np.full(rows, 5)
    assert EncodingPlan(lengths, 50, is_collection=is_collection).shards == shards


def test_no_more_shards_are_made_than_there_are_batches():
    assert EncodingPlan(np.full(30, 5), 50, num_shards=100).shards == 3


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 11])
def test_parts_share_out_every_shard_once(parts):
    shards = [list(Part(number, parts).of(10)) for number in range(1, parts + 1)]
    assert sum(shards, []) == list(range(10))


def test_a_part_is_read_from_its_name():
    assert Part.parse("2/3") == Part(2, 3)
    assert Part.parse("02/3") == Part(2, 3)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "", "a/b", "1/0", "-1/3"])
def test_a_name_of_no_part_is_refused(text):
    with pytest.raises(ValueError):
        Part.parse(text)
