"""The classifiers of cross encoders that others have trained, as the one of our `CrossEncoder`.

    one label     logit z; P(relevant) = sigmoid(z), which is softmax([0, z])[1]: the first of our
                  two classes gets weights and bias 0
    two labels    P(relevant) is the softmax of the second one, as here

In both layouts (`BertForSequenceClassification`, `ErnieForSequenceClassification`) the classifier
reads the pooler. Letter: H hidden size.
"""

from pathlib import Path

import numpy as np

from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.weights.encoder_weights import (
    CLASSIFIER,
    are_finite_floats,
    bare_name,
    encoder_weights,
    has_our_names,
)
from rocketqa.weights.notes import say

Weights = dict[str, np.ndarray]
POOLER = "pooler.dense.weight"


def cross_encoder_weights(
    weights: Weights, config: ErnieConfig, place: str | Path, second_label: str = ""
) -> Weights:
    """Returns the weights of a cross encoder by our names, or of the encoder alone where there is
    no classifier that we can take. A line says what was taken or left out.

    weights: by the names of others. second_label: its name in `config.json`.
    """
    encoder = encoder_weights(weights, config, place)
    classifier = _classifier(weights, config, place)
    if not classifier:
        return encoder
    labels = classifier["classifier.bias"].size
    if POOLER not in encoder:
        say(f"{place}: its classifier is left out, because there is no pooler for it to read")
        return encoder
    if labels > 2:
        say(f"{place}: its classifier of {labels} labels is left out: one or two can be taken")
        return encoder
    meaning = "P(relevant) is the sigmoid of its logit"
    if labels == 2:
        name = f" ({second_label})" if second_label else ""
        meaning = f"P(relevant) is that of the second label{name}"
    noun = "label" if labels == 1 else "labels"
    say(f"{place}: its pooler and its classifier of {labels} {noun} are taken: {meaning}")
    if labels == 1:
        classifier = {name: _with_zeros_before(value) for name, value in classifier.items()}
    return {f"ernie.{name}": value for name, value in encoder.items()} | classifier


def _classifier(weights: Weights, config: ErnieConfig, place: str | Path) -> Weights:
    """Returns weight [H, labels] and bias [labels] of the classifier, float32; none where there is
    no classifier.

    Raises DataError where its shapes do not fit, or a number is not finite.
    """
    found = {}
    for name, value in weights.items():
        if CLASSIFIER.match(bare_name(name)):
            found[bare_name(name)] = value
    if not found:
        return {}
    weight = found.get("classifier.weight", np.zeros(0))
    bias = found.get("classifier.bias", np.zeros(0))
    if not has_our_names(weights):
        weight = weight.T  # Hugging Face: [labels, H]
    expected = (config.hidden_size, bias.size)
    is_whole = bias.size and weight.shape == expected and bias.ndim == 1
    if not is_whole or not are_finite_floats(weight) or not are_finite_floats(bias):
        raise DataError(
            f"{place}: expected a classifier of finite floats with {config.hidden_size} weights "
            f"and a bias for each label, got weights of {list(weight.shape)}, "
            f"biases of {list(bias.shape)}"
        )
    classifier = {"classifier.weight": weight, "classifier.bias": bias}
    return {name: np.ascontiguousarray(value, np.float32) for name, value in classifier.items()}


def _with_zeros_before(values: np.ndarray) -> np.ndarray:
    """Returns values of one class behind zeros for another one: [..., 1] -> [..., 2]."""
    return np.concatenate([np.zeros_like(values), values], axis=-1)
