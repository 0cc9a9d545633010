"""The encoders in C, on a CPU with AVX2: float32, or `reduced`, which is 8-bit matrix products.

In 8 bits the weights are rounded once, each column of a matrix by its own largest number; the
tokens are rounded as they come, each by its own range, so that nothing has to be calibrated. A text
has the same vector in every batch. `encoder/encoder_kernels.c` computes all layers of a batch in
one thread, without holding Python's lock: threads share the one copy of the weights.

Letters: N rows, T tokens of all rows, H hidden size, F size of the feed-forward layer; K, C inputs
and outputs of a product.
"""

import ctypes
from collections.abc import Callable, Sequence

import numpy as np

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.kernel_library import call_kernel, library
from rocketqa.encoder.unit_vectors import unit_arrays
from rocketqa.files.errors import DataError
from rocketqa.text.tokenizer import Encoding
from rocketqa.weights.stored_model import StoredModel

COLUMNS = 16  # to a multiple of which outputs are padded
INPUTS = 8  # to a multiple of which inputs of 8 bits are padded
ALIGNMENT = 64  # bytes
FOUR = 4  # neighbouring inputs that an instruction multiplies at once

Pointer = ctypes.c_void_p
ArrayOf = Callable[[str], np.ndarray]


def is_supported() -> bool:
    """Returns whether the kernels are compiled, and the processor has AVX2."""
    return largest_rounded_weight() > 0


def largest_rounded_weight() -> int:
    """Returns the largest weight in 8 bits of this processor; 0 where the kernels do not run."""
    kernels = library()
    return 0 if kernels is None else int(kernels.largest_rounded_weight())


class KernelEncoder:
    """Encodes rows of tokens as one vector each, close to those of the `Ernie` that it computes.

    It keeps its own copy of the weights. Several threads may call it at once.
    array_of: returns the array of a parameter of this `Ernie`. reduced: whether products are of 8
    bits; else they are float32, and so within 1e-5 of the model.
    """

    def __init__(self, config: ErnieConfig, array_of: ArrayOf, reduced: bool):
        self._config = config
        self._reduced = reduced
        self._arrays: list[np.ndarray] = []  # what the addresses below point to
        layers = [self._layer(array_of, number) for number in range(config.num_hidden_layers)]
        self._layers = (_Layer * len(layers))(*layers)
        task = None
        if config.use_task_id:
            task = self._keep(array_of("embeddings.task_type_embeddings.weight")[0])
        self._encoder = _Encoder(
            layers=ctypes.addressof(self._layers),
            words=self._keep(array_of("embeddings.word_embeddings.weight")),
            positions=self._keep(array_of("embeddings.position_embeddings.weight")),
            types=self._keep(array_of("embeddings.token_type_embeddings.weight")),
            task=task,
            gamma=self._keep(array_of("embeddings.layer_norm.weight")),
            beta=self._keep(array_of("embeddings.layer_norm.bias")),
            layer_count=len(layers),
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            heads=config.num_attention_heads,
            first_only=config.representation == "first",
            relu=config.hidden_act == "relu",
            epsilon=config.layer_norm_eps,
        )

    def __call__(self, rows: Sequence[Encoding]) -> np.ndarray:
        """Returns the vector of each row, float32 [N, H]."""
        lengths = np.array([len(row.token_ids) for row in rows], np.int64)  # [N]
        begins = np.cumsum(lengths) - lengths  # [N]
        token_ids = _joined([row.token_ids for row in rows], self._config.vocab_size)  # [T]
        type_ids = _joined([row.type_ids for row in rows], self._config.type_vocab_size)  # [T]
        batch = _Batch(
            token_ids=token_ids.ctypes.data,
            type_ids=type_ids.ctypes.data,
            begins=begins.ctypes.data,
            lengths=lengths.ctypes.data,
            tokens=len(token_ids),
            rows=len(rows),
        )
        hidden = np.empty((len(token_ids), self._config.hidden_size), np.float32)  # [T, H]
        call_kernel("encode_rows", self._encoder, batch, Pointer(hidden.ctypes.data))
        if self._config.representation == "mean":
            sums = np.add.reduceat(hidden, begins)  # [N, H]
            vectors = (sums / lengths[:, np.newaxis]).astype(np.float32)  # [N, H]
        else:
            vectors = hidden[: len(rows)].copy()  # [N, H]
        return unit_arrays(vectors) if self._config.similarity == "cosine" else vectors

    def _layer(self, array_of: ArrayOf, number: int) -> "_Layer":
        layer = f"encoder.layers.{number}"
        attention = f"{layer}.self_attn"
        weights = [array_of(f"{attention}.{name}_proj.weight") for name in "kv"]  # [H, H] each
        biases = [array_of(f"{attention}.{name}_proj.bias") for name in "kv"]  # [H] each
        return _Layer(
            query=self._dense(array_of, f"{attention}.q_proj"),
            keys_values=self._product(np.concatenate(weights, axis=1), np.concatenate(biases)),
            out=self._dense(array_of, f"{attention}.out_proj"),
            up=self._dense(array_of, f"{layer}.linear1"),
            down=self._dense(array_of, f"{layer}.linear2"),
            gamma1=self._keep(array_of(f"{layer}.norm1.weight")),
            beta1=self._keep(array_of(f"{layer}.norm1.bias")),
            gamma2=self._keep(array_of(f"{layer}.norm2.weight")),
            beta2=self._keep(array_of(f"{layer}.norm2.bias")),
        )

    def _dense(self, array_of: ArrayOf, name: str) -> "_Product":
        return self._product(array_of(f"{name}.weight"), array_of(f"{name}.bias"))

    def _product(self, weight: np.ndarray, bias: np.ndarray) -> "_Product":
        """Returns a dense layer for the kernels; weight: [K, C], bias: [C]."""
        inputs, outputs = weight.shape
        padding = (0, -outputs % COLUMNS)
        product = _Product(bias=self._keep(np.pad(bias, padding)), inputs=inputs, outputs=outputs)
        if self._reduced:
            rounded, scales = rounded_columns(weight, largest_rounded_weight())
            sums = scales * rounded.sum(axis=0, dtype=np.float32)
            product.weights = self._keep(packed(rounded, FOUR))
            product.scales = self._keep(np.pad(scales, padding))
            product.sums = self._keep(np.pad(sums, padding))
        else:
            product.weights = self._keep(packed(weight, 1))
        return product

    def _keep(self, array: np.ndarray) -> int:
        """Keeps a contiguous copy of an array, aligned for the processor; returns its address."""
        room = np.empty(array.nbytes + ALIGNMENT, np.uint8)
        begin = -room.ctypes.data % ALIGNMENT
        copy = room[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
        copy[...] = array
        self._arrays.append(copy)
        return copy.ctypes.data


class KernelCrossEncoder:
    """Scores pairs: P(relevant), close to that of the `CrossEncoder` that it computes.

    array_of: returns the array of a parameter of it. reduced: see `KernelEncoder`.
    """

    def __init__(self, config: ErnieConfig, array_of: ArrayOf, reduced: bool):
        self._encoder = KernelEncoder(config, lambda name: array_of(f"ernie.{name}"), reduced)
        dense = "ernie.pooler.dense"
        self._pooler = (array_of(f"{dense}.weight"), array_of(f"{dense}.bias"))
        self._classifier = (array_of("classifier.weight"), array_of("classifier.bias"))

    def __call__(self, rows: Sequence[Encoding]) -> np.ndarray:
        """Returns the probabilities, float32 [N]."""
        vectors = self._encoder(rows)  # [N, H]
        weight, bias = self._pooler
        pooled = np.tanh(vectors @ weight + bias)  # [N, H]
        weight, bias = self._classifier
        logits = pooled @ weight + bias  # [N, 2]
        return 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))  # [N]


def kernel_twin(stored: StoredModel, reduced: bool) -> "KernelEncoder | KernelCrossEncoder":
    """Returns what computes the output of an encoder from rows of tokens."""
    is_cross_encoder = stored.model_class is CrossEncoder
    twin = KernelCrossEncoder if is_cross_encoder else KernelEncoder
    return twin(stored.config, stored.at, reduced)


def rounded_columns(weight: np.ndarray, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the weights [K, C] as int8, and the scale of each column, float32 [C].

    largest: what the largest weight of each column is rounded to.
    """
    scales = np.abs(weight).max(axis=0) / largest  # [C]
    divisors = np.where(scales > 0, scales, 1)  # [C]
    rounded = np.rint(weight / divisors).astype(np.int8)  # [K, C]
    return rounded, scales.astype(np.float32)


def packed(weight: np.ndarray, together: int) -> np.ndarray:
    """Returns weights [K, C] as the kernels read them, [C / 16, K / together, 16, together].

    together: the inputs of a column that stand side by side; above 1, K is padded with zeros.
    """
    inputs, outputs = weight.shape
    more_inputs = -inputs % INPUTS if together > 1 else 0
    padded = np.pad(weight, ((0, more_inputs), (0, -outputs % COLUMNS)))
    blocks = padded.reshape(-1, together, padded.shape[1] // COLUMNS, COLUMNS)
    return blocks.transpose(2, 0, 3, 1)


def _joined(parts: Sequence[np.ndarray], entries: int) -> np.ndarray:
    """Returns the ids of all rows, int64 [T], which are places in a table of so many entries.

    Raises DataError where one is not: the kernels would read another's memory.
    """
    ids = np.concatenate([np.asarray(part, np.int64) for part in parts])
    if ids.min() < 0 or ids.max() >= entries:
        raise DataError(
            f"encoder: expected token and type ids from 0 to {entries - 1}, the entries of its "
            f"table, got {ids.min() if ids.min() < 0 else ids.max()}"
        )
    return ids


class _Product(ctypes.Structure):
    """The struct `Product` of encoder_kernels.c; the others are those of the same names there."""

    _fields_ = [
        ("weights", Pointer),
        ("scales", Pointer),
        ("sums", Pointer),
        ("bias", Pointer),
        ("inputs", ctypes.c_long),
        ("outputs", ctypes.c_long),
    ]


class _Layer(ctypes.Structure):
    _fields_ = [
        ("query", _Product),
        ("keys_values", _Product),
        ("out", _Product),
        ("up", _Product),
        ("down", _Product),
        ("gamma1", Pointer),
        ("beta1", Pointer),
        ("gamma2", Pointer),
        ("beta2", Pointer),
    ]


class _Encoder(ctypes.Structure):
    _fields_ = [
        ("layers", Pointer),
        ("words", Pointer),
        ("positions", Pointer),
        ("types", Pointer),
        ("task", Pointer),
        ("gamma", Pointer),
        ("beta", Pointer),
        ("layer_count", ctypes.c_long),
        ("hidden_size", ctypes.c_long),
        ("intermediate_size", ctypes.c_long),
        ("heads", ctypes.c_long),
        ("first_only", ctypes.c_long),
        ("relu", ctypes.c_long),
        ("epsilon", ctypes.c_float),
    ]


class _Batch(ctypes.Structure):
    _fields_ = [
        ("token_ids", Pointer),
        ("type_ids", Pointer),
        ("begins", Pointer),
        ("lengths", Pointer),
        ("tokens", ctypes.c_long),
        ("rows", ctypes.c_long),
    ]
