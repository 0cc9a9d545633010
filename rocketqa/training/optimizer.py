"""Adam with warm-up and decay, as the released `optimization.py` has them; clipping; the loss scale of float16."""

import math

import paddle
from paddle import nn


def learning_rate_at(
    step: int, total_steps: int, peak: float, warmup_proportion: float, decay: str
) -> float:
    """Returns the rate of a step (from 0): linear warm-up, then `linear` decay to 0 over all steps, or `constant`.

    # Official code: the decay counts from step 0, not from the end of the warm-up, so that with proportion 0.1 the rate
    # drops from its peak to 0.9 of it where the warm-up ends.
    """
    warmup_steps = int(total_steps * warmup_proportion)
    if step < warmup_steps:
        return peak * step / warmup_steps
    return peak if decay == "constant" else peak * (1 - step / total_steps)


def adam(model: nn.Layer, weight_decay: float) -> paddle.optimizer.Optimizer:
    """Returns Adam (beta 0.9, 0.999; epsilon 1e-8).

    Weight decay is decoupled and leaves out norms and biases (released code).
    """
    decayed = {
        parameter.name
        for name, parameter in model.named_parameters()
        if not name.endswith("bias") and "norm" not in name
    }
    return paddle.optimizer.AdamW(
        learning_rate=0.0,
        parameters=model.parameters(),
        weight_decay=weight_decay,
        apply_decay_param_fun=lambda name: name in decayed,
    )


@paddle.no_grad()
def clip(model: nn.Layer, clip_norm: float, loss_scale: float = 1.0) -> float:
    """Takes the loss scale out of the gradients, cuts their global norm to `clip_norm`, and returns the norm before.

    Not finite gradients stay as they are: such a step is not to be taken.
    """
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    squares = paddle.stack(
        [gradient.astype("float32").square().sum().reshape([]) for gradient in gradients]
    )
    norm = math.sqrt(float(squares.sum())) / loss_scale
    factor = min(1.0, clip_norm / norm if norm else 1.0) / loss_scale
    if math.isfinite(norm) and factor != 1.0:
        for gradient in gradients:
            gradient.scale_(factor)
    return norm


class LossScale:
    """Dynamic loss scaling: what float16 needs so that small gradients do not vanish.

    Two steps in a row with gradients that are not finite make the scale smaller, by 0.8; 1,000 good ones double it:
    fleet's defaults, which the released code leaves as they are. Gradients are judged after their reduction, in which
    one device's overflow is everyone's, so that all devices leave out the same steps.
    """

    INITIAL = 2.0**15

    def __init__(self, scale: float, dynamic: bool):
        self.scale, self.dynamic, self.good, self.bad = scale, dynamic, 0, 0

    def update(self, finite: bool) -> None:
        """Counts a step, and changes the scale where it is time."""
        if not self.dynamic:
            return
        self.good, self.bad = (self.good + 1, 0) if finite else (0, self.bad + 1)
        if self.bad == 2:
            self.scale, self.bad = max(1.0, self.scale * 0.8), 0
        elif self.good == 1000:
            self.scale, self.good = self.scale * 2, 0

    def state(self) -> dict[str, float]:
        """Returns what going on needs."""
        return {"scale": self.scale, "good": self.good, "bad": self.bad}

    def restore(self, state: dict[str, float]) -> None:
        """Goes on where `state` was."""
        self.scale, self.good, self.bad = state["scale"], int(state["good"]), int(state["bad"])
