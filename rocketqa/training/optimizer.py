"""Adam with warm-up and decay as in the released `optimization.py`; clipping; the loss scale."""

import math

import paddle
from paddle import nn


def learning_rate_at(
    step: int, total_steps: int, peak: float, warmup_proportion: float, decay: str
) -> float:
    """Returns the learning rate of a step, which counts from 0.

    The rate rises linearly from 0 during the warm-up. Afterwards it falls linearly to 0 at the last
    step (decay `linear`), or stays at its peak (`constant`).
    # Official code: the decay counts from step 0, not from the end of the warm-up. With proportion
    0.1 the rate drops from its peak to 0.9 of it where the warm-up ends.
    """
    warmup_steps = int(total_steps * warmup_proportion)
    if step < warmup_steps:
        return peak * step / warmup_steps
    if decay == "constant":
        return peak
    return peak * (1 - step / total_steps)


def adam(model: nn.Layer, weight_decay: float) -> paddle.optimizer.Optimizer:
    """Returns Adam with beta 0.9 and 0.999 and epsilon 1e-8.

    Weight decay is decoupled and leaves out layer norms and biases (released code).
    """
    decayed = set()
    for name, parameter in model.named_parameters():
        if not name.endswith("bias") and "norm" not in name:
            decayed.add(parameter.name)
    return paddle.optimizer.AdamW(
        learning_rate=0.0,
        parameters=model.parameters(),
        weight_decay=weight_decay,
        apply_decay_param_fun=lambda name: name in decayed,
    )


def clip(model: nn.Layer, clip_norm: float, loss_scale: float = 1.0) -> float:
    """Divides the gradients by the loss scale, clips their global norm, returns the norm before.

    Gradients that are not finite stay as they are: the caller must not take such a step.
    """
    norm = norm_of(float(square_sum_of_gradients(model)), loss_scale)
    scale_gradients(model, norm, clip_norm, loss_scale)
    return norm


@paddle.no_grad()
def square_sum_of_gradients(model: nn.Layer) -> paddle.Tensor:
    """Returns the sum of the squares of all gradients, float32 [], without waiting for it."""
    squares = [
        gradient.astype("float32").square().sum().reshape([]) for gradient in _gradients(model)
    ]
    return paddle.stack(squares).sum()


def norm_of(square_sum: float, loss_scale: float) -> float:
    """Returns the global norm of gradients that the loss scale has multiplied."""
    return math.sqrt(square_sum) / loss_scale


@paddle.no_grad()
def scale_gradients(model: nn.Layer, norm: float, clip_norm: float, loss_scale: float) -> None:
    """Divides the gradients by the loss scale and clips their global norm, where it is finite."""
    shrink = min(1.0, clip_norm / norm) if norm else 1.0
    factor = shrink / loss_scale
    if math.isfinite(norm) and factor != 1.0:
        for gradient in _gradients(model):
            gradient.scale_(factor)


def _gradients(model: nn.Layer) -> list[paddle.Tensor]:
    return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]


class LossScale:
    """The factor of the loss that keeps small gradients from vanishing in float16.

    A dynamic scale is multiplied by 0.8 after two steps in a row with gradients that are not
    finite, and doubled after 1,000 good ones. These are fleet's defaults, which the released code
    leaves as they are. Gradients are judged after their reduction over the devices: an overflow on
    one device is an overflow on all, so that all of them leave out the same steps.
    """

    INITIAL = 2.0**15
    BAD_STEPS = 2
    GOOD_STEPS = 1000

    def __init__(self, scale: float, dynamic: bool):
        self.scale = scale
        self.dynamic = dynamic
        self.good = 0
        self.bad = 0

    def update(self, finite: bool) -> None:
        """Counts a step by whether its gradients were finite, and changes the scale when due."""
        if not self.dynamic:
            return
        if finite:
            self.good += 1
            self.bad = 0
        else:
            self.good = 0
            self.bad += 1
        if self.bad == self.BAD_STEPS:
            self.scale = max(1.0, self.scale * 0.8)
            self.bad = 0
        elif self.good == self.GOOD_STEPS:
            self.scale *= 2
            self.good = 0

    def state(self) -> dict[str, float]:
        """Returns what a resumed training needs."""
        return {"scale": self.scale, "good": self.good, "bad": self.bad}

    def restore(self, state: dict[str, float]) -> None:
        """Continues from what `state` has returned."""
        self.scale = state["scale"]
        self.good = int(state["good"])
        self.bad = int(state["bad"])


def initial_loss_scale(asked_for: float | None, precision: str) -> LossScale:
    """Returns the loss scale to begin with: a dynamic one for float16 or where it is asked for,
    else 1.
    """
    if asked_for:
        return LossScale(asked_for, dynamic=True)
    if precision == "float16":
        return LossScale(LossScale.INITIAL, dynamic=True)
    return LossScale(1.0, dynamic=False)
