"""A training is refused before it costs anything where its settings do not go together."""

from pathlib import Path
from types import SimpleNamespace

import paddle
import paddle.nn.functional as F
import pytest
from gpu_operators import dense_layer_in_tf32, product_in_tf32
from pretended_gpus import A100, pretend_gpus

from rocketqa.files.errors import DataError
from rocketqa.files.examples import TrainingExample
from rocketqa.training.batches import DualBatches
from rocketqa.training.loop import Task
from rocketqa.training.run import (
    refuse_half_a_dev_measure,
    refuse_positives_alone,
    refuse_unless_supported,
)
from rocketqa.training.settings import DualEncoderSettings


def test_float32_is_always_supported():
    refuse_unless_supported("float32")


@pytest.mark.parametrize("precision", ["float16", "bfloat16", "tf32"])
def test_a_precision_that_a_cpu_ignores_is_refused(precision):
    with pytest.raises(DataError, match=f"--precision {precision}: expected a GPU, got a CPU"):
        refuse_unless_supported(precision)


def test_a_gpu_that_computes_in_another_precision_is_refused(monkeypatch):
    """A GPU whose kernels know float32 alone, and one whose environment forces TF32."""
    pretend_gpus(monkeypatch, A100)
    refuse_unless_supported("float32")
    for precision, cure in {
        "float16": "take a GPU of compute capability 7.0 or later, or float32",
        "bfloat16": "take a GPU of compute capability 8.0 or later, or float16",
        "tf32": "take a GPU of compute capability 8.0 or later, and unset NVIDIA_TF32_OVERRIDE",
    }.items():
        with pytest.raises(DataError) as error:
            refuse_unless_supported(precision)
        expected = f"expected a GPU whose matrix products are in {precision}, got float32"
        assert str(error.value) == f"--precision {precision}: {expected}: {cure}"
    monkeypatch.setattr(paddle, "matmul", product_in_tf32)
    monkeypatch.setattr(F, "linear", dense_layer_in_tf32)
    refuse_unless_supported("tf32")
    with pytest.raises(DataError, match="got tf32: set NVIDIA_TF32_OVERRIDE=0 in the environment"):
        refuse_unless_supported("float32")


@pytest.mark.parametrize("every, examples", [(0, "dev.tsv"), (5, None)])
def test_half_a_dev_measure_is_refused(every, examples):
    settings = SimpleNamespace(evaluate_every=every, dev_examples=examples)
    with pytest.raises(DataError, match="expected it together with --dev-examples, got one alone"):
        refuse_half_a_dev_measure(settings)


def dual_settings(**changed) -> DualEncoderSettings:
    given = {
        "output": Path("out"),
        "init": "tiny",
        "collection": None,
        "queries": None,
        "examples": [],
        "batch_size": 1,
        "epochs": 1,
        "learning_rate": 1e-3,
        "warmup": 0.1,
        "decay": "linear",
        "weight_decay": 0.0,
        "seed": 1,
    }
    return DualEncoderSettings(**(given | changed))


@pytest.mark.parametrize(
    "negatives, changed, devices, is_refused",
    [
        ((), {}, 1, True),
        ((), {"negatives": "in-batch", "accumulate": 4}, 1, True),
        ((), {"negatives": "in-batch"}, 2, True),
        ((), {}, 2, False),
        ((), {"accumulate": 2}, 1, False),
        ((), {"batch_size": 2, "negatives": "in-batch"}, 1, False),
        (("p2",), {}, 1, False),
        ((), {"epochs": 0}, 1, False),
    ],
)
def test_a_query_whose_only_candidate_is_its_positive_is_refused(
    negatives, changed, devices, is_refused
):
    settings = dual_settings(**changed)
    examples = [TrainingExample(f"q{n}", "p1", negatives) for n in range(8)]
    batches = DualBatches(examples, {}, {}, None, 8, 8)
    task = Task(None, {}, {}, batches, None)
    schedule = settings.schedule(len(examples), devices)
    if is_refused:
        with pytest.raises(DataError, match="--batch-size: expected at least 2 candidates"):
            refuse_positives_alone(task, schedule, settings)
    else:
        refuse_positives_alone(task, schedule, settings)
