"""A BERT of two layers in Hugging Face's layout, and its answers, computed slowly in float64."""

import json
import math
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

# H = 16 hidden, 4 heads, 40 in the feed-forward network.
SETTINGS = {
    "architectures": ["BertForPreTraining"],
    "model_type": "bert",
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.2,
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-6,
    "pad_token_id": 0,
}
VOCABULARY = "".join(f"{word}\n" for word in ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]).encode()
DENSE = {  # [out, in]
    "attention.self.query": (16, 16),
    "attention.self.key": (16, 16),
    "attention.self.value": (16, 16),
    "attention.output.dense": (16, 16),
    "intermediate.dense": (40, 16),
    "output.dense": (16, 40),
}
LAYERS = ("encoder.layer.0.", "encoder.layer.1.")


def bert_weights() -> dict[str, np.ndarray]:
    """Returns drawn weights by Hugging Face's names, without a prefix; no bias is 0, no norm 1."""
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (60, 16),
        "embeddings.position_embeddings.weight": (32, 16),
        "embeddings.token_type_embeddings.weight": (2, 16),
        "pooler.dense.weight": (16, 16),
        "pooler.dense.bias": (16,),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in LAYERS:
        for name, (outputs, inputs) in DENSE.items():
            shapes[f"{layer}{name}.weight"] = (outputs, inputs)
            shapes[f"{layer}{name}.bias"] = (outputs,)
        norms += [f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"]
    for norm in norms:
        shapes[f"{norm}.weight"] = (16,)
        shapes[f"{norm}.bias"] = (16,)
    drawing = np.random.default_rng(4)
    weights = {}
    for name, shape in shapes.items():
        mean = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        weights[name] = (drawing.normal(0, 0.3, shape) + mean).astype(np.float32)
    return weights


def heads() -> dict[str, np.ndarray]:
    """Returns the parameters that pre-training leaves beside the encoder."""
    return {
        "bert.embeddings.position_ids": np.arange(32)[None],
        "cls.predictions.bias": np.zeros(60, np.float32),
        "cls.predictions.transform.dense.weight": np.zeros((16, 16), np.float32),
        "cls.predictions.transform.LayerNorm.gamma": np.zeros(16, np.float32),
        "cls.seq_relationship.weight": np.zeros((2, 16), np.float32),
    }


def with_old_names(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the weights with the names that norms had in the first BERT checkpoints."""
    renamed = {}
    for name, value in weights.items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        name = name.replace("LayerNorm.bias", "LayerNorm.beta")
        renamed[name] = value
    return renamed


def with_prefix(weights: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Returns the weights with a prefix before each name."""
    return {prefix + name: value for name, value in weights.items()}


def write_folder(
    folder: Path, weights: dict[str, np.ndarray], settings: dict | None = SETTINGS
) -> Path:
    """Writes a model folder with a vocabulary of special tokens; without config.json for None."""
    save_file(weights, folder / "model.safetensors")
    if settings is not None:
        (folder / "config.json").write_text(json.dumps(settings))
    (folder / "vocab.txt").write_bytes(VOCABULARY)
    return folder


class SlowBert:
    """The network in float64, row by row and head by head."""

    def __init__(self, weights: dict[str, np.ndarray]):
        self.weights = {name: value.astype(np.float64) for name, value in weights.items()}

    def answer(self, token_ids: np.ndarray, type_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the first token's vector of a row, [H], and the pooled one, [H]."""
        hidden = self.embedded(token_ids, type_ids)  # [L, H]
        for layer in LAYERS:
            attended = self.attended(hidden, layer)
            hidden = self.norm(hidden + attended, f"{layer}attention.output.LayerNorm")
            inner = gelu(self.dense(hidden, f"{layer}intermediate.dense"))
            output = self.dense(inner, f"{layer}output.dense")
            hidden = self.norm(hidden + output, f"{layer}output.LayerNorm")
        pooled = np.tanh(self.dense(hidden[:1], "pooler.dense"))
        return hidden[0], pooled[0]

    def embedded(self, token_ids: np.ndarray, type_ids: np.ndarray) -> np.ndarray:
        words = self.weights["embeddings.word_embeddings.weight"]
        positions = self.weights["embeddings.position_embeddings.weight"]
        types = self.weights["embeddings.token_type_embeddings.weight"]
        summed = words[token_ids] + positions[: len(token_ids)] + types[type_ids]
        return self.norm(summed, "embeddings.LayerNorm")

    def attended(self, hidden: np.ndarray, layer: str) -> np.ndarray:
        q = self.dense(hidden, f"{layer}attention.self.query")
        k = self.dense(hidden, f"{layer}attention.self.key")
        v = self.dense(hidden, f"{layer}attention.self.value")
        context = np.zeros_like(hidden)
        for head in range(4):
            part = slice(4 * head, 4 * head + 4)
            for place in range(len(hidden)):
                weight = np.exp(k[:, part] @ q[place, part] / math.sqrt(4))
                context[place, part] = weight @ v[:, part] / weight.sum()
        return self.dense(context, f"{layer}attention.output.dense")

    def dense(self, vectors: np.ndarray, name: str) -> np.ndarray:
        return vectors @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, vectors: np.ndarray, name: str) -> np.ndarray:
        mean = vectors.mean(1, keepdims=True)
        variance = vectors.var(1, keepdims=True)
        scaled = (vectors - mean) / np.sqrt(variance + 1e-6)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


@np.vectorize
def gelu(value: float) -> float:
    """Returns the exact GELU."""
    return value * 0.5 * (1 + math.erf(value / math.sqrt(2)))
