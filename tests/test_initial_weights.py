"""Fresh weights follow their seed and have the distribution of the released initialiser."""

import numpy as np

from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.initial_weights import initial_weights, truncated_normal

WORDS = "embeddings.word_embeddings.weight"


def test_initial_weights_are_cut_at_two_deviations_and_follow_the_seed(tiny_config):
    words = initial_weights(tiny_config, seed=1)[WORDS]
    assert 0.015 < words.std() < 0.02 and np.abs(words).max() <= 0.04
    assert (words == initial_weights(tiny_config, seed=1)[WORDS]).all()
    assert (words != initial_weights(tiny_config, seed=2)[WORDS]).any()


def test_norms_begin_at_1_and_biases_at_0_and_every_parameter_has_a_value(tiny_config):
    weights = initial_weights(tiny_config, seed=1)
    parameters = Ernie(tiny_config, with_pooler=True).state_dict()
    assert weights.keys() == parameters.keys()
    for name, value in weights.items():
        assert value.shape == tuple(parameters[name].shape) and value.dtype == np.float32
        if name.endswith("bias"):
            assert (value == 0).all(), name
        elif "norm" in name:
            assert (value == 1).all(), name
        else:
            assert value.std() > 0.01, name


def test_a_truncated_normal_has_no_value_beyond_two_deviations():
    values = truncated_normal(np.random.default_rng(0), (100, 100), deviation=0.5)
    assert np.abs(values).max() <= 1.0
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 0.5 * 0.88) < 0.01  # cut at 2: the deviation is 0.88 of the full one
