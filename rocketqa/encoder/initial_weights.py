"""Fresh weights of an encoder, drawn as the released code draws them."""

from collections.abc import Sequence

import numpy as np

from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie
from rocketqa.jobs.seeds import generator


def initial_weights(config: ErnieConfig, seed: int) -> dict[str, np.ndarray]:
    """Returns fresh float32 weights of an encoder with pooler, by PaddleNLP's names.

    Biases are 0, the scales of norms 1, all others drawn from a truncated normal distribution.
    """
    drawing = generator(seed, "initial weights")
    weights = {}
    model = Ernie(config, with_pooler=True)
    for name, parameter in model.state_dict().items():
        shape = parameter.shape
        if name.endswith("bias"):
            weights[name] = np.zeros(shape, np.float32)
        elif "norm" in name:
            weights[name] = np.ones(shape, np.float32)
        else:
            weights[name] = truncated_normal(drawing, shape, config.initializer_range)
    return weights


def truncated_normal(
    drawing: np.random.Generator, shape: Sequence[int], deviation: float
) -> np.ndarray:
    """Returns float32 values of a normal distribution with mean 0, cut off at two deviations.

    A value beyond them is drawn again, as the initialiser of the released code does.
    """
    values = drawing.standard_normal(shape)
    beyond = np.abs(values) > 2
    while beyond.any():
        count = int(beyond.sum())
        values[beyond] = drawing.standard_normal(count)
        beyond = np.abs(values) > 2
    scaled = values * deviation
    return scaled.astype(np.float32)
