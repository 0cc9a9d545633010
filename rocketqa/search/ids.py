"""Ids in memory: one buffer of bytes, so that an id costs what it is long.

Ids are compared as UTF-8 bytes, which sort as the strings do. A sort looks at WORD_BYTES bytes of
every id, then at the next ones of those ids that agree so far.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy import int64, ndarray, uint8, uint32, uint64

NEWLINE = ord("\n")
WORD_BYTES = 7  # bytes of an id in one sort key; the eighth byte of the key holds the rest's length
ROWS_AT_ONCE = 4096  # ids that an iteration makes at a time
ROWS_COMPARED = 1 << 20  # ids that are compared with others at a time
GOES_ON = WORD_BYTES + 1  # last byte of the key of an id that has further bytes
BITS = uint64(8)  # of a byte
LAST_BYTE = uint64(255)


class IdList:
    """The ids of rows. `ids[row]` is a string; iterating yields all of them, by row."""

    def __init__(self, lines: Iterable[bytes]):
        """lines: contents of files with one id a line, such as that of each shard."""
        self._content = b"".join(lines)
        self._bytes = np.frombuffer(self._content, uint8)
        ends = np.flatnonzero(self._bytes == NEWLINE)
        self._ends = ends.astype(np.min_scalar_type(len(self._bytes)))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, row: int) -> str:
        [identifier] = self.at(np.array([row]))
        return identifier

    def __iter__(self) -> Iterator[str]:
        rows = np.arange(len(self))
        for begin in range(0, len(self), ROWS_AT_ONCE):
            yield from self.at(rows[begin : begin + ROWS_AT_ONCE])

    def at(self, rows: ndarray) -> list[str]:
        """Returns the ids of rows, int [n]."""
        begins, ends = self._borders(rows)
        borders = zip(begins.tolist(), ends.tolist())
        return [self._content[begin:end].decode() for begin, end in borders]

    def _borders(self, rows: ndarray) -> tuple[ndarray, ndarray]:
        """Returns where the ids of rows begin and end, both int64 [n]."""
        rows = rows.astype(int64)
        ends = self._ends[rows].astype(int64)
        begins = self._ends[rows - 1].astype(int64) + 1
        begins[rows == 0] = 0
        return begins, ends

    def rows_of(self, ids: Iterable[str]) -> ndarray:
        """Returns the rows, int64 ascending, that have one of some ids."""
        wanted = set(ids)
        if not wanted:
            return np.empty(0, int64)
        others = IdList([f"{identifier}\n".encode() for identifier in wanted])
        found = [self._rows_among(others, begin) for begin in range(0, len(self), ROWS_COMPARED)]
        candidates = np.concatenate([np.empty(0, int64), *found])
        is_wanted = [identifier in wanted for identifier in self.at(candidates)]
        return candidates[np.array(is_wanted, bool)]

    def _rows_among(self, others: "IdList", begin: int) -> ndarray:
        """Returns the rows of ROWS_COMPARED from `begin` whose ids may be among others, int64.

        Each part of such an id is the same part of one of the others.
        """
        rows = np.arange(begin, min(begin + ROWS_COMPARED, len(self)))
        all_others = np.arange(len(others))
        begins, ends = others._borders(all_others)
        longest = (ends - begins).max()
        for offset in range(0, longest, WORD_BYTES):
            keys_of_others = others._keys(all_others, offset)
            is_among = np.isin(self._keys(rows, offset), keys_of_others)
            rows = rows[is_among]
        return rows

    def without(self, rows: ndarray) -> "IdList":
        """Returns the ids of all rows but some, int [n] ascending."""
        if not len(rows):
            return self
        kept = []
        begin_of_kept = 0
        begins, ends = self._borders(rows)
        for begin, end in zip(begins.tolist(), ends.tolist()):
            kept.append(self._content[begin_of_kept:begin])
            begin_of_kept = end + 1
        kept.append(self._content[begin_of_kept:])
        return IdList(kept)

    def sorted_rows(self) -> tuple[ndarray, int | None]:
        """Returns the rows by id, ascending, uint32 [N]; then a row whose id an earlier row has.

        None stands in place of that row where all ids differ.
        """
        all_rows = np.arange(len(self))
        keys = self._keys(all_rows, 0)
        rows = np.argsort(keys, kind="stable")
        keys = keys[rows]
        agrees = np.zeros(len(self) + 1, bool)  # with the id before it, in all bytes so far
        agrees[1:-1] = keys[1:] == keys[:-1]
        tied = np.flatnonzero(agrees[:-1] | agrees[1:])  # places in the order
        offset = 0
        while tied.size:
            has_ended = keys[tied] & LAST_BYTE != GOES_ON
            is_repeated = agrees[tied] & has_ended
            if is_repeated.any():
                repeated = rows[tied[is_repeated]]
                return rows.astype(uint32), int(repeated[0])
            offset += WORD_BYTES
            groups = np.cumsum(~agrees[tied])
            tied_rows = rows[tied]
            tied_keys = self._keys(tied_rows, offset)
            order = np.lexsort((tied_keys, groups))
            rows[tied] = tied_rows[order]
            keys[tied] = tied_keys[order]
            agrees[tied] &= keys[tied] == keys[tied - 1]
            is_tied = agrees[tied] | agrees[tied + 1]
            tied = tied[is_tied]
        return rows.astype(uint32), None

    def _keys(self, rows: ndarray, offset: int) -> ndarray:
        """Returns a key of each row, uint64, that sorts as the bytes of its id from an offset do.

        A key holds WORD_BYTES bytes, filled up with zeros, then how many bytes there are, at most
        GOES_ON. So an id sorts before a longer one that begins with it.
        """
        begins, ends = self._borders(rows)
        begins += offset
        keys = np.zeros(len(rows), uint64)
        for place in range(WORD_BYTES):
            places = np.minimum(begins + place, ends)
            letters = self._bytes[places]
            letters[places == ends] = 0
            keys <<= BITS
            keys |= letters
        lengths = np.clip(ends - begins, 0, GOES_ON)
        keys <<= BITS
        return keys | lengths.astype(uint64)
