"""The peak of a training step is foretold by its shape, and measured where there is a machine."""

import pytest

from rocketqa.benchmark.accumulation import StepSettings, measure_in_own_process
from rocketqa.encoder.config import ErnieConfig
from rocketqa.training.step_memory import (
    HALF,
    KERNELS,
    OPERATORS,
    Rows,
    TrainingShape,
    equal_rows,
    largest_batch,
    parameters_of,
    rows_of_lengths,
    step_memory,
)

CONFIG = ErnieConfig(
    vocab_size=100,
    hidden_size=8,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=16,
)


@pytest.mark.parametrize(
    "kernels, settings",
    [
        ("yes", StepSettings(24, 2, layers=4, hidden_size=96, recompute=True)),
        ("no", StepSettings(8, 1, layers=4, hidden_size=96)),
    ],
)
def test_the_measured_peak_is_within_15_percent(monkeypatch, kernels, settings):
    monkeypatch.setenv("ROCKETQA_KERNELS", kernels)
    cost = measure_in_own_process(settings)
    assert cost.foretold == pytest.approx(cost.of_tensors, rel=0.15)


def test_rows_are_counted_with_the_squares_of_their_lengths():
    assert rows_of_lengths([3, 4]) == Rows(2, 7, 25)
    assert rows_of_lengths([5, 5, 5]) == equal_rows(3, 5) == Rows(3, 15, 75)


def test_the_parts_are_those_of_the_arithmetic():
    rows = equal_rows(10, 4)  # 40 tokens, 160 attention weights a head
    memory = step_memory(TrainingShape(CONFIG, OPERATORS), [rows], logits=1000)
    # Embeddings 9 bytes; two layers of 34 H + 8 F and 9 for each weight of 2 heads; keys and values
    # of the last layer; 3 H of gradients.
    embeddings = 9 * 8 * 40
    layers = 2 * ((34 * 8 + 8 * 32) * 40 + 9 * 2 * 160)
    last_layer = 8 * 8 * 40
    gradients = 4 * 3 * 8 * 40
    assert memory.state == 16 * parameters_of(CONFIG)
    assert memory.activations == embeddings + layers + last_layer + gradients
    assert memory.logits == 8 * 1000
    assert memory.peak == memory.state + memory.activations + memory.logits


def test_recomputation_keeps_one_layer_and_the_inputs_of_the_others():
    rows = equal_rows(100, 16)
    kept = step_memory(TrainingShape(CONFIG, OPERATORS), [rows]).activations
    recomputed = step_memory(TrainingShape(CONFIG, OPERATORS, recompute=True), [rows]).activations
    layer = (34 * 8 + 8 * 32) * 1600 + 9 * 2 * 25_600
    last_layer, inputs = 8 * 8 * 1600, 2 * 4 * 8 * 1600
    assert kept - recomputed == layer + last_layer - inputs


def test_the_mean_over_tokens_needs_all_of_the_last_layer():
    rows = equal_rows(100, 16)
    first = step_memory(TrainingShape(CONFIG, KERNELS), [rows]).activations
    of_mean = CONFIG._replace(representation="mean")
    mean = step_memory(TrainingShape(of_mean, KERNELS), [rows]).activations
    assert mean - first == (32 * 8 + 8 * 32) * 1600 + 8 * 64 - 8 * 8 * 1600


def test_the_logits_of_chunks_are_gone_before_the_activations_come():
    rows = equal_rows(100, 16)
    direct = step_memory(TrainingShape(CONFIG, KERNELS), [rows], logits=10_000)
    chunked = step_memory(TrainingShape(CONFIG, KERNELS, chunks=2), [rows], logits=10_000)
    assert direct.peak - chunked.peak == 80_000
    many_logits = step_memory(TrainingShape(CONFIG, KERNELS, chunks=2), [rows], logits=10**7)
    assert many_logits[1:] == (0, 8 * 10**7)


def test_a_small_batch_needs_the_new_gradients_of_the_embeddings():
    rows = equal_rows(1, 1)
    alone = step_memory(TrainingShape(CONFIG, KERNELS), [rows])
    assert alone.activations == 2 * 4 * 100 * 8
    joined = step_memory(TrainingShape(CONFIG, KERNELS, devices=2), [rows])
    assert joined.activations == 4 * parameters_of(CONFIG)


def test_fgm_keeps_the_embeddings_and_their_gradient():
    rows = equal_rows(100, 16)
    plain = step_memory(TrainingShape(CONFIG, HALF), [rows])
    perturbed = step_memory(TrainingShape(CONFIG, HALF, fgm=True), [rows])
    assert perturbed.peak - plain.peak == 2 * 4 * 100 * 8


@pytest.mark.parametrize(
    "memory, batch", [(50, 0), (100, 2), (280, 8), (1000, 40), (10**9, 65_536)]
)
def test_the_largest_batch_leaves_15_percent_of_the_memory(memory, batch):
    def peak_of_batch(batch: int) -> float:
        return 40 + 20 * batch

    found = largest_batch(peak_of_batch, memory)
    assert found == batch
