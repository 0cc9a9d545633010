"""A range reads the numbers that people write, and names itself where it refuses one."""

import math

import numpy as np
import pytest

from rocketqa.files.errors import DataError
from rocketqa.files.ranges import (
    ABOVE_0,
    ANY_WHOLE,
    FROM_0,
    HIDDEN_SIZE,
    LEARNING_RATE,
    LOSS_SCALE,
    SHARE_OF_STEPS,
    TOKENS,
    WHOLE_FROM_0,
    WHOLE_FROM_1,
    check_choice,
)

NO_NUMBERS = ("", " ", "two", "nan", "inf", "-inf", "1e999", "1_000", " 1", "1 ", "0x10", "\u0663")


@pytest.mark.parametrize("kind", [ABOVE_0, FROM_0, SHARE_OF_STEPS, WHOLE_FROM_1, ANY_WHOLE])
@pytest.mark.parametrize("text", [*NO_NUMBERS, "1,5", "--1", "1.2.3", "1e", "." * 9, "9" * 5000])
def test_what_is_no_number_is_refused_in_one_line(kind, text):
    with pytest.raises(ValueError, match=f"^expected {kind.expected}, got .") as error:
        kind.read(text)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 150


@pytest.mark.parametrize(
    "kind, good, bad",
    [
        (WHOLE_FROM_0, ["0", "+1", "2147483647"], ["-1", "1.0", "1e3", "2147483648"]),
        (WHOLE_FROM_1, ["1", "0012"], ["0", "-4"]),
        (ANY_WHOLE, ["-7", "0", "-9007199254740992"], ["1.5"]),
        (HIDDEN_SIZE, ["12", "768"], ["0", "100", "-12"]),
        (TOKENS, ["8", "512"], ["7", "513", "-8"]),
        (FROM_0, ["0", ".5", "5.", "1e-400", "+2E+3"], ["-5", "-1e-9", "1e400"]),
        (ABOVE_0, ["1e-9", "3"], ["0", "0.0", "-1", "1e-999"]),
        (SHARE_OF_STEPS, ["0", "0.1", "1"], ["100", "-3", "1.0001"]),
        (LEARNING_RATE, ["3e-5", "1"], ["0", "-1", "1e5"]),
        (LOSS_SCALE, ["1", "32768"], ["0", "0.5", "1e31"]),
    ],
)
def test_the_ends_of_a_range_are_held(kind, good, bad):
    for text in good:
        assert kind.read(text) == float(text)
        assert isinstance(kind.read(text), int if kind.whole else float)
    for text in bad:
        with pytest.raises(ValueError, match="^expected .*, got "):
            kind.read(text)


def test_a_message_says_what_was_expected_and_what_came():
    for kind, text, message in (
        (SHARE_OF_STEPS, "100", "expected a share of the steps, 0 to 1, got 100"),
        (WHOLE_FROM_1, "two", "expected a whole number from 1, got two"),
        (WHOLE_FROM_1, "", "expected a whole number from 1, got an empty text"),
        (WHOLE_FROM_1, "1e3", "expected a whole number from 1, got 1e3"),
        (
            WHOLE_FROM_1,
            "3000000000",
            "expected a whole number from 1 to 2147483647, got 3000000000",
        ),
    ):
        with pytest.raises(ValueError) as error:
            kind.read(text)
        assert str(error.value) == message


@pytest.mark.parametrize("value", [0, -1, 1.0, "2", None, True, math.nan, math.inf, 2**40])
def test_a_value_of_a_program_is_held_to_the_same_range(value):
    with pytest.raises(DataError, match="^batch_size: expected a whole number from 1.*, got "):
        WHOLE_FROM_1.check("batch_size", value)


def test_numbers_of_numpy_are_numbers():
    WHOLE_FROM_1.check("batch_size", np.int64(3))
    FROM_0.check("weight_decay", np.float32(0.5))
    FROM_0.check("weight_decay", 0)
    with pytest.raises(DataError, match="^rate: expected a finite number from 0, got "):
        FROM_0.check("rate", np.float64("nan"))


def test_a_choice_is_one_of_the_choices():
    check_choice("decay", "linear", ("linear", "constant"))
    with pytest.raises(DataError, match="^decay: expected linear or constant, got 'cosine'$"):
        check_choice("decay", "cosine", ("linear", "constant"))
