"""The cost of gradient accumulation is measured batch by batch, up to what the memory holds."""

import pytest

from rocketqa.benchmark import accumulation
from rocketqa.benchmark.accumulation import (
    LargestBatch,
    StepCost,
    StepSettings,
    comparison_lines,
    find_largest_batch,
    measure_in_own_process,
)
from rocketqa.files.errors import DataError

GIB = 2**30
TINY = StepSettings(4, 1, layers=1, hidden_size=24, query_length=8, passage_length=8)


@pytest.fixture
def measured(monkeypatch):
    """Makes the memory of a step one GiB, and another one for each query of a chunk."""
    batches = []

    def cost(settings: StepSettings) -> StepCost:
        batches.append((settings.queries, settings.chunks))
        queries_a_chunk = settings.queries // settings.chunks
        peak = (1 + queries_a_chunk) * GIB
        return StepCost(
            settings.chunks / 2,
            GIB,
            peak,
            of_tensors=peak / 2,
            foretold=GIB,
            operator_calls=300 * settings.chunks,
        )

    monkeypatch.setattr(accumulation, "measure_in_own_process", cost)
    return batches


def test_batches_double_until_one_does_not_fit(measured):
    largest = find_largest_batch(TINY, 2, in_chunks=False, memory=10 * GIB, largest=64)
    assert largest == LargestBatch(8, all_fit=False)
    assert measured == [(2, 1), (4, 1), (8, 1), (16, 1)]


def test_in_chunks_every_batch_fits_that_is_tried(measured):
    largest = find_largest_batch(TINY, 2, in_chunks=True, memory=10 * GIB, largest=20)
    assert largest == LargestBatch(16, all_fit=True)
    assert measured == [(2, 1), (4, 2), (8, 4), (16, 8)]


def test_not_even_a_chunk_may_fit(measured):
    largest = find_largest_batch(TINY, 2, in_chunks=True, memory=GIB, largest=20)
    assert largest == LargestBatch(0, all_fit=False)


def test_the_table_compares_time_peak_and_the_memory_of_the_step(measured):
    lines = list(comparison_lines(TINY, TINY._replace(chunks=2)))
    assert [line.split("\t") for line in lines[1:4]] == [
        ["direct", "4", "1", "0.500", "5.000", "2.500", "1.000", "300"],
        ["chunks", "4", "2", "1.000", "3.000", "1.500", "1.000", "600"],
        ["ratio", "", "", "2.000", "0.600", "", "", "2.000"],
    ]
    assert lines[4] == "memory above model and optimizer: 4.000 and 2.000 GiB, ratio 0.500"


def test_a_measurement_that_fails_is_reported_with_its_batch():
    expected = "benchmark: expected 4 queries in 1 chunks to be measured"
    with pytest.raises(DataError, match=f"^{expected}, got encoder: expected rows of at most 512"):
        measure_in_own_process(TINY._replace(passage_length=4000))
