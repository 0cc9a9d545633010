"""The encoders on padded rows, as static graphs need them: outputs equal to those of the models.

Packed rows (`encoder/packing.py`) have no fixed shape that a graph could describe, so a graph takes
padded rows and a mask. Query, key and value are one product. Where the first token stands for the
row, it alone leaves the last layer.

Letters: N rows, L tokens of the longest, H hidden size, F size of the feed-forward layer, h heads,
d size of a head, H / h; a attending tokens of a row: L, or in the last layer 1.
"""

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.encoder.ernie import EncoderLayer, Ernie
from rocketqa.encoder.unit_vectors import unit_vectors
from rocketqa.text.tokenizer import Encoding

INPUTS = ("token_ids", "type_ids", "mask")  # of every graph, in this order
MASKED_SCORE = -1e9  # is added to the attention scores of padding


def padded_inputs(rows: Sequence[Encoding]) -> dict[str, np.ndarray]:
    """Returns the inputs of a graph, int64 [N, L] each: 0 on padding; the mask is 1 on tokens."""
    longest = max(len(row.token_ids) for row in rows)
    shape = (len(rows), longest)
    inputs = {name: np.zeros(shape, np.int64) for name in INPUTS}
    for place, row in enumerate(rows):
        length = len(row.token_ids)
        inputs["token_ids"][place, :length] = row.token_ids
        inputs["type_ids"][place, :length] = row.type_ids
        inputs["mask"][place, :length] = 1
    return inputs


def padded_twin(model: Ernie | CrossEncoder) -> nn.Layer:
    """Returns the layer that computes the output of a model from padded rows."""
    if isinstance(model, CrossEncoder):
        return PaddedCrossEncoder(model)
    return PaddedErnie(model)


class PaddedErnie(nn.Layer):
    """Encodes padded rows as one vector each, [N, H], equal to those of the `Ernie` it is made of.

    It shares the parameters of that encoder, except those of query, key and value.
    """

    def __init__(self, ernie: Ernie):
        super().__init__()
        self.embeddings = ernie.embeddings
        self.first_only = ernie.config.representation == "first"
        self.unit_length = ernie.config.similarity == "cosine"
        layers = [PaddedLayer(layer) for layer in ernie.encoder.layers]
        self.layers = nn.LayerList(layers)

    def forward(self, token_ids: Tensor, type_ids: Tensor, mask: Tensor) -> Tensor:
        """Returns the vectors, [N, H]; token_ids, type_ids and mask: int64 [N, L]."""
        tables = self.embeddings
        positions = paddle.arange(token_ids.shape[1])  # [L]
        hidden = tables.word_embeddings(token_ids)  # [N, L, H]
        hidden = hidden + tables.position_embeddings(positions)  # [N, L, H]
        hidden = hidden + tables.token_type_embeddings(type_ids)  # [N, L, H]
        if tables.use_task_id:
            task_ids = paddle.zeros_like(type_ids)  # [N, L]
            hidden = hidden + tables.task_type_embeddings(task_ids)  # [N, L, H]
        hidden = tables.layer_norm(hidden)  # [N, L, H]
        padding = 1 - mask.astype("float32")  # [N, L]
        score_mask = padding * MASKED_SCORE  # [N, L]
        score_mask = score_mask.unsqueeze([1, 2])  # [N, 1, 1, L]
        *inner_layers, last_layer = self.layers
        for layer in inner_layers:
            hidden = layer(hidden, score_mask, False)  # [N, L, H]
        hidden = last_layer(hidden, score_mask, self.first_only)  # [N, a, H]
        if self.first_only:
            vectors = hidden[:, 0]  # [N, H]
        else:
            vectors = masked_means(hidden, mask.astype("float32"))  # [N, H]
        if self.unit_length:
            return unit_vectors(vectors)  # [N, H]
        return vectors


def masked_means(hidden: Tensor, mask: Tensor) -> Tensor:
    """Returns the mean over each row's tokens, [N, H]; hidden: [N, L, H], mask: float32 [N, L]."""
    row_masks = mask.unsqueeze(1)  # [N, 1, L]
    sums = paddle.matmul(row_masks, hidden)  # [N, 1, H]
    sums = sums[:, 0]  # [N, H]
    counts = mask.sum(axis=1, keepdim=True)  # [N, 1]
    return sums / counts  # [N, H]


class PaddedLayer(nn.Layer):
    """An encoder layer with one product for query, key and value."""

    def __init__(self, layer: EncoderLayer):
        super().__init__()
        attention = layer.self_attn
        self.heads = attention.heads
        self.scale = attention.head_size**-0.5
        size = attention.heads * attention.head_size
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        weights = [projection.weight for projection in projections]  # [H, H] each
        biases = [projection.bias for projection in projections]  # [H] each
        self.qkv = nn.Linear(size, 3 * size)
        self.qkv.weight.set_value(paddle.concat(weights, axis=1))  # [H, 3 H]
        self.qkv.bias.set_value(paddle.concat(biases))  # [3 H]
        self.out_proj = attention.out_proj
        self.linear1 = layer.linear1
        self.linear2 = layer.linear2
        self.norm1 = layer.norm1
        self.norm2 = layer.norm2
        self.activation = layer.activation

    def forward(self, hidden: Tensor, score_mask: Tensor, first_only: bool) -> Tensor:
        """Returns the layer's output, [N, L, H], or [N, 1, H] for the first tokens alone.

        hidden: [N, L, H]. score_mask: [N, 1, 1, L], which is added to the attention scores.
        """
        qkv = self.qkv(hidden)  # [N, L, 3 H]
        qkv = qkv.reshape([0, 0, 3, self.heads, -1])  # [N, L, 3, h, d]
        qkv = qkv.transpose([2, 0, 3, 1, 4])  # [3, N, h, L, d]
        q = qkv[0]  # [N, h, L, d]
        k = qkv[1]
        v = qkv[2]
        if first_only:
            q = q[:, :, :1]  # [N, h, 1, d]
            hidden = hidden[:, :1]  # [N, 1, H]
        q = q * self.scale  # [N, h, a, d]
        scores = paddle.matmul(q, k, transpose_y=True)  # [N, h, a, L]
        weights = F.softmax(scores + score_mask)  # [N, h, a, L]
        context = paddle.matmul(weights, v)  # [N, h, a, d]
        context = context.transpose([0, 2, 1, 3])  # [N, a, h, d]
        context = context.flatten(2)  # [N, a, H]
        hidden = self.norm1(hidden + self.out_proj(context))  # [N, a, H]
        intermediate = self.activation(self.linear1(hidden))  # [N, a, F]
        return self.norm2(hidden + self.linear2(intermediate))  # [N, a, H]


class PaddedCrossEncoder(nn.Layer):
    """Scores padded pairs: P(relevant), [N], equal to that of the `CrossEncoder` it is made of."""

    def __init__(self, model: CrossEncoder):
        super().__init__()
        self.ernie = PaddedErnie(model.ernie)
        self.dense = model.ernie.pooler.dense
        self.classifier = model.classifier

    def forward(self, token_ids: Tensor, type_ids: Tensor, mask: Tensor) -> Tensor:
        """Returns the probabilities, [N]; token_ids, type_ids and mask: int64 [N, L]."""
        vectors = self.ernie(token_ids, type_ids, mask)  # [N, H]
        pooled = paddle.tanh(self.dense(vectors))  # [N, H]
        probabilities = F.softmax(self.classifier(pooled))  # [N, 2]
        return probabilities[:, 1]  # [N]
