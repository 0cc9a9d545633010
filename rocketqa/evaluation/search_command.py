"""The commands that search the collection of a flight with one of its models.

A flight keeps its files in fixed places (`run_scripts/steps.sh`):

    CHECKPOINTS/MODEL                  a dual encoder, or cross_encoder
    VECTORS/MODEL.vectors/collection   the collection as this dual encoder has encoded it
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from rocketqa.evaluation.report_tables import CROSS_ENCODER

QUERY = "'your query'"
LINE_BREAK = " \\\n    "


class Flight(NamedTuple):
    """What a search with the models of a flight needs to know."""

    checkpoints: Path
    vectors: Path
    collection: Path
    query_length: int | None  # tokens; None: as `rocketqa search` has it
    pair_length: int | None  # tokens of a query and its passage; None: as `rocketqa search` has it
    rerank_depth: int | None  # passages; None: as `rocketqa search` has it
    bm25_index: Path | None = None  # None: no index was made


def entering_commands() -> list[str]:
    """Returns the commands that enter this folder and the virtual environment of this Python."""
    folder = Path.cwd()
    commands = [f"cd {quote(str(folder))}"]
    activate = Path(sys.prefix) / "bin/activate"
    if sys.prefix != sys.base_prefix and activate.is_file():
        shown = activate.relative_to(folder) if activate.is_relative_to(folder) else activate
        commands.append(f". {quote(str(shown))}")
    return commands


class Answering(NamedTuple):
    """Who answers a query.

    reranks: the cross encoder follows the dual encoder. bm25_weight: of BM25 beside the vectors;
    None: the vectors answer alone. cross_encoder_weight: beside what was retrieved; None: it ranks
    alone.
    """

    dual_encoder: str
    reranks: bool
    bm25_weight: float | None = None
    cross_encoder_weight: float | None = None


def search_command(flight: Flight, answering: Answering) -> str:
    """Returns the command that searches with the models of a flight."""
    parts = [f"rocketqa search {QUERY}", *_models(flight, answering)]
    if answering.reranks:
        parts += [
            _flag("--depth", flight.rerank_depth),
            _flag("--rerank-depth", flight.rerank_depth),
        ]
    return LINE_BREAK.join(part for part in parts if part)


def serve_command(flight: Flight, answering: Answering) -> str:
    """Returns the command that serves the same search over HTTP, with a search page."""
    parts = ["rocketqa serve", *_models(flight, answering)]
    if answering.reranks:
        parts.append(_flag("--rerank-depth", flight.rerank_depth))
    return LINE_BREAK.join(part for part in parts if part)


def _models(flight: Flight, answering: Answering) -> Iterator[str]:
    """Yields the flags of the encoded collection and of the models that answer."""
    dual_encoder, reranks, bm25_weight, cross_encoder_weight = answering
    yield _flag("--checkpoint", flight.checkpoints / dual_encoder)
    yield _flag("--collection", flight.collection)
    yield _flag("--passage-vectors", flight.vectors / f"{dual_encoder}.vectors/collection")
    yield _flag("--query-length", flight.query_length)
    if bm25_weight is not None:
        yield _flag("--bm25-index", flight.bm25_index)
        yield _flag("--bm25-weight", f"{bm25_weight:g}")
    if reranks:
        yield _flag("--cross-encoder", flight.checkpoints / CROSS_ENCODER)
        yield _flag("--cross-encoder-weight", cross_encoder_weight)
        yield _flag("--max-length", flight.pair_length)


def _flag(name: str, value: object) -> str:
    """Returns a flag with its value, and nothing where the value is None."""
    return "" if value is None else f"{name} {quote(str(value))}"
