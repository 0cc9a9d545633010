"""Token stores: texts that were tokenised once, as arrays that all readers map into memory.

A store is a folder. For each segment of 2**18 rows it has three lists: `titles` and `texts` (ids of
the vocabulary, without special tokens and not cut to a length) and `ids` (bytes of UTF-8).

    NAME.NNNNN.npy         all rows of a list's segment, one after the other
    NAME.NNNNN.ends.npy    where each row ends, int64 [rows]
    store.json             kind, rows and tokenizer; written last: a folder without it is unfinished
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np

from rocketqa.files.collection import CollectionFile, IdIndex
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, Query, iterate_collection, read_queries
from rocketqa.files.json_files import read_json_object
from rocketqa.jobs.array_pieces import write_array
from rocketqa.jobs.pieces import is_whole, write_piece
from rocketqa.text.tokenizer import TextEncoder, Tokens

SUMMARY = "store.json"
SUMMARY_FIELDS = ("kind", "rows", "tokenizer")
LISTS = ("titles", "texts", "ids")
SEGMENT_ROWS = 1 << 18
BLOCK_ROWS = 4096  # rows that are tokenised at a time
COLLECTION, QUERIES = "collection", "queries"
NO_IDS = np.array([], np.uint32)
SPECIAL_TOKENS = {QUERIES: 2, COLLECTION: 3}  # of a row for the dual encoder


class SegmentList:
    """A list of one segment, mapped into memory: `rows[i]` is the array of a row."""

    def __init__(self, folder: Path, name: str, segment: int):
        values_file, ends_file = _list_files(folder, name, segment)
        self.values = np.load(values_file, mmap_mode="r")
        self.ends = np.load(ends_file, mmap_mode="r")

    def __getitem__(self, row: int) -> np.ndarray:
        begin = self.ends[row - 1] if row else 0
        return self.values[begin : self.ends[row]]

    def lengths(self) -> np.ndarray:
        """Returns the length of every row, int64 [rows]."""
        return np.diff(self.ends, prepend=0)


class TokenStore(Mapping[str, Tokens]):
    """The tokens of a collection or of queries: `store[identifier]`.

    A row is also found by its position, 0 to len(store) - 1, which is its place in the tokenised
    file.
    """

    def __init__(self, folder: Path, kind: str, encoder: TextEncoder):
        """Opens a store. Raises DataError where it is of another kind or another tokenizer."""
        if not (folder / SUMMARY).is_file():
            raise DataError(
                f"{folder}: expected a folder that `rocketqa tokenize` has made, got none"
            )
        summary = read_json_object(folder / SUMMARY)
        summary.refuse_other_fields(SUMMARY_FIELDS)
        kind_there = summary.require("kind", str)
        if kind_there not in (COLLECTION, QUERIES):
            raise summary.wrong_value("kind", f"{COLLECTION} or {QUERIES}")
        if kind_there != kind:
            raise DataError(
                f"{folder}: expected tokens of --{kind}, got tokens of --{kind_there}: "
                f"give a folder that `rocketqa tokenize --{kind}` made"
            )
        if summary.require("tokenizer", str) != encoder.digest:
            raise DataError(
                f"{folder}: expected tokens of this vocabulary, got those of another: "
                "tokenize it again"
            )
        self.rows = summary.positive("rows")
        self.kind = kind
        self.encoder = encoder
        segments = range(-(-self.rows // SEGMENT_ROWS))
        self.titles = [SegmentList(folder, "titles", segment) for segment in segments]
        self.texts = [SegmentList(folder, "texts", segment) for segment in segments]
        self.ids = [SegmentList(folder, "ids", segment) for segment in segments]
        self._index: IdIndex | None = None

    def at(self, position: int) -> Tokens:
        """Returns the tokens of the row at a position."""
        segment, row = divmod(position, SEGMENT_ROWS)
        title = self.titles[segment][row]
        text = self.texts[segment][row]
        return Tokens(title if len(title) else None, text)

    def id_at(self, position: int) -> str:
        """Returns the id of the row at a position."""
        segment, row = divmod(position, SEGMENT_ROWS)
        return self.ids[segment][row].tobytes().decode("utf-8")

    def lengths(self, max_length: int) -> np.ndarray:
        """Returns how many tokens each row has for the dual encoder, int32 [rows].

        Special tokens are counted; a longer row has `max_length`.
        """
        return np.minimum(self.uncut_lengths(), max_length).astype(np.int32)

    def uncut_lengths(self) -> np.ndarray:
        """Returns how many tokens each row would have without a limit, int64 [rows]."""
        lengths = np.concatenate([segment.lengths() for segment in self.texts])
        if self.kind == COLLECTION:
            of_titles = np.concatenate([segment.lengths() for segment in self.titles])
            of_no_title = len(self.encoder.no_title)
            lengths += np.where(of_titles > 0, of_titles, of_no_title)
        return lengths + SPECIAL_TOKENS[self.kind]

    def position_of(self, identifier: str) -> int:
        """Returns the position of an id. Raises KeyError where no row has it."""
        if self._index is None:
            self._index = IdIndex(self)
        for position in self._index.candidates(identifier):
            if self.id_at(position) == identifier:
                return position
        raise KeyError(identifier)

    def __getitem__(self, identifier: str) -> Tokens:
        return self.at(self.position_of(identifier))

    def __iter__(self) -> Iterator[str]:
        return map(self.id_at, range(self.rows))

    def __len__(self) -> int:
        return self.rows


class JoinedStores(Mapping[str, Tokens]):
    """Several stores with different ids, read as one."""

    def __init__(self, stores: Sequence[TokenStore]):
        self.stores = stores

    def __getitem__(self, identifier: str) -> Tokens:
        for store in self.stores:
            try:
                return store[identifier]
            except KeyError:
                continue
        raise KeyError(identifier)

    def __iter__(self) -> Iterator[str]:
        for store in self.stores:
            yield from store

    def __len__(self) -> int:
        return sum(len(store) for store in self.stores)


def write_store(
    folder: Path,
    kind: str,
    source: Path,
    encoder: TextEncoder,
    rank: int = 0,
    count: int = 1,
    advance: Callable[[int], object] = lambda rows: None,
) -> int:
    """Writes the segments of process `rank` of `count`, and returns the rows of the whole file.

    Segments that are there already stay, unless they are damaged. advance: is called with the
    number of further rows that are done. After all processes have ended, one of them calls
    `finish_store`.
    """
    texts = _texts_of(source, kind)
    rows = 0
    segment = 0
    while segment_texts := list(islice(texts, SEGMENT_ROWS)):
        if segment % count == rank:
            if _is_written(folder, segment):
                advance(len(segment_texts))
            else:
                _write_segment(folder, segment, segment_texts, encoder, advance)
        rows += len(segment_texts)
        segment += 1
    return rows


def finish_store(folder: Path, kind: str, rows: int, encoder: TextEncoder) -> None:
    """Writes `store.json`, which makes the segments a store."""
    summary = {"kind": kind, "rows": rows, "tokenizer": encoder.digest}
    write_piece(folder / SUMMARY, [json.dumps(summary)])


def has_whole_store(folder: Path) -> bool:
    """Returns whether a folder has an undamaged store of unfinished work."""
    if not is_whole(folder / SUMMARY):
        return False
    rows = read_json_object(folder / SUMMARY).positive("rows")
    segments = range(-(-rows // SEGMENT_ROWS))
    return all(_is_written(folder, segment) for segment in segments)


def _texts_of(source: Path, kind: str) -> Iterator[Passage | Query]:
    if kind == COLLECTION:
        return iterate_collection(source)
    return iter(read_queries(source).values())


def _write_segment(
    folder: Path,
    segment: int,
    texts: Sequence[Passage | Query],
    encoder: TextEncoder,
    advance: Callable[[int], object],
) -> None:
    lists: dict[str, list[np.ndarray]] = {"titles": [], "texts": [], "ids": []}
    for begin in range(0, len(texts), BLOCK_ROWS):
        block = texts[begin : begin + BLOCK_ROWS]
        passages = [text if isinstance(text, Passage) else text.text for text in block]
        for title, body in encoder.tokens(passages):
            title_ids = NO_IDS if title is None else title
            lists["titles"].append(title_ids.astype(np.uint32))
            lists["texts"].append(body.astype(np.uint32))
        for text in block:
            identifier, *_ = text
            content = identifier.encode("utf-8")
            lists["ids"].append(np.frombuffer(content, np.uint8))
        advance(len(block))
    for name, rows in lists.items():
        values_file, ends_file = _list_files(folder, name, segment)
        write_array(values_file, _in_two_bytes_if_possible(np.concatenate(rows)))
        lengths = [len(row) for row in rows]
        write_array(ends_file, np.cumsum(lengths))


def _in_two_bytes_if_possible(values: np.ndarray) -> np.ndarray:
    """Returns ids of the vocabulary as uint16 where the largest fits, other values unchanged."""
    is_ids = values.dtype == np.uint32
    if is_ids and values.max(initial=0) < 1 << 16:
        return values.astype(np.uint16)
    return values


def _is_written(folder: Path, segment: int) -> bool:
    """Returns whether a segment is complete: all of its files are there and undamaged."""
    files = chain.from_iterable(_list_files(folder, name, segment) for name in LISTS)
    return all(map(is_whole, files))


def _list_files(folder: Path, name: str, segment: int) -> tuple[Path, Path]:
    """Returns the files of a list's segment: its values and its ends."""
    stem = f"{name}.{segment:05}"
    return folder / f"{stem}.npy", folder / f"{stem}.ends.npy"


def open_collection(path: Path, encoder: TextEncoder) -> Mapping[str, Passage | Tokens]:
    """Returns passage_id -> passage of a collection.tsv, or passage_id -> tokens of a store.

    The texts stay on disk.
    """
    if path.is_dir():
        return TokenStore(path, COLLECTION, encoder)
    return CollectionFile(path)


def open_queries(paths: Sequence[Path], encoder: TextEncoder) -> Mapping[str, Query | Tokens]:
    """Returns query_id -> query of files queries.SPLIT.tsv, or its tokens of stores.

    Ids are unique over all files or stores. Raises DataError where files and stores are mixed.
    """
    files = [path for path in paths if not path.is_dir()]
    if len(files) == len(paths):
        return read_queries(*files)
    if files:
        raise DataError(f"{files[0]}: expected tokens, as of the other queries, got a file")
    return JoinedStores([TokenStore(path, QUERIES, encoder) for path in paths])
