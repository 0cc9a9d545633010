"""The rate of exact search is measured beside faiss, on the same vectors and queries."""

import pytest

from rocketqa.benchmark.search_rate import DEPTHS, measure_search


def test_each_size_is_measured_at_each_depth():
    rates = list(measure_search([1100, 1200], rounds=1))
    expected = [(size, depth) for size in (1100, 1200) for depth in DEPTHS]
    assert [(rate.vectors, rate.depth) for rate in rates] == expected
    for rate in rates:
        assert rate.speed_up == pytest.approx(rate.exact / rate.faiss)
