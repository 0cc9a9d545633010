"""The ERNIE encoder: parameters named as in PaddleNLP's `ErnieModel`, equal outputs and gradients.

It differs from a padded encoder in two ways. Both only leave out work that has no effect on the
result:

- Rows are packed (`packing.py`): dense products, norms and dropout see the tokens of all rows as
  one sequence, [T, H]. There is no padding in it, so no time is spent on padding.
- The vector of a row is that of its first token. No other output of the last layer is ever read,
  so the last layer computes its output for the first tokens alone. Their attention still reads all
  tokens of their rows. (With `representation` "mean" all tokens leave the last layer.)

Letters:
    N  rows                          H  hidden size
    T  tokens of all rows together   F  size of the feed-forward layer
    L  tokens of a row               h  attention heads
                                     d  size of a head, H / h
    A  attending tokens, for which a layer computes outputs: all T; in the last layer the N first
    a  attending tokens of a row: L; in the last layer 1
"""

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn
from paddle.distributed.fleet.utils import recompute

from rocketqa.encoder import cpu_kernels
from rocketqa.encoder.attention import AttentionRows, KernelRows, rows_for_attention
from rocketqa.encoder.config import ErnieConfig, refuse_long_row
from rocketqa.encoder.packing import PackedRows
from rocketqa.encoder.unit_vectors import unit_vectors


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

    def forward(self, rows: PackedRows) -> Tensor:
        """Returns the vector of each row in the caller's order, [N, H].

        It is the last layer's output for the row's first token, or the mean of its outputs for all
        the row's tokens (`config.representation`). With `config.similarity` "cosine" it is float32
        and has length 1. Raises DataError where a row has more tokens than the encoder has
        positions.
        """
        longest = rows.groups[-1].length
        refuse_long_row(self.config, longest)
        hidden = self.embeddings(rows)  # [T, H]
        head_size = self.config.hidden_size // self.config.num_attention_heads
        attention_rows = rows_for_attention(rows, hidden, head_size)
        *inner_layers, last_layer = self.encoder.layers
        for layer in inner_layers:
            hidden = self._run_layer(layer, hidden, hidden, attention_rows)  # [T, H]
        if self.config.representation == "mean":
            hidden = self._run_layer(last_layer, hidden, hidden, attention_rows)  # [T, H]
            vectors = attention_rows.means(hidden)  # [N, H]
        else:
            first = paddle.gather(hidden, rows.first)  # [N, H]
            vectors = self._run_layer(
                last_layer, hidden, first, attention_rows, first_only=True
            )  # [N, H]
        vectors = paddle.gather(vectors, rows.restore)  # [N, H]
        if self.config.similarity == "cosine":
            with paddle.amp.auto_cast(enable=False):
                vectors = unit_vectors(vectors)  # [N, H]
        return vectors

    def pooled(self, rows: PackedRows) -> Tensor:
        """Returns tanh(dense(vector)) of each row, [N, H], of an encoder that has a pooler."""
        vectors = self(rows)  # [N, H]
        return paddle.tanh(self.pooler.dense(vectors))  # [N, H]

    def _run_layer(
        self,
        layer: nn.Layer,
        tokens: Tensor,
        attending: Tensor,
        rows: AttentionRows,
        first_only: bool = False,
    ) -> Tensor:
        """Returns the output of a layer, [A, H].

        With `recompute`, training does not keep the activations of the layer.
        """
        if self.training:
            rows = rows.with_new_dropout()
        if self.recompute and self.training and paddle.is_grad_enabled():
            return recompute(layer, tokens, attending, rows, first_only)
        return layer(tokens, attending, rows, first_only)


class Embeddings(nn.Layer):
    """Embeds packed tokens: dropout(norm(word + position + type [+ task 0])), [T, H]."""

    def __init__(self, config: ErnieConfig):
        super().__init__()
        size = config.hidden_size
        self.use_task_id = config.use_task_id
        self.word_embeddings = _embedding(config.vocab_size, size)
        self.position_embeddings = _embedding(config.max_position_embeddings, size)
        self.token_type_embeddings = _embedding(config.type_vocab_size, size)
        if config.use_task_id:
            self.task_type_embeddings = _embedding(config.task_type_vocab_size, size)
        self.layer_norm = _norm(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, rows: PackedRows) -> Tensor:
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
        self.norm1 = _norm(config)
        self.norm2 = _norm(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.activation = getattr(F, config.hidden_act)

    def forward(
        self,
        tokens: Tensor,
        attending: Tensor,
        rows: AttentionRows,
        first_only: bool,
    ) -> Tensor:
        """Returns the layer's output for the attending tokens, [A, H].

        tokens: [T, H], which the attention reads. attending: [A, H], all of `tokens`, or with
        `first_only` the first token of each row.
        """
        context = self.self_attn(tokens, attending, rows, first_only)  # [A, H]
        out_proj = self.self_attn.out_proj
        hidden = self._project_add_norm(context, out_proj, attending, self.norm1)  # [A, H]
        intermediate = self._intermediate(hidden)  # [A, F]
        return self._project_add_norm(intermediate, self.linear2, hidden, self.norm2)  # [A, H]

    def _intermediate(self, hidden: Tensor) -> Tensor:
        """Returns activation(linear1(hidden)), [A, F]."""
        is_gelu = self.activation is F.gelu
        if is_gelu and cpu_kernels.usable(hidden):
            product = paddle.matmul(hidden, self.linear1.weight)  # [A, F]
            return cpu_kernels.bias_gelu(product, self.linear1.bias)  # [A, F]
        return self.activation(self.linear1(hidden))  # [A, F]

    def _project_add_norm(
        self,
        inputs: Tensor,
        projection: nn.Linear,
        residual: Tensor,
        norm: nn.LayerNorm,
    ) -> Tensor:
        """Returns norm(residual + dropout(projection(inputs))), [A, H].

        inputs: [A, H] or [A, F].
        """
        if cpu_kernels.usable(inputs):
            product = paddle.matmul(inputs, projection.weight)  # [A, H]
            p = _dropout_in_use(self.dropout)
            return cpu_kernels.add_norm(product, projection.bias, residual, norm, p)  # [A, H]
        projected = self.dropout(projection(inputs))  # [A, H]
        return norm(residual + projected)  # [A, H]


class Attention(nn.Layer):
    """Multi-head attention within each row: softmax(q k^T / sqrt(d)) v for each head.

    The output projection is left to the encoder layer. `attention.py` says which way the softmax is
    computed on which device.
    """

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
        tokens: Tensor,
        attending: Tensor,
        rows: AttentionRows,
        first_only: bool,
    ) -> Tensor:
        """Returns the context of each attending token, [A, H].

        It is the weighted sum of the values of all tokens of the row.
        """
        if isinstance(rows, KernelRows):
            return self._by_kernels(tokens, attending, rows, first_only)
        q = self.q_proj(attending)  # [A, H]
        k = self.k_proj(tokens)  # [T, H]
        v = self.v_proj(tokens)  # [T, H]
        p = _dropout_in_use(self.dropout)
        return rows.attend(q, k, v, self.heads, first_only, p)  # [A, H]

    def _by_kernels(
        self,
        tokens: Tensor,
        attending: Tensor,
        rows: AttentionRows,
        first_only: bool,
    ) -> Tensor:
        """Returns what `forward` returns, on a CPU.

        Keys and values are one product. The kernel adds the biases.
        """
        kv_weights = [self.k_proj.weight, self.v_proj.weight]
        biases = [self.q_proj.bias, self.k_proj.bias, self.v_proj.bias]
        q = paddle.matmul(attending, self.q_proj.weight)  # [A, H]
        kv_weight = paddle.concat(kv_weights, axis=1)  # [H, 2 H]
        kv = paddle.matmul(tokens, kv_weight)  # [T, 2 H]
        bias = paddle.concat(biases)  # [3 H]
        p = _dropout_in_use(self.dropout)
        return cpu_kernels.attend(q, kv, bias, rows.groups, self.heads, first_only, p)  # [A, H]


def _dropout_in_use(dropout: nn.Dropout) -> float:
    """Returns the probability with which an element is dropped: 0 outside training."""
    return dropout.p if dropout.training else 0.0


def _norm(config: ErnieConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.hidden_size, epsilon=config.layer_norm_eps)


# Weights are always loaded after a model is built. Zeros are the fastest value to build it with.
def _linear(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, weight_attr=_zeros())


def _embedding(entries: int, size: int) -> nn.Embedding:
    return nn.Embedding(entries, size, weight_attr=_zeros())


def _zeros() -> paddle.ParamAttr:
    zero = nn.initializer.Constant(0.0)
    return paddle.ParamAttr(initializer=zero)
