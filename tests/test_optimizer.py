"""The learning rate by worked examples; Adam against a slow numpy twin of Adam with decoupled
weight decay.
"""

import numpy as np
import paddle
import pytest
from paddle import nn

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.training.optimizer import adam, clip, learning_rate_at


@pytest.mark.parametrize(
    "step, rate",
    [
        (0, 0.0),
        (1, 3e-6),
        (5, 1.5e-5),
        (9, 2.7e-5),  # ten steps of warm-up from 0
        (10, 2.7e-5),  # where it ends the decay is already at 0.9 of the peak
        (11, 2.67e-5),
        (50, 1.5e-5),
        (99, 3e-7),
        (100, 0.0),
    ],
)
def test_linear_decay_counts_from_step_zero(step, rate):
    assert learning_rate_at(step, 100, 3e-5, 0.1, "linear") == pytest.approx(rate, rel=1e-12, abs=0)


@pytest.mark.parametrize("step, rate", [(0, 0.0), (1, 0.5), (2, 1.0), (3, 1.0), (9, 1.0)])
def test_a_constant_rate_stays_at_its_peak_after_the_warm_up(step, rate):
    assert learning_rate_at(step, 10, 1.0, 0.2, "constant") == rate


def test_without_warm_up_the_first_step_has_the_peak():
    for decay in ("constant", "linear"):
        assert learning_rate_at(0, 4, 2.0, 0.0, decay) == 2.0
    rates = [learning_rate_at(step, 4, 2.0, 0.2, "linear") for step in range(4)]
    assert rates == [2.0, 1.5, 1.0, 0.5]


class Small(nn.Layer):
    """One parameter of each kind."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(6, 3)
        self.dense = nn.Linear(3, 4)
        self.norm1 = nn.LayerNorm(4)
        self.layer_norm = nn.LayerNorm(4)


DECAYED = {"words.weight", "dense.weight"}
SHAPES = {
    "words.weight": (6, 3),
    "dense.weight": (3, 4),
    "dense.bias": (4,),
    "norm1.weight": (4,),
    "norm1.bias": (4,),
    "layer_norm.weight": (4,),
    "layer_norm.bias": (4,),
}


def drawn(seed: int, size: float = 1.0) -> dict[str, np.ndarray]:
    drawing = np.random.default_rng(seed)
    return {
        name: (size * drawing.normal(size=shape)).astype(np.float32)
        for name, shape in SHAPES.items()
    }


def slow_adam(values, gradients, rates, weight_decay, clip_norm):
    """Yields the parameters after each step, float64."""
    values = {name: value.astype(np.float64) for name, value in values.items()}
    first, second = ({name: np.zeros(shape) for name, shape in SHAPES.items()} for _ in range(2))
    for step, (gradient, rate) in enumerate(zip(gradients, rates), 1):
        norm = sum((value.astype(np.float64) ** 2).sum() for value in gradient.values()) ** 0.5
        for name, value in gradient.items():
            value = value * min(1.0, clip_norm / norm)
            first[name] = 0.9 * first[name] + 0.1 * value
            second[name] = 0.999 * second[name] + 0.001 * value**2
            change = (
                first[name] / (1 - 0.9**step) / ((second[name] / (1 - 0.999**step)) ** 0.5 + 1e-8)
            )
            decay = weight_decay if name in DECAYED else 0.0
            values[name] = values[name] - rate * change - rate * decay * values[name]
        yield values.copy()


def stepped(model, optimizer, gradient, rate, clip_norm):
    """Takes one step with these gradients."""
    optimizer.set_lr(rate)
    sum(
        (parameter * paddle.to_tensor(gradient[name])).sum()
        for name, parameter in model.named_parameters()
    ).backward()
    clip(model, clip_norm)
    optimizer.step()
    optimizer.clear_grad()


def test_steps_equal_those_of_the_slow_twin():
    model, begin = Small(), drawn(0)
    for name, parameter in model.named_parameters():
        parameter.set_value(begin[name])
    optimizer = adam(model, weight_decay=0.3)
    # Norms of about seven times these sizes: 21 and 7 and 210 are cut to 2, the others stay.
    gradients = [drawn(seed, size) for seed, size in enumerate((3.0, 0.1, 0.01, 1.0, 0.2, 30.0), 1)]
    rates = [0.0, 0.05, 0.1, 0.08, 0.06, 0.04]
    for gradient, rate, expected in zip(
        gradients, rates, slow_adam(begin, gradients, rates, 0.3, 2.0)
    ):
        stepped(model, optimizer, gradient, rate, 2.0)
        for name, parameter in model.named_parameters():
            np.testing.assert_allclose(
                parameter.numpy(), expected[name], rtol=2e-6, atol=1e-6, err_msg=name
            )


def test_gradients_are_cut_by_the_norm_of_all_of_them_together():
    # Adam's first step is as long whatever the gradient's size, so the second, of another size,
    # shows the cut: without it, moments of 1 and 100 would give another step than those of two
    # equal gradients.
    model, direction = Small(), {name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}
    optimizer = adam(model, weight_decay=0.0)
    before = {name: parameter.numpy() for name, parameter in model.named_parameters()}
    for size in (1.0, 100.0):
        stepped(
            model, optimizer, {name: size * value for name, value in direction.items()}, 0.5, 1.0
        )
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(before[name] - parameter.numpy(), 1.0, rtol=1e-5)


def test_weight_decay_leaves_out_every_bias_and_norm_of_an_encoder(tiny_config):
    model = CrossEncoder(tiny_config._replace(num_hidden_layers=1, use_task_id=True))
    for parameter in model.parameters():
        parameter.set_value(np.ones(parameter.shape, np.float32))
    optimizer = adam(model, weight_decay=0.5)
    stepped(
        model,
        optimizer,
        {
            name: np.zeros(parameter.shape, np.float32)
            for name, parameter in model.named_parameters()
        },
        0.5,
        1.0,
    )
    values = {
        name: set(parameter.numpy().ravel().tolist())
        for name, parameter in model.named_parameters()
    }
    layer = "ernie.encoder.layers.0."
    assert {name for name, value in values.items() if value == {0.75}} == {
        "ernie.embeddings.word_embeddings.weight",
        "ernie.embeddings.position_embeddings.weight",
        "ernie.embeddings.token_type_embeddings.weight",
        "ernie.embeddings.task_type_embeddings.weight",
        f"{layer}self_attn.q_proj.weight",
        f"{layer}self_attn.k_proj.weight",
        f"{layer}self_attn.v_proj.weight",
        f"{layer}self_attn.out_proj.weight",
        f"{layer}linear1.weight",
        f"{layer}linear2.weight",
        "ernie.pooler.dense.weight",
        "classifier.weight",
    }
    assert {name for name, value in values.items() if value == {1.0}} == {
        "ernie.embeddings.layer_norm.weight",
        "ernie.embeddings.layer_norm.bias",
        f"{layer}self_attn.q_proj.bias",
        f"{layer}self_attn.k_proj.bias",
        f"{layer}self_attn.v_proj.bias",
        f"{layer}self_attn.out_proj.bias",
        f"{layer}linear1.bias",
        f"{layer}linear2.bias",
        f"{layer}norm1.weight",
        f"{layer}norm1.bias",
        f"{layer}norm2.weight",
        f"{layer}norm2.bias",
        "ernie.pooler.dense.bias",
        "classifier.bias",
    }


def with_gradients(size: float) -> tuple[Small, dict[str, np.ndarray]]:
    model, gradient = Small(), drawn(1, size)
    sum(
        (parameter * paddle.to_tensor(gradient[name])).sum()
        for name, parameter in model.named_parameters()
    ).backward()
    return model, gradient


@pytest.mark.parametrize("loss_scale", [1.0, 1024.0])
@pytest.mark.parametrize("clip_norm", [0.5, 1e9])
def test_clipping_returns_the_norm_before_and_takes_the_loss_scale_out(loss_scale, clip_norm):
    model, gradient = with_gradients(loss_scale)
    norm = (
        sum((value.astype(np.float64) ** 2).sum() for value in gradient.values()) ** 0.5
        / loss_scale
    )
    assert clip(model, clip_norm, loss_scale) == pytest.approx(norm, rel=1e-6)
    for name, parameter in model.named_parameters():
        expected = gradient[name] / loss_scale * min(1.0, clip_norm / norm)
        np.testing.assert_allclose(parameter.grad.numpy(), expected, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_gradients_that_are_not_finite_have_no_finite_norm(bad):
    model, _ = with_gradients(1.0)
    model.dense.bias.grad.set_value(np.array([0, bad, 0, 0], np.float32))
    assert not np.isfinite(clip(model, 1.0))
