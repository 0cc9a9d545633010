"""Texts become the rows of tokens that Google BERT's tokenizer and the released readers make of them."""

import json
import unicodedata

import numpy as np
import pytest

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage
from rocketqa.text.tokenizer import (
    load_text_encoder,
    text_encoder_of,
    truncate_longest_first,
    wordpiece,
)

WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] the capital of france is paris cafe un ##afford ##able a ##a sep 法 国 "
    ", - ? [ ] $ 5 £5 €5 £ €"
).split()
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def folder_with(tmp_path, words, **settings):
    (tmp_path / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    if settings:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    return tmp_path


@pytest.fixture
def encoder(tmp_path):
    return load_text_encoder(folder_with(tmp_path, WORDS))


def spelled(row):
    """Returns a row as words, and its type ids."""
    return " ".join(WORDS[i] for i in row.token_ids), row.type_ids.tolist()


# The layouts.


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


# Longest first.


def popped_one_by_one(first, second, room):
    """Google BERT's loop."""
    first, second = list(first), list(second)
    while len(first) + len(second) > room:
        if len(first) > len(second):
            first.pop()
        else:
            second.pop()
    return first, second


@pytest.mark.parametrize(
    "first, second, kept",
    [
        ("abc", "xyz", ("ab", "xy")),
        ("ab", "xyz", ("ab", "xy")),
        ("abcdef", "x", ("abc", "x")),
        ("abcd", "wxyz", ("ab", "wx")),
    ],
)
def test_the_longer_one_is_cut_and_the_second_of_equals(first, second, kept):
    assert truncate_longest_first(list(first), list(second), 4) == tuple(map(list, kept))
    assert truncate_longest_first(list("abc"), list("xyz"), 5) == (list("abc"), list("xy"))


def test_cutting_equals_google_berts_loop_for_all_small_and_some_large_lengths():
    cases = [
        (first, second, room) for first in range(8) for second in range(8) for room in range(16)
    ]
    cases += np.random.default_rng(0).integers(0, [60, 300, 200], (300, 3)).tolist()
    for first, second, room in cases:
        texts = list(range(first)), list(range(1000, 1000 + second))
        assert truncate_longest_first(*texts, room) == popped_one_by_one(*texts, room), (
            first,
            second,
            room,
        )


# WordPiece.


@pytest.mark.parametrize(
    "text, expected",
    [
        ("The CAPITAL of\tFrance", "the capital of france"),
        ("Café cafe\u0301 CAFÉ", "cafe cafe cafe"),
        ("paris,france?-", "paris , france ? -"),
        ("unaffordable", "un ##afford ##able"),
        ("unaffordables", "[UNK]"),
        ("zebra is", "[UNK] is"),
        ("法国paris", "法 国 paris"),
        ("par\u00adi\u200bs\u0000 the\u00a0capital", "paris the capital"),
        ("$5 £5 €5 £ €", "$ 5 £5 €5 £ €"),
        ("£paris", "[UNK]"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_words_are_split_as_google_bert_does(encoder, text, expected):
    assert " ".join(WORDS[i] for i in encoder.tokenize([text])[0]) == expected


def test_a_word_of_a_hundred_characters_is_split_and_a_longer_one_unknown(encoder):
    hundred, longer = encoder.tokenize(["a" * 100, "a" * 101])
    assert hundred == [WORDS.index("a")] + [WORDS.index("##a")] * 99 and longer == [
        WORDS.index("[UNK]")
    ]


def test_special_tokens_written_in_a_text_are_plain_words(encoder):
    [row] = encoder.queries(["paris [SEP] [CLS]"], 32)
    assert spelled(row)[0] == "[CLS] paris [ sep ] [ [UNK] ] [SEP]"


def test_case_and_accents_are_kept_where_the_vocabulary_has_them(tmp_path):
    words = [*WORDS, "Paris", "Café"]
    [ids] = load_text_encoder(folder_with(tmp_path, words, do_lower_case=False)).tokenize(
        ["Paris paris Café THE"]
    )
    assert [words[i] for i in ids] == ["Paris", "paris", "Café", "[UNK]"]


@pytest.mark.parametrize("token", ["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
def test_a_vocabulary_without_a_special_token_is_refused(tmp_path, token):
    folder = folder_with(tmp_path, [word for word in WORDS if word != token])
    with pytest.raises(DataError) as error:
        load_text_encoder(folder)
    assert str(error.value) == f"vocab.txt: expected the token {token}, got a vocabulary without it"


def test_a_line_separator_in_the_vocabulary_shifts_no_ids(tmp_path):
    folder = folder_with(tmp_path, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2028", "paris"])
    assert load_text_encoder(folder).tokenize(["paris"]) == [[5]]


def test_a_folder_without_vocabulary_is_refused(tmp_path):
    with pytest.raises(DataError, match="vocab.txt: expected one beside the weights, got none"):
        load_text_encoder(tmp_path)


def test_a_tokenizer_is_rebuilt_from_the_bytes_of_its_files(encoder):
    rebuilt = text_encoder_of({"vocab.txt": "\n".join(WORDS).encode()})
    assert rebuilt.tokenize(["the Capital, unaffordable"]) == encoder.tokenize(
        ["the Capital, unaffordable"]
    )
    assert (rebuilt.cls_id, rebuilt.sep_id) == (encoder.cls_id, encoder.sep_id) == (2, 3)


def google_bert(text: str, vocabulary: dict[str, int]) -> list[int]:
    """Google BERT's BasicTokenizer and WordpieceTokenizer, with the released code's limit of 100 characters."""
    cleaned = ""
    for char in text:
        category = unicodedata.category(char)
        if char in " \t\n\r" or category == "Zs":
            cleaned += " "
        elif ord(char) not in (0, 0xFFFD) and not category.startswith("C"):
            cleaned += f" {char} " if 0x4E00 <= ord(char) <= 0x9FFF else char
    words = []
    for token in cleaned.split():
        for char in unicodedata.normalize("NFD", token.lower()):
            ascii_symbol = ord(char) < 128 and not char.isalnum()
            if ascii_symbol or unicodedata.category(char).startswith("P"):
                words.append(f" {char} ")
            elif unicodedata.category(char) != "Mn":
                words.append(char)
        words.append(" ")
    return [piece for word in "".join(words).split() for piece in pieces_of(word, vocabulary)]


def pieces_of(word: str, vocabulary: dict[str, int]) -> list[int]:
    pieces, begin = [], 0
    while begin < len(word):
        ends = [
            end
            for end in range(len(word), begin, -1)
            if ("##" if begin else "") + word[begin:end] in vocabulary
        ]
        if not ends or len(word) > 100:
            return [vocabulary["[UNK]"]]
        pieces.append(vocabulary[("##" if begin else "") + word[begin : ends[0]]])
        begin = ends[0]
    return pieces


def drawn_texts(alphabet: str, count: int) -> list[str]:
    drawing = np.random.default_rng(5)
    return ["".join(drawing.choice(list(alphabet), drawing.integers(1, 40))) for _ in range(count)]


def drawn_vocabulary(characters: str) -> list[str]:
    """Every character, alone and inside a word, and some pairs: where a text is split shows in its pieces."""
    pairs = [first + second for first in characters[::3] for second in characters[::2]]
    return [
        *"[PAD] [UNK] [CLS] [SEP] [MASK]".split(),
        *characters,
        *(f"##{piece}" for piece in [*characters, *pairs]),
    ]


def test_wordpiece_equals_google_berts_rules_on_texts_of_many_kinds(tmp_path):
    symbols = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~£€¥§¿¡«»–—…“”’°±²½µ×÷™©¬\u3002\u300c"
    folder = folder_with(tmp_path, drawn_vocabulary(LETTERS + symbols + "ßøæłδλж法国ひ"))
    tokenize, vocabulary = wordpiece(folder / "vocab.txt")
    alphabet = (
        LETTERS * 2 + LETTERS.upper() + symbols + "ßéüÅñÇøÆŁδΛЖ法国ひ한"
        "\u0301\u0308\u00ad\u200b\ufffd\ue000\u0007" + " \t\u00a0\u3000\u2009" * 5
    )
    texts = drawn_texts(alphabet, 400)
    for text, ids in zip(texts, tokenize(texts)):
        assert ids == google_bert(text, vocabulary), text


def test_wordpiece_equals_paddlenlp_on_ascii_text_without_symbols(tmp_path):
    from paddlenlp.transformers import BertTokenizer

    folder = folder_with(tmp_path, drawn_vocabulary(LETTERS + ".,;:?!'\"-()"))
    twin = BertTokenizer(str(folder / "vocab.txt"))
    texts = drawn_texts(LETTERS + LETTERS.upper() + ".,;:?!'\"-()" + " " * 15, 200)
    for text, ids in zip(texts, load_text_encoder(folder).tokenize(texts)):
        assert ids == twin.convert_tokens_to_ids(twin.tokenize(text)), text
