"""Examples become rows of tokens in the order that the loss expects."""

import numpy as np
import paddle
import pytest

from rocketqa.encoder.packing import PackedRows
from rocketqa.files.errors import DataError
from rocketqa.files.examples import LabelledPair, TrainingExample
from rocketqa.files.formats import Passage, Query
from rocketqa.text.tokenizer import TextEncoder
from rocketqa.training.batches import CrossBatches, DualBatches, token_counts
from rocketqa.training.known_positives import KnownPositives

WORDS = "[PAD] [UNK] [CLS] [SEP] - one two three four five six title".split()


def tokenize(texts):
    return [[WORDS.index(word) for word in text.split()] for text in texts]


ENCODER = TextEncoder(tokenize, 2, 3)
QUERIES = {"q1": Query("q1", "one"), "q2": Query("q2", "two two two two")}
PASSAGES = [
    Passage("p1", "", "one one one"),
    Passage("p2", "title", "two"),
    Passage("p3", "", "three"),
    Passage("p4", "", "four four four four four"),
    Passage("p5", "", "five"),
    Passage("p6", "", "six six"),
]
COLLECTION = {passage.passage_id: passage for passage in PASSAGES}


def dual_batches(examples, query_length=32, passage_length=32, positives=None) -> DualBatches:
    return DualBatches(
        examples, QUERIES, COLLECTION, ENCODER, query_length, passage_length, positives
    )


def spelled(rows: PackedRows) -> list[str]:
    """Returns packed rows as words, in the caller's order."""
    lengths = [length for count, length in rows.groups for _ in range(count)]
    ids = rows.token_ids.numpy()
    first = rows.first.numpy()
    texts = []
    for place in rows.restore.numpy():
        row = ids[first[place] : first[place] + lengths[place]]
        texts.append(" ".join(WORDS[i] for i in row))
    return texts


def masked(known_positives: KnownPositives, labels: list[int]) -> np.ndarray:
    """Returns which of the own passages are left out, for each query."""
    candidates = paddle.to_tensor(known_positives.passages)
    return known_positives.mask(paddle.to_tensor(np.array(labels)), candidates).numpy()


def test_positives_come_first_then_each_column_of_hard_negatives():
    examples = [
        TrainingExample("q1", "p1", ("p3", "p5")),
        TrainingExample("q2", "p2", ("p4", "p6")),
    ]
    chunk = dual_batches(examples, 5, 7).chunk(np.array([1, 0]))
    queries, passages, known_positives, places, teacher = chunk
    assert known_positives is None and places is None and teacher is None
    assert spelled(queries) == ["[CLS] two two two [SEP]", "[CLS] one [SEP]"]
    assert spelled(passages) == [
        "[CLS] title [SEP] two [SEP]",  # the positives of q2 and q1
        "[CLS] - [SEP] one one one [SEP]",
        "[CLS] - [SEP] four four four [SEP]",  # their first hard negatives
        "[CLS] - [SEP] three [SEP]",
        "[CLS] - [SEP] six six [SEP]",  # their second hard negatives
        "[CLS] - [SEP] five [SEP]",
    ]


def test_examples_without_hard_negatives_have_their_positives_alone():
    examples = [TrainingExample("q1", "p1", ()), TrainingExample("q2", "p2", ())]
    chunk = dual_batches(examples).chunk(np.array([0, 1]))
    expected = ["[CLS] - [SEP] one one one [SEP]", "[CLS] title [SEP] two [SEP]"]
    assert spelled(chunk.passages) == expected


def test_positives_of_the_labels_and_of_all_examples_are_known():
    examples = [
        TrainingExample("q1", "p1", ("p3",)),
        TrainingExample("q2", "p2", ("p4",)),
        TrainingExample("q1", "p6", ("p5",)),
    ]
    batches = dual_batches(examples, positives={"q1": ["p4"]})
    known_positives = batches.chunk(np.array([0, 1])).known_positives
    p1, p2, p3, p4 = known_positives.passages.tolist()
    assert len({p1, p2, p3, p4}) == 4
    # q1 has p1, p4 by the labels, and p6 by another example; q2 has p2.
    assert {p1, p4} < set(known_positives.positives[0]) and len(known_positives.positives[0]) == 3
    assert known_positives.positives[1] == [p2]
    assert masked(known_positives, [0, 1]).tolist() == [
        [False, False, False, True],
        [False, False, False, False],
    ]


def test_a_copy_of_a_positive_under_another_id_is_no_negative():
    copies = COLLECTION | {
        "copy": Passage("copy", "title", "two"),
        "untitled": Passage("untitled", "", "two"),
        "divided": Passage("divided", "title two", "one"),
        "other": Passage("other", "title", "two one"),
    }
    examples = [
        TrainingExample("q2", "p2", ("copy",)),
        TrainingExample("q2", "p2", ("untitled",)),
        TrainingExample("q2", "p2", ("divided",)),
        TrainingExample("q2", "other", ("p3",)),
        TrainingExample("q1", "p4", ("p5",)),
    ]
    batches = DualBatches(examples, QUERIES, copies, ENCODER, 32, 32, positives={})
    mask = masked(batches.chunk(np.array([0, 1, 2])).known_positives, [0, 1, 2])
    # p2 p2 p2 copy untitled divided
    assert mask[0].tolist() == [False, True, True, True, False, False]
    mask = masked(batches.chunk(np.array([4, 2])).known_positives, [0, 1])
    assert not mask.any()  # divided has the same words, but not in the same places
    of_tokens = {key: ENCODER.tokens([passage])[0] for key, passage in copies.items()}
    stored = DualBatches(examples, QUERIES, of_tokens, ENCODER, 32, 32, positives={})
    found = stored.chunk(np.array([0, 1])).known_positives
    expected = batches.chunk(np.array([0, 1])).known_positives
    assert found.passages.tolist() == expected.passages.tolist()
    assert found.positives == expected.positives


def test_a_known_positive_without_text_is_refused():
    with pytest.raises(DataError, match="passages: expected one with the id 'p9', got none"):
        dual_batches([TrainingExample("q1", "p1", ())], positives={"q1": ["p9"]})


UNEQUAL = [
    TrainingExample("q1", "p1", ("p3", "p5")),
    TrainingExample("q2", "p2", ()),
    TrainingExample("q2", "p2", ("p4",)),
]


def test_a_row_with_fewer_negatives_has_empty_places_which_every_query_leaves_out():
    batches = dual_batches(UNEQUAL)
    assert (batches.passages_per_query, batches.fewest_passages) == (3, 1)
    chunk = batches.chunk(np.array([0, 1, 2]))
    assert batches.passage_ids(np.array([0, 1, 2])) == ["p1", "p2", "p2", "p3", "p4", "p5"]
    assert len(spelled(chunk.passages)) == 6
    assert chunk.places.tolist() == [0, 1, 2, 3, 6, 4, 5, 6, 6]
    mask = masked(chunk.known_positives, [0, 1, 2])
    assert mask.tolist() == [[False, False, False, False, True, False, False, True, True]] * 3
    full = batches.chunk(np.array([0]))  # a chunk without an empty place takes part in the gather
    assert full.places.tolist() == [0, 1, 2] and full.known_positives is not None


def test_empty_places_and_known_positives_are_masked_together():
    chunk = dual_batches(UNEQUAL, positives={"q1": ["p4"]}).chunk(np.array([0, 2]))
    mask = masked(chunk.known_positives, [0, 1])
    # p1 p2, p3 p4, p5 -
    assert mask.tolist() == [
        [False, False, False, True, False, True],
        [False, False, False, False, False, True],
    ]


def test_tokens_are_counted_with_and_without_padding():
    examples = [TrainingExample("q1", "p1", ()), TrainingExample("q2", "p3", ())]
    chunk = dual_batches(examples).chunk(np.array([0, 1]))
    # Queries of 3 and 6 tokens, passages of 7 and 5.
    assert token_counts(chunk) == (3 + 6 + 7 + 5, 2 * 6 + 2 * 7)


def test_pairs_keep_their_labels():
    pairs = [LabelledPair("q1", "p2", 1), LabelledPair("q2", "p4", 0), LabelledPair("q2", "p3", 1)]
    batches = CrossBatches(pairs, QUERIES, COLLECTION, ENCODER, 9)
    rows, labels = batches.chunk(np.array([1, 2, 0]))
    assert spelled(rows) == [
        "[CLS] two two two [SEP] four four four [SEP]",
        "[CLS] two two two two [SEP] three [SEP]",
        "[CLS] one [SEP] title two [SEP]",
    ]
    assert labels.tolist() == [0, 1, 1] and "int64" in str(labels.dtype)


def test_a_thread_prepares_arrays_and_makes_no_tensor(monkeypatch):
    def refuse(*words, **named):
        raise AssertionError("a thread leaves tensors to the training")

    pairs = [LabelledPair("q1", "p1", 1)]
    cross_batches = CrossBatches(pairs, QUERIES, COLLECTION, ENCODER, 9)
    with monkeypatch.context() as patched:
        patched.setattr(paddle, "to_tensor", refuse)
        dual = dual_batches(UNEQUAL, positives={"q1": ["p4"]}).prepared(np.array([0, 2]))
        cross = cross_batches.prepared(np.array([0]))
    assert isinstance(dual.queries.token_ids, np.ndarray) and isinstance(dual.places, np.ndarray)
    assert spelled(dual.on_device().queries) == ["[CLS] one [SEP]", "[CLS] two two two two [SEP]"]
    assert cross.on_device().labels.tolist() == [1]


def test_batches_know_their_number_and_their_queries():
    pairs = [LabelledPair("q1", "p2", 1), LabelledPair("q2", "p4", 0)]
    examples = [TrainingExample("q1", "p1", ()), TrainingExample("q2", "p3", ())]
    for batches in (
        CrossBatches(pairs, QUERIES, COLLECTION, ENCODER, 9),
        dual_batches(examples),
    ):
        assert len(batches) == 2
        assert batches.query_ids(np.array([1, 0])) == ["q2", "q1"]


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
        dual_batches([example]).chunk(np.array([0]))
    assert str(error.value) == message


@pytest.mark.parametrize("pair", [LabelledPair("q9", "p1", 1), LabelledPair("q1", "p9", 1)])
def test_a_pair_without_text_is_refused(pair):
    with pytest.raises(DataError, match="expected one with the id '.9', got none"):
        CrossBatches([pair], QUERIES, COLLECTION, ENCODER, 32).chunk(np.array([0]))
