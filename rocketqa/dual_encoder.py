"""The dual encoder (section 3.2): sim(q, p) = E_q(q) . E_p(p), two ERNIEs that start from the same weights."""

import paddle
from paddle import nn

from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.packing import PackedRows


class DualEncoder(nn.Layer):
    """Queries and passages -> their vectors: the raw first token of the last layer, not normalised."""

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
    def from_encoder_weights(weights: dict) -> dict:
        """Returns both towers' weights from those of one encoder (the released "twin" initialisation).

        Those of a dual encoder stay as they are.
        """
        if any(name.startswith("query_encoder.") for name in weights):
            return weights
        kept = {
            name: value
            for name, value in weights.items()
            if not name.startswith(("pooler.", "classifier."))
        }
        return {
            f"{tower}.{name}": value
            for tower in ("query_encoder", "passage_encoder")
            for name, value in kept.items()
        }
