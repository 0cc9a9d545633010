"""Both towers start from the same weights and are trained apart."""

import numpy as np

from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.packing import pack
from rocketqa.weights.checkpoint import set_weights


def test_both_towers_start_from_the_weights_of_one_encoder(tiny_config, random_rows):
    encoder = initial_weights(tiny_config, 1) | {"classifier.weight": np.zeros((16, 2))}
    weights = DualEncoder.from_encoder_weights(encoder)
    assert not [name for name in weights if "pooler" in name or "classifier" in name]
    model = DualEncoder(tiny_config)
    set_weights(model, weights, "initial")
    rows = pack(random_rows(3))
    q_reps, p_reps = model(rows, rows)
    assert q_reps.shape == [3, 16]
    np.testing.assert_array_equal(q_reps.numpy(), p_reps.numpy())


def test_the_towers_share_no_parameter(tiny_config, random_rows):
    model = DualEncoder(tiny_config)
    set_weights(model, DualEncoder.from_encoder_weights(initial_weights(tiny_config, 1)), "initial")
    model.train()
    rows = pack(random_rows(3))
    q_reps, _ = model(rows, rows)
    q_reps.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.query_encoder.parameters())
    assert all(parameter.grad is None for parameter in model.passage_encoder.parameters())


def test_the_weights_of_a_dual_encoder_stay_as_they_are():
    weights = {"query_encoder.a": np.ones(1), "passage_encoder.a": np.zeros(1)}
    assert DualEncoder.from_encoder_weights(weights) is weights
