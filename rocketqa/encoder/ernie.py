"""The ERNIE encoder: parameters named as in PaddleNLP's `ErnieModel`, equal outputs and gradients.

It differs from a padded encoder in two ways. Both only leave out work that has no effect on the
result:

- Rows are packed (`packing.py`): dense products, norms and dropout see the tokens of all rows as
  one sequence, [T, H]. There is no padding in it, so no time is spent on padding.
- The vector of a row is that of its first token. No other output of the last layer is ever read, so
  the last layer computes its output for the first tokens alone. Their attention still reads all
  tokens of their rows.

Letters:
    N  rows                          H  hidden size
    T  tokens of all rows together   F  size of the feed-forward layer
    R  rows of a group               h  attention heads
    L  tokens of a row               d  size of a head, H / h
    A  attending tokens, for which a layer computes outputs: all T; in the last layer the N first
    a  attending tokens of a row: L; in the last layer 1
"""

import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.distributed.fleet.utils import recompute

from rocketqa.encoder import cpu_kernels
from rocketqa.encoder.config import ErnieConfig, refuse_long_row
from rocketqa.encoder.packing import PackedRows, RowGroup, row_means, split_by_group


class Ernie(nn.Layer):
    """Encodes packed rows of tokens as one vector each, [N, H]."""

    def __init__(self, config: ErnieConfig, with_pooler: bool):
        super().__init__()
        self.config = config
        # True: the backward pass computes activations again, so that training need not keep them.
        self.recompute = False
        self.embeddings = Embeddings(config)
        self.encoder = nn.Layer()
        layers = [EncoderLayer(config) for _ in range(config.num_hidden_layers)]
        self.encoder.layers = nn.LayerList(layers)
        if with_pooler:
            self.pooler = nn.Layer()
            self.pooler.dense = _linear(config.hidden_size, config.hidden_size)

    def forward(self, rows: PackedRows) -> paddle.Tensor:
        """Returns the vector of each row in the caller's order, [N, H], not normalised.

        It is the last layer's output for the row's first token, or the mean of its outputs for all
        the row's tokens (`config.representation`). Raises DataError where a row has more tokens
        than the encoder has positions.
        """
        groups = rows.groups
        longest = groups[-1].length
        refuse_long_row(self.config, longest)
        hidden = self.embeddings(rows)  # [T, H]
        *inner_layers, last_layer = self.encoder.layers
        for layer in inner_layers:
            hidden = self._run_layer(layer, hidden, hidden, groups)  # [T, H]
        if self.config.representation == "mean":
            hidden = self._run_layer(last_layer, hidden, hidden, groups)  # [T, H]
            vectors = row_means(hidden, groups)  # [N, H]
        else:
            first = paddle.gather(hidden, rows.first)  # [N, H]
            vectors = self._run_layer(last_layer, hidden, first, groups, first_only=True)  # [N, H]
        return paddle.gather(vectors, rows.restore)  # [N, H]

    def pooled(self, rows: PackedRows) -> paddle.Tensor:
        """Returns tanh(dense(vector)) of each row, [N, H]. The encoder has to be built with a
        pooler.
        """
        return paddle.tanh(self.pooler.dense(self(rows)))

    def _run_layer(
        self,
        layer: nn.Layer,
        tokens: paddle.Tensor,
        attending: paddle.Tensor,
        groups: list[RowGroup],
        first_only: bool = False,
    ) -> paddle.Tensor:
        """Returns the output of a layer, [A, H]. With `recompute`, training keeps none of the
        layer's activations.
        """
        if self.recompute and self.training and paddle.is_grad_enabled():
            return recompute(layer, tokens, attending, groups, first_only)
        return layer(tokens, attending, groups, first_only)


class Embeddings(nn.Layer):
    """Embeds packed tokens: the sum of their word, position, type (and task 0) embeddings, norm,
    dropout.
    """

    def __init__(self, config: ErnieConfig):
        super().__init__()
        size = config.hidden_size
        self.use_task_id = config.use_task_id
        self.word_embeddings = _embedding(config.vocab_size, size)
        self.position_embeddings = _embedding(config.max_position_embeddings, size)
        self.token_type_embeddings = _embedding(config.type_vocab_size, size)
        if config.use_task_id:
            self.task_type_embeddings = _embedding(config.task_type_vocab_size, size)
        self.layer_norm = nn.LayerNorm(size, epsilon=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, rows: PackedRows) -> paddle.Tensor:
        """Returns the embedded tokens, [T, H]."""
        hidden = self.word_embeddings(rows.token_ids)  # [T, H]
        hidden = hidden + self.position_embeddings(rows.positions)  # [T, H]
        hidden = hidden + self.token_type_embeddings(rows.type_ids)  # [T, H]
        if self.use_task_id:
            task_ids = paddle.zeros_like(rows.type_ids)  # [T]
            hidden = hidden + self.task_type_embeddings(task_ids)  # [T, H]
        return self.dropout(self.layer_norm(hidden))  # [T, H]


class EncoderLayer(nn.Layer):
    """Attention, add, norm; feed-forward, add, norm (the norm follows the sum: "post-norm")."""

    def __init__(self, config: ErnieConfig):
        super().__init__()
        size = config.hidden_size
        self.self_attn = Attention(config)
        self.linear1 = _linear(size, config.intermediate_size)
        self.linear2 = _linear(config.intermediate_size, size)
        self.norm1 = nn.LayerNorm(size, epsilon=config.layer_norm_eps)
        self.norm2 = nn.LayerNorm(size, epsilon=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.activation = getattr(F, config.hidden_act)

    def forward(
        self,
        tokens: paddle.Tensor,
        attending: paddle.Tensor,
        groups: list[RowGroup],
        first_only: bool,
    ) -> paddle.Tensor:
        """Returns the layer's output for the attending tokens, [A, H].

        tokens: [T, H], which the attention reads. attending: [A, H], the same `tokens`, or with
        `first_only` those that begin a row.
        """
        context = self.self_attn(tokens, attending, groups, first_only)  # [A, H]
        out_proj = self.self_attn.out_proj
        hidden = self._project_add_norm(context, out_proj, attending, self.norm1)  # [A, H]
        intermediate = self._intermediate(hidden)  # [A, F]
        return self._project_add_norm(intermediate, self.linear2, hidden, self.norm2)  # [A, H]

    def _intermediate(self, hidden: paddle.Tensor) -> paddle.Tensor:
        """Returns activation(linear1(hidden)), [A, F]."""
        if self.activation is not F.gelu or not cpu_kernels.usable(hidden):
            return self.activation(self.linear1(hidden))  # [A, F]
        product = paddle.matmul(hidden, self.linear1.weight)  # [A, F]
        return cpu_kernels.bias_gelu(product, self.linear1.bias)  # [A, F]

    def _project_add_norm(
        self,
        inputs: paddle.Tensor,
        projection: nn.Linear,
        residual: paddle.Tensor,
        norm: nn.LayerNorm,
    ) -> paddle.Tensor:
        """Returns norm(residual + dropout(projection(inputs))), [A, H].

        inputs: [A, H] or [A, F].
        """
        if not cpu_kernels.usable(inputs):
            return norm(residual + self.dropout(projection(inputs)))  # [A, H]
        product = paddle.matmul(inputs, projection.weight)  # [A, H]
        probability = _dropout_in_use(self.dropout)
        return cpu_kernels.add_norm(product, projection.bias, residual, norm, probability)  # [A, H]


class Attention(nn.Layer):
    """Multi-head attention within each row; the output projection is left to the encoder layer."""

    def __init__(self, config: ErnieConfig):
        super().__init__()
        size = config.hidden_size
        self.heads = config.num_attention_heads
        self.head_size = size // self.heads
        self.q_proj = _linear(size, size)
        self.k_proj = _linear(size, size)
        self.v_proj = _linear(size, size)
        self.out_proj = _linear(size, size)
        self.dropout = nn.Dropout(config.attention_probs_dropout_prob)

    def forward(
        self,
        tokens: paddle.Tensor,
        attending: paddle.Tensor,
        groups: list[RowGroup],
        first_only: bool,
    ) -> paddle.Tensor:
        """Returns the context of each attending token, [A, H]: the weighted sum of the values of
        its row's tokens.
        """
        if cpu_kernels.usable(tokens):
            return self._by_kernels(tokens, attending, groups, first_only)
        q = self.q_proj(attending) * self.head_size**-0.5  # [A, H]
        k = self.k_proj(tokens)  # [T, H]
        v = self.v_proj(tokens)  # [T, H]
        attending_counts = [group.rows if first_only else group.tokens for group in groups]
        group_qs = paddle.split(q, attending_counts)  # [R * a, H] each
        group_ks = split_by_group(k, groups)  # [R * L, H] each
        group_vs = split_by_group(v, groups)  # [R * L, H] each
        contexts = []
        for group, group_q, group_k, group_v in zip(groups, group_qs, group_ks, group_vs):
            contexts.append(self._attend_in_group(group.rows, group_q, group_k, group_v))
        return paddle.concat(contexts)  # [A, H]

    def _attend_in_group(
        self, rows: int, q: paddle.Tensor, k: paddle.Tensor, v: paddle.Tensor
    ) -> paddle.Tensor:
        """Returns the contexts of a group of rows of equal length, [R * a, H]; q: [R * a, H], k and
        v: [R * L, H].
        """
        q = self._by_head(q, rows)  # [R, h, a, d]
        k = self._by_head(k, rows)  # [R, h, L, d]
        v = self._by_head(v, rows)  # [R, h, L, d]
        scores = paddle.matmul(q, k, transpose_y=True)  # [R, h, a, L]
        weights = self.dropout(F.softmax(scores))  # [R, h, a, L]
        context = paddle.matmul(weights, v)  # [R, h, a, d]
        context = context.transpose([0, 2, 1, 3])  # [R, a, h, d]
        return context.reshape([-1, self.heads * self.head_size])  # [R * a, H]

    def _by_head(self, hidden: paddle.Tensor, rows: int) -> paddle.Tensor:
        by_row = hidden.reshape([rows, -1, self.heads, self.head_size])  # [R, a or L, h, d]
        return by_row.transpose([0, 2, 1, 3])  # [R, h, a or L, d]

    def _by_kernels(
        self,
        tokens: paddle.Tensor,
        attending: paddle.Tensor,
        groups: list[RowGroup],
        first_only: bool,
    ) -> paddle.Tensor:
        """Returns what `forward` returns, on a CPU. Keys and values are one product; the kernel
        adds the biases.
        """
        q = paddle.matmul(attending, self.q_proj.weight)  # [A, H]
        kv_weight = paddle.concat([self.k_proj.weight, self.v_proj.weight], axis=1)  # [H, 2 H]
        kv = paddle.matmul(tokens, kv_weight)  # [T, 2 H]
        bias = paddle.concat([self.q_proj.bias, self.k_proj.bias, self.v_proj.bias])  # [3 H]
        probability = _dropout_in_use(self.dropout)
        return cpu_kernels.attend(q, kv, bias, groups, self.heads, first_only, probability)


def _dropout_in_use(dropout: nn.Dropout) -> float:
    """Returns the probability with which an element is dropped: 0 outside training."""
    return dropout.p if dropout.training else 0.0


# Weights are always loaded after a model is built. Zeros are the fastest value to build it with.
def _linear(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, weight_attr=_zeros())


def _embedding(entries: int, size: int) -> nn.Embedding:
    return nn.Embedding(entries, size, weight_attr=_zeros())


def _zeros() -> paddle.ParamAttr:
    return paddle.ParamAttr(initializer=nn.initializer.Constant(0.0))
