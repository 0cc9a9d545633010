"""Checkpoints: folders with weights, configuration, tokenizer, training log and manifest."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import paddle
from paddle import nn
from safetensors.numpy import save_file

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.ernie import Ernie
from rocketqa.files.errors import DataError
from rocketqa.text.tokenizer import TextEncoder, load_text_encoder
from rocketqa.text.tokenizer_files import read_tokenizer_files
from rocketqa.weights.config_files import (
    class_of_checkpoint,
    config_of_checkpoint,
    write_checkpoint_config,
)
from rocketqa.weights.model_kinds import ENCODER, model_settings, other_kind
from rocketqa.weights.model_shapes import (
    refuse_longer_vocabulary,
    refuse_other_parameters,
    refuse_other_shapes,
)
from rocketqa.weights.pretrained import load_pretrained
from rocketqa.weights.sentence_transformers import encoder_folder
from rocketqa.weights.stored_model import StoredModel, WeightsFile

WEIGHTS = "model.safetensors"
CLASSIFIER_WEIGHT = "classifier.weight"

Model = TypeVar("Model", bound=nn.Layer)
Arrays = dict[str, np.ndarray]
TokenizerFiles = dict[str, bytes]  # name -> content


def save_model(directory: Path, model: nn.Layer, tokenizer_files: TokenizerFiles) -> None:
    """Writes weights, configuration and tokenizer of a dual or cross encoder.

    Raises DataError, before anything is written, where a weight is not finite.
    """
    refuse_non_finite(model.state_dict(), directory)
    save_file(arrays_of(model.state_dict()), directory / WEIGHTS)
    write_checkpoint_config(directory, type(model).__name__, model.config)
    for name, content in tokenizer_files.items():
        (directory / name).write_bytes(content)


def refuse_non_finite(tensors: dict[str, paddle.Tensor], folder: Path) -> None:
    """Raises DataError where a tensor has a number that is not finite. It names the output that the
    folder is a part of, and the tensor.
    """
    for name, tensor in tensors.items():
        if not bool(paddle.isfinite(tensor).all()):
            output = folder.with_name(folder.name.removesuffix(".part"))
            raise DataError(
                f"{output}: expected finite weights to save, got nan or infinity in {name}: "
                "the training has diverged, a lower learning rate may help"
            )


def load_model(directory: Path, model_class: type[Model]) -> tuple[Model, TextEncoder]:
    """Returns a model of the class, ready for inference, and its tokenizer; see `read_model`."""
    stored, text_encoder = read_model(directory, model_class)
    model = built(stored)
    assert isinstance(model, model_class)
    return model, text_encoder


def read_model(directory: Path, model_class: type[nn.Layer]) -> tuple[StoredModel, TextEncoder]:
    """Returns what a model of the class is built of, and its tokenizer.

    An encoder of others is a dual encoder with equal towers. Raises DataError where the directory
    is neither a checkpoint of that class nor such a model of others, or a file of it is damaged.
    """
    class_name = model_class.__name__
    settings = model_settings(directory, class_name)
    if not class_of_checkpoint(settings):
        return _read_published_model(directory, model_class)
    config = config_of_checkpoint(settings)
    weights = WeightsFile(directory / WEIGHTS)
    refuse_other_parameters(weights, class_name, config, directory)
    refuse_longer_vocabulary(read_tokenizer_files(directory), config, directory)
    stored = StoredModel(model_class, config, weights, str(directory))
    return stored, load_text_encoder(directory)


def _read_published_model(
    directory: Path, model_class: type[nn.Layer]
) -> tuple[StoredModel, TextEncoder]:
    """Does what `read_model` does with a model of others."""
    class_name = model_class.__name__
    published = load_pretrained(directory, class_name)
    weights = published.weights
    if class_name == DualEncoder.__name__:
        weights = DualEncoder.from_encoder_weights(weights)
    elif CLASSIFIER_WEIGHT not in weights:
        raise other_kind(directory, ENCODER, [class_name])
    stored = StoredModel(model_class, published.config, weights, str(directory))
    return stored, load_text_encoder(encoder_folder(directory))


def built(stored: StoredModel) -> nn.Layer:
    """Returns the layer of Paddle that a model is, ready for inference."""
    model: nn.Layer
    if stored.model_class is Ernie:
        model = Ernie(stored.config, with_pooler=False)
    elif stored.model_class is CrossEncoder:
        model = CrossEncoder(stored.config)
    else:
        model = DualEncoder(stored.config)
    set_weights(model, stored.own(), stored.source)
    model.eval()
    return model


def set_weights(model: nn.Layer, weights: Mapping[str, np.ndarray], source: str) -> None:
    """Sets every parameter of a model.

    source: where the weights are from, for error messages. Raises DataError that names parameters
    which are missing, unexpected or of another shape.
    """
    parameters = model.state_dict()
    shapes = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    refuse_other_shapes(weights, type(model).__name__, shapes, source)
    for name, parameter in parameters.items():
        parameter.set_value(weights[name])


def arrays_of(tensors: dict[str, paddle.Tensor]) -> Arrays:
    """Returns tensors as arrays that safetensors can write."""
    arrays = {}
    for name, tensor in tensors.items():
        arrays[name] = np.ascontiguousarray(tensor.numpy())
    return arrays
