"""JSON objects in files: one reader, typed fields, and one error line that names file and field.

    settings = read_json_object(folder / "config.json")
    hidden_size = settings.require("hidden_size", int)
    lower_case = settings.get("do_lower_case", bool, True)

An error is a DataError: `config.json: expected a whole number for hidden_size, got "16"`.
"""

import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TypeVar

from rocketqa.files.errors import DataError
from rocketqa.files.rows import file_fault

Value = TypeVar("Value")

NAMES_OF_KINDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}
LARGEST_SIZE = (1 << 31) - 1
LARGEST_NUMBER = sys.float_info.max
LONGEST_SHOWN = 100  # characters of a wrong value in an error message


class JsonObject:
    """The fields of one JSON object.

    place: the file that error messages name.
    prefix: the names of the fields around this object, such as `encoder.`; empty at the top.
    """

    def __init__(self, fields: dict[str, object], place: object, prefix: str = ""):
        self.fields = fields
        self.place = place
        self.prefix = prefix

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def fault(self, expected: str, got: str) -> DataError:
        """Returns the error `place: expected ..., got ...`, for the caller to raise."""
        return DataError(f"{self.place}: expected {expected}, got {got}")

    def wrong_value(self, name: str, expected: str) -> DataError:
        """Returns the error about the value of a field, for the caller to raise."""
        got = "nothing"
        if name in self.fields:
            got = shown(self.fields[name])
        return self.fault(f"{expected} for {self.prefix}{name}", got)

    def require(self, name: str, kind: type[Value]) -> Value:
        """Returns the value of a field.

        `kind` is a key of NAMES_OF_KINDS. A bool is no whole number here, although Python says so.
        Raises DataError where the field is missing or its value is of another kind.
        """
        value = self.fields.get(name)
        is_other_bool = isinstance(value, bool) and kind is not bool
        if is_other_bool or not isinstance(value, kind):
            raise self.wrong_value(name, NAMES_OF_KINDS[kind])
        return value

    def get(self, name: str, kind: type[Value], default: Value) -> Value:
        """Returns the value of a field, or `default` where it is missing. Raises as `require`."""
        if name not in self.fields:
            return default
        return self.require(name, kind)

    def positive(self, name: str) -> int:
        """Returns a whole number from 1 to 2**31 - 1, such as a size. Raises as `require`."""
        value = self.require(name, int)
        if not 1 <= value <= LARGEST_SIZE:
            raise self.wrong_value(name, "a whole number from 1 to 2**31 - 1")
        return value

    def number(self, name: str) -> float:
        """Returns a finite number as it stands in the file, whole or not.

        Raises DataError where the field is missing or its value is something else.
        """
        value = self.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.wrong_value(name, "a number")
        if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
            raise self.wrong_value(name, "a finite number")
        return value

    def switch(self, name: str) -> bool:
        """Returns a field that is true or false, or 1 or 0; False where it is missing.

        Raises DataError on any other value.
        """
        value = self.fields.get(name, False)
        if not isinstance(value, int) or value not in (0, 1):
            raise self.wrong_value(name, "true or false")
        return bool(value)

    def nested(self, name: str) -> "JsonObject":
        """Returns the object that is the value of a field. Raises as `require`."""
        fields = self.require(name, dict)
        return JsonObject(fields, self.place, f"{self.prefix}{name}.")

    def refuse_other_fields(self, known: Collection[str]) -> None:
        """Raises DataError where there is a field whose name is not among `known`."""
        for name in self.fields:
            if name not in known:
                expected = "only fields that this version knows"
                raise self.fault(expected, shown(self.prefix + name))


def read_json_object(path: Path) -> JsonObject:
    """Returns the JSON object in a file.

    Raises DataError where the file is missing or holds anything else.
    """
    if missing := file_fault(path):
        raise missing
    return parse_json_object(path.read_bytes(), path)


def parse_json_object(content: bytes, place: object) -> JsonObject:
    """Returns the JSON object in the bytes of a file; `place` is what error messages call it.

    A byte order mark before it, as programs of Windows write, is left out. Raises DataError
    where the bytes hold anything else.
    """
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        got = f"byte {content[error.start]:#04x} at {error.start}"
        raise DataError(f"{place}: expected a JSON object in UTF-8, got {got}") from None
    except RecursionError:
        raise DataError(f"{place}: expected a JSON object, got one nested too deeply") from None
    except ValueError as error:
        raise DataError(f"{place}: expected a JSON object, got other text: {error}") from None
    if not isinstance(value, dict):
        raise DataError(f"{place}: expected a JSON object, got {shown(value)}")
    return JsonObject(value, place)


def shown(value: object) -> str:
    """Returns how an error message shows a JSON value.

    Lists and objects are shown by their kind, all other values as they stand in the file.
    """
    if isinstance(value, (dict, list)):
        return NAMES_OF_KINDS[type(value)]
    return json.dumps(value)[:LONGEST_SHOWN]
