"""How much memory a training step takes on one device, by its shape; foretold without Paddle.

What is there at the peak: the state (weights, gradients, Adam's two moments), what each layer keeps
for its backward pass, what the backward pass of one layer works with, and the logits. The loss of a
dual encoder needs the representations of all texts first, so both towers keep all their layers. In
chunks (footnote 2) only one chunk's layers are kept at a time.

Letters: A devices, N chunks, B queries a chunk, P passages a query, T tokens, L tokens of a row, H
hidden size, F size of the feed-forward layer, h heads, V vocabulary.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from math import prod
from typing import NamedTuple

from rocketqa.encoder.config import ErnieConfig
from rocketqa.weights.encoder_weights import parameter_shapes

FLOAT32 = 4  # bytes
STATE = 4 * FLOAT32  # of each parameter: weight, gradient and two moments
EMBEDDINGS = 2 * FLOAT32 + 1  # of each element: input of the norm, output, mask of the dropout
LOGIT = 2 * FLOAT32  # of each: the logit and its softmax, then its softmax and its gradient
FREE = 0.15  # share of a device's memory that is left to the driver, NCCL and fragmentation
LARGEST_BATCH = 2**16


class Kept(NamedTuple):
    """Bytes that a layer keeps for its backward pass, by the way it computes.

    hidden, inner: for each token and each of the H or F elements. attention: for each weight of
    each head. keys_values: for each token and element in a last layer for the first tokens only.
    copies: for each of H x H numbers, where weights are copied or cast.
    """

    hidden: float
    inner: float
    attention: float
    keys_values: float
    copies: float = 0


# Queries, keys, values, context, two sums or normed sums and two outputs; before and after gelu.
# Our kernels on a CPU draw dropout again and keep no attention weights.
KERNELS = Kept(hidden=8 * FLOAT32, inner=2 * FLOAT32, attention=0, keys_values=8, copies=8)
# Paddle's operators keep two masks of the dropout, and attention weights before and behind it.
OPERATORS = Kept(hidden=8 * FLOAT32 + 2, inner=2 * FLOAT32, attention=9, keys_values=8)
# Automatic mixed precision: products in 2 bytes, sums, norms and softmax in 4; inputs and weights
# of products are cast. Read in Paddle's lists of operators; it does nothing on a CPU.
HALF = Kept(hidden=26, inner=4, attention=7, keys_values=8, copies=24)


class Rows(NamedTuple):
    """Texts that one tower encodes at a time.

    squares: the sum of the squares of their lengths, the number of attention weights of a head.
    """

    number: int
    tokens: int
    squares: int


def equal_rows(count: int, length: int) -> Rows:
    """Returns so many rows of one length."""
    return Rows(count, count * length, count * length**2)


def rows_of_lengths(lengths: Sequence[int]) -> Rows:
    """Returns the rows of these lengths."""
    squares = sum(length * length for length in lengths)
    return Rows(len(lengths), sum(lengths), squares)


class TrainingShape(NamedTuple):
    """What decides how much memory a training step takes.

    towers: encoders with weights of their own. fgm: whether the word embeddings are perturbed.
    """

    config: ErnieConfig
    kept: Kept
    towers: int = 1
    recompute: bool = False
    devices: int = 1
    chunks: int = 1
    fgm: bool = False


class StepMemory(NamedTuple):
    """The peak of a step in bytes, and its parts."""

    state: float
    activations: float
    logits: float

    @property
    def peak(self) -> float:
        """The bytes of all parts together."""
        return sum(self)


def step_memory(shape: TrainingShape, texts: Sequence[Rows], logits: int = 0) -> StepMemory:
    """Returns the memory of a step.

    texts: those of a chunk, of each tower. logits: how many of all chunks, [N*B, A*N*B*P].
    """
    parameters = shape.towers * parameters_of(shape.config)
    words = FLOAT32 * shape.config.vocab_size * shape.config.hidden_size
    of_logits = LOGIT * logits
    activations = _forward_backward(shape, texts)
    if shape.fgm:
        activations += 2 * words  # the embeddings as they were, and the gradient by them
    if shape.chunks > 1 and of_logits:
        # The logits are gone before a chunk is encoded again: the larger of both is the peak.
        if of_logits > activations:
            activations = 0.0
        else:
            of_logits = 0
    # At the end, a new gradient of each tower's word embeddings; or a copy of all gradients that
    # is summed over the devices.
    end = 2 * words
    if shape.devices > 1:
        end = FLOAT32 * parameters
    activations = max(activations, end - of_logits)
    return StepMemory(STATE * parameters, activations, of_logits)


def parameters_of(config: ErnieConfig) -> int:
    """Returns the number of parameters of an encoder, its pooler included."""
    return sum(map(prod, parameter_shapes(config).values()))


def _forward_backward(shape: TrainingShape, texts: Sequence[Rows]) -> float:
    """Returns the most that is kept of the forward pass while the backward pass works."""
    config = shape.config
    tokens = sum(rows.tokens for rows in texts)
    elements = config.hidden_size * tokens  # of one tensor [T, H]
    embedded = EMBEDDINGS * elements
    if not shape.recompute:
        layers = sum(_kept_by_layers(shape, rows) for rows in texts)
        return embedded + layers + _work_of_backward(config, tokens)
    inner_layers = config.num_hidden_layers - 1
    inputs = inner_layers * FLOAT32 * elements
    largest_work = 0.0
    for rows in texts:
        layer = _kept_by_layer(shape, rows)
        work = layer + _work_of_backward(config, rows.tokens)
        largest_work = max(largest_work, work)
    return embedded + inputs + largest_work


def _kept_by_layers(shape: TrainingShape, rows: Rows) -> float:
    """Returns what all layers keep of some rows."""
    config = shape.config
    layers = config.num_hidden_layers
    layer = _kept_by_layer(shape, rows)
    if config.representation == "mean":
        return layers * layer
    # The last layer computes keys and values of all tokens, and the rest for the first ones only.
    elements = config.hidden_size * rows.tokens
    last_layer = shape.kept.keys_values * elements
    return (layers - 1) * layer + last_layer


def _kept_by_layer(shape: TrainingShape, rows: Rows) -> float:
    """Returns what a layer that computes all tokens keeps of some rows."""
    config = shape.config
    kept = shape.kept
    of_hidden = kept.hidden * config.hidden_size
    of_inner = kept.inner * config.intermediate_size
    of_tokens = (of_hidden + of_inner) * rows.tokens
    weights = config.num_attention_heads * rows.squares
    of_attention = kept.attention * weights
    copies = kept.copies * config.hidden_size**2
    return of_tokens + of_attention + copies


def _work_of_backward(config: ErnieConfig, tokens: int) -> float:
    """Returns the largest gradients that the backward pass of a layer holds beside what is kept."""
    of_attention = 2 * config.hidden_size
    of_feed_forward = config.intermediate_size - config.hidden_size
    elements = max(of_attention, of_feed_forward)
    return FLOAT32 * elements * tokens


def largest_batch(peak_of_batch: Callable[[int], float], memory: float) -> int:
    """Returns the largest batch whose peak leaves FREE of the memory, at most LARGEST_BATCH; 0
    where none does. Above 8 it is a multiple of 8.

    peak_of_batch: the size of a batch -> bytes, which grow with it.
    """
    usable = memory * (1 - FREE)
    sizes = range(1, LARGEST_BATCH + 1)
    fitting = bisect_right(sizes, usable, key=peak_of_batch)
    return fitting if fitting < 8 else fitting // 8 * 8
