"""Released models in small, written by hand in the old layout, and what they answer, computed slowly in float64.

Nothing here knows the package's key map, tokenizer or encoder.
"""

import json
import math
import struct
import sys
from pathlib import Path

import numpy as np

ENGLISH = "[PAD] [UNK] [CLS] [SEP] - the cat sat on a mat dog ran far home when is".split()
CHINESE = [*"[PAD] [CLS] [SEP] [UNK]".split(), *"猫坐在垫子上狗跑得很远吗"]
PACKAGE = {  # kind -> what config.json says beside the paths
    "separate": {"model_type": "dual_encoder", "q_max_seq_len": 8, "p_max_seq_len": 12},
    "shared": {
        "model_type": "dual_encoder",
        "q_max_seq_len": 8,
        "p_max_seq_len": 12,
        "share_parameter": 1,
    },
    "cross": {"model_type": "cross_encoder", "max_seq_len": 14},
    "joint": {"model_type": "cross_encoder", "max_seq_len": 14, "joint_training": 1},
    "zh separate": {
        "model_type": "dual_encoder",
        "q_max_seq_len": 8,
        "p_max_seq_len": 12,
        "for_cn": True,
        "share_parameter": 0,
    },
    "zh cross": {
        "model_type": "cross_encoder",
        "max_seq_len": 14,
        "for_cn": True,
        "share_parameter": 0,
    },
}
PREFIXES = {
    "separate": ("query_", "titlepara_"),
    "shared": ("titlepara_",),
    "cross": ("",),
    "joint": ("qtp_",),
}
H, LAYERS, HEADS, POSITIONS = 8, 2, 2, 20


def variables(kind: str, types: int, words: int, task: bool, seed: int) -> dict[str, np.ndarray]:
    """Returns a model's variables by their released names, random."""
    drawing = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {}
    for prefix in PREFIXES[kind]:
        shapes |= {
            f"{prefix}word_embedding": (words, H),
            f"{prefix}pos_embedding": (POSITIONS, H),
            f"{prefix}sent_embedding": (types, H),
            f"{prefix}pre_encoder_layer_norm_scale": (H,),
            f"{prefix}pre_encoder_layer_norm_bias": (H,),
        }
        if task:
            shapes[f"{prefix}task_embedding"] = (3, H)
        for i in range(LAYERS):
            layer = f"{prefix}encoder_layer_{i}_"
            for name in ("query", "key", "value", "output"):
                shapes[f"{layer}multi_head_att_{name}_fc.w_0"] = (H, H)
                shapes[f"{layer}multi_head_att_{name}_fc.b_0"] = (H,)
            shapes |= {
                f"{layer}ffn_fc_0.w_0": (H, 4 * H),
                f"{layer}ffn_fc_0.b_0": (4 * H,),
                f"{layer}ffn_fc_1.w_0": (4 * H, H),
                f"{layer}ffn_fc_1.b_0": (H,),
            }
            for name in ("post_att", "post_ffn"):
                shapes[f"{layer}{name}_layer_norm_scale"] = shapes[
                    f"{layer}{name}_layer_norm_bias"
                ] = (H,)
    if kind == "cross":
        shapes |= {
            "pooled_fc.w_0": (H, H),
            "pooled_fc.b_0": (H,),
            "_cls_out_w": (H, 2),
            "_cls_out_b": (2,),
        }
    if kind == "joint":
        shapes |= {"qtp__cls_out_w": (H, 1), "qtp__cls_out_b": (1,)}
    return {
        name: drawing.normal(float(name.endswith("scale")), 0.5, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def old_bytes(value: np.ndarray) -> bytes:
    """Returns a variable as Paddle 1.8 and 2 write it; dimensions below 128."""
    description = b"\x08\x05" + b"".join(bytes((0x10, dimension)) for dimension in value.shape)
    return struct.pack("<IQIi", 0, 0, 0, len(description)) + description + value.tobytes()


class ReleasedFixture:
    """A folder with a released model of a kind in it."""

    def __init__(self, folder: Path, kind: str, seed: int = 0, dropout: float = 0.1):
        self.folder, self.chinese, self.kind = (
            folder,
            kind.startswith("zh "),
            kind.removeprefix("zh "),
        )
        words = CHINESE if self.chinese else ENGLISH
        self.words = {word: index for index, word in enumerate(words)}
        types = 2 if self.chinese else 4
        self.variables = variables(self.kind, types, len(words) + 3, self.chinese, seed)
        folder.mkdir(parents=True)
        architecture = {
            "attention_probs_dropout_prob": dropout,
            "hidden_act": "relu" if self.chinese else "gelu",
            "hidden_dropout_prob": dropout,
            "hidden_size": H,
            "initializer_range": 0.02,
            "max_position_embeddings": POSITIONS,
            "num_attention_heads": HEADS,
            "num_hidden_layers": LAYERS,
            "vocab_size": len(words) + 3,
        }
        architecture |= (
            {"type_vocab_size": types, "use_task_id": True, "task_type_vocab_size": 3}
            if self.chinese
            else {"sent_type_vocab_size": types, "task_type_vocab_size": 16}
        )
        name = "zh_" if self.chinese else ""
        self.config = {
            **PACKAGE[kind],
            "model_conf_path": f"{name}config.ernie.json",
            "model_vocab_path": f"{name}vocab.txt",
            "model_checkpoint_path": "step_10",
        }
        (folder / "config.json").write_text(json.dumps(self.config))
        (folder / self.config["model_conf_path"]).write_text(json.dumps(architecture))
        lines = (
            [f"{word}\t{index}" for word, index in self.words.items()][::-1]
            if self.chinese
            else words
        )
        (folder / self.config["model_vocab_path"]).write_text(
            "\n".join(lines) + "\n", encoding="utf-8"
        )
        (folder / "step_10").mkdir()
        for variable, value in self.variables.items():
            (folder / "step_10" / variable).write_bytes(old_bytes(value))
        optimizer = next(iter(self.variables)) + "_moment1_0"  # save_persistables keeps such, too
        (folder / "step_10" / optimizer).write_bytes(old_bytes(np.zeros(3, np.float32)))

    def tokens(self, text: str) -> list[str]:
        return list(text.replace(" ", "")) if self.chinese else text.split()

    def query(self, text: str) -> np.ndarray:
        """Returns a query's vector."""
        row = ["[CLS]", *self.tokens(text)[: self.config["q_max_seq_len"] - 2], "[SEP]"]
        return self.first(PREFIXES[self.kind][0], row, [0] * len(row))

    def passage(self, text: str, title: str = "") -> np.ndarray:
        """Returns a passage's vector."""
        first, second = self.cut(
            self.tokens(title), self.tokens(text), self.config["p_max_seq_len"]
        )
        return self.first(
            PREFIXES[self.kind][-1],
            ["[CLS]", *first, "[SEP]", *second, "[SEP]"],
            [0] * (len(first) + 2) + [1] * (len(second) + 1),
        )

    def score(self, query: str, text: str, title: str = "") -> float:
        """Returns a pair's probability, of a joint model its logit."""
        first, second = self.cut(
            self.tokens(query), self.tokens(title) + self.tokens(text), self.config["max_seq_len"]
        )
        vector = self.first(
            PREFIXES[self.kind][0],
            ["[CLS]", *first, "[SEP]", *second, "[SEP]"],
            [0] * (len(first) + 2) + [1] * (len(second) + 1),
        )
        if self.kind == "joint":
            return float((vector @ self.of("qtp__cls_out_w") + self.of("qtp__cls_out_b"))[0])
        pooled = np.tanh(vector @ self.of("pooled_fc.w_0") + self.of("pooled_fc.b_0"))
        logits = pooled @ self.of("_cls_out_w") + self.of("_cls_out_b")
        return float(np.exp(logits[1]) / np.exp(logits).sum())

    @staticmethod
    def cut(first: list[str], second: list[str], length: int) -> tuple[list[str], list[str]]:
        while len(first) + len(second) > length - 3:
            (first if len(first) > len(second) else second).pop()
        return first, second

    def of(self, name: str) -> np.ndarray:
        return self.variables[name].astype(np.float64)

    def first(self, prefix: str, row: list[str], types: list[int]) -> np.ndarray:
        """Returns the last layer's first token, [H]."""
        ids = [self.words.get(word, self.words["[UNK]"]) for word in row]
        hidden = (
            self.of(f"{prefix}word_embedding")[ids] + self.of(f"{prefix}pos_embedding")[: len(ids)]
        )
        hidden = hidden + self.of(f"{prefix}sent_embedding")[types]
        if self.chinese:
            hidden = hidden + self.of(f"{prefix}task_embedding")[0]
        hidden = self.norm(hidden, f"{prefix}pre_encoder")
        for i in range(LAYERS):
            layer = f"{prefix}encoder_layer_{i}_"
            q, k, v = (
                self.dense(hidden, f"{layer}multi_head_att_{name}_fc")
                for name in ("query", "key", "value")
            )
            heads = []
            for part in (slice(h * H // HEADS, (h + 1) * H // HEADS) for h in range(HEADS)):
                weights = np.exp(q[:, part] @ k[:, part].T / math.sqrt(H // HEADS))
                heads.append(weights / weights.sum(axis=1, keepdims=True) @ v[:, part])
            attended = self.dense(np.concatenate(heads, axis=1), f"{layer}multi_head_att_output_fc")
            hidden = self.norm(hidden + attended, f"{layer}post_att")
            inner = self.dense(hidden, f"{layer}ffn_fc_0")
            inner = (
                np.maximum(inner, 0)
                if self.chinese
                else inner * (1 + np.vectorize(math.erf)(inner / 2**0.5)) / 2
            )
            hidden = self.norm(hidden + self.dense(inner, f"{layer}ffn_fc_1"), f"{layer}post_ffn")
        return hidden[0]

    def dense(self, value: np.ndarray, name: str) -> np.ndarray:
        return value @ self.of(f"{name}.w_0") + self.of(f"{name}.b_0")

    def norm(self, value: np.ndarray, name: str) -> np.ndarray:
        centred = value - value.mean(axis=1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
        return scaled * self.of(f"{name}_layer_norm_scale") + self.of(f"{name}_layer_norm_bias")


if __name__ == "__main__":
    for kind in PACKAGE:
        ReleasedFixture(Path(sys.argv[1]) / kind, kind, dropout=0.0)
