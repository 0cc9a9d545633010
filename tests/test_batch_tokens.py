"""A batch is as large as the device is, by a rule that is the same for like devices."""

import pytest
from pretended_gpus import A100, V100, pretend_gpus

from rocketqa.inference.batch_tokens import default_batch_tokens, tokens_for_memory

GIB = 2**30


def test_a_cpu_has_batches_of_2048_tokens():
    assert default_batch_tokens() == 2048


# What drivers report of cards of 8, 16, 24, 40 and 80 GB.
@pytest.mark.parametrize(
    "memory, tokens",
    [
        (7.8, 32_768),
        (14.6, 65_536),
        (15.8, 65_536),
        (23.7, 131_072),
        (39.4, 131_072),
        (79, 131_072),
    ],
)
def test_cards_of_the_same_nominal_memory_have_the_same_batches(memory, tokens):
    assert tokens_for_memory(int(memory * GIB)) == tokens


def test_a_tiny_card_has_no_fewer_tokens_than_a_cpu():
    assert tokens_for_memory(GIB // 100) == 2048


def test_the_smallest_gpu_decides(monkeypatch):
    pretend_gpus(monkeypatch, A100, V100, memories=[80 * GIB, 15 * GIB])
    assert default_batch_tokens() == 65_536
