"""Text without blanks has bigrams as terms, other text has words."""

import pytest

from rocketqa.files.unspaced_text import count_words, is_unspaced, terms


@pytest.mark.parametrize(
    "text, expected",
    [
        ("北京是首都", ["北京", "京是", "是首", "首都"]),
        ("北京，首都", ["北京", "首都"]),
        ("茶", ["茶"]),
        ("买iPhone手机", ["买", "iPhone", "手机"]),
        ("２００８年", ["2008", "年"]),
        ("日本のサッカー", ["日本", "本の", "のサ", "サッ", "ッカ", "カー"]),
        ("か\u3099き", ["がき"]),
        ("한국어 는", ["한국", "국어", "는"]),
        ("ที่ดี", ["ที่ดี"]),
        ("a bc d_e", ["bc", "d_e"]),
        ("", []),
    ],
)
def test_terms_are_bigrams_of_text_without_blanks_and_words_of_other_text(text, expected):
    assert terms(text) == expected


@pytest.mark.parametrize("text", ["茶", "an 茶 pot", "カ", "ー", "한", "ก"])
def test_a_character_of_a_script_without_blanks_is_enough(text):
    assert is_unspaced(text)


@pytest.mark.parametrize("text", ["", "tea", "caf\u00e9, \u201cthe\u201d", "Москва", "“，。", "١"])
def test_other_text_has_blanks(text):
    assert not is_unspaced(text)


def test_each_character_without_blanks_counts_as_a_word():
    assert count_words("北京，a big city。") == 5
    assert count_words("한국어") == 3
