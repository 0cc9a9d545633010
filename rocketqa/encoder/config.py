"""The architecture of an ERNIE encoder. This module does not need Paddle."""

from typing import NamedTuple

from rocketqa.files.errors import DataError

# How a row of tokens becomes one vector: the vector of its first token (section 3.2), or the mean
# of the vectors of all its tokens.
# Deviation: the mean exists for weights that were trained with it. REPRESENTATION switches it, or
# the pooling of a sentence-transformers folder; the settings of the paper use `first`.
REPRESENTATIONS = ("first", "mean")


class ErnieConfig(NamedTuple):
    """The architecture, in PaddleNLP's names.

    Defaults are ERNIE 2.0 base as released (paper.md C.1: epsilon 1e-5).
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 4
    use_task_id: bool = False
    task_type_vocab_size: int = 16
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-5
    representation: str = "first"  # one of REPRESENTATIONS


def refuse_long_row(config: ErnieConfig, length: int) -> None:
    """Raises DataError where a row of `length` tokens is longer than the encoder has positions."""
    if length > config.max_position_embeddings:
        raise DataError(
            f"encoder: expected rows of at most {config.max_position_embeddings} tokens, "
            f"the number of its positions, got a row of {length} tokens: choose a smaller length"
        )
