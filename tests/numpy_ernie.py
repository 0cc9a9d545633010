"""A slow ERNIE in numpy and float64, one row at a time, by the formulas of the papers."""

import math

import numpy as np

from rocketqa.encoder.config import ErnieConfig
from rocketqa.text.tokenizer import Encoding

ACTIVATIONS = {
    "gelu": np.vectorize(lambda value: value * (1 + math.erf(value / 2**0.5)) / 2),
    "relu": lambda values: np.maximum(values, 0),
}


class NumpyErnie:
    """An encoder whose weights are those of `weights` whose names begin with `prefix`."""

    def __init__(self, config: ErnieConfig, weights: dict[str, np.ndarray], prefix: str):
        self.config = config
        self.weights = {
            name.removeprefix(prefix): value.astype(np.float64)
            for name, value in weights.items()
            if name.startswith(prefix)
        }

    def vector(self, row: Encoding) -> np.ndarray:
        """Returns the vector of the first token, [H]."""
        hidden = self._embedded(row)  # [L, H]
        for number in range(self.config.num_hidden_layers):
            hidden = self._layer(f"encoder.layers.{number}.", hidden)  # [L, H]
        return hidden[0]

    def _embedded(self, row: Encoding) -> np.ndarray:
        hidden = self._table("word")[row.token_ids]
        hidden = hidden + self._table("position")[: len(row.token_ids)]
        hidden = hidden + self._table("token_type")[row.type_ids]
        if self.config.use_task_id:
            hidden = hidden + self._table("task_type")[0]
        return self._norm("embeddings.layer_norm", hidden)

    def _layer(self, name: str, hidden: np.ndarray) -> np.ndarray:
        context = self._attention(f"{name}self_attn.", hidden)
        projected = self._dense(f"{name}self_attn.out_proj", context)
        hidden = self._norm(f"{name}norm1", hidden + projected)
        activation = ACTIVATIONS[self.config.hidden_act]
        intermediate = activation(self._dense(f"{name}linear1", hidden))
        projected = self._dense(f"{name}linear2", intermediate)
        return self._norm(f"{name}norm2", hidden + projected)

    def _attention(self, name: str, hidden: np.ndarray) -> np.ndarray:
        q = self._dense(f"{name}q_proj", hidden)
        k = self._dense(f"{name}k_proj", hidden)
        v = self._dense(f"{name}v_proj", hidden)
        size = self.config.hidden_size // self.config.num_attention_heads
        contexts = []
        for begin in range(0, self.config.hidden_size, size):
            head = slice(begin, begin + size)
            scores = np.exp(q[:, head] @ k[:, head].T / size**0.5)  # [L, L]
            weights = scores / scores.sum(axis=1, keepdims=True)
            contexts.append(weights @ v[:, head])
        return np.hstack(contexts)

    def _table(self, name: str) -> np.ndarray:
        return self.weights[f"embeddings.{name}_embeddings.weight"]

    def _dense(self, name: str, vectors: np.ndarray) -> np.ndarray:
        return vectors @ self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def _norm(self, name: str, vectors: np.ndarray) -> np.ndarray:
        centred = vectors - vectors.mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        normed = centred / np.sqrt(variance + self.config.layer_norm_eps)
        return normed * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
