"""Small released models, written by hand in the old layout, and their answers in slow float64.

Nothing here uses the package's key map, tokenizer or encoder.

    python tests/released_fixture.py FOLDER    writes a model of each kind, without dropout
"""

import json
import math
import struct
import sys
from pathlib import Path

import numpy as np

ENGLISH = "[PAD] [UNK] [CLS] [SEP] - the cat sat on a mat dog ran far home when is".split()
CHINESE = [*"[PAD] [CLS] [SEP] [UNK]".split(), *"猫坐在垫子上狗跑得很远吗"]
DUAL = {"model_type": "dual_encoder", "q_max_seq_len": 8, "p_max_seq_len": 12}
CROSS = {"model_type": "cross_encoder", "max_seq_len": 14}
PACKAGE = {  # kind -> the fields of config.json beside the paths
    "separate": DUAL,
    "shared": DUAL | {"share_parameter": 1},
    "cross": CROSS,
    "joint": CROSS | {"joint_training": 1},
    "zh separate": DUAL | {"for_cn": True, "share_parameter": 0},
    "zh cross": CROSS | {"for_cn": True, "share_parameter": 0},
}
PREFIXES = {
    "separate": ("query_", "titlepara_"),
    "shared": ("titlepara_",),
    "cross": ("",),
    "joint": ("qtp_",),
}
H, LAYERS, HEADS, POSITIONS = 8, 2, 2, 20
UNUSED_WORDS = 3  # rows of the embedding beyond the vocabulary
VARIABLES = "step_10"  # the folder of variables
TEXTS = {  # whether a model is Chinese -> a query, a text and a title
    False: ("when is the cat on a mat", "the cat sat on a mat far home", "dog"),
    True: ("猫 在垫子上 吗", "猫 坐在垫子上 狗 跑得很远 远 远 远", "狗"),
}

Shapes = dict[str, tuple[int, ...]]


def contents(folder: Path) -> dict[str, bytes]:
    """Returns the files below a folder, name -> content."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def encoder_shapes(prefix: str, types: int, words: int, task: bool) -> Shapes:
    """Returns the variables of one ERNIE with their shapes."""
    shapes: Shapes = {
        f"{prefix}word_embedding": (words, H),
        f"{prefix}pos_embedding": (POSITIONS, H),
        f"{prefix}sent_embedding": (types, H),
        f"{prefix}pre_encoder_layer_norm_scale": (H,),
        f"{prefix}pre_encoder_layer_norm_bias": (H,),
    }
    if task:
        shapes[f"{prefix}task_embedding"] = (3, H)
    for number in range(LAYERS):
        layer = f"{prefix}encoder_layer_{number}_"
        for name in ("query", "key", "value", "output"):
            shapes[f"{layer}multi_head_att_{name}_fc.w_0"] = (H, H)
            shapes[f"{layer}multi_head_att_{name}_fc.b_0"] = (H,)
        shapes[f"{layer}ffn_fc_0.w_0"] = (H, 4 * H)
        shapes[f"{layer}ffn_fc_0.b_0"] = (4 * H,)
        shapes[f"{layer}ffn_fc_1.w_0"] = (4 * H, H)
        shapes[f"{layer}ffn_fc_1.b_0"] = (H,)
        for name in ("post_att", "post_ffn"):
            shapes[f"{layer}{name}_layer_norm_scale"] = (H,)
            shapes[f"{layer}{name}_layer_norm_bias"] = (H,)
    return shapes


def head_shapes(kind: str) -> Shapes:
    """Returns the variables beside the ERNIEs with their shapes."""
    if kind == "cross":
        pooler: Shapes = {"pooled_fc.w_0": (H, H), "pooled_fc.b_0": (H,)}
        return pooler | {"_cls_out_w": (H, 2), "_cls_out_b": (2,)}
    if kind == "joint":
        return {"qtp__cls_out_w": (H, 1), "qtp__cls_out_b": (1,)}
    return {}


def drawn_variables(
    kind: str, types: int, words: int, task: bool, seed: int
) -> dict[str, np.ndarray]:
    """Returns a model's variables by their released names, random; norms have a mean scale of 1."""
    shapes: Shapes = {}
    for prefix in PREFIXES[kind]:
        shapes |= encoder_shapes(prefix, types, words, task)
    shapes |= head_shapes(kind)
    drawing = np.random.default_rng(seed)
    variables = {}
    for name, shape in shapes.items():
        mean = float(name.endswith("scale"))
        variables[name] = drawing.normal(mean, 0.5, shape).astype(np.float32)
    return variables


def old_bytes(value: np.ndarray) -> bytes:
    """Returns a variable as Paddle 1.8 and 2 write it; dimensions below 128."""
    dimensions = [bytes((0x10, dimension)) for dimension in value.shape]
    description = b"\x08\x05" + b"".join(dimensions)
    header = struct.pack("<IQIi", 0, 0, 0, len(description))
    return header + description + value.tobytes()


class ReleasedFixture:
    """A folder with a released model of a kind in it, and the model's answers."""

    def __init__(self, folder: Path, kind: str, seed: int = 0, dropout: float = 0.1):
        self.folder = folder
        self.chinese = kind.startswith("zh ")
        self.kind = kind.removeprefix("zh ")
        words = CHINESE if self.chinese else ENGLISH
        self.words = {word: index for index, word in enumerate(words)}
        self.types = 2 if self.chinese else 4
        self.rows = len(words) + UNUSED_WORDS
        self.variables = drawn_variables(self.kind, self.types, self.rows, self.chinese, seed)
        prefix = "zh_" if self.chinese else ""
        self.config = {
            **PACKAGE[kind],
            "model_conf_path": f"{prefix}config.ernie.json",
            "model_vocab_path": f"{prefix}vocab.txt",
            "model_checkpoint_path": VARIABLES,
        }
        folder.mkdir(parents=True)
        self._write_settings(dropout)
        self._write_vocabulary(folder / self.config["model_vocab_path"])
        self._write_variables(folder / VARIABLES)

    def _write_settings(self, dropout: float) -> None:
        architecture = {
            "attention_probs_dropout_prob": dropout,
            "hidden_act": "relu" if self.chinese else "gelu",
            "hidden_dropout_prob": dropout,
            "hidden_size": H,
            "initializer_range": 0.02,
            "max_position_embeddings": POSITIONS,
            "num_attention_heads": HEADS,
            "num_hidden_layers": LAYERS,
            "vocab_size": self.rows,
        }
        if self.chinese:
            architecture |= {"type_vocab_size": self.types, "use_task_id": True}
            architecture["task_type_vocab_size"] = 3
        else:
            architecture |= {"sent_type_vocab_size": self.types, "task_type_vocab_size": 16}
        (self.folder / "config.json").write_text(json.dumps(self.config))
        (self.folder / self.config["model_conf_path"]).write_text(json.dumps(architecture))

    def _write_vocabulary(self, path: Path) -> None:
        lines = list(self.words)
        if self.chinese:  # ERNIE 1.0 has the index after each word, so that the order is free
            lines = [f"{word}\t{index}" for word, index in reversed(self.words.items())]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _write_variables(self, folder: Path) -> None:
        folder.mkdir()
        for name, value in self.variables.items():
            (folder / name).write_bytes(old_bytes(value))
        # save_persistables writes the optimizer's variables beside the parameters.
        optimizer = next(iter(self.variables)) + "_moment1_0"
        (folder / optimizer).write_bytes(old_bytes(np.zeros(3, np.float32)))

    def query(self, text: str) -> np.ndarray:
        """Returns a query's vector, [H]."""
        room = self.config["q_max_seq_len"] - 2
        row = ["[CLS]", *self._words_of(text)[:room], "[SEP]"]
        return self._first_token(PREFIXES[self.kind][0], row, [0] * len(row))

    def passage(self, text: str, title: str = "") -> np.ndarray:
        """Returns a passage's vector, [H]."""
        length = self.config["p_max_seq_len"]
        first, second = cut(self._words_of(title), self._words_of(text), length)
        return self._first_token(PREFIXES[self.kind][-1], *row_of_two(first, second))

    def score(self, query: str, text: str, title: str = "") -> float:
        """Returns a pair's probability, of a joint model its logit."""
        passage = self._words_of(title) + self._words_of(text)
        first, second = cut(self._words_of(query), passage, self.config["max_seq_len"])
        vector = self._first_token(PREFIXES[self.kind][0], *row_of_two(first, second))
        if self.kind == "joint":
            [logit] = vector @ self._value("qtp__cls_out_w") + self._value("qtp__cls_out_b")
            return float(logit)
        pooled = np.tanh(self._dense(vector, "pooled_fc"))
        logits = pooled @ self._value("_cls_out_w") + self._value("_cls_out_b")
        return float(np.exp(logits[1]) / np.exp(logits).sum())

    def _words_of(self, text: str) -> list[str]:
        return list(text.replace(" ", "")) if self.chinese else text.split()

    def _value(self, name: str) -> np.ndarray:
        return self.variables[name].astype(np.float64)

    def _first_token(self, prefix: str, row: list[str], types: list[int]) -> np.ndarray:
        """Returns the last layer's first token, [H]."""
        hidden = self._embedded(prefix, row, types)
        for number in range(LAYERS):
            layer = f"{prefix}encoder_layer_{number}_"
            hidden = self._norm(hidden + self._attended(hidden, layer), f"{layer}post_att")
            inner = self._activation(self._dense(hidden, f"{layer}ffn_fc_0"))
            output = self._dense(inner, f"{layer}ffn_fc_1")
            hidden = self._norm(hidden + output, f"{layer}post_ffn")
        return hidden[0]

    def _embedded(self, prefix: str, row: list[str], types: list[int]) -> np.ndarray:
        unknown = self.words["[UNK]"]
        ids = [self.words.get(word, unknown) for word in row]
        hidden = self._value(f"{prefix}word_embedding")[ids]
        hidden = hidden + self._value(f"{prefix}pos_embedding")[: len(ids)]
        hidden = hidden + self._value(f"{prefix}sent_embedding")[types]
        if self.chinese:
            hidden = hidden + self._value(f"{prefix}task_embedding")[0]
        return self._norm(hidden, f"{prefix}pre_encoder")

    def _attended(self, hidden: np.ndarray, layer: str) -> np.ndarray:
        q = self._dense(hidden, f"{layer}multi_head_att_query_fc")
        k = self._dense(hidden, f"{layer}multi_head_att_key_fc")
        v = self._dense(hidden, f"{layer}multi_head_att_value_fc")
        size = H // HEADS
        heads = []
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            weights = np.exp(q[:, part] @ k[:, part].T / math.sqrt(size))
            heads.append(weights / weights.sum(axis=1, keepdims=True) @ v[:, part])
        return self._dense(np.concatenate(heads, axis=1), f"{layer}multi_head_att_output_fc")

    def _activation(self, values: np.ndarray) -> np.ndarray:
        if self.chinese:
            return np.maximum(values, 0)
        return values * (1 + np.vectorize(math.erf)(values / 2**0.5)) / 2

    def _dense(self, values: np.ndarray, name: str) -> np.ndarray:
        return values @ self._value(f"{name}.w_0") + self._value(f"{name}.b_0")

    def _norm(self, values: np.ndarray, name: str) -> np.ndarray:
        centred = values - values.mean(axis=1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
        scale = self._value(f"{name}_layer_norm_scale")
        return scaled * scale + self._value(f"{name}_layer_norm_bias")


def cut(first: list[str], second: list[str], length: int) -> tuple[list[str], list[str]]:
    """Removes words from the end of the longer list until both fit with three special tokens."""
    while len(first) + len(second) > length - 3:
        longer = first if len(first) > len(second) else second
        longer.pop()
    return first, second


def row_of_two(first: list[str], second: list[str]) -> tuple[list[str], list[int]]:
    """Returns the tokens of two texts with the special ones, and their types."""
    row = ["[CLS]", *first, "[SEP]", *second, "[SEP]"]
    types = [0] * (len(first) + 2) + [1] * (len(second) + 1)
    return row, types


if __name__ == "__main__":
    for kind in PACKAGE:
        ReleasedFixture(Path(sys.argv[1]) / kind, kind, dropout=0.0)
