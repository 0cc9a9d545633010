"""A training is refused before it costs anything where its settings do not go together."""

from types import SimpleNamespace

import pytest

from rocketqa.files.errors import DataError
from rocketqa.training.run import refuse_half_a_dev_measure, refuse_unless_supported


def test_float32_is_always_supported():
    refuse_unless_supported("float32")


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_a_precision_that_a_cpu_ignores_is_refused(precision):
    with pytest.raises(DataError, match=f"--precision {precision}: expected a GPU, got a CPU"):
        refuse_unless_supported(precision)


@pytest.mark.parametrize("every, examples", [(0, "dev.tsv"), (5, None)])
def test_half_a_dev_measure_is_refused(every, examples):
    settings = SimpleNamespace(evaluate_every=every, dev_examples=examples)
    with pytest.raises(DataError, match="expected it together with --dev-examples, got one alone"):
        refuse_half_a_dev_measure(settings)
