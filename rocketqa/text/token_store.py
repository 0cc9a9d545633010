"""Texts that were tokenised once, on disk: arrays of ids that are mapped into memory and shared by all who read them.

A folder has, for each chunk of 2**18 rows, three lists: `titles`, `texts` (ids of the vocabulary; titles and lengths
are chosen by who reads) and `ids` (bytes of UTF-8). A list is `NAME.NNNNN.npy`, all its rows end to end, and
`NAME.NNNNN.ends.npy`, int64 [rows]. `store.json` comes last.
"""

import json
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from rocketqa.files.collection import CollectionFile, IdPlaces
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, Query, iterate_collection, read_queries
from rocketqa.jobs.atomic_files import write_array, write_atomically
from rocketqa.text.tokenizer import TextEncoder, Tokens

SUMMARY = "store.json"
LISTS = ("titles", "texts", "ids")
CHUNK_ROWS = 1 << 18
BLOCK_ROWS = 4096  # tokenised at a time
COLLECTION, QUERIES = "collection", "queries"


class Rows:
    """A list of one chunk, mapped into memory: `rows[i]` is a row's array."""

    def __init__(self, folder: Path, name: str, chunk: int):
        self.values, self.ends = (
            np.load(path, mmap_mode="r") for path in _paths(folder, name, chunk)
        )

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.ends[row - 1] if row else 0 : self.ends[row]]

    def lengths(self) -> np.ndarray:
        """Returns int64 [rows]."""
        return np.diff(self.ends, prepend=0)


class TokenStore(Mapping[str, Tokens]):
    """A collection's or queries' tokens: `store[identifier]`, or by place, 0 to len(store) - 1, in the file's order."""

    def __init__(self, folder: Path, kind: str, encoder: TextEncoder):
        """Raises DataError where the folder is no store of that kind, or was made with another tokenizer."""
        summary = folder / SUMMARY
        if not summary.is_file():
            raise DataError(
                f"{folder}: expected a folder that `rocketqa tokenize` has made, got none"
            )
        said = json.loads(summary.read_text(encoding="utf-8"))
        if said["kind"] != kind:
            raise DataError(f"{folder}: expected tokens of {kind}, got those of {said['kind']}")
        if said["tokenizer"] != encoder.digest:
            raise DataError(
                f"{folder}: expected tokens of this vocabulary, got those of another: tokenize anew"
            )
        self.rows, self.kind, self.encoder = said["rows"], kind, encoder
        chunks = range(-(-self.rows // CHUNK_ROWS))
        self.lists = {name: [Rows(folder, name, chunk) for chunk in chunks] for name in LISTS}
        self._places: IdPlaces | None = None

    def at(self, place: int) -> Tokens:
        """Returns the tokens of a place."""
        chunk, row = divmod(place, CHUNK_ROWS)
        title = self.lists["titles"][chunk][row]
        return Tokens(title if len(title) else None, self.lists["texts"][chunk][row])

    def id_at(self, place: int) -> str:
        """Returns the id of a place."""
        chunk, row = divmod(place, CHUNK_ROWS)
        return self.lists["ids"][chunk][row].tobytes().decode("utf-8")

    def lengths(self, max_length: int) -> np.ndarray:
        """Returns how many tokens each place's row has for the dual encoder, int32 [rows]: all of them at once."""
        titles, texts = (
            np.concatenate([rows.lengths() for rows in self.lists[name]])
            for name in ("titles", "texts")
        )
        if self.kind == QUERIES:
            return np.minimum(texts + 2, max_length).astype(np.int32)
        titles = np.where(titles > 0, titles, len(self.encoder.no_title))
        return np.minimum(titles + texts + 3, max_length).astype(np.int32)

    def place_of(self, identifier: str) -> int:
        """Returns where an id stands. Raises KeyError where it stands nowhere."""
        if self._places is None:
            self._places = IdPlaces(self)
        for place in self._places.of(identifier):
            if self.id_at(place) == identifier:
                return place
        raise KeyError(identifier)

    def __getitem__(self, identifier: str) -> Tokens:
        return self.at(self.place_of(identifier))

    def __iter__(self) -> Iterator[str]:
        return map(self.id_at, range(self.rows))

    def __len__(self) -> int:
        return self.rows


def write_store(
    folder: Path,
    kind: str,
    source: Path,
    encoder: TextEncoder,
    rank: int = 0,
    count: int = 1,
    told: Callable[[int], None] = lambda rows: None,
) -> int:
    """Writes the chunks that fall to process `rank` of `count` and are not there yet; returns the rows of the file.

    `told` hears how many rows more are done. When all processes are through, one calls `finish_store`.
    """
    texts = (
        iterate_collection(source) if kind == COLLECTION else iter(read_queries(source).values())
    )
    rows, chunk = 0, 0
    while chunk_texts := list(islice(texts, CHUNK_ROWS)):
        if chunk % count == rank and not _paths(folder, LISTS[-1], chunk)[1].is_file():
            _write_chunk(folder, chunk, chunk_texts, encoder, told)
        elif chunk % count == rank:
            told(len(chunk_texts))
        rows, chunk = rows + len(chunk_texts), chunk + 1
    return rows


def finish_store(folder: Path, kind: str, rows: int, encoder: TextEncoder) -> None:
    """Writes what makes the chunks a store."""
    write_atomically(
        folder / SUMMARY,
        json.dumps({"kind": kind, "rows": rows, "tokenizer": encoder.digest}) + "\n",
    )


def _write_chunk(
    folder: Path, chunk: int, texts: list, encoder: TextEncoder, told: Callable[[int], None]
) -> None:
    parts: dict[str, list[np.ndarray]] = {name: [] for name in LISTS}
    for begin in range(0, len(texts), BLOCK_ROWS):
        block = texts[begin : begin + BLOCK_ROWS]
        for title, text in encoder.tokens(
            [text if isinstance(text, Passage) else text.text for text in block]
        ):
            parts["titles"].append(np.array([] if title is None else title, np.uint32))
            parts["texts"].append(text.astype(np.uint32))
        parts["ids"] += (np.frombuffer(text[0].encode("utf-8"), np.uint8) for text in block)
        told(len(block))
    for name, rows in parts.items():
        values, ends = _paths(folder, name, chunk)
        write_array(values, _narrow(np.concatenate(rows)))
        write_array(
            ends, np.cumsum([len(row) for row in rows])
        )  # the last of the ids' says that the chunk is whole


def _narrow(values: np.ndarray) -> np.ndarray:
    """Returns ids in two bytes each where the largest has room in them."""
    return (
        values.astype(np.uint16)
        if values.dtype == np.uint32 and values.max(initial=0) < 1 << 16
        else values
    )


def _paths(folder: Path, name: str, chunk: int) -> tuple[Path, Path]:
    """Returns where a list's values and ends are."""
    return folder / f"{name}.{chunk:05}.npy", folder / f"{name}.{chunk:05}.ends.npy"


def open_collection(path: Path, encoder: TextEncoder) -> Mapping[str, Passage | Tokens]:
    """Returns passage_id -> passage of a collection.tsv, or its tokens of a store; the texts stay on disk."""
    return TokenStore(path, COLLECTION, encoder) if path.is_dir() else CollectionFile(path)


def open_queries(paths: Iterable[Path], encoder: TextEncoder) -> Mapping[str, Query | Tokens]:
    """Returns query_id -> query of files queries.SPLIT.tsv, or its tokens of stores; ids are unique over all."""
    stores = [TokenStore(path, QUERIES, encoder) for path in paths if path.is_dir()]
    files = [path for path in paths if not path.is_dir()]
    if not stores:
        return read_queries(*files)
    if files:
        raise DataError(f"{files[0]}: expected tokens, as of the other queries, got a file")
    return ChainMap(*stores)
