"""The dual encoder (section 3.2): sim(q, p) = E_q(q) . E_p(p), two ERNIEs that start from the same
weights.

Letters: B queries, P passages a query, H hidden size.
"""

import numpy as np
import paddle
from paddle import nn

from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.packing import PackedRows

TOWERS = ("query_encoder", "passage_encoder")


class DualEncoder(nn.Layer):
    """Queries and passages -> vectors: the first token out of the last layer, or the mean over the
    tokens (`ErnieConfig.representation`); of length 1 where the similarity is the cosine, and not
    normalised otherwise (`ErnieConfig.similarity`).
    """

    def __init__(self, config: ErnieConfig):
        super().__init__()
        self.config = config
        self.query_encoder = Ernie(config, with_pooler=False)
        self.passage_encoder = Ernie(config, with_pooler=False)

    def forward(
        self, queries: PackedRows, passages: PackedRows
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Returns q_reps [B, H] and p_reps [B*P, H]."""
        return self.query_encoder(queries), self.passage_encoder(passages)

    @staticmethod
    def from_encoder_weights(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the weights of both towers from those of one encoder (the released "twin" start).

        The weights of a dual encoder stay as they are.
        """
        if any(name.startswith("query_encoder.") for name in weights):
            return weights
        initial = {}
        for tower in TOWERS:
            for name, value in weights.items():
                if not name.startswith(("pooler.", "classifier.")):
                    initial[f"{tower}.{name}"] = value
        return initial
