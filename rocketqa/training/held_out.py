"""Labelled queries that are held out of the training of a cross encoder: when their pairs are
separated, the training ends.

Every EVERY steps the pairs of these queries are scored, in a long training every twentieth of its
steps, so that the cost is small and no warm-up is taken for the end. Two numbers say how well
relevant pairs are separated from others: the area under the ROC curve (AUC: how often a relevant
pair has a higher probability than another pair; 0.5 is chance), and the mean cross-entropy (loss),
which also tells whether the probabilities are sure and true. The training ends when neither has
become better in the last PATIENCE measures, once the pairs are separated at all; the steps of its
epochs are the most that it takes.

The learning rate keeps the schedule of these steps. So a training that does not end early is what
it is without early ending, and what comes before an end does not depend on it.
# Deviation: the paper trains a number of steps. A switch, HELD_OUT, 0 in `marco.env` and `nq.env`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import paddle
import paddle.distributed as dist
from paddle import nn

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.distributed import devices
from rocketqa.distributed.device_copies import to_device
from rocketqa.distributed.watchdog import Watchdog, Workspace
from rocketqa.files.examples import LabelledPair
from rocketqa.files.formats import write_lines
from rocketqa.jobs.seeds import number
from rocketqa.training.batches import CrossBatches

FILE = "held_out.tsv"  # in the checkpoint
COLUMNS = ("query_id", "passage_id", "label", "probability")
AUC = "held_out_AUC"
LOSS = "held_out_loss"
WAITED = "held_out_waited"
EVERY = 25  # steps at least between two measures
MOST_MEASURES = 20  # of a training, about
PATIENCE = 5  # measures
LEAST_GAIN = 0.002  # of either number: less is no gain
ABOVE_CHANCE = 0.75  # AUC; below it a training goes on, however long nothing has become better
LARGEST_SHARE = 5  # at most every fifth query is held out
FEWEST_QUERIES = 20  # with fewer the numbers say little: none is held out then
ROWS = 64  # pairs scored at a time
SMALLEST = 1e-7  # a probability below it counts as this


class Separation(NamedTuple):
    """The best numbers so far, and how many measures have passed since one became better."""

    auc: float = 0.0
    loss: float = float(np.finfo(np.float32).max)
    waited: int = 0

    def after(self, auc: float, loss: float) -> "Separation":
        """Returns what is known after another measure."""
        is_better = auc >= self.auc + LEAST_GAIN or loss <= self.loss - LEAST_GAIN
        waited = 0 if is_better else self.waited + 1
        return Separation(max(auc, self.auc), min(loss, self.loss), waited)

    def is_final(self) -> bool:
        """Returns whether the training should end."""
        return self.waited >= PATIENCE and self.auc >= ABOVE_CHANCE

    def state(self) -> dict[str, float]:
        """Returns what a resumed training needs."""
        return {AUC: self.auc, LOSS: self.loss, WAITED: self.waited}

    @staticmethod
    def restored(state: Mapping[str, float]) -> "Separation":
        """Returns what `state` was made of."""
        return Separation(state[AUC], state[LOSS], int(state[WAITED]))


class HeldOut:
    """The held-out pairs, and how well the model that trains separates them."""

    def __init__(self, batches: CrossBatches):
        self.batches = batches
        self.labels = np.array([pair.label for pair in batches.pairs])
        self.separation = Separation()
        self.scores: np.ndarray | None = None  # of the newest measure

    def measure(self, model: nn.Layer, watchdog: Watchdog) -> dict[str, float]:
        """Scores the pairs and returns AUC and loss, which are equal on all devices: each device
        scores its share of the pairs.
        """
        model.eval()
        with watchdog.busy_with("scoring held-out pairs"), paddle.no_grad():
            own = self._own_scores(model)
        model.train()
        watchdog.barrier()
        self.scores = sum_over_devices(own)
        measured = {AUC: auc(self.scores, self.labels), LOSS: log_loss(self.scores, self.labels)}
        self.separation = self.separation.after(*measured.values())
        return measured

    def finish(self, model: nn.Layer, workspace: Workspace) -> None:
        """Writes the pairs with their probabilities; they are scored where a killed training had
        no step left to take.
        """
        if self.scores is None:
            self.measure(model, workspace.watchdog)
        if devices.is_main():
            self._write(workspace.part)

    def _own_scores(self, model: nn.Layer) -> np.ndarray:
        """Returns P(relevant) of the pairs that this device scores, float32 [N], 0 for others."""
        assert isinstance(model, CrossEncoder)
        scores = np.zeros(len(self.labels), np.float32)
        begins = range(0, len(scores), ROWS)
        for begin in begins[devices.rank() :: devices.count()]:
            places = np.arange(begin, min(begin + ROWS, len(scores)))
            chunk = self.batches.chunk(places)
            scores[places] = model.probability(chunk.pairs).numpy()
        return scores

    def _write(self, folder: Path) -> None:
        """Writes the pairs with the probabilities of the newest measure."""
        assert self.scores is not None
        write_lines(folder / FILE, self._lines(self.scores.tolist()))

    def _lines(self, scores: Sequence[float]) -> Iterator[str]:
        yield "\t".join(COLUMNS)
        for (query_id, passage_id, label), score in zip(self.batches.pairs, scores):
            yield f"{query_id}\t{passage_id}\t{label}\t{score:.9g}"


class Ending:
    """When a training ends: after its last step, or where held-out pairs end it before. All devices
    agree.

    held_out: None where nothing is held out. output: the checkpoint, for the lines of the log.
    """

    def __init__(self, held_out: HeldOut | None, total_steps: int, output: str):
        self.held_out = held_out
        self.total_steps = total_steps
        self.output = output
        self.every = max(EVERY, total_steps // MOST_MEASURES)

    def has_come(self, step: int) -> bool:
        """Returns whether no step follows this one."""
        is_separated = self.held_out is not None and self.held_out.separation.is_final()
        return is_separated or step == self.total_steps

    def is_due(self, step: int) -> bool:
        """Returns whether pairs are scored after this step, which the last one always is."""
        is_time = step % self.every == 0 or step == self.total_steps
        return self.held_out is not None and is_time

    def measure(self, step: int, model: nn.Layer, watchdog: Watchdog) -> dict[str, float]:
        """Scores the pairs, and returns AUC and loss, which device 0 prints."""
        assert self.held_out is not None
        measured = self.held_out.measure(model, watchdog)
        line = f"{self.output}: step {step:,}: held-out pairs: AUC {measured[AUC]:.4f}"
        line += f", loss {measured[LOSS]:.4f}"
        if self.held_out.separation.is_final():
            line += f"; neither became better in {PATIENCE} measures, so the training ends"
        if devices.is_main():
            print(line, flush=True)
        return measured

    def state(self) -> dict[str, float]:
        """Returns what a resumed training needs."""
        return self.held_out.separation.state() if self.held_out else {}

    def restore(self, state: Mapping[str, float]) -> None:
        """Continues from what `state` has returned."""
        if self.held_out:
            self.held_out.separation = Separation.restored(state)


def sum_over_devices(values: np.ndarray) -> np.ndarray:
    """Returns the sums of float32 values over all devices."""
    if devices.count() == 1:
        return values
    sums = to_device(values)
    dist.all_reduce(sums)
    return sums.numpy()


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Returns how often a relevant pair has a higher score than another pair; a tie is half."""
    relevant = scores[labels == 1][:, None]
    others = scores[labels == 0]
    higher = (relevant > others).mean()
    equal = (relevant == others).mean()
    return float(higher + equal / 2)


def log_loss(scores: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean cross-entropy of the pairs."""
    of_label = np.where(labels == 1, scores, 1 - scores).astype(np.float64)
    return float(-np.log(np.maximum(of_label, SMALLEST)).mean())


def split(
    pairs: Sequence[LabelledPair], queries: int, seed: int, batch: int
) -> tuple[list[LabelledPair], list[LabelledPair]]:
    """Returns the pairs to train on, and those of the queries that are held out.

    Held out are at most so many queries, drawn by the seed and their ids from those that have both
    a relevant and another passage. At most a fifth of all queries are, and a batch of pairs stays.
    Where FEWEST_QUERIES would not be reached, no query is held out.
    """
    labels_of: dict[str, list[int]] = {}
    for pair in pairs:
        labels_of.setdefault(pair.query_id, []).append(pair.label)
    both = [query_id for query_id, labels in labels_of.items() if len(set(labels)) == 2]
    most = min(queries, len(labels_of) // LARGEST_SHARE)
    drawn = sorted(both, key=lambda query_id: number(seed, "held out", query_id, bits=64))
    held_out: set[str] = set()
    left = len(pairs)
    for query_id in drawn[:most]:
        left -= len(labels_of[query_id])
        if left < batch:
            break
        held_out.add(query_id)
    if len(held_out) < FEWEST_QUERIES:
        return [*pairs], []
    training = [pair for pair in pairs if pair.query_id not in held_out]
    apart = [pair for pair in pairs if pair.query_id in held_out]
    return training, apart
