"""Which representation and similarity suit initial weights, and at which length to cut passages:
the MRR@10 of the untrained dual encoder with each of them, on labelled training queries.

Longer lengths are measured with the best representation and similarity alone, and only where a
passage is cut. They cost more in every later step, so one is taken for LEAST_GAIN only.

The queries search their labelled passages and drawn ones, so the cost does not grow with the
collection. Dev queries are not looked at: a choice by their labels would make the measures on them
too high.
# Deviation: the paper trains the first token's vector and the dot product, and cuts at 128 tokens.
A switch, CHOOSE, no in `marco.env` and `nq.env`.

Letters: Q queries, P passages, H hidden size.
"""

import heapq
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.dual_encoder import TOWERS, DualEncoder
from rocketqa.encoder.config import REPRESENTATIONS, SIMILARITIES, ErnieConfig
from rocketqa.encoder.unit_vectors import unit_arrays
from rocketqa.evaluation.measures import mean, reciprocal_rank
from rocketqa.evaluation.tables import Table
from rocketqa.files.collection import CollectionFile
from rocketqa.files.formats import Passage, read_positives, read_queries
from rocketqa.files.rows import Check
from rocketqa.inference.engine import Engine
from rocketqa.inference.finite_outputs import refuse_non_finite
from rocketqa.jobs.seeds import number
from rocketqa.text.tokenizer import Encoding, text_encoder_of
from rocketqa.weights.pretrained import Pretrained, load_pretrained
from rocketqa.weights.stored_model import StoredModel

CUTOFF = 10
DIGITS = 4  # of a measure; candidates that agree in them are equal
LEAST_GAIN = 0.01  # in MRR@10, of a longer length
YES_OR_NO = {True: "yes", False: "no"}


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
    """The candidates, how many queries measured them, and how many passages were searched."""

    candidates: Sequence[Candidate]
    queries: int
    passages: int

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


class Searched(NamedTuple):
    """The texts of a measure, as rows of tokens, and their ids."""

    query_ids: Sequence[str]
    queries: Sequence[Encoding]
    passage_ids: Sequence[str]  # ascending: equal scores are ranked by passage_id
    passages: Sequence[Encoding]
    positives: Mapping[str, Sequence[str]]

    def are_cut(self, length: int) -> bool:
        """Returns whether a passage, cut at this length, may have been longer."""
        return any(len(passage.token_ids) >= length for passage in self.passages)


def measure_start(settings: StartSettings) -> StartChoice:
    """Returns the measures of all candidates.

    Raises DataError where an input is not as it should be, or a vector is not finite.
    """
    overrides = {"layer_norm_eps": settings.layer_norm_eps}
    start = load_pretrained(settings.init, "DualEncoder", **overrides)
    searched = _searched(settings, start)
    own_representation = settings.representation or start.config.representation
    own_similarity = settings.similarity or start.config.similarity
    candidates = []

    def measure(representation: str, similarities: Sequence[str], length: int) -> None:
        config = start.config._replace(representation=representation, similarity="dot")
        q_reps, p_reps = _vectors(settings, start, config, searched)  # [Q, H], [P, H]
        for similarity in similarities:
            if similarity == "cosine":
                q_reps, p_reps = unit_arrays(q_reps), unit_arrays(p_reps)
            mrr = round(mrr_of(q_reps, p_reps, searched), DIGITS)
            is_own = representation == own_representation and similarity == own_similarity
            candidates.append(Candidate(representation, similarity, length, mrr, is_own))

    for representation in _to_measure(settings.representation, REPRESENTATIONS):
        similarities = _to_measure(settings.similarity, SIMILARITIES)
        measure(representation, similarities, settings.passage_length)
    choice = StartChoice(candidates, len(searched.query_ids), len(searched.passage_ids))
    best, cut_at = choice.chosen, settings.passage_length
    for length in sorted(settings.longer):
        if length > start.config.max_position_embeddings or not searched.are_cut(cut_at):
            break
        searched = _searched(settings._replace(passage_length=length), start)
        measure(best.representation, [best.similarity], length)
        cut_at = length
    return choice


def _to_measure(fixed: str | None, all_values: Sequence[str]) -> Sequence[str]:
    return all_values if fixed is None else (fixed,)


def _searched(settings: StartSettings, start: Pretrained) -> Searched:
    """Reads the queries and their labelled passages, draws passages, and tokenises all of them."""
    encoder = text_encoder_of(start.tokenizer_files)
    queries = read_queries(settings.queries)
    collection = CollectionFile(settings.collection)
    check = Check(query_ids=queries, passage_ids=collection)
    positives = read_positives(settings.qrels, check=check)
    labelled = {passage_id for of_query in positives.values() for passage_id in of_query}
    drawn = drawn_passages(collection, labelled, settings.passages, settings.seed)
    passage_ids = sorted([*labelled, *drawn])
    texts = [queries[query_id].text for query_id in positives]
    passages = [collection[passage_id] for passage_id in passage_ids]
    return Searched(
        query_ids=list(positives),
        queries=encoder.queries(texts, settings.query_length),
        passage_ids=passage_ids,
        passages=encoder.passages(passages, settings.passage_length),
        positives=positives,
    )


def drawn_passages(
    collection: Mapping[str, Passage], left_out: set[str], count: int, seed: int
) -> list[str]:
    """Returns the ids of `count` passages, all where there are no more, by the seed and their ids;
    those that are left out do not count.
    """

    def place(passage_id: str) -> int:
        return number(seed, "passages of the start", passage_id, bits=64)

    others = (passage_id for passage_id in collection if passage_id not in left_out)
    return heapq.nsmallest(count, others, key=place)


def _vectors(
    settings: StartSettings, start: Pretrained, config: ErnieConfig, searched: Searched
) -> tuple[np.ndarray, np.ndarray]:
    """Returns q_reps [Q, H] and p_reps [P, H] of the initial weights, float64, not normalised."""
    weights = DualEncoder.from_encoder_weights(start.weights)
    model = StoredModel(DualEncoder, config, weights, str(settings.init))
    query_encoder, passage_encoder = [model.tower(name) for name in TOWERS]
    q_reps = _encoded(settings, query_encoder, searched.queries, searched.query_ids)
    p_reps = _encoded(settings, passage_encoder, searched.passages, searched.passage_ids)
    return q_reps, p_reps


def _encoded(
    settings: StartSettings, tower: StoredModel, rows: Sequence[Encoding], ids: Sequence[str]
) -> np.ndarray:
    engine = Engine(tower, settings.precision)
    vectors = engine.run_all(rows, settings.batch_tokens)
    refuse_non_finite(vectors, Path(settings.init), lambda row: f"the text {ids[row]!r}")
    return vectors.astype(np.float64)


def mrr_of(q_reps: np.ndarray, p_reps: np.ndarray, searched: Searched) -> float:
    """Returns MRR@10 of the queries over all passages; q_reps: [Q, H], p_reps: [P, H]."""
    reciprocal_ranks = {}
    for query_id, q_rep in zip(searched.query_ids, q_reps):
        scores = p_reps @ q_rep  # [P]
        best = np.argsort(-scores, kind="stable")[:CUTOFF]
        ranking = [searched.passage_ids[place] for place in best]
        relevant = searched.positives[query_id]
        reciprocal_ranks[query_id] = reciprocal_rank(ranking, relevant, CUTOFF)
    return mean(reciprocal_ranks)
