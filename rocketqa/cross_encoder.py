"""The cross encoder (section 3.3.2): one ERNIE reads query and passage together; P(relevant) of two classes."""
import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from rocketqa.chance import generator
from rocketqa.ernie import Ernie, ErnieConfig, PackedRows, truncated_normal


class CrossEncoder(nn.Layer):
    """Pairs -> logits of (not relevant, relevant): pooled first token, dropout, dense."""

    def __init__(self, config: ErnieConfig):
        super().__init__()
        self.config = config
        self.ernie = Ernie(config, with_pooler=True)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, 2)

    def forward(self, pairs: PackedRows) -> paddle.Tensor:
        """Returns logits [N, 2]."""
        return self.classifier(self.dropout(self.ernie.pooled(pairs)))

    def probability(self, pairs: PackedRows) -> paddle.Tensor:
        """Returns P(relevant) [N]."""
        return F.softmax(self(pairs))[:, 1]

    @staticmethod
    def from_encoder_weights(weights: dict, config: ErnieConfig, seed: int) -> dict:
        """Returns the cross encoder's weights from an encoder's; the classifier, and a missing pooler, are drawn."""
        drawing = generator(seed, "classifier")
        hidden_size = config.hidden_size
        drawn = {"ernie.pooler.dense.weight": truncated_normal(drawing, (hidden_size, hidden_size), 0.02),
                 "ernie.pooler.dense.bias": np.zeros(hidden_size, np.float32),
                 "classifier.weight": truncated_normal(drawing, (hidden_size, 2), 0.02),
                 "classifier.bias": np.zeros(2, np.float32)}
        return drawn | {f"ernie.{name}": value for name, value in weights.items() if not name.startswith("classifier.")}


def loss_and_accuracy(logits, labels) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Returns the mean cross-entropy of logits [N, 2] against labels [N] (int64), and the share judged right."""
    return F.cross_entropy(logits, labels), (logits.argmax(axis=1) == labels).astype("float32").mean()
