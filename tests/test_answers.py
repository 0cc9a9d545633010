"""A text holds an answer where DPR's and the released code's matches find it."""

import random

import pytest
from slow_answer_match import random_sentence, slow_has_answer

from rocketqa.files.answers import (
    has_answer,
    has_answer_characters,
    has_answer_string,
    has_pattern,
    tokens,
)


@pytest.mark.parametrize(
    "answer, text, found",
    [
        ("14 December 1972", "It was 14 December 1972 UTC.", True),
        ("U.S.", "the U. S. government", True),
        ("US", "the U.S. government", False),
        ("Beyonce", "Beyonc\u00e9 sang", False),
        ("Beyonc\u00e9", "Beyonce\u0301", True),
        ("don't", "I don\u2019t know", False),
        ("1,000", "1000 men", False),
        ("New-York", "New - York", True),
        ("New-York", "new york", False),
        ("stra\u00dfe", "STRASSE", False),
        ("\ufb01n", "fin", False),
        ("2 m\u00b2", "2 m2", False),
        ("\u6771\u4eac", "\u6771\u4eac\u90fd", False),
        ("\u6771\u4eac", "\u79c1\u306f \u6771\u4eac \u306b", True),
        ("", "any", True),
        ("\u200b", "any", True),
        ("\x01\x02", "any", True),
        ("", "", True),
        ("MOON", "the moon.", True),
        ("oon", "the moon", False),
        ("the moon", "the full moon", False),
        ("b a", "a b", False),
        ("a b", "a a b", True),
    ],
)
def test_an_answer_is_found_where_dpr_finds_it(answer, text, found):
    assert has_answer(text, [answer]) is found
    assert has_answer(text, ["not there", answer]) is found


@pytest.mark.parametrize(
    "answer, text, found",
    [
        ("北京", "北京是中国的首都。", True),
        ("北京", "从 北 京 来", True),
        ("北京", "北方的京城", False),
        ("两万余公里", "全长两万余公里。", True),
        ("iPhone", "買了iPhone手機", True),
        ("Phone", "買了iPhone手機", False),
        ("art", "a party", False),
        ("New-York", "New - York", True),
        ("1972年", "在1972年", True),
        ("72年", "在1972年", False),
        ("サッカー", "日本のサッカー選手", True),
        ("か", "が", False),
        ("が", "か\u3099", True),
        ("서울", "서울은 수도이다", True),
        ("가", "각", False),
        ("ไทย", "ประเทศไทย", True),
        ("", "any", True),
    ],
)
def test_an_answer_without_blanks_is_found_by_its_characters(answer, text, found):
    assert has_answer_characters(text, [answer]) is found
    assert has_answer_characters(text, ["not there", answer]) is found


def test_without_answers_none_is_found():
    assert has_answer("any", []) is False


def test_tokens_are_runs_of_letters_digits_and_marks_or_single_signs():
    found = tokens("Caf\u00e9 No. 5%\u200b\t\u00a0x_y")
    assert found == ["cafe\u0301", "no", ".", "5", "%", "x", "_", "y"]


@pytest.mark.parametrize(
    "pattern, text, found",
    [
        (r"19\d\d", "in 1972", True),
        (r"19\d\d", "in 1872", False),
        ("apollo", "the APOLLO flight", True),
        ("(", "(", False),
        ("^flew", "who\nflew", True),
        (r"\p{Lu}", "é", True),
        ("ollo", "Apollo", True),
        ("Beyonc\u00e9", "Beyonce\u0301 sang", True),
    ],
)
def test_a_regular_expression_is_found_where_dpr_finds_it(pattern, text, found):
    assert has_pattern(text, [pattern]) is found


@pytest.mark.parametrize(
    "text, answers, found",
    [
        ("a party", ["art"], True),
        ("New York", ["newyork"], True),
        ("NewYork", ["  new york "], True),
        ("NewYork", [".new york. "], False),
        ("J. R. R.", ["J.R.R."], True),
        ("text", ["."], False),
        ("text", ["x", "TEXT"], True),
        ("", ["x"], False),
        ("two\u00a0words", ["twowords"], False),
    ],
)
def test_the_released_match_finds_an_answer_as_a_string_without_spaces(text, answers, found):
    assert has_answer_string(text, answers) is found


def test_random_answers_are_found_where_the_slow_match_finds_them():
    drawing = random.Random(0)
    results = []
    for _ in range(2000):
        text = random_sentence(drawing, 5)
        answer = random_sentence(drawing, 2)
        expected = slow_has_answer(text, answer)
        assert has_answer(text, [answer]) is expected, (text, answer)
        assert has_answer_characters(text, [answer]) is expected, (text, answer)
        results.append(expected)
    assert 200 < sum(results) < 1800
