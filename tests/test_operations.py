"""The operations of an encoder are those of its dense products."""

from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.operations import operations_a_token


def test_a_layer_has_twelve_times_the_square_of_its_size_in_products():
    config = ErnieConfig(hidden_size=768, num_hidden_layers=2, intermediate_size=3072)
    assert operations_a_token(config) == 24 * 768**2 + 4 * 768**2
