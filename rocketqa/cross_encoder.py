"""The cross encoder (section 3.3.2): one ERNIE reads query and passage together and tells
P(relevant) of two classes.

Letters: N pairs, H hidden size.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.initial_weights import truncated_normal
from rocketqa.encoder.packing import PackedRows
from rocketqa.jobs.seeds import generator
from rocketqa.training.objective import Step


class CrossEncoder(nn.Layer):
    """Pairs -> logits of (not relevant, relevant): pooled first token, dropout, dense layer."""

    def __init__(self, config: ErnieConfig):
        super().__init__()
        self.config = config
        self.ernie = Ernie(config, with_pooler=True)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, 2)

    def forward(self, pairs: PackedRows) -> paddle.Tensor:
        """Returns logits [N, 2]."""
        pooled = self.ernie.pooled(pairs)  # [N, H]
        return self.classifier(self.dropout(pooled))  # [N, 2]

    def probability(self, pairs: PackedRows) -> paddle.Tensor:
        """Returns P(relevant) [N], in float32: near 1, half precision has few values."""
        logits = self(pairs).astype("float32")  # [N, 2]
        return F.softmax(logits)[:, 1]

    @staticmethod
    def from_encoder_weights(
        weights: dict[str, np.ndarray], config: ErnieConfig, seed: int
    ) -> dict[str, np.ndarray]:
        """Returns the weights of a cross encoder that starts from an encoder; those of a cross
        encoder stay as they are.

        The classifier, and the pooler where the encoder has none, are drawn at random.
        """
        if any(name.startswith("ernie.") for name in weights):
            return weights
        drawing = generator(seed, "classifier")
        hidden_size = config.hidden_size
        initial = {
            "ernie.pooler.dense.weight": truncated_normal(
                drawing, (hidden_size, hidden_size), 0.02
            ),
            "ernie.pooler.dense.bias": np.zeros(hidden_size, np.float32),
            "classifier.weight": truncated_normal(drawing, (hidden_size, 2), 0.02),
            "classifier.bias": np.zeros(2, np.float32),
        }
        for name, value in weights.items():
            if not name.startswith("classifier."):
                initial[f"ernie.{name}"] = value
        return initial


class CrossChunk(NamedTuple):
    """A chunk for the cross encoder: pairs [B] and their labels, int64 [B], 1 for relevant."""

    pairs: PackedRows
    labels: paddle.Tensor


def losses_and_hits(
    logits: paddle.Tensor, labels: paddle.Tensor
) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Returns the cross-entropy of each pair, and whether its likelier class is its label: float32
    [N] both.

    logits: [N, 2]; labels: int64 [N]. A pair with a non-finite logit gets loss nan.
    """
    losses = F.cross_entropy(logits.astype("float32"), labels, reduction="none").reshape([-1])
    # Paddle's softmax on a CPU makes a finite loss of infinite logits.
    finite = logits.isfinite().all(axis=1)
    losses = paddle.where(finite, losses, paddle.full_like(losses, np.nan))
    hits = (logits.argmax(axis=1) == labels).astype("float32")
    return losses, hits


class ClassificationObjective:
    """The training objective of the cross encoder: cross-entropy, with adversarial training where
    epsilon is above 0.
    """

    def __init__(self, fgm_epsilon: float = 0.0):
        self.fgm_epsilon = fgm_epsilon

    def forward_backward(
        self, model: CrossEncoder, chunks: Sequence[CrossChunk], step: Step
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Leaves the gradients of `step.loss_scale` times the mean loss of all chunks; returns
        losses and hits.
        """
        all_losses, all_hits = [], []
        for n, chunk in enumerate(chunks):
            with perturbed(model, chunk, self.fgm_epsilon):
                with step.chunk_context(n):
                    logits = model(chunk.pairs)  # [B, 2]
                losses, hits = losses_and_hits(logits, chunk.labels)  # [B], [B]
                (losses.mean() * (step.loss_scale / len(chunks))).backward()
            all_losses.append(losses.detach())
            all_hits.append(hits)
        return paddle.concat(all_losses), paddle.concat(all_hits)


@contextmanager
def perturbed(model: CrossEncoder, chunk: CrossChunk, epsilon: float) -> Iterator[None]:
    """Shifts the word embeddings by `epsilon` along the gradient of the loss without dropout; 0
    leaves them as they are.

    # Official code: adversarial training (FGM), which the paper does not mention. The model is
    trained on the perturbed pass alone.
    """
    if not epsilon:
        yield
        return
    words = model.ernie.embeddings.word_embeddings.weight  # [vocabulary, H]
    gradient = _gradient_by_word_embeddings(model, chunk)  # [vocabulary, H]
    unperturbed = words.clone().detach()
    with paddle.no_grad():
        norm = (gradient.square().sum() + 1e-8).sqrt()
        # Tensor.set_value would take the embeddings through the memory of the host.
        paddle.assign(words + gradient * (epsilon / norm), words)
    yield
    with paddle.no_grad():
        paddle.assign(unperturbed, words)


def _gradient_by_word_embeddings(model: CrossEncoder, chunk: CrossChunk) -> paddle.Tensor:
    """Returns the gradient of the mean loss by the word embeddings, [vocabulary, H].

    The loss is without dropout. The gradients of the other parameters stay as they were.
    """
    words = model.ernie.embeddings.word_embeddings.weight
    trained = [parameter for parameter in model.parameters() if not parameter.stop_gradient]
    others = [parameter for parameter in trained if parameter is not words]
    for parameter in others:
        parameter.stop_gradient = True
    model.eval()
    losses, _ = losses_and_hits(model(chunk.pairs), chunk.labels)
    (gradient,) = paddle.grad([losses.mean()], [words])
    model.train()
    for parameter in others:
        parameter.stop_gradient = False
    return gradient
