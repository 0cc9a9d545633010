"""Words are split as Google BERT does, whatever the text."""

import numpy as np
import pytest
from slow_wordpiece import google_bert
from vocabulary_fixture import WORDS, write_tokenizer

from rocketqa.files.errors import DataError
from rocketqa.text.tokenizer import load_text_encoder
from rocketqa.text.wordpiece import WordPieceOptions, wordpiece

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.fixture
def tokenize(tmp_path):
    """WordPiece over WORDS."""
    tokenize, _ = wordpiece((write_tokenizer(tmp_path, WORDS) / "vocab.txt").read_bytes())
    return tokenize


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
def test_words_are_split_as_google_bert_does(tokenize, text, expected):
    assert " ".join(WORDS[i] for i in tokenize([text])[0]) == expected


def test_a_word_of_a_hundred_characters_is_split_and_a_longer_one_unknown(tokenize):
    hundred, longer = tokenize(["a" * 100, "a" * 101])
    assert hundred == [WORDS.index("a")] + [WORDS.index("##a")] * 99
    assert longer == [WORDS.index("[UNK]")]


def test_case_and_accents_are_kept_where_the_vocabulary_has_them(tmp_path):
    words = [*WORDS, "Paris", "Café"]
    encoder = load_text_encoder(write_tokenizer(tmp_path, words, do_lower_case=False))
    [ids] = encoder.tokenize(["Paris paris Café THE"])
    assert [words[i] for i in ids] == ["Paris", "paris", "Café", "[UNK]"]


@pytest.mark.parametrize("token", ["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
def test_a_vocabulary_without_a_special_token_is_refused(tmp_path, token):
    folder = write_tokenizer(tmp_path, [word for word in WORDS if word != token])
    with pytest.raises(DataError) as error:
        load_text_encoder(folder)
    assert str(error.value) == (
        f"{folder}/vocab.txt: expected the token {token}, got a vocabulary without it"
    )


def test_a_line_separator_in_the_vocabulary_shifts_no_ids(tmp_path):
    folder = write_tokenizer(tmp_path, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2028", "paris"])
    assert load_text_encoder(folder).tokenize(["paris"]) == [[5]]


def drawn_texts(alphabet: str, count: int) -> list[str]:
    drawing = np.random.default_rng(5)
    texts = []
    for _ in range(count):
        length = drawing.integers(1, 40)
        texts.append("".join(drawing.choice(list(alphabet), length)))
    return texts


def drawn_vocabulary(characters: str) -> list[str]:
    """Returns every character, alone and inside a word, and some pairs of characters.

    So where a text is split shows in its pieces.
    """
    special_tokens = "[PAD] [UNK] [CLS] [SEP] [MASK]".split()
    pairs = [first + second for first in characters[::3] for second in characters[::2]]
    inner_pieces = [f"##{piece}" for piece in [*characters, *pairs]]
    return [*special_tokens, *characters, *inner_pieces]


def test_wordpiece_equals_google_berts_rules_on_texts_of_many_kinds(tmp_path):
    symbols = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~£€¥§¿¡«»–—…“”’°±²½µ×÷™©¬\u3002\u300c"
    folder = write_tokenizer(tmp_path, drawn_vocabulary(LETTERS + symbols + "ßøæłδλж法国ひ"))
    tokenize, vocabulary = wordpiece((folder / "vocab.txt").read_bytes())
    alphabet = (
        LETTERS * 2 + LETTERS.upper() + symbols + "ßéüÅñÇøÆŁδΛЖ法国ひ한"
        "\u0301\u0308\u00ad\u200b\ufffd\ue000\u0007" + " \t\u00a0\u3000\u2009" * 5
    )
    texts = drawn_texts(alphabet, 400)
    for text, ids in zip(texts, tokenize(texts)):
        assert ids == google_bert(text, vocabulary), text


def test_spaces_can_be_removed_as_for_chinese(tmp_path):
    content = (write_tokenizer(tmp_path, WORDS) / "vocab.txt").read_bytes()
    tokenize, _ = wordpiece(content, WordPieceOptions(remove_spaces=True))
    [ids] = tokenize(["un afford able 法 国"])
    assert [WORDS[i] for i in ids] == ["un", "##afford", "##able", "法", "国"]


def test_a_vocabulary_that_is_not_utf_8_is_refused():
    with pytest.raises(DataError, match=r"^vocab.txt: expected UTF-8, got invalid start byte$"):
        wordpiece(b"[PAD]\n\xff\n")


def test_wordpiece_equals_paddlenlp_on_ascii_text_without_symbols(tmp_path, paddlenlp):
    from paddlenlp.transformers import BertTokenizer

    folder = write_tokenizer(tmp_path, drawn_vocabulary(LETTERS + ".,;:?!'\"-()"))
    twin = BertTokenizer(str(folder / "vocab.txt"))
    texts = drawn_texts(LETTERS + LETTERS.upper() + ".,;:?!'\"-()" + " " * 15, 200)
    for text, ids in zip(texts, load_text_encoder(folder).tokenize(texts)):
        assert ids == twin.convert_tokens_to_ids(twin.tokenize(text)), text
