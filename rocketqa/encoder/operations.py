"""The operations of an encoder's dense products, from which its share of a device's rate follows.

Letters: H hidden size, F feed-forward size.
"""

from rocketqa.encoder.config import ErnieConfig

TRAINING_TO_FORWARD = 3  # the backward pass computes two products for each one


def operations_a_token(config: ErnieConfig) -> float:
    """Returns the operations of the dense products of a forward pass, for each token.

    The last layer has keys and values of all tokens, and nothing else.
    """
    size = config.hidden_size
    layer = 2 * (4 * size * size + 2 * size * config.intermediate_size)
    keys_and_values = 2 * 2 * size * size
    return (config.num_hidden_layers - 1) * layer + keys_and_values
