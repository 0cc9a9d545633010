"""Which parameters a model has and of what shape, without building it.

Weights are compared with this before a model is built: a `config.json` that does not fit them could
ask for any amount of memory.
"""

from collections.abc import Mapping

import numpy as np

from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.text.tokenizer_files import VOCABULARY
from rocketqa.text.wordpiece import words_of
from rocketqa.weights.encoder_weights import (
    MAY_BE_MISSING,
    TOWERS,
    are_finite_floats,
    parameter_shapes,
)

Shapes = dict[str, tuple[int, ...]]


def refuse_other_parameters(
    weights: Mapping[str, np.ndarray], model_class: str, config: ErnieConfig, source: object
) -> None:
    """Raises DataError where weights are not those of a model, by its class and configuration, or
    are not finite float32.

    model_class: DualEncoder, CrossEncoder, or another, of which only the layers are counted.
    source: where the weights are from, for error messages.
    """
    if config.num_hidden_layers > len(weights):
        raise DataError(
            f"{source}: expected num_hidden_layers {config.num_hidden_layers} to fit the weights, "
            f"got {len(weights)} parameters"
        )
    shapes = _shapes_of(model_class, config)
    if shapes:
        refuse_other_shapes(weights, model_class, shapes, source)
    for name, value in weights.items():
        if value.dtype != "float32" or not are_finite_floats(value):
            raise DataError(
                f"{source}: expected finite float32 in {name}, got {value.dtype}, or nan or inf"
            )


def refuse_other_shapes(
    weights: Mapping[str, np.ndarray], model_class: str, shapes: Shapes, source: object
) -> None:
    """Raises DataError that names parameters which are missing, unexpected or of another shape."""
    missing = sorted(shapes.keys() - weights.keys())
    unexpected = sorted(weights.keys() - shapes.keys())
    if missing or unexpected:
        raise DataError(
            f"{source}: expected the parameters of {model_class}, "
            f"got missing {missing[:5]}, unexpected {unexpected[:5]}"
        )
    for name, shape in shapes.items():
        expected = list(shape)
        got = list(weights[name].shape)
        if got != expected:
            raise DataError(f"{source}: expected {name} of shape {expected}, got {got}")


def refuse_longer_vocabulary(
    tokenizer_files: dict[str, bytes], config: ErnieConfig, source: object
) -> None:
    """Raises DataError where a vocabulary has more words than the encoder has embeddings."""
    content = tokenizer_files.get(VOCABULARY, b"")
    count = len(words_of(content, f"{source}: {VOCABULARY}"))
    if count > config.vocab_size:
        raise DataError(
            f"{source}: expected a vocab.txt of at most vocab_size {config.vocab_size} "
            f"words, got {count}"
        )


def _shapes_of(model_class: str, config: ErnieConfig) -> Shapes:
    """Returns the parameters of a dual or a cross encoder; none of another class."""
    shapes = parameter_shapes(config)
    if model_class == "CrossEncoder":
        of_encoder = {f"ernie.{name}": shape for name, shape in shapes.items()}
        classifier = {"classifier.weight": (config.hidden_size, 2), "classifier.bias": (2,)}
        return of_encoder | classifier
    if model_class != "DualEncoder":
        return {}
    of_towers = {}
    for tower in TOWERS:
        for name, shape in shapes.items():
            if name not in MAY_BE_MISSING:  # the pooler
                of_towers[f"{tower}.{name}"] = shape
    return of_towers
