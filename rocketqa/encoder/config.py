"""The architecture of an ERNIE encoder. This module does not need Paddle."""

from typing import NamedTuple

from rocketqa.files.errors import DataError

# How a row of tokens becomes one vector: the vector of its first token (section 3.2), or the mean
# of the vectors of all its tokens.
# Deviation: the mean exists for weights that were trained with it. REPRESENTATION switches it, or
# the pooling of a sentence-transformers folder; the settings of the paper use `first`.
REPRESENTATIONS = ("first", "mean")

# How a query and a passage are compared, and what their similarity is divided by in the loss: the
# dot product without temperature (section 3.2, equation 2), or the cosine at .05. The vectors of a
# cosine encoder have length 1, so that their dot product is the cosine.
# Deviation: the cosine exists for weights that were trained with it. SIMILARITY switches it, or the
# folder of a sentence-transformers model; the settings of the paper use `dot` at temperature 1.
TEMPERATURES = {"dot": 1.0, "cosine": 0.05}
SIMILARITIES = tuple(TEMPERATURES)


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
    similarity: str = "dot"  # one of SIMILARITIES
    temperature: float = TEMPERATURES["dot"]

    def with_similarity(self, similarity: str | None, temperature: float | None) -> "ErnieConfig":
        """Returns the architecture with what was chosen; None keeps it as it is. Another similarity
        than before brings its own temperature along.
        """
        config = self
        if similarity not in (None, config.similarity):
            assert similarity is not None
            usual = TEMPERATURES[similarity]
            config = config._replace(similarity=similarity, temperature=usual)
        if temperature is not None:
            config = config._replace(temperature=temperature)
        return config

    def fields_to_write(self) -> dict[str, object]:
        """Returns the fields by name. Those of the dot product are left out, as they were before
        there was another similarity.
        """
        fields = self._asdict()
        for name in ("similarity", "temperature"):
            if fields[name] == self._field_defaults[name]:
                del fields[name]
        return fields


def refuse_long_row(config: ErnieConfig, length: int) -> None:
    """Raises DataError where a row of `length` tokens is longer than the encoder has positions."""
    if length > config.max_position_embeddings:
        raise DataError(
            f"encoder: expected rows of at most {config.max_position_embeddings} tokens, "
            f"the number of its positions, got a row of {length} tokens: choose a smaller length"
        )
