"""The ERNIE encoder as a `paddle.nn.Layer`: parameters named as in PaddleNLP's `ErnieModel`, equal to it in forward
and gradients, but without arithmetic on padding and with only the first token leaving the last layer.

Letters: N rows, L tokens of a row, T tokens of all rows together, H hidden size, h heads, d = H / h.

Rows are packed, sorted by length, into one sequence of T tokens: every dense product, norm and dropout works on [T, H].
Only attention looks at rows, one group of rows of equal length at a time, so it needs no mask.
"""

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.distributed.fleet.utils import recompute

from rocketqa.encoder import cpu_kernels
from rocketqa.encoder.config import ErnieConfig, refuse_longer
from rocketqa.encoder.packing import PackedRows, row_means
from rocketqa.jobs.seeds import generator


def initial_weights(config: ErnieConfig, seed: int) -> dict[str, np.ndarray]:
    """Returns fresh float32 weights by PaddleNLP's names: normal, cut at two deviations; norms 1, biases 0."""
    drawing = generator(seed, "initial weights")
    weights = {}
    for name, parameter in Ernie(config, with_pooler=True).state_dict().items():
        if "norm" in name and name.endswith("weight"):
            weights[name] = np.ones(parameter.shape, np.float32)
        elif name.endswith("bias"):
            weights[name] = np.zeros(parameter.shape, np.float32)
        else:
            weights[name] = truncated_normal(drawing, parameter.shape, config.initializer_range)
    return weights


def truncated_normal(
    drawing: np.random.Generator, shape: Sequence[int], deviation: float
) -> np.ndarray:
    """Returns normal values, drawn again beyond two deviations (the released initialiser), float32."""
    values = drawing.standard_normal(shape)
    while (beyond := np.abs(values) > 2).any():
        values[beyond] = drawing.standard_normal(int(beyond.sum()))
    return (values * deviation).astype(np.float32)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, weight_attr=_empty())


def _empty() -> paddle.ParamAttr:
    """Weights are always loaded, never left as built: zeros are built fastest."""
    return paddle.ParamAttr(initializer=nn.initializer.Constant(0.0))


class Ernie(nn.Layer):
    """Rows of tokens -> their vectors out of the last layer [N, H]; `pooled` adds dense + tanh."""

    def __init__(self, config: ErnieConfig, with_pooler: bool):
        super().__init__()
        self.config, self.recompute = config, False
        self.embeddings = Embeddings(config)
        self.encoder = nn.Layer()
        self.encoder.layers = nn.LayerList(
            [EncoderLayer(config) for _ in range(config.num_hidden_layers)]
        )
        if with_pooler:
            self.pooler = nn.Layer()
            self.pooler.dense = _linear(config.hidden_size, config.hidden_size)

    def forward(self, rows: PackedRows) -> paddle.Tensor:
        """Returns the raw vector of each row's first token, or their mean, [N, H], in the caller's order."""
        refuse_longer(self.config, rows.groups[-1][1])
        hidden = self.embeddings(rows)  # [T, H]
        *inner, last = self.encoder.layers
        for layer in inner:
            hidden = self._through(layer, hidden, hidden, rows.groups, False)  # [T, H]
        if self.config.representation == "mean":
            hidden = row_means(
                self._through(last, hidden, hidden, rows.groups, False), rows.groups
            )  # [N, H]
        else:
            hidden = self._through(
                last, hidden, paddle.gather(hidden, rows.first), rows.groups, True
            )  # [N, H]
        return paddle.gather(hidden, rows.restore)  # [N, H]

    def _through(self, layer: nn.Layer, *inputs) -> paddle.Tensor:
        """Returns what a layer makes; with `recompute` its activations are made again when the gradient needs them."""
        if self.recompute and self.training and paddle.is_grad_enabled():
            return recompute(layer, *inputs)
        return layer(*inputs)

    def pooled(self, rows: PackedRows) -> paddle.Tensor:
        """Returns tanh(dense(first token)), [N, H]."""
        return paddle.tanh(self.pooler.dense(self(rows)))


class Embeddings(nn.Layer):
    """Word + position + type (+ task 0) embeddings, norm, dropout: [T, H]."""

    def __init__(self, config: ErnieConfig):
        super().__init__()
        hidden_size = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, hidden_size, weight_attr=_empty())
        self.position_embeddings = nn.Embedding(
            config.max_position_embeddings, hidden_size, weight_attr=_empty()
        )
        self.token_type_embeddings = nn.Embedding(
            config.type_vocab_size, hidden_size, weight_attr=_empty()
        )
        if config.use_task_id:
            self.task_type_embeddings = nn.Embedding(
                config.task_type_vocab_size, hidden_size, weight_attr=_empty()
            )
        self.use_task_id = config.use_task_id
        self.layer_norm = nn.LayerNorm(hidden_size, epsilon=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, rows: PackedRows) -> paddle.Tensor:
        hidden = self.word_embeddings(rows.token_ids) + self.position_embeddings(rows.positions)
        hidden = hidden + self.token_type_embeddings(rows.type_ids)
        if self.use_task_id:
            hidden = hidden + self.task_type_embeddings(paddle.zeros_like(rows.type_ids))
        return self.dropout(self.layer_norm(hidden))


class EncoderLayer(nn.Layer):
    """Attention, add, norm; feed-forward, add, norm (post-norm)."""

    def __init__(self, config: ErnieConfig):
        super().__init__()
        hidden_size = config.hidden_size
        self.self_attn = Attention(config)
        self.linear1 = _linear(hidden_size, config.intermediate_size)
        self.linear2 = _linear(config.intermediate_size, hidden_size)
        self.norm1 = nn.LayerNorm(hidden_size, epsilon=config.layer_norm_eps)
        self.norm2 = nn.LayerNorm(hidden_size, epsilon=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.activation = getattr(F, config.hidden_act)

    def forward(
        self, tokens, askers, groups: list[tuple[int, int]], first_only: bool
    ) -> paddle.Tensor:
        """Returns the `askers` (all tokens [T, H], or each row's first [N, H]) after looking at their rows' tokens."""
        context = self.self_attn(tokens, askers, groups, first_only)
        hidden = self._added(askers, context, self.self_attn.out_proj, self.norm1)
        return self._added(hidden, self._activated(hidden), self.linear2, self.norm2)

    def _added(self, residual, inputs, linear: nn.Linear, norm: nn.LayerNorm) -> paddle.Tensor:
        if not cpu_kernels.usable(inputs):
            return norm(residual + self.dropout(linear(inputs)))
        product = paddle.matmul(inputs, linear.weight)
        return cpu_kernels.add_norm(
            product, linear.bias, residual, norm, self.dropout.p if self.training else 0.0
        )

    def _activated(self, hidden) -> paddle.Tensor:
        if self.activation is not F.gelu or not cpu_kernels.usable(hidden):
            return self.activation(self.linear1(hidden))
        return cpu_kernels.bias_gelu(paddle.matmul(hidden, self.linear1.weight), self.linear1.bias)


class Attention(nn.Layer):
    """Multi-head attention of each row over its own tokens."""

    def __init__(self, config: ErnieConfig):
        super().__init__()
        hidden_size = config.hidden_size
        self.q_proj, self.k_proj = (
            _linear(hidden_size, hidden_size),
            _linear(hidden_size, hidden_size),
        )
        self.v_proj, self.out_proj = (
            _linear(hidden_size, hidden_size),
            _linear(hidden_size, hidden_size),
        )
        self.heads, self.head_size = (
            config.num_attention_heads,
            hidden_size // config.num_attention_heads,
        )
        self.dropout = nn.Dropout(config.attention_probs_dropout_prob)

    def forward(
        self, tokens, askers, groups: list[tuple[int, int]], first_only: bool
    ) -> paddle.Tensor:
        """Returns the askers' contexts, [T, H], or [N, H] of first tokens, before the output product."""
        if cpu_kernels.usable(tokens):
            return self._by_kernels(tokens, askers, groups, first_only)
        q = self.q_proj(askers) * self.head_size**-0.5  # [T, H], or [N, H] for first tokens
        k, v = self.k_proj(tokens), self.v_proj(tokens)  # [T, H]
        token_counts = [rows * length for rows, length in groups]
        asker_counts = [rows for rows, _ in groups] if first_only else token_counts
        contexts = [
            self._attend(*qkv, rows)
            for qkv, (rows, _) in zip(
                zip(
                    paddle.split(q, asker_counts),
                    paddle.split(k, token_counts),
                    paddle.split(v, token_counts),
                ),
                groups,
            )
        ]
        return paddle.concat(contexts)

    def _by_kernels(
        self, tokens, askers, groups: list[tuple[int, int]], first_only: bool
    ) -> paddle.Tensor:
        q = paddle.matmul(askers, self.q_proj.weight)
        kv = paddle.matmul(
            tokens, paddle.concat([self.k_proj.weight, self.v_proj.weight], axis=1)
        )  # [T, 2H]
        bias = paddle.concat([self.q_proj.bias, self.k_proj.bias, self.v_proj.bias])
        return cpu_kernels.attend(
            q, kv, bias, groups, self.heads, first_only, self.dropout.p if self.training else 0.0
        )

    def _attend(self, q, k, v, rows: int) -> paddle.Tensor:
        q, k, v = (self._by_head(tensor, rows) for tensor in (q, k, v))  # [rows, h, L or 1, d]
        weights = self.dropout(
            F.softmax(paddle.matmul(q, k, transpose_y=True))
        )  # [rows, h, L or 1, L]
        context = paddle.matmul(weights, v).transpose([0, 2, 1, 3])  # [rows, L or 1, h, d]
        return context.reshape([-1, self.heads * self.head_size])

    def _by_head(self, tensor, rows: int) -> paddle.Tensor:
        return tensor.reshape([rows, -1, self.heads, self.head_size]).transpose([0, 2, 1, 3])
