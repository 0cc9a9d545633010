"""How many texts were cut, and by how much: what the manifest of an encoding or a scoring says."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.files.json_files import read_json_object
from rocketqa.jobs.pieces import checked_digest, write_piece


class CutTexts(NamedTuple):
    """Counts of texts, or pairs of texts, before they were cut at a length.

    texts: how many there are. texts_cut: how many were longer. tokens: of all texts, uncut, special
    tokens included. tokens_cut: how many of them were left out. longest: tokens of the longest.
    """

    texts: int = 0
    texts_cut: int = 0
    tokens: int = 0
    tokens_cut: int = 0
    longest: int = 0

    @classmethod
    def of(cls, lengths: np.ndarray, max_length: int) -> "CutTexts":
        """Returns the counts of texts with these uncut lengths, int [texts]."""
        surplus = np.maximum(lengths - max_length, 0)
        return cls(
            texts=len(lengths),
            texts_cut=int((surplus > 0).sum()),
            tokens=int(lengths.sum()),
            tokens_cut=int(surplus.sum()),
            longest=int(lengths.max(initial=0)),
        )

    @classmethod
    def joined(cls, parts: Iterable["CutTexts"]) -> "CutTexts":
        """Returns the counts of several sets of texts together."""
        columns = list(zip(*parts))
        if not columns:
            return cls()
        *counts, longest = columns
        values = [*map(sum, counts), max(longest)]
        return cls(*values)

    def write(self, path: Path) -> None:
        """Writes the counts as a piece of unfinished work."""
        write_piece(path, [json.dumps(self._asdict())])

    @classmethod
    def read(cls, path: Path) -> "CutTexts":
        """Returns the counts of a file that `write` made. Raises DataError where it is damaged."""
        checked_digest(path)
        fields = read_json_object(path)
        return cls(*(fields.require(name, int) for name in cls._fields))
