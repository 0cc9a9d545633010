"""A JSON object is read with typed fields; whatever is wrong is one line with file and field."""

import pytest

from rocketqa.files.errors import DataError
from rocketqa.files.json_files import JsonObject, parse_json_object, read_json_object


def object_of(text: str) -> JsonObject:
    return parse_json_object(text.encode(), "a.json")


def refusal(call, *arguments) -> str:
    """Returns the message of the DataError that a call raises."""
    with pytest.raises(DataError) as error:
        call(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_fields_are_read_by_their_kind(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"t": "x", "w": 3, "b": false, "n": {"inner": 1}, "l": [1], "f": 2.5}')
    fields = read_json_object(path)
    assert fields.require("t", str) == "x"
    assert fields.require("w", int) == 3
    assert fields.require("b", bool) is False
    assert fields.require("l", list) == [1]
    assert fields.nested("n").require("inner", int) == 1
    assert (fields.number("w"), fields.number("f")) == (3, 2.5)
    assert isinstance(fields.number("w"), int)
    assert "t" in fields and "missing" not in fields


def test_a_missing_field_has_its_default_and_a_wrong_one_has_not():
    fields = object_of('{"there": 1, "wrong": "1", "null": null}')
    assert fields.get("there", int, 7) == 1
    assert fields.get("missing", int, 7) == 7
    for name in ("wrong", "null"):
        assert refusal(fields.get, name, int, 7).startswith("a.json: expected a whole number for ")


@pytest.mark.parametrize("text, value", [("true", True), ("1", True), ("0", False)])
def test_a_switch_may_be_written_as_a_number(text, value):
    assert object_of(f'{{"s": {text}}}').switch("s") is value
    assert object_of("{}").switch("s") is False


@pytest.mark.parametrize("text", ["2", "-1", '"yes"', "null", "1.0", "[]"])
def test_a_switch_that_is_neither_on_nor_off_is_refused(text):
    message = refusal(object_of(f'{{"s": {text}}}').switch, "s")
    assert message.startswith("a.json: expected true or false for s, got ")


@pytest.mark.parametrize(
    "kind, text, message",
    [
        (int, '"16"', 'expected a whole number for f, got "16"'),
        (int, "true", "expected a whole number for f, got true"),
        (int, "1.5", "expected a whole number for f, got 1.5"),
        (str, "null", "expected a text for f, got null"),
        (str, "[1, 2]", "expected a text for f, got a list"),
        (bool, "1", "expected true or false for f, got 1"),
        (dict, "[]", "expected an object for f, got a list"),
        (list, "{}", "expected a list for f, got an object"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_field(kind, text, message):
    assert refusal(object_of(f'{{"f": {text}}}').require, "f", kind) == f"a.json: {message}"


def test_a_missing_field_is_named_with_the_fields_around_it():
    inner = object_of('{"encoder": {}}').nested("encoder")
    expected = "a.json: expected a whole number for encoder.vocab_size, got nothing"
    assert refusal(inner.require, "vocab_size", int) == expected


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-1e999", "1" + "0" * 400, "true", '"1"'])
def test_a_number_is_finite(text):
    message = refusal(object_of(f'{{"f": {text}}}').number, "f")
    assert message.startswith("a.json: expected a ") and len(message) < 200


def test_unknown_fields_can_be_refused():
    fields = object_of('{"encoder": {"size": 1, "colour": 2}}').nested("encoder")
    fields.refuse_other_fields(("size", "colour"))
    assert refusal(fields.refuse_other_fields, ("size",)) == (
        'a.json: expected only fields that this version knows, got "encoder.colour"'
    )


def test_a_value_in_a_message_stays_on_one_short_line():
    fields = object_of('{"f": "' + "line\\n" * 1000 + '\\ud800"}')
    assert len(refusal(fields.require, "f", int)) < 200
    refusal(fields.require, "f", int).encode()


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "expected a JSON object, got other text: Expecting value"),
        (b"{", "expected a JSON object, got other text: Expecting property name"),
        (b"[1]", "expected a JSON object, got a list"),
        (b"null", "expected a JSON object, got null"),
        (b'{"a": "\xff"}', "expected a JSON object in UTF-8, got byte 0xff at 7"),
        (b"[" * 100_000, "expected a JSON object, got one nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "expected a JSON object, got other text: "),
    ],
)
def test_what_is_no_json_object_is_refused_with_its_file(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert refusal(read_json_object, path).startswith(f"{path}: {message}")


def test_what_is_no_file_is_refused(tmp_path):
    assert refusal(read_json_object, tmp_path) == f"{tmp_path}: expected a file, got a folder"
    missing = tmp_path / "missing.json"
    assert refusal(read_json_object, missing) == (f"{missing}: expected a file, got nothing there")
