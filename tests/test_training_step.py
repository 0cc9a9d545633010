"""The benchmark's training step trains: on chunks as on the batch at once."""

import inspect

import numpy as np
import paddle

from rocketqa.benchmark.accumulation import StepSettings
from rocketqa.benchmark.training_step import (
    measure_step,
    peak_memory,
    peak_of_tensors,
    random_chunks,
    random_model,
    take_step,
)
from rocketqa.training.optimizer import adam

TINY = StepSettings(6, 3, layers=1, hidden_size=24, query_length=8, passage_length=12)


def weights_of(model) -> list[np.ndarray]:
    return [parameter.numpy() for parameter in model.parameters()]


def test_the_chunks_of_a_batch_have_all_its_queries_and_two_passages_each():
    chunks = random_chunks(TINY)
    assert [chunk.queries.first.shape[0] for chunk in chunks] == [2, 2, 2]
    assert [chunk.passages.first.shape[0] for chunk in chunks] == [4, 4, 4]


def test_a_step_moves_the_weights_and_leaves_no_gradient():
    model = random_model(TINY)
    before = weights_of(model)
    optimizer = adam(model, 0.0)
    optimizer.set_lr(1e-2)
    take_step(model, optimizer, random_chunks(TINY))
    moved = [not np.array_equal(old, new) for old, new in zip(before, weights_of(model))]
    assert any(moved)
    for parameter in model.parameters():
        assert parameter.grad is None or not paddle.any(parameter.grad)


def test_recomputation_is_passed_on_to_both_encoders():
    model = random_model(TINY._replace(recompute=True))
    assert model.query_encoder.recompute and model.passage_encoder.recompute


def test_on_a_gpu_the_memory_is_that_of_its_tensors(monkeypatch):
    inspect.signature(paddle.device.cuda.max_memory_allocated).bind()
    monkeypatch.setattr(paddle.device, "get_device", lambda: "gpu:0")
    monkeypatch.setattr(paddle.device.cuda, "max_memory_allocated", lambda: 7)
    assert peak_memory() == peak_of_tensors() == 7


def test_the_cost_of_a_step_is_its_time_and_the_memory_of_the_process():
    cost = measure_step(TINY)
    assert cost.seconds > 0
    assert cost.operator_calls > 100
    assert peak_memory() >= cost.peak_memory >= cost.memory_before > 2**20
    assert cost.peak_memory > cost.of_tensors > 2**20  # of tensors of other tests, too
    assert cost.peak_memory > cost.foretold > 2**20
