"""Distillation: the dual encoder learns the distribution of the cross encoder over the candidates
of a query. It is beyond the paper: RocketQAv2 (Ren et al., EMNLP 2021), dynamic listwise
distillation, whose cross encoder learns at the same time; here it stays as it is.

A cross encoder does not only tell relevant from irrelevant: it tells how much one candidate is
better than another. A label, also a denoised one, loses that.

    P(relevant) of the passages of a row, by the cross encoder        teacher_logits
      -> their log-odds; with a retriever's run, their mean with its
         logits; divided by T                                          log_odds          [P]
    q_reps, p_reps -> the dual encoder's logits of the same passages   own_logits        [N*B, P]
      -> the divergence of the two distributions                       divergences       [N*B]
      -> (1 - W) * equation (2) + W * divergence                       DistillationObjective

Letters: A devices, N chunks a device, B queries a chunk, P passages a query (its positive and P - 1
hard negatives), H hidden size, T the temperature of the cross encoder's distribution, W the weight
of the divergence.

The candidates of the divergence are the query's own passages, which are on its device. So nothing
is gathered for it, and the average over the devices is that of one process on the joint batch.

# Deviation: the paper ends with data augmentation. A switch, DISTIL, no in marco.env and nq.env.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import paddle
import paddle.nn.functional as F

from rocketqa.cross_batch_negatives import DualChunk, NegativesObjective
from rocketqa.files.errors import DataError
from rocketqa.files.examples import TrainingExample
from rocketqa.files.ranges import PROBABILITY
from rocketqa.files.runs import RunFile, open_scores
from rocketqa.jobs.manifest import made_by, verb_of

TEMPERATURE = 1.0  # T, where it is not chosen
WEIGHT = 0.5  # W, where it is not chosen
EMPTY = -np.inf  # the teacher's logit of an empty place
LOWEST = -1e30  # the logit of an empty place in a softmax: its share is 0, and it is finite
# Probabilities of 0 and 1 were rounded to float32: their log-odds are those of these numbers.
SMALLEST = float(np.finfo(np.float32).tiny)
LARGEST = 1 - float(np.finfo(np.float32).epsneg) / 2


CURES = {  # of a flag whose run lacks a score
    "--teacher": "make it with `rocketqa score --examples`",
    "--teacher-retriever": "take the run that the examples are made of",
}


class Retriever(NamedTuple):
    """Runs of a dual encoder, and the temperature by which its scores become logits."""

    paths: Sequence[Path]
    temperature: float


def teacher_logits(
    examples: Sequence[TrainingExample],
    paths: Sequence[Path],
    temperature: float,
    retriever: Retriever | None = None,
) -> list[np.ndarray]:
    """Returns the teacher's logits of each example, of its positive and then of its hard negatives:
    float32 [P], less where it has fewer.

    They are the cross encoder's log-odds. With a retriever they are the mean of these and of its
    own logits: both together can rank better than either of them, above all where the cross encoder
    was trained on other text. A positive that the retriever has not found counts as the last that
    it has found for the query. paths: scored runs; a pair that several have counts as in the first.
    Raises DataError where a pair has no score, and where a scored run has other scores than
    probabilities.
    """
    runs = [_open_run(path, "score") for path in paths]
    retrieved = [_open_run(path, "retrieve") for path in (retriever.paths if retriever else ())]
    logits = []
    query_id = None
    scores: dict[tuple[str, str], float] = {}
    of_retriever: dict[tuple[str, str], float] = {}
    for example in examples:
        if example.query_id != query_id:
            query_id = example.query_id
            scores = _scores_of_query(runs, query_id, of_a_cross_encoder=True)
            of_retriever = _scores_of_query(retrieved, query_id, of_a_cross_encoder=False)
        passage_ids = [example.positive_id, *example.negative_ids]
        row = log_odds(_row(scores, query_id, passage_ids, "--teacher"))  # [P]
        if of_retriever:
            last = min(of_retriever.values())
            of_retriever.setdefault((query_id, example.positive_id), last)
        if retriever:
            own = _row(of_retriever, query_id, passage_ids, "--teacher-retriever")  # [P]
            row = (row + own / retriever.temperature) / 2
        logits.append((row / temperature).astype(np.float32))
    return logits


def _open_run(path: Path, verb: str) -> RunFile:
    """Returns a run of a verb. Raises DataError where its manifest names another one."""
    if verb_of(path) not in ("", verb):
        raise DataError(f"{path}: expected a run of `rocketqa {verb}`, got {made_by(path)}")
    return open_scores(path)


def _scores_of_query(
    runs: Sequence[RunFile], query_id: str, of_a_cross_encoder: bool
) -> dict[tuple[str, str], float]:
    """Returns (query_id, passage_id) -> score of one query; of a pair, that of the first run.

    Raises DataError where a score of a cross encoder is no probability.
    """
    scores: dict[tuple[str, str], float] = {}
    for run in reversed(runs):
        of_run = run.scores(query_id)
        for (_, passage_id), score in of_run.items():
            if of_a_cross_encoder and not PROBABILITY.contains(score):
                raise DataError(
                    f"{run.path}: expected P(relevant), 0 to 1, of query {query_id} and passage "
                    f"{passage_id}, got {score:g}: make the run with `rocketqa score`"
                )
        scores |= of_run
    return scores


def _row(
    scores: Mapping[tuple[str, str], float],
    query_id: str,
    passage_ids: Sequence[str],
    flag: str,
) -> np.ndarray:
    """Returns the scores of passages, float64 [P]. Raises DataError, of a flag, where one lacks."""
    for passage_id in passage_ids:
        if (query_id, passage_id) not in scores:
            raise DataError(
                f"{flag}: expected a score of query {query_id} and passage {passage_id}, got none: "
                f"{CURES[flag]}"
            )
    return np.array([scores[query_id, passage_id] for passage_id in passage_ids], np.float64)


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Returns the difference of the logits of the two classes, relevant and not, float64.

    A softmax of probabilities would be nearly even, because they differ by at most 1. The log-odds
    are what the cross encoder has computed, -87 to 17.
    """
    inside = np.clip(probabilities.astype(np.float64), SMALLEST, LARGEST)
    return np.log(inside) - np.log1p(-inside)


def padded(logits: Sequence[np.ndarray], places: int) -> np.ndarray:
    """Returns the teacher's logits of B examples with EMPTY at their empty places, float32 [B, P];
    places: P.
    """
    rows = np.full((len(logits), places), EMPTY, np.float32)
    for row, own in zip(rows, logits):
        row[: len(own)] = own
    return rows


def own_logits(
    q_reps: paddle.Tensor, p_reps: paddle.Tensor, chunks: int, temperature: float
) -> paddle.Tensor:
    """Returns the dual encoder's logits of each query and its own passages, [N*B, P], the positive
    first.

    q_reps: [N*B, H]; p_reps: [N*B*P, H], in each chunk the positives, then all first hard
    negatives, then all second ones. temperature: that of the dual encoder.
    """
    queries, size = q_reps.shape
    places = p_reps.shape[0] // queries  # P
    by_place = p_reps.reshape([chunks, places, queries // chunks, size])  # [N, P, B, H]
    by_query = by_place.transpose([0, 2, 3, 1])  # [N, B, H, P]
    own = by_query.reshape([queries, size, places])  # [N*B, H, P]
    logits = paddle.matmul(q_reps.unsqueeze(1), own).squeeze(1)  # [N*B, P]
    return logits / temperature


def divergences(student: paddle.Tensor, teacher: paddle.Tensor) -> paddle.Tensor:
    """Returns the Kullback-Leibler divergence of each query from the teacher's distribution over
    its passages to the student's: the sum of t * log(t / s), [N*B].

    student, teacher: logits [N*B, P]; an empty place, which has EMPTY in `teacher`, is in neither
    distribution. The direction is that of the released code of RocketQAv2.
    """
    empty = teacher == EMPTY  # [N*B, P]
    lowest = paddle.full_like(student, LOWEST)
    log_t = F.log_softmax(paddle.where(empty, lowest, teacher.astype(student.dtype)))
    log_s = F.log_softmax(paddle.where(empty, lowest, student))
    return (log_t.exp() * (log_t - log_s)).sum(axis=1)  # [N*B]


class DistillationObjective(NegativesObjective):
    """The objective of the dual encoder with a teacher: of each query, (1 - W) times the loss over
    cross-batch (or in-batch) negatives and W times the divergence.

    The chunks hold the teacher's logits (`DualChunk.teacher`). They say how relevant the passages
    of a row are, so that these need no denoising: the row's hard negatives count in the divergence
    alone, and are negatives of the other queries.
    """

    own_negatives = False

    def __init__(self, cross_batch: bool = True, temperature: float = 1.0, weight: float = WEIGHT):
        super().__init__(cross_batch, temperature)
        self.weight = weight

    def losses_and_hits(
        self, q_reps: paddle.Tensor, p_reps: paddle.Tensor, chunks: Sequence[DualChunk]
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Returns the loss of each query of the chunks, and whether its positive ranks first, [N*B]
        both.
        """
        losses, hits = super().losses_and_hits(q_reps, p_reps, chunks)  # [N*B] both
        parts = [chunk.teacher for chunk in chunks if chunk.teacher is not None]
        teacher = paddle.concat(parts)  # [N*B, P]
        student = own_logits(q_reps, p_reps, len(chunks), self.temperature)  # [N*B, P]
        distances = divergences(student, teacher)  # [N*B]
        return (1 - self.weight) * losses + self.weight * distances, hits
