"""A training step waits for the device once: for the figures of its line in the log."""

import sys

import paddle
import pytest
from toy_files import cross_flags, dual_flags, write_teacher, write_tiny_flight

from rocketqa.cli import train_cross_encoder, train_dual_encoder
from rocketqa.encoder.kernel_library import library
from rocketqa.training.step_figures import fetch, sums_over_devices

# Whatever gives a value of a tensor to Python waits for a GPU. set_value copies through the host.
READERS = ("numpy", "item", "tolist", "cpu", "set_value", "__array__")
READERS += ("__float__", "__int__", "__index__", "__bool__")
COPIES = "rocketqa.distributed.device_copies"  # the module whose copies wait for nothing


@pytest.fixture(scope="module")
def flight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flight")
    write_tiny_flight(folder, dropout=0.1)
    rows = (folder / "examples.dual.tsv").read_text().splitlines()
    unequal = [row if number % 3 else f"{row}\tp1" for number, row in enumerate(rows)]
    (folder / "examples.unequal.tsv").write_text("".join(f"{row}\n" for row in unequal))
    return folder


@pytest.fixture
def without_kernels(monkeypatch):
    """The kernels of CPUs read the seed of their dropout; a GPU has none of them."""
    monkeypatch.setenv("ROCKETQA_KERNELS", "no")
    library.cache_clear()
    yield
    library.cache_clear()


@pytest.fixture
def waits(monkeypatch, without_kernels):
    """Returns the list of methods that have waited; calls within calls count once."""
    names = []
    inside = []

    def counted(name, method):
        def call(*words, **named):
            if not inside:
                names.append(name)
            inside.append(name)
            try:
                return method(*words, **named)
            finally:
                inside.pop()

        return call

    for name in READERS:
        monkeypatch.setattr(paddle.Tensor, name, counted(name, getattr(paddle.Tensor, name)))
    to_tensor = paddle.to_tensor

    def copy(*words, **named):
        if sys._getframe(1).f_globals["__name__"] != COPIES:
            names.append("to_tensor")
        return to_tensor(*words, **named)

    monkeypatch.setattr(paddle, "to_tensor", copy)
    return names


DUAL = {
    "plain": {},
    "chunks": {"accumulate": 2},
    "recomputation": {"recompute": ""},
    "in-batch": {"negatives": "in-batch", "accumulate": 2},
    "loss scale": {"loss-scale": 8},
}


def waits_of_steps(main, flags_of, folder, name, waits) -> list[str]:
    """Returns what has waited in three steps: what five steps have more than two."""
    of_runs = []
    for steps in (2, 5):
        waits.clear()
        output = folder / f"{name.replace(' ', '-')}-{steps}"
        assert main(flags_of(output, {"max-steps": steps, "save-every": 100})) == 0
        of_runs.append(sorted(waits))
    fewer, more = of_runs
    for wait in fewer:
        more.remove(wait)
    return more


@pytest.mark.parametrize("name", [*DUAL, "masked positives", "empty places", "teacher"])
def test_a_step_of_a_dual_encoder_waits_for_the_device_once(flight, tmp_path, waits, name):
    changed = dict(DUAL.get(name, {}))
    if name == "masked positives":
        changed["mask-positives"] = flight / "qrels.tsv"
    if name == "empty places":
        changed["examples"] = flight / "examples.unequal.tsv"
    if name == "teacher":
        changed |= {"teacher": write_teacher(flight), "accumulate": 2}

    def flags(output, limits):
        return dual_flags(flight, output, 4, **(changed | limits))

    waited = waits_of_steps(train_dual_encoder.main, flags, tmp_path, name, waits)
    assert waited == ["numpy"] * 3


@pytest.mark.parametrize("fgm", [0.0, 0.1])
def test_a_step_of_a_cross_encoder_waits_for_the_device_once(flight, tmp_path, waits, fgm):
    def flags(output, limits):
        return cross_flags(flight, output, fgm=fgm, accumulate=2, **limits)

    waited = waits_of_steps(train_cross_encoder.main, flags, tmp_path, f"fgm-{fgm}", waits)
    assert waited == ["numpy"] * 3


def test_figures_of_one_device_are_its_values():
    losses, hits = paddle.to_tensor([0.25, 0.75]), paddle.to_tensor([1.0, 0.0])
    figures = fetch(sums_over_devices(losses, hits, 3, 4, True), paddle.to_tensor(2.5))
    assert figures == (0.5, 0.5, 3.0, 4.0, 1.0, 2.5)
    assert figures.square_sum == 2.5 and figures.tokens_with_padding == 4.0
