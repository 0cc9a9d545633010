"""Texts become the rows of tokens that the released readers make of them."""

from itertools import product

import numpy as np
import pytest
from vocabulary_fixture import WORDS, write_tokenizer

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, Query
from rocketqa.text.tokenizer import (
    Tokens,
    load_text_encoder,
    text_encoder_of,
    text_or_tokens,
    truncate_longest_first,
)


@pytest.fixture
def encoder(tmp_path):
    """The tokenizer of WORDS."""
    return load_text_encoder(write_tokenizer(tmp_path, WORDS))


def spelled(row):
    """Returns a row as words, and its type ids."""
    return " ".join(WORDS[i] for i in row.token_ids), row.type_ids.tolist()


def test_a_query_is_one_text_cut_to_its_length(encoder):
    long, short = encoder.queries(["the capital of france", "paris"], 5)
    assert spelled(long) == ("[CLS] the capital of [SEP]", [0] * 5)
    assert spelled(short) == ("[CLS] paris [SEP]", [0] * 3)
    assert long.token_ids.dtype == long.type_ids.dtype == np.int64


def test_a_passage_is_its_title_then_its_text(encoder):
    [row] = encoder.passages([Passage("p1", "france", "the capital is paris")], 32)
    assert spelled(row) == (
        "[CLS] france [SEP] the capital is paris [SEP]",
        [0, 0, 0, 1, 1, 1, 1, 1],
    )


def test_a_passage_without_title_has_a_dash_there(encoder):
    [row] = encoder.passages([Passage("p1", "", "paris")], 32)
    assert spelled(row) == ("[CLS] - [SEP] paris [SEP]", [0, 0, 0, 1, 1])


def test_a_pair_is_the_query_then_title_and_text_unseparated(encoder):
    titled, untitled = encoder.pairs(
        ["capital of france ?", "paris"],
        [Passage("p1", "france", "the capital is paris"), Passage("p2", "", "is paris")],
        32,
    )
    assert spelled(titled) == (
        "[CLS] capital of france ? [SEP] france the capital is paris [SEP]",
        [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1],
    )
    assert spelled(untitled) == ("[CLS] paris [SEP] is paris [SEP]", [0, 0, 0, 1, 1, 1])


def test_passages_and_pairs_are_cut_longest_first_with_room_for_three_special_tokens(encoder):
    passage = Passage("p1", "france", "the capital of france is paris")
    [row] = encoder.passages([passage], 8)
    assert spelled(row) == (
        "[CLS] france [SEP] the capital of france [SEP]",
        [0, 0, 0, 1, 1, 1, 1, 1],
    )
    [pair] = encoder.pairs(["the capital of france ?"], [passage], 9)
    assert spelled(pair) == (
        "[CLS] the capital of [SEP] france the capital [SEP]",
        [0] * 5 + [1] * 4,
    )


def test_special_tokens_written_in_a_text_are_plain_words(encoder):
    [row] = encoder.queries(["paris [SEP] [CLS]"], 32)
    assert spelled(row)[0] == "[CLS] paris [ sep ] [ [UNK] ] [SEP]"


def popped_one_by_one(first: list[int], second: list[int], room: int):
    """Returns what Google BERT's loop leaves of both lists."""
    first = list(first)
    second = list(second)
    while len(first) + len(second) > room:
        if len(first) > len(second):
            first.pop()
        else:
            second.pop()
    return first, second


@pytest.mark.parametrize(
    "first, second, expected",
    [
        ("abc", "xyz", ("ab", "xy")),
        ("ab", "xyz", ("ab", "xy")),
        ("abcdef", "x", ("abc", "x")),
        ("abcd", "wxyz", ("ab", "wx")),
    ],
)
def test_the_longer_one_is_cut_and_the_second_of_equals(first, second, expected):
    assert truncate_longest_first(list(first), list(second), 4) == tuple(map(list, expected))
    assert truncate_longest_first(list("abc"), list("xyz"), 5) == (list("abc"), list("xy"))


def test_cutting_equals_google_berts_loop_for_all_small_and_some_large_lengths():
    cases = list(product(range(8), range(8), range(16)))
    cases += np.random.default_rng(0).integers(0, [60, 300, 200], (300, 3)).tolist()
    for case in cases:
        first_length, second_length, room = case
        first = list(range(first_length))
        second = list(range(1000, 1000 + second_length))
        expected = popped_one_by_one(first, second, room)
        assert truncate_longest_first(first, second, room) == expected, case


def test_a_folder_without_vocabulary_is_refused(tmp_path):
    with pytest.raises(
        DataError, match="vocab.txt: expected one or a tokenizer.json beside the weights, got none"
    ):
        load_text_encoder(tmp_path)


def test_a_tokenizer_is_rebuilt_from_the_bytes_of_its_files(encoder):
    rebuilt = text_encoder_of({"vocab.txt": "\n".join(WORDS).encode()})
    texts = ["the Capital, unaffordable"]
    assert rebuilt.tokenize(texts) == encoder.tokenize(texts)
    assert (rebuilt.cls_id, rebuilt.sep_id) == (encoder.cls_id, encoder.sep_id) == (2, 3)


@pytest.mark.parametrize("max_length", [8, 32])
def test_tokens_give_the_rows_of_their_texts(encoder, max_length):
    passages = [Passage("p1", "france", "the capital is paris"), Passage("p2", "", "is paris")]
    queries = ["capital of france ?", "paris"]
    passage_tokens = encoder.tokens(passages)
    query_tokens = encoder.tokens(queries)
    assert passage_tokens[1].title is None
    assert query_tokens[0].title is None

    def rows(queries, passages) -> list:
        made = encoder.queries(queries, max_length)
        made += encoder.passages(passages, max_length)
        made += encoder.pairs(queries, passages, max_length)
        return [spelled(row) for row in made]

    assert rows(query_tokens, passage_tokens) == rows(queries, passages)


def test_no_texts_give_no_rows(encoder):
    assert encoder.queries([], 8) == []
    assert encoder.passages([], 8) == []
    assert encoder.pairs([], [], 8) == []


def test_a_query_is_taken_as_its_text_or_its_tokens():
    tokens = Tokens(None, np.array([1, 2]))
    assert text_or_tokens(Query("q1", "paris")) == "paris"
    assert text_or_tokens(tokens) is tokens


def test_the_digest_follows_everything_that_ids_depend_on(tmp_path):
    def digest(words=WORDS, **settings) -> str:
        (tmp_path / "tokenizer_config.json").unlink(missing_ok=True)
        return load_text_encoder(write_tokenizer(tmp_path, words, **settings)).digest

    first = digest()
    assert digest(do_lower_case=True, remove_spaces=False, further=1) == first
    others = {digest(do_lower_case=False), digest(remove_spaces=True), digest([*WORDS, "more"])}
    assert len(others) == 3 and first not in others


def test_a_tokenizer_that_paddlenlp_does_not_know_is_refused(tmp_path, paddlenlp):
    folder = write_tokenizer(tmp_path, WORDS, tokenizer_class="FooTokenizer")
    with pytest.raises(DataError) as error:
        load_text_encoder(folder)
    assert str(error.value).startswith(
        f"{tmp_path}/tokenizer_config.json: expected a tokenizer that PaddleNLP can load, got "
    )
    assert "\n" not in str(error.value)
