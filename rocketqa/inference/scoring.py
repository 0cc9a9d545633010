"""Scoring of a run, or of the pairs of training examples, with a cross encoder, some queries at a
time, by all processes of a launch.

Whole queries make a block of some BLOCK_PAIRS pairs, in the order of the run. Batches are formed by
length within at most so many pairs. Blocks depend on the run and the settings alone: the scores
have the same bytes whatever the number of processes and kills, and memory does not grow with the
run.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.distributed import devices
from rocketqa.distributed.watchdog import Workspace
from rocketqa.files.errors import DataError, Fault
from rocketqa.files.examples import pairs_of_examples, read_examples
from rocketqa.files.formats import Passage, Query
from rocketqa.files.published_forms import CANDIDATES, candidates_cure, is_candidate
from rocketqa.files.rows import UNKNOWN_IDS, Check, read_rows
from rocketqa.files.runs import (
    Ranking,
    RunFile,
    ScoredPassage,
    open_scores,
    ranked,
    run_lines,
)
from rocketqa.inference.cut_texts import CutTexts
from rocketqa.inference.engine import Engine
from rocketqa.inference.finite_outputs import refuse_non_finite
from rocketqa.jobs.pieces import is_whole, join_pieces, write_piece
from rocketqa.jobs.progress import bar
from rocketqa.jobs.seeds import number
from rocketqa.text.token_store import open_collection, open_queries
from rocketqa.text.tokenizer import Encoding, TextEncoder, Tokens, text_or_tokens
from rocketqa.weights.checkpoint import read_model
from rocketqa.weights.model_kinds import warn_of_other_length

BLOCK_PAIRS = 4096
SPECIAL_TOKENS_OF_A_PAIR = 3

Pairs = Sequence[ScoredPassage]
EncodePairs = Callable[[Pairs], list[Encoding]]


@dataclass(frozen=True, kw_only=True)
class ScoringSettings:
    """What is scored, and how; see `rocketqa score --help`. max_length and batch_tokens are in
    tokens. Either `run` or `examples` is given.

    sample: with a run, how many of its queries are scored, drawn by `seed`; None for all.
    known: runs that the same cross encoder has scored; no pair of theirs is computed again.
    """

    checkpoint: Path
    collection: Path
    queries: Path
    run: Path | None
    depth: int | None
    max_length: int
    batch_tokens: int
    precision: str = "float32"
    format: str = "trec"
    examples: Path | None = None
    sample: int | None = None
    seed: int = 1
    known: Sequence[Path] = ()


def score(settings: ScoringSettings, workspace: Workspace, output_name: str) -> dict[str, int]:
    """Writes the run, ranked by the scores of the cross encoder, as `output_name` in the part
    directory. Returns how many pairs were cut (`CutTexts`).

    Every process of the launch calls it; each scores its share of the blocks.
    """
    part, watchdog = workspace
    engine, text_encoder = _engine_of(settings)
    if devices.is_main():
        warn_of_other_length(settings.checkpoint, "max_length", settings.max_length)
    run, lines, pair_tokens = _inputs(settings, text_encoder)
    known_runs = [open_scores(path) for path in settings.known]
    query_ids = drawn_queries(run, settings.sample, settings.seed)
    count = len(query_ids)
    size = queries_in_a_block(lines, len(run), settings.depth)
    own_blocks = range(devices.rank() * size, count, devices.count() * size)
    own_queries = sum(min(size, count - begin) for begin in own_blocks)
    name = f"score {output_name}"
    with bar(main=devices.is_main(), total=own_queries, unit="query", desc=name) as progress:
        for begin in own_blocks:
            of_block = query_ids[begin : begin + size]
            if not _is_written(part, begin):
                rankings = [run[query_id][: settings.depth] for query_id in of_block]
                pairs = [pair for ranking in rankings for pair in ranking]
                pair_tokens.start()
                known = _scores_in(known_runs, of_block)
                new = [pair for pair in pairs if _ids(pair) not in known]
                computed = scores_of(new, engine, pair_tokens.rows, settings.batch_tokens)
                _refuse_non_finite(computed, settings.checkpoint, new)
                pair_tokens.note([pair for pair in pairs if _ids(pair) in known])
                known |= zip(map(_ids, new), computed)
                scores = [known[_ids(pair)] for pair in pairs]
                pair_tokens.cut().write(_cut_file(part, begin))
                _write_block(_block_file(part, begin), rankings, scores, settings.format)
            progress.update(len(of_block))
    watchdog.barrier()
    if not devices.is_main():
        return {}
    all_blocks = range(0, count, size)
    cut = CutTexts.joined(CutTexts.read(_cut_file(part, begin)) for begin in all_blocks)
    join_pieces([_block_file(part, begin) for begin in all_blocks], part / output_name)
    return cut._asdict()


def _engine_of(settings: ScoringSettings) -> tuple[Engine, TextEncoder]:
    """Returns the engine, which has its own copy of the weights, and the tokenizer."""
    model, text_encoder = read_model(settings.checkpoint, CrossEncoder)
    return Engine(model, settings.precision), text_encoder


class PairTokens:
    """Turns pairs into rows of tokens, and notes how long the rows would be without a limit."""

    def __init__(
        self,
        queries: Mapping[str, Query | Tokens],
        collection: Mapping[str, Passage | Tokens],
        text_encoder: TextEncoder,
        max_length: int,
    ):
        self.queries = queries
        self.collection = collection
        self.text_encoder = text_encoder
        self.max_length = max_length
        self._lengths: list[int] = []

    def rows(self, pairs: Pairs) -> list[Encoding]:
        """Returns the rows of tokens of the pairs."""
        return self.text_encoder.pairs(*self._tokens(pairs), self.max_length)

    def note(self, pairs: Pairs) -> None:
        """Notes the lengths of pairs whose rows are not needed."""
        self._tokens(pairs)

    def _tokens(self, pairs: Pairs) -> tuple[list[Tokens], list[Tokens]]:
        """Returns the tokens of the queries and of the passages, and notes the lengths of pairs."""
        texts = [text_or_tokens(self.queries[pair.query_id]) for pair in pairs]
        passages = [self.collection[pair.passage_id] for pair in pairs]
        query_tokens = self.text_encoder.tokens(texts)
        passage_tokens = self.text_encoder.tokens(passages)
        for query, passage in zip(query_tokens, passage_tokens):
            title_length = 0 if passage.title is None else len(passage.title)
            length = len(query.text) + title_length + len(passage.text)
            self._lengths.append(length + SPECIAL_TOKENS_OF_A_PAIR)
        return query_tokens, passage_tokens

    def start(self) -> None:
        """Forgets the lengths of earlier pairs."""
        self._lengths.clear()

    def cut(self) -> CutTexts:
        """Returns how many pairs since `start` were cut."""
        return CutTexts.of(np.array(self._lengths, np.int64), self.max_length)


def _inputs(
    settings: ScoringSettings, text_encoder: TextEncoder
) -> tuple[Mapping[str, Ranking], int, PairTokens]:
    """Returns the run, checked, how many pairs it has, and what turns them into rows of tokens.

    Collection and run stay on disk. Raises DataError where the run is MS MARCO's candidates.
    """
    if settings.run:
        _refuse_candidates(settings.run)
    queries = open_queries([settings.queries], text_encoder)
    collection = open_collection(settings.collection, text_encoder)
    source = "run was retrieved from" if settings.run else "examples were made of"
    check = Check(raising_with_cure(source), query_ids=queries, passage_ids=collection)
    pair_tokens = PairTokens(queries, collection, text_encoder, settings.max_length)
    if settings.run:
        run = RunFile(settings.run, check)
        return run, run.line_count, pair_tokens
    assert settings.examples is not None
    pairs = pairs_of_examples(read_examples(settings.examples, check=check))
    return pairs, sum(map(len, pairs.values())), pair_tokens


def drawn_queries(query_ids: Iterable[str], sample: int | None, seed: int) -> list[str]:
    """Returns so many of the queries, in their order; all where there are no more, or for None.

    The draw depends on the seed and the ids alone.
    """
    all_ids = list(query_ids)
    if sample is None:
        return all_ids

    def place(query_id: str) -> int:
        return number(seed, "queries to score", query_id, bits=64)

    drawn = set(heapq.nsmallest(sample, all_ids, key=place))
    return [query_id for query_id in all_ids if query_id in drawn]


def _refuse_candidates(run: Path) -> None:
    first = next(read_rows(run, None))
    if is_candidate(first.columns):
        cure = candidates_cure(str(run))
        raise DataError(f"{run}:1: expected a run, got {CANDIDATES}: {cure}")


def raising_with_cure(source: str) -> Callable[[Fault], None]:
    """Returns what raises a fault of the pairs. Where it names an id that is nowhere, it says what
    to do; source: what the pairs come from.
    """

    def raise_with_cure(fault: Fault) -> None:
        if fault.kind == UNKNOWN_IDS:
            cure = f"give the --queries and the --collection that the {source}"
            raise DataError(f"{fault}: {cure}") from fault
        raise fault

    return raise_with_cure


def _ids(pair: ScoredPassage) -> tuple[str, str]:
    return pair.query_id, pair.passage_id


def _scores_in(runs: Sequence[RunFile], query_ids: Sequence[str]) -> dict[tuple[str, str], float]:
    """Returns (query_id, passage_id) -> score of all pairs that runs have for these queries."""
    scores: dict[tuple[str, str], float] = {}
    for run in runs:
        for query_id in query_ids:
            scores |= run.scores(query_id)
    return scores


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


def _refuse_non_finite(scores: Sequence[float], checkpoint: Path, pairs: Pairs) -> None:
    """Raises DataError where the score of a pair is not finite; it names the first such pair."""

    def name_of_row(row: int) -> str:
        pair = pairs[row]
        return f"query {pair.query_id!r} with passage {pair.passage_id!r}"

    refuse_non_finite(np.array(scores), checkpoint, name_of_row)


def _block_file(part: Path, begin: int) -> Path:
    """Returns the file of the block that begins with query number `begin`."""
    return part / f"block-{begin:09}"


def _cut_file(part: Path, begin: int) -> Path:
    """Returns the file of the counts (`CutTexts`) of that block. It is written before the block."""
    return part / f"cut-{begin:09}.json"


def _is_written(part: Path, begin: int) -> bool:
    """Returns whether a block is finished and undamaged, its counts included."""
    return is_whole(_block_file(part, begin)) and is_whole(_cut_file(part, begin))


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
