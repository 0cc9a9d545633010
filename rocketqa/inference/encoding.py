"""Encoding of a collection or of queries, shard by shard, by all processes of a launch."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from rocketqa.distributed import devices
from rocketqa.distributed.watchdog import Workspace
from rocketqa.dual_encoder import DualEncoder
from rocketqa.files.errors import DataError
from rocketqa.inference.cut_texts import CutTexts
from rocketqa.inference.encoding_plan import EncodingPlan, EncodingSettings
from rocketqa.inference.engine import Engine
from rocketqa.inference.finite_outputs import refuse_non_finite
from rocketqa.jobs.array_pieces import write_array
from rocketqa.jobs.durable import make_folder
from rocketqa.jobs.pieces import is_whole, write_piece
from rocketqa.jobs.progress import bar
from rocketqa.search.vectors import shard_paths
from rocketqa.text.token_store import (
    COLLECTION,
    TokenStore,
    finish_store,
    has_whole_store,
    write_store,
)
from rocketqa.text.tokenizer import Encoding, TextEncoder
from rocketqa.weights.checkpoint import read_model
from rocketqa.weights.model_kinds import warn_of_other_length

TOKENS = ".tokens"  # a folder in the part directory, which is not part of the result


def encode(settings: EncodingSettings, workspace: Workspace, output_name: str) -> dict[str, object]:
    """Writes the shards of this part that are not there yet; returns how many rows and shards it
    has, and how many of its texts were cut.

    Every process of the launch calls it; each makes its share of the shards.
    """
    part, watchdog = workspace
    engine, text_encoder = _engine_of(settings)
    if devices.is_main():
        length = "passage_length" if settings.kind == COLLECTION else "query_length"
        warn_of_other_length(settings.checkpoint, length, settings.max_length)
    encoder = ShardEncoder(settings, engine, text_encoder)
    store = _tokens(settings, workspace, text_encoder)
    uncut = store.uncut_lengths()
    lengths = store.lengths(settings.max_length)
    is_collection = settings.kind == COLLECTION
    plan = EncodingPlan(lengths, settings.batch_tokens, settings.num_shards, is_collection)
    shards = settings.part.of(plan.shards)
    own_shards = shards[devices.rank() :: devices.count()]
    own_rows = sum(plan.rows_in(shard) for shard in own_shards)
    name = f"encode {output_name}"
    with bar(main=devices.is_main(), total=own_rows, unit="text", desc=name) as progress:
        for shard in own_shards:
            if all(is_whole(file) for file in shard_paths(part, shard)):
                progress.update(plan.rows_in(shard))
                continue
            for rows in encoder.write_shard(part, shard, store, plan.batches_in(shard)):
                progress.update(rows)
    watchdog.barrier()
    rows = sum(plan.rows_in(shard) for shard in shards)
    cut = CutTexts.of(uncut[plan.places_in(shards)], settings.max_length)
    return {"rows": rows, "shards": len(shards), "cut": cut._asdict()}


def _engine_of(settings: EncodingSettings) -> tuple[Engine, TextEncoder]:
    """Returns the engine of the tower, which has its own copy of the weights, and the tokenizer."""
    model, text_encoder = read_model(settings.checkpoint, DualEncoder)
    tower = "passage_encoder" if settings.kind == COLLECTION else "query_encoder"
    return Engine(model.tower(tower), settings.precision), text_encoder


class ShardEncoder:
    """Writes shards of vectors with one tower of a dual encoder."""

    def __init__(self, settings: EncodingSettings, engine: Engine, text_encoder: TextEncoder):
        self.settings = settings
        self.engine = engine
        self.text_encoder = text_encoder

    def _rows(self, store: TokenStore, places: Sequence[int]) -> list[Encoding]:
        """Returns the rows of tokens that the engine reads."""
        tokens = [store.at(place) for place in places]
        if self.settings.kind == COLLECTION:
            return self.text_encoder.passages(tokens, self.settings.max_length)
        return self.text_encoder.queries(tokens, self.settings.max_length)

    def _vectors(self, outputs: np.ndarray, store: TokenStore, places: Sequence[int]) -> np.ndarray:
        """Returns the outputs for rows as vectors of their type on disk, which are finite."""
        kind = "passage" if self.settings.kind == COLLECTION else "query"
        with np.errstate(over="ignore"):  # infinity is refused below
            vectors = outputs.astype(self.settings.dtype)

        def name_of_row(row: int) -> str:
            return f"{kind} {store.id_at(places[row])!r}"

        refuse_non_finite(vectors, self.settings.checkpoint, name_of_row)
        return vectors

    def write_shard(
        self, part: Path, shard: int, store: TokenStore, batches: list[list[int]]
    ) -> Iterator[int]:
        """Writes a shard, its rows in the order of the file; yields the rows of each batch.

        Raises DataError on a vector that is not finite.
        """
        vectors_file, ids_file = shard_paths(part, shard)
        vectors = []
        rows = (self._rows(store, places) for places in batches)
        outputs = self.engine.run_batches(rows, len(batches))
        for batch, of_batch in zip(batches, outputs):
            vectors.append(self._vectors(of_batch, store, batch))
            yield len(of_batch)
        places = np.concatenate(batches)
        order = np.argsort(places)
        ids = [store.id_at(place) for place in places[order].tolist()]
        write_piece(ids_file, ids)
        write_array(vectors_file, np.concatenate(vectors)[order])


def _tokens(
    settings: EncodingSettings, workspace: Workspace, text_encoder: TextEncoder
) -> TokenStore:
    """Returns the tokens of the rows: those that were given, or those that all devices make here
    once.
    """
    if settings.source.is_dir():
        return TokenStore(settings.source, settings.kind, text_encoder)
    part, watchdog = workspace
    folder = part / TOKENS
    is_whole_store = has_whole_store(folder)
    watchdog.barrier()  # every device has looked before one of them writes
    if not is_whole_store:
        make_folder(folder)
        name = f"tokenize {settings.source.name}"
        with bar(main=devices.is_main(), unit="text", desc=name) as progress:
            try:
                rows = write_store(
                    folder,
                    settings.kind,
                    settings.source,
                    text_encoder,
                    devices.rank(),
                    devices.count(),
                    progress.update,
                )
            except DataError:
                _remove_if_empty(folder)
                raise
        watchdog.barrier()
        if devices.is_main():
            finish_store(folder, settings.kind, rows, text_encoder)
    watchdog.barrier()
    return TokenStore(folder, settings.kind, text_encoder)


def _remove_if_empty(folder: Path) -> None:
    """Removes a folder that holds nothing, so that a refusal leaves nothing behind."""
    with suppress(OSError):
        folder.rmdir()
