"""Scoring of a run with a cross encoder, some queries at a time, by all processes of a launch.

Whole queries make a block of some BLOCK_PAIRS pairs, in the order of the run. Batches are formed by
length within at most so many pairs. Blocks depend on the run and the settings alone: the scores
have the same bytes whatever the number of processes and kills, and memory does not grow with the
run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.distributed import devices
from rocketqa.distributed.watchdog import Workspace
from rocketqa.files.errors import DataError, Fault
from rocketqa.files.rows import UNKNOWN_IDS, Check
from rocketqa.files.runs import RunFile, ScoredPassage, ranked, run_lines
from rocketqa.inference.engine import Engine
from rocketqa.jobs.atomic_files import join_pieces, write_piece
from rocketqa.jobs.progress import bar
from rocketqa.text.token_store import open_collection, open_queries
from rocketqa.text.tokenizer import Encoding, TextEncoder, text_or_tokens
from rocketqa.weights.checkpoint import load_model
from rocketqa.weights.model_kinds import warn_of_other_length

BLOCK_PAIRS = 4096

Pairs = Sequence[ScoredPassage]
EncodePairs = Callable[[Pairs], list[Encoding]]


@dataclass(frozen=True, kw_only=True)
class ScoringSettings:
    """What is scored, and how; see `rocketqa score --help`. max_length and batch_tokens are in
    tokens.
    """

    checkpoint: Path
    collection: Path
    queries: Path
    run: Path
    depth: int | None
    max_length: int
    batch_tokens: int
    precision: str = "float32"
    format: str = "trec"


def score(settings: ScoringSettings, workspace: Workspace, output_name: str) -> None:
    """Writes the run, ranked by the scores of the cross encoder, as `output_name` in the part
    directory.

    Every process of the launch calls it; each scores its share of the blocks.
    """
    part, watchdog = workspace
    model, text_encoder = load_model(settings.checkpoint, CrossEncoder)
    if devices.is_main():
        warn_of_other_length(settings.checkpoint, "max_length", settings.max_length)
    engine = Engine(model, settings.precision)
    run, encode_pairs = _inputs(settings, text_encoder)
    query_ids = list(run)
    size = queries_in_a_block(run.line_count, len(run), settings.depth)
    own_blocks = range(devices.rank() * size, len(run), devices.count() * size)
    own_queries = sum(min(size, len(run) - begin) for begin in own_blocks)
    name = f"score {output_name}"
    with bar(main=devices.is_main(), total=own_queries, unit="query", desc=name) as progress:
        for begin in own_blocks:
            of_block = query_ids[begin : begin + size]
            if not _block_file(part, begin).is_file():
                rankings = [run[query_id][: settings.depth] for query_id in of_block]
                pairs = [pair for ranking in rankings for pair in ranking]
                scores = scores_of(pairs, engine, encode_pairs, settings.batch_tokens)
                _write_block(_block_file(part, begin), rankings, scores, settings.format)
            progress.update(len(of_block))
    watchdog.barrier()
    if devices.is_main():
        blocks = [_block_file(part, begin) for begin in range(0, len(run), size)]
        join_pieces(blocks, part / output_name)


def _inputs(settings: ScoringSettings, text_encoder: TextEncoder) -> tuple[RunFile, EncodePairs]:
    """Returns the run, checked, and what turns its pairs into rows of tokens.

    Collection and run stay on disk.
    """
    queries = open_queries([settings.queries], text_encoder)
    collection = open_collection(settings.collection, text_encoder)

    def encode_pairs(pairs: Pairs) -> list[Encoding]:
        texts = [text_or_tokens(queries[pair.query_id]) for pair in pairs]
        passages = [collection[pair.passage_id] for pair in pairs]
        return text_encoder.pairs(texts, passages, settings.max_length)

    check = Check(_raise_with_cure, query_ids=queries, passage_ids=collection)
    return RunFile(settings.run, check), encode_pairs


def _raise_with_cure(fault: Fault) -> None:
    """Raises a fault of the run. Where it names an id that is nowhere, it says what to do."""
    if fault.kind == UNKNOWN_IDS:
        cure = "give the --queries and the --collection that the run was retrieved from"
        raise DataError(f"{fault}: {cure}") from fault
    raise fault


def queries_in_a_block(lines: int, queries: int, depth: int | None) -> int:
    """Returns how many queries have some BLOCK_PAIRS pairs together, at least one."""
    mean_depth = -(-lines // queries)
    pairs_of_a_query = min(mean_depth, depth or lines)
    return max(1, BLOCK_PAIRS // pairs_of_a_query)


def scores_of(
    pairs: Pairs, engine: Engine, encode_pairs: EncodePairs, batch_tokens: int
) -> list[float]:
    """Returns P(relevant) of each pair, in their order; at most BLOCK_PAIRS have their tokens in
    memory.
    """
    scores: list[float] = []
    for begin in range(0, len(pairs), BLOCK_PAIRS):
        rows = encode_pairs(pairs[begin : begin + BLOCK_PAIRS])
        scores += engine.run_all(rows, batch_tokens).tolist()
    return scores


def _block_file(part: Path, begin: int) -> Path:
    """Returns the file of the block that begins with query number `begin`."""
    return part / f"block-{begin:09}"


def _write_block(
    file: Path, rankings: Sequence[Pairs], scores: Sequence[float], run_format: str
) -> None:
    """Writes the rankings by their new scores; where the file is, the block is finished."""
    remaining = iter(scores)
    lines: list[str] = []
    for ranking in rankings:
        scored = [(pair.passage_id, next(remaining)) for pair in ranking]
        lines += run_lines(ranked(ranking[0].query_id, scored), run_format)
    write_piece(file, lines)
