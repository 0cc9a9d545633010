"""The cross encoder (section 3.3.2): one ERNIE reads query and passage together; P(relevant) of two classes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie, truncated_normal
from rocketqa.encoder.packing import PackedRows
from rocketqa.jobs.seeds import generator


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
        """Returns the cross encoder's weights from an encoder's; the classifier, and a missing pooler, are drawn.

        Those of a cross encoder stay as they are.
        """
        if any(name.startswith("ernie.") for name in weights):
            return weights
        drawing = generator(seed, "classifier")
        hidden_size = config.hidden_size
        drawn = {
            "ernie.pooler.dense.weight": truncated_normal(
                drawing, (hidden_size, hidden_size), 0.02
            ),
            "ernie.pooler.dense.bias": np.zeros(hidden_size, np.float32),
            "classifier.weight": truncated_normal(drawing, (hidden_size, 2), 0.02),
            "classifier.bias": np.zeros(2, np.float32),
        }
        return drawn | {
            f"ernie.{name}": value
            for name, value in weights.items()
            if not name.startswith("classifier.")
        }


def losses_and_hits(logits, labels) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Returns each pair's cross-entropy of logits [N, 2] against labels [N] (int64), and whether it is judged right.

    A pair with logits that are not finite has a loss that is none (Paddle's softmax would make a finite one of it).
    """
    losses = F.cross_entropy(logits.astype("float32"), labels, reduction="none").reshape([-1])
    losses = paddle.where(logits.isfinite().all(axis=1), losses, paddle.full_like(losses, np.nan))
    return losses, (logits.argmax(axis=1) == labels).astype("float32")


def backward(
    model: CrossEncoder,
    chunks: Sequence[tuple[PackedRows, paddle.Tensor]],
    chunk_context: Callable[[int], AbstractContextManager],
    loss_scale: float,
    fgm_epsilon: float,
) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Leaves the gradients of `loss_scale` times the mean loss of all chunks; returns their losses and hits.

    `chunk_context(n)` gives chunk n its dropout and precision; an epsilon above 0 trains on perturbed word embeddings.
    """
    judged = []
    for n, (pairs, labels) in enumerate(chunks):
        with perturbed(model, pairs, labels, fgm_epsilon) if fgm_epsilon else nullcontext():
            with chunk_context(n):
                logits = model(pairs)
            losses, hits = losses_and_hits(logits, labels)
            (losses.mean() * (loss_scale / len(chunks))).backward()
        judged.append((losses.detach(), hits))
    losses, hits = zip(*judged)
    return paddle.concat(losses), paddle.concat(hits)


@contextmanager
def perturbed(
    model: CrossEncoder, pairs: PackedRows, labels: paddle.Tensor, epsilon: float
) -> Iterator[None]:
    """Shifts the word embeddings, for as long as it lasts, by `epsilon` along the gradient of the loss without dropout.

    # Official code: adversarial training (FGM), which the paper does not mention. Only the perturbed pass is learnt.
    """
    words = model.ernie.embeddings.word_embeddings.weight
    others = [
        parameter
        for parameter in model.parameters()
        if parameter is not words and not parameter.stop_gradient
    ]
    _stop(others, True)
    model.eval()
    losses, _ = losses_and_hits(model(pairs), labels)
    (gradient,) = paddle.grad([losses.mean()], [words])  # [vocabulary, H]
    model.train()
    _stop(others, False)
    kept = words.clone().detach()
    with paddle.no_grad():
        words.set_value(words + gradient * (epsilon / (gradient.square().sum() + 1e-8).sqrt()))
    yield
    words.set_value(kept)


def _stop(parameters: Sequence[paddle.Tensor], stop: bool) -> None:
    """Lets gradients end before these parameters, or not."""
    for parameter in parameters:
        parameter.stop_gradient = stop
