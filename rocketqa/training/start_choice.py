"""Which representation and similarity suit initial weights, and at which length to cut passages:
the MRR@10 of the untrained dual encoder with each of them, on labelled training queries.

Longer lengths are measured with the best representation and similarity alone, and only where a
passage is cut. They cost more in every later step, so one is taken for LEAST_GAIN only.

The queries are labelled training queries (`evaluation/small_search.py`).
# Deviation: the paper trains the first token's vector and the dot product, and cuts at 128 tokens.
A switch, CHOOSE, no in `marco.env` and `nq.env`.

Letters: Q queries, P passages, H hidden size.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.dual_encoder import TOWERS, DualEncoder
from rocketqa.encoder.config import REPRESENTATIONS, SIMILARITIES, ErnieConfig
from rocketqa.encoder.unit_vectors import unit_arrays
from rocketqa.evaluation.small_search import (
    CUTOFF,
    DIGITS,
    LEAST_GAIN,
    SmallSearch,
    read_small_search,
)
from rocketqa.evaluation.tables import YES_OR_NO, Table
from rocketqa.inference.engine import Engine
from rocketqa.inference.finite_outputs import refuse_non_finite
from rocketqa.text.tokenizer import Encoding, text_encoder_of
from rocketqa.weights.pretrained import Pretrained, load_pretrained
from rocketqa.weights.stored_model import StoredModel


class StartSettings(NamedTuple):
    """What is measured; see `rocketqa choose-start --help`. A representation or similarity of None
    is to be chosen.
    """

    init: Path | str
    collection: Path
    queries: Path
    qrels: Path
    representation: str | None
    similarity: str | None
    layer_norm_eps: float | None
    passages: int
    seed: int
    query_length: int
    passage_length: int
    longer: Sequence[int]
    batch_tokens: int
    precision: str


class Candidate(NamedTuple):
    """A way to use the initial weights. own: it is what they say, where nothing else is set."""

    representation: str
    similarity: str
    length: int  # at which passages are cut, tokens
    mrr: float
    own: bool

    def __str__(self) -> str:
        return f"{self.representation}, {self.similarity}, {self.length} tokens"


class StartChoice(NamedTuple):
    """The candidates, and by how many queries and passages they were measured, in words."""

    candidates: Sequence[Candidate]
    measured_by: str

    @property
    def chosen(self) -> Candidate:
        """The candidate with the highest measure at the shortest length, of equal ones the weights'
        own; or a longer one that gains LEAST_GAIN over each shorter one that was chosen before.
        """
        shortest = min(candidate.length for candidate in self.candidates)
        first = [candidate for candidate in self.candidates if candidate.length == shortest]
        best = max(first, key=lambda candidate: (candidate.mrr, candidate.own))
        for candidate in self.candidates[len(first) :]:
            if round(candidate.mrr - best.mrr, DIGITS) >= LEAST_GAIN:
                best = candidate
        return best

    def table(self) -> Table:
        """Returns the rows of choice.tsv."""
        columns = "representation similarity MRR@10 as_the_weights_say chosen length"
        table: Table = [list(columns.split())]
        for candidate in self.candidates:
            is_chosen = candidate == self.chosen
            row: list[object] = [candidate.representation, candidate.similarity]
            row += [f"{candidate.mrr:.{DIGITS}f}", YES_OR_NO[candidate.own], YES_OR_NO[is_chosen]]
            table.append([*row, candidate.length])
        return table


class TextRows(NamedTuple):
    """The texts of a measure as rows of tokens."""

    queries: Sequence[Encoding]
    passages: Sequence[Encoding]

    def are_cut(self, length: int) -> bool:
        """Returns whether a passage, cut at this length, may have been longer."""
        return any(len(passage.token_ids) >= length for passage in self.passages)


def measure_start(settings: StartSettings) -> StartChoice:
    """Returns the measures of all candidates.

    Raises DataError where an input is not as it should be, or a vector is not finite.
    """
    overrides = {"layer_norm_eps": settings.layer_norm_eps}
    start = load_pretrained(settings.init, "DualEncoder", **overrides)
    search = read_small_search(
        settings.collection, settings.queries, settings.qrels, settings.passages, settings.seed
    )
    rows = _rows_of(search, start, settings.query_length, settings.passage_length)
    own_representation = settings.representation or start.config.representation
    own_similarity = settings.similarity or start.config.similarity
    candidates = []

    def measure(representation: str, similarities: Sequence[str], length: int) -> None:
        config = start.config._replace(representation=representation, similarity="dot")
        q_reps, p_reps = _vectors(settings, start, config, search, rows)  # [Q, H], [P, H]
        for similarity in similarities:
            if similarity == "cosine":
                q_reps, p_reps = unit_arrays(q_reps), unit_arrays(p_reps)
            mrr = search.mrr(rankings(q_reps, p_reps, list(search.passages)))
            is_own = representation == own_representation and similarity == own_similarity
            candidates.append(Candidate(representation, similarity, length, mrr, is_own))

    for representation in _to_measure(settings.representation, REPRESENTATIONS):
        similarities = _to_measure(settings.similarity, SIMILARITIES)
        measure(representation, similarities, settings.passage_length)
    choice = StartChoice(candidates, search.size())
    best, cut_at = choice.chosen, settings.passage_length
    for length in sorted(settings.longer):
        if length > start.config.max_position_embeddings or not rows.are_cut(cut_at):
            break
        rows = _rows_of(search, start, settings.query_length, length)
        measure(best.representation, [best.similarity], length)
        cut_at = length
    return choice


def _to_measure(fixed: str | None, all_values: Sequence[str]) -> Sequence[str]:
    return all_values if fixed is None else (fixed,)


def _rows_of(
    search: SmallSearch, start: Pretrained, query_length: int, passage_length: int
) -> TextRows:
    """Tokenises the queries and passages of a search."""
    encoder = text_encoder_of(start.tokenizer_files)
    texts = [query.text for query in search.queries.values()]
    return TextRows(
        encoder.queries(texts, query_length),
        encoder.passages(list(search.passages.values()), passage_length),
    )


def _vectors(
    settings: StartSettings,
    start: Pretrained,
    config: ErnieConfig,
    search: SmallSearch,
    rows: TextRows,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns q_reps [Q, H] and p_reps [P, H] of the initial weights, float64, not normalised."""
    weights = DualEncoder.from_encoder_weights(start.weights)
    model = StoredModel(DualEncoder, config, weights, str(settings.init))
    query_encoder, passage_encoder = [model.tower(name) for name in TOWERS]
    q_reps = _encoded(settings, query_encoder, rows.queries, list(search.queries))
    p_reps = _encoded(settings, passage_encoder, rows.passages, list(search.passages))
    return q_reps, p_reps


def _encoded(
    settings: StartSettings, tower: StoredModel, rows: Sequence[Encoding], ids: Sequence[str]
) -> np.ndarray:
    engine = Engine(tower, settings.precision)
    vectors = engine.run_all(rows, settings.batch_tokens)
    refuse_non_finite(vectors, Path(settings.init), lambda row: f"the text {ids[row]!r}")
    return vectors.astype(np.float64)


def rankings(
    q_reps: np.ndarray, p_reps: np.ndarray, passage_ids: Sequence[str]
) -> Iterator[list[str]]:
    """Yields the ids of the first passages of each query; q_reps: [Q, H], p_reps: [P, H]. Equal
    scores keep the order of the passages.
    """
    for q_rep in q_reps:
        scores = p_reps @ q_rep  # [P]
        best = np.argsort(-scores, kind="stable")[:CUTOFF]
        yield [passage_ids[place] for place in best]
