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
    for name, parameter in Ernie(config, with_pooler=True).state_dict().items():
        if "norm" in name and name.endswith("weight"):
            weights[name] = np.ones(parameter.shape, np.float32)
        elif name.endswith("bias"):
            weights[name] = np.zeros(parameter.shape, np.float32)
        else:
            weights[name] = truncated_normal(drawing, parameter.shape, config.initializer_range)
    return weights


def truncated_normal(
    drawing: np.random.Generator, shape: Sequence[int], deviation: float
) -> np.ndarray:
    """Returns float32 values of a normal distribution with mean 0; a value beyond two deviations is
    drawn again.

    This is the initialiser of the released code.
    """
    values = drawing.standard_normal(shape)
    beyond = np.abs(values) > 2
    while beyond.any():
        values[beyond] = drawing.standard_normal(int(beyond.sum()))
        beyond = np.abs(values) > 2
    return (values * deviation).astype(np.float32)
