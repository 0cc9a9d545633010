"""Both objectives keep the protocol of a step: contexts, the loss scale, and barriers."""

from contextlib import contextmanager

import numpy as np
import paddle
import pytest
from cross_batch_worker import chunk, gradients, model

from rocketqa.cross_batch_negatives import NegativesObjective
from rocketqa.cross_encoder import ClassificationObjective, CrossChunk, CrossEncoder
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.packing import pack
from rocketqa.training.objective import Objective, Step
from rocketqa.weights.checkpoint import set_weights


class RecordedStep:
    """Records the order in which an objective enters chunks and waits for other devices."""

    def __init__(self, loss_scale: float = 1.0):
        self.events: list[str] = []
        self.step = Step(self.chunk_context, loss_scale, self.barrier)

    @contextmanager
    def chunk_context(self, n: int):
        self.events.append(f"chunk {n}")
        paddle.seed(n)
        yield

    def barrier(self) -> None:
        self.events.append("barrier")


@pytest.mark.parametrize(
    "cross_batch, chunks, events",
    [
        (True, 1, ["chunk 0", "barrier"]),
        (False, 2, ["chunk 0", "barrier", "chunk 1", "barrier"]),
        # Without a graph, then the loss over all of them, then each chunk again.
        (True, 2, ["chunk 0", "chunk 1", "barrier", "chunk 0", "chunk 1"]),
    ],
)
def test_each_collective_operation_comes_after_a_barrier(cross_batch, chunks, events):
    recorded = RecordedStep()
    objective: Objective = NegativesObjective(cross_batch)
    own_chunks = [chunk(place) for place in range(chunks)]
    losses, hits = objective.forward_backward(model(), own_chunks, recorded.step)
    assert recorded.events == events
    assert losses.shape == hits.shape == [3 * chunks]
    assert losses.stop_gradient


def cross_encoder(config) -> CrossEncoder:
    encoder = CrossEncoder(config)
    weights = CrossEncoder.from_encoder_weights(initial_weights(config, 1), config, 1)
    set_weights(encoder, weights, "initial")
    encoder.train()
    return encoder


def test_the_loss_scale_multiplies_the_gradients_of_the_cross_encoder(tiny_config, random_rows):
    own_chunk = CrossChunk(pack(random_rows(4)), paddle.to_tensor([1, 0, 0, 1]))
    objective: Objective = ClassificationObjective()
    found = []
    for scale in (1.0, 512.0):
        encoder = cross_encoder(tiny_config)
        recorded = RecordedStep(scale)
        objective.forward_backward(encoder, [own_chunk], recorded.step)
        assert recorded.events == ["chunk 0"]
        found.append(gradients(encoder))
    for name, value in found[0].items():
        np.testing.assert_array_equal(found[1][name] / 512, value, err_msg=name)
