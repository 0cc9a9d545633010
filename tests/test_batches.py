"""Examples are dealt out to devices whole, once, in equal numbers, and become rows in the order the loss expects."""

import numpy as np
import pytest

from rocketqa.encoder.packing import by_token_budget
from rocketqa.files.errors import DataError
from rocketqa.files.formats import LabelledPair, Passage, Query, TrainingExample
from rocketqa.text.tokenizer import TextEncoder
from rocketqa.training.batches import CrossBatches, DualBatches, tokens_of
from rocketqa.training.schedule import Schedule

WORDS = "[PAD] [UNK] [CLS] [SEP] - one two three four five six title".split()
ENCODER = TextEncoder(
    lambda texts: [[WORDS.index(word) for word in text.split()] for text in texts], 2, 3
)
QUERIES = {"q1": Query("q1", "one"), "q2": Query("q2", "two two two two")}
COLLECTION = {
    "p1": Passage("p1", "", "one one one"),
    "p2": Passage("p2", "title", "two"),
    "p3": Passage("p3", "", "three"),
    "p4": Passage("p4", "", "four four four four four"),
    "p5": Passage("p5", "", "five"),
    "p6": Passage("p6", "", "six six"),
}
SCHEDULE = Schedule(
    examples=23, batch_size=2, devices=3, chunks=1, epochs=4, min_steps=0, max_steps=None, seed=7
)


def spelled(rows) -> list[str]:
    """Returns packed rows as words, in the caller's order."""
    lengths = [length for count, length in rows.groups for _ in range(count)]
    ids, first = rows.token_ids.numpy(), rows.first.numpy()
    return [
        " ".join(WORDS[i] for i in ids[first[place] : first[place] + lengths[place]])
        for place in rows.restore.numpy()
    ]


def epoch_of(schedule: Schedule, epoch: int) -> list[list[int]]:
    """Returns the examples of each step of an epoch, device by device."""
    begin = epoch * schedule.steps_per_epoch
    return [
        [
            i
            for place in range(schedule.devices * schedule.chunks)
            for i in schedule.chunk(step, place).tolist()
        ]
        for step in range(begin, begin + schedule.steps_per_epoch)
    ]


@pytest.mark.parametrize(
    "devices, chunks, batch_size", [(2, 1, 3), (3, 1, 2), (6, 1, 1), (1, 3, 2), (2, 3, 1)]
)
def test_many_devices_and_chunks_see_the_same_global_batches_as_one(devices, chunks, batch_size):
    one = SCHEDULE._replace(devices=1, batch_size=6)
    many = SCHEDULE._replace(devices=devices, chunks=chunks, batch_size=batch_size)
    assert one.total_steps == many.total_steps == 3 * 4
    for epoch in range(4):
        assert epoch_of(many, epoch) == epoch_of(one, epoch)


def test_every_device_has_a_full_batch_at_every_step():
    shapes = {
        SCHEDULE.chunk(step, rank).shape
        for step in range(SCHEDULE.total_steps)
        for rank in range(3)
    }
    assert shapes == {(2,)}


def test_an_epoch_has_every_example_at_most_once_and_drops_the_remainder():
    for epoch in range(4):
        seen = sum(epoch_of(SCHEDULE, epoch), [])
        assert len(seen) == len(set(seen)) == 18 and set(seen) < set(range(23))
    whole = SCHEDULE._replace(examples=24)
    assert sorted(sum(epoch_of(whole, 1), [])) == list(range(24))


def test_each_epoch_and_seed_has_an_order_of_its_own():
    orders = [
        epoch_of(SCHEDULE._replace(seed=seed), epoch) for seed in (7, 8) for epoch in range(4)
    ]
    assert len({str(order) for order in orders}) == 8
    dropped = [frozenset(range(23)) - set(sum(order, [])) for order in orders]
    assert len(set(dropped)) > 1
    assert epoch_of(SCHEDULE, 2) == orders[2]


def test_the_order_within_an_epoch_is_shuffled_over_all_examples():
    order = sum(epoch_of(Schedule(2000, 20, 1, 1, 1, 0, None, 1), 0), [])
    assert sorted(order) == list(range(2000))
    assert abs(np.corrcoef(order, range(2000))[0, 1]) < 0.1 and 900 < np.mean(order[:500]) < 1100


@pytest.mark.parametrize(
    "epochs, min_steps, max_steps, steps",
    [(4, 12, None, 12), (4, 14, None, 14), (1, 14, None, 14), (4, 14, 13, 13), (0, 14, None, 0)],
)
def test_too_few_epochs_are_followed_by_further_ones_up_to_min_steps(
    epochs, min_steps, max_steps, steps
):
    schedule = SCHEDULE._replace(epochs=epochs, min_steps=min_steps, max_steps=max_steps)
    assert schedule.total_steps == steps
    assert [schedule.chunk(step, 0).tolist() for step in range(min(steps, 12))] == [
        SCHEDULE.chunk(step, 0).tolist() for step in range(min(steps, 12))
    ]


@pytest.mark.parametrize("max_steps, steps", [(None, 12), (5, 5), (100, 12)])
def test_max_steps_cut_the_training_short(max_steps, steps):
    assert SCHEDULE._replace(max_steps=max_steps).total_steps == steps


def test_the_log_line_counts_steps_and_dropped_examples():
    assert (
        SCHEDULE.described()
        == "23 examples, batch 2 x 3 devices = 6, 12 steps (3 an epoch, 5 examples dropped)"
    )
    assert SCHEDULE._replace(examples=6, max_steps=2).described() == (
        "6 examples, batch 2 x 3 devices = 6, 2 steps (1 an epoch, 0 examples dropped)"
    )

    assert SCHEDULE._replace(batch_size=1, chunks=2).described() == (
        "23 examples, batch 1 x 3 devices x 2 chunks = 6, 12 steps (3 an epoch, 5 examples dropped)"
    )


def test_too_few_examples_for_one_batch_are_refused():
    with pytest.raises(DataError) as error:
        SCHEDULE._replace(examples=5).described()
    assert str(error.value) == "examples: expected at least one batch of 6 (2 x 3 devices), got 5"


def test_positives_come_first_then_each_column_of_hard_negatives():
    examples = [
        TrainingExample("q1", "p1", ("p3", "p5")),
        TrainingExample("q2", "p2", ("p4", "p6")),
    ]
    queries, passages, known = DualBatches(examples, QUERIES, COLLECTION, ENCODER, 5, 7).rows(
        np.array([1, 0])
    )
    assert known is None
    assert spelled(queries) == ["[CLS] two two two [SEP]", "[CLS] one [SEP]"]
    assert spelled(passages) == [
        "[CLS] title [SEP] two [SEP]",
        "[CLS] - [SEP] one one one [SEP]",  # the positives of q2 and q1
        "[CLS] - [SEP] four four four [SEP]",
        "[CLS] - [SEP] three [SEP]",  # their first hard negatives
        "[CLS] - [SEP] six six [SEP]",
        "[CLS] - [SEP] five [SEP]",
    ]


def test_examples_without_hard_negatives_have_their_positives_alone():
    examples = [TrainingExample("q1", "p1", ()), TrainingExample("q2", "p2", ())]
    _, passages, _ = DualBatches(examples, QUERIES, COLLECTION, ENCODER, 32, 32).rows(
        np.array([0, 1])
    )
    assert spelled(passages) == ["[CLS] - [SEP] one one one [SEP]", "[CLS] title [SEP] two [SEP]"]


def test_positives_of_the_labels_and_of_all_examples_are_known():
    examples = [
        TrainingExample("q1", "p1", ("p3",)),
        TrainingExample("q2", "p2", ("p4",)),
        TrainingExample("q1", "p6", ("p5",)),
    ]
    batches = DualBatches(examples, QUERIES, COLLECTION, ENCODER, 32, 32, {"q1": ["p4"]})
    known = batches.rows(np.array([0, 1])).known_positives
    assert known.passages.tolist() == [0, 1, 2, 3]  # p1 p2 p3 p4
    assert known.positives == [
        [0, 3, 5],
        [1],
    ]  # q1: p1, p4 by the labels, p6 by another example; q2: p2
    assert known.mask(np.array([0, 1]), cross_batch=True).tolist() == [
        [False, False, False, True],
        [False, False, False, False],
    ]


def test_tokens_are_counted_with_and_without_padding():
    examples = [TrainingExample("q1", "p1", ()), TrainingExample("q2", "p3", ())]
    chunk = DualBatches(examples, QUERIES, COLLECTION, ENCODER, 32, 32).rows(np.array([0, 1]))
    # Queries of 3 and 6 tokens, passages of 7 and 5.
    assert tokens_of(chunk) == (3 + 6 + 7 + 5, 2 * 6 + 2 * 7)


def test_pairs_keep_their_labels():
    pairs = [LabelledPair("q1", "p2", 1), LabelledPair("q2", "p4", 0), LabelledPair("q2", "p3", 1)]
    rows, labels = CrossBatches(pairs, QUERIES, COLLECTION, ENCODER, 9).rows(np.array([1, 2, 0]))
    assert spelled(rows) == [
        "[CLS] two two two [SEP] four four four [SEP]",
        "[CLS] two two two two [SEP] three [SEP]",
        "[CLS] one [SEP] title two [SEP]",
    ]
    assert labels.tolist() == [0, 1, 1] and "int64" in str(labels.dtype)


@pytest.mark.parametrize(
    "example, message",
    [
        (TrainingExample("q9", "p1", ("p2",)), "queries: expected one with the id 'q9', got none"),
        (TrainingExample("q1", "p9", ("p2",)), "passages: expected one with the id 'p9', got none"),
        (TrainingExample("q1", "p1", ("p9",)), "passages: expected one with the id 'p9', got none"),
    ],
)
def test_an_id_without_text_is_refused(example, message):
    with pytest.raises(DataError) as error:
        DualBatches([example], QUERIES, COLLECTION, ENCODER, 32, 32).rows(np.array([0]))
    assert str(error.value) == message
    if "p9" not in example.negative_ids:
        with pytest.raises(DataError) as error:
            CrossBatches(
                [LabelledPair(example.query_id, example.positive_id, 1)],
                QUERIES,
                COLLECTION,
                ENCODER,
                32,
            ).rows(np.array([0]))
        assert str(error.value) == message


@pytest.mark.parametrize(
    "lengths, budget, batches",
    [
        ([5, 2, 3, 2], 6, [[1, 3], [2], [0]]),
        ([2, 2, 2, 2], 6, [[0, 1, 2], [3]]),
        ([7, 9], 6, [[0], [1]]),
        ([], 6, []),
        ([1, 2, 3], 9, [[0, 1, 2]]),
    ],
)
def test_rows_of_similar_length_share_a_budget_of_padded_tokens(lengths, budget, batches):
    assert [batch.tolist() for batch in by_token_budget(lengths, budget)] == batches


def test_budgeted_batches_hold_every_row_once_and_no_batch_takes_a_row_it_has_no_room_for():
    lengths = np.random.default_rng(0).integers(1, 60, 500).tolist()
    batches = by_token_budget(lengths, 256)
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    longest = [max(lengths[i] for i in batch) for batch in batches]
    assert all(len(batch) * length <= 256 for batch, length in zip(batches, longest))
    shortest = [min(lengths[i] for i in batch) for batch in batches]
    assert all(
        (len(batch) + 1) * following > 256 for batch, following in zip(batches, shortest[1:])
    )
    assert all(length <= following for length, following in zip(longest, shortest[1:]))
