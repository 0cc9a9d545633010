"""Adam with warm-up and decay, as the released `optimization.py` has them."""
import paddle
from paddle import nn


def learning_rate_at(step: int, total_steps: int, peak: float, warmup_proportion: float, decay: str) -> float:
    """Returns the rate of a step (from 0): linear warm-up, then `linear` decay to 0 over all steps, or `constant`.

    # Official code: the decay counts from step 0, not from the end of the warm-up, so that with proportion 0.1 the rate
    # drops from its peak to 0.9 of it where the warm-up ends.
    """
    warmup_steps = int(total_steps * warmup_proportion)
    if step < warmup_steps:
        return peak * step / warmup_steps
    return peak if decay == "constant" else peak * (1 - step / total_steps)


def adam(model: nn.Layer, weight_decay: float, clip_norm: float) -> paddle.optimizer.Optimizer:
    """Returns Adam (beta 0.9, 0.999; epsilon 1e-8) with gradients clipped to a global norm of `clip_norm`.

    Weight decay is decoupled and leaves out norms and biases (released code).
    """
    decayed = {parameter.name for name, parameter in model.named_parameters()
               if not name.endswith("bias") and "norm" not in name}
    return paddle.optimizer.AdamW(
        learning_rate=0.0, parameters=model.parameters(), weight_decay=weight_decay,
        apply_decay_param_fun=lambda name: name in decayed, grad_clip=nn.ClipGradByGlobalNorm(clip_norm))
