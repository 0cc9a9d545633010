"""Cross-batch negatives (section 3.3.1): the passages of all devices are negatives for every query.

With in-batch negatives, a query of a batch of B has B - 1 negatives: the positives of the other
queries. With the passages of all A devices it has A*B - 1.

Letters: A devices, N chunks a device (1 unless gradients are accumulated), B queries a chunk, P
passages a query (its positive and P - 1 hard negatives), H hidden size.

Each device holds q_reps [N*B, H] and p_reps [N*B*P, H]. In each chunk the first B passages are the
positives, then come all first hard negatives, then all second ones (the order of the released
code). The passages are gathered, device after device; the queries stay where they are. Every device
computes the loss of its own N*B queries against all A*N*B*P passages. Training averages the
gradients over the devices. The average is the gradient of the mean loss over all A*N*B queries:
that of one process on the joint batch.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import paddle
import paddle.distributed as dist
import paddle.nn.functional as F
from paddle.autograd import PyLayer

from rocketqa.distributed.device_copies import to_device
from rocketqa.encoder.packing import PackedRows
from rocketqa.files.errors import DataError
from rocketqa.training.known_positives import KnownPositives, own_hard_negatives
from rocketqa.training.objective import Step

Reps = tuple[paddle.Tensor, paddle.Tensor]  # q_reps, p_reps
# Queries [B] and passages [B*P] -> their representations.
Encode = Callable[[PackedRows, PackedRows], Reps]

_compared_shapes: set[tuple[int, ...]] = set()  # of p_reps, equal on all devices


class GatherAcrossDevices(PyLayer):
    """p_reps of every device, concatenated in rank order, with a gradient (Paddle's all_gather has
    none).

    The backward pass sums, over the devices, the gradients of all passages, and takes the slice of
    the own passages. The released code does the same by c_reducescatter, the gradient operator of
    its c_allgather. Here it is all_reduce and a slice, because gloo has no reduce_scatter.
    """

    @staticmethod
    def forward(context, p_reps):
        return paddle.concat(_all_gather(p_reps))  # [A*N*B*P, H]

    @staticmethod
    def backward(context, gradient):
        gradient = gradient.clone()
        dist.all_reduce(gradient)
        return paddle.split(gradient, dist.get_world_size())[dist.get_rank()]  # [N*B*P, H]


def gather(p_reps: paddle.Tensor) -> paddle.Tensor:
    """Returns the passages of all devices, [A*N*B*P, H]; on one device its own.

    Raises DataError on every device, before anything is gathered, where the shapes differ: a
    collective operation on unequal shapes gives garbage on one device and aborts another. A
    comparison waits for the devices, so it is made at the first step of a training: all steps have
    the same shape.
    """
    if dist.get_world_size() == 1:
        return p_reps
    if tuple(p_reps.shape) not in _compared_shapes:
        _compare_shapes(p_reps.shape)
    return GatherAcrossDevices.apply(p_reps)


def _compare_shapes(own_shape: list[int]) -> None:
    parts = _all_gather(to_device(np.array(own_shape, np.int64)))
    shapes = [part.tolist() for part in parts]
    if any(shape != shapes[0] for shape in shapes):
        raise DataError(f"p_reps: expected the same shape on every device, got {shapes}")
    _compared_shapes.add(tuple(own_shape))


def _all_gather(tensor: paddle.Tensor) -> list[paddle.Tensor]:
    parts: list[paddle.Tensor] = []
    dist.all_gather(parts, tensor)
    return parts


def losses_and_hits(
    q_reps: paddle.Tensor,
    p_reps: paddle.Tensor,
    cross_batch: bool,
    chunks: int = 1,
    known_positives: KnownPositives | None = None,
    temperature: float = 1.0,
    own_negatives: bool = True,
) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Returns the negative log-likelihood of each query's positive (equation 2), and whether that
    passage ranks first: float32 [N*B] both.

    q_reps: [N*B, H]; p_reps: [N*B*P, H], in each chunk the positives first. A logit is their dot
    product, divided by the temperature: 1, so none, in the paper. Without `cross_batch` only the
    given passages are candidates (in-batch negatives), without `own_negatives` the hard negatives
    of other queries alone. A query with a non-finite logit gets loss nan.
    """
    candidates = gather(p_reps) if cross_batch else p_reps  # [A*N*B*P, H], or [N*B*P, H]
    logits = paddle.matmul(q_reps, candidates, transpose_y=True)  # [N*B, A*N*B*P]
    if temperature != 1:
        logits = logits / temperature  # [N*B, A*N*B*P]
    first_own_passage = dist.get_rank() * p_reps.shape[0] if cross_batch else 0
    places = positive_places(q_reps.shape[0], p_reps.shape[0], chunks)
    labels = to_device(first_own_passage + places)  # [N*B]
    excluded = None
    if known_positives is not None:
        numbers = to_device(known_positives.passages)  # [N*B*P]
        if cross_batch and dist.get_world_size() > 1:
            numbers = paddle.concat(_all_gather(numbers))  # [A*N*B*P]
        excluded = known_positives.mask(labels, numbers)  # [N*B, A*N*B*P]
    if not own_negatives:
        sizes = (q_reps.shape[0], p_reps.shape[0], chunks, first_own_passage)
        own = own_hard_negatives(*sizes, candidates.shape[0])  # [N*B, A*N*B*P]
        excluded = own if excluded is None else excluded | own
    return negative_log_likelihoods(logits, labels, excluded)


def negative_log_likelihoods(
    logits: paddle.Tensor, labels: paddle.Tensor, excluded: paddle.Tensor | None
) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Returns the losses and hits of logits [N*B, candidates] and labels [N*B].

    excluded: the candidates that are left out of the softmax of each query, bool like the logits.
    """
    # Paddle's softmax on a CPU makes a finite loss of infinite logits.
    finite = logits.isfinite().all(axis=1)  # [N*B]
    if excluded is not None:
        minus_infinity = paddle.full_like(logits, -np.inf)
        logits = paddle.where(excluded, minus_infinity, logits)
    losses = F.cross_entropy(logits, labels, reduction="none").reshape([-1])  # [N*B]
    losses = paddle.where(finite, losses, paddle.full_like(losses, np.nan))
    hits = (logits.argmax(axis=1) == labels).astype("float32")  # [N*B]
    return losses, hits


def positive_places(queries: int, passages: int, chunks: int) -> np.ndarray:
    """Returns where the positive of each query is among the own passages, int64 [N*B]."""
    first_of_chunk = np.arange(chunks)[:, None] * (passages // chunks)  # [N, 1]
    place_in_chunk = np.arange(queries // chunks)  # [B]
    return (first_of_chunk + place_in_chunk).reshape(-1).astype(np.int64)


class DualChunk(NamedTuple):
    """A chunk for the dual encoder: queries [B], passages [B*P] with the positives first, and what
    to mask, if any.

    Where queries have fewer hard negatives than others, some of the B*P places are empty, so that
    all devices still gather equal shapes. `passages` then has fewer rows, and `places`, int64
    [B*P], names the row of each place; an empty place has the number of rows. None: no place is
    empty.

    teacher: the logits of a cross encoder for each query and its own passages, [B, P]; an empty
    place has minus infinity. None: nothing is distilled (`rocketqa.distillation`).
    """

    queries: PackedRows
    passages: PackedRows
    known_positives: KnownPositives | None
    places: paddle.Tensor | None = None
    teacher: paddle.Tensor | None = None


def reps_of(model: Encode, chunk: DualChunk) -> Reps:
    """Returns the representations of a chunk, [B, H] and [B*P, H]; an empty place has zeros."""
    q_reps, p_reps = model(chunk.queries, chunk.passages)
    if chunk.places is None:
        return q_reps, p_reps
    empty = paddle.zeros([1, p_reps.shape[1]], p_reps.dtype)
    rows = paddle.concat([p_reps, empty])
    return q_reps, paddle.gather(rows, chunk.places)


class NegativesObjective:
    """The training objective of the dual encoder: cross-batch negatives, or (for comparison)
    in-batch negatives.

    With cross-batch negatives, the passages of all chunks of all devices are candidates of every
    query. With in-batch negatives, only those of the own chunk are. The logits are divided by the
    temperature.
    """

    own_negatives = True  # whether the hard negatives of a row are negatives of its query

    def __init__(self, cross_batch: bool = True, temperature: float = 1.0):
        self.cross_batch = cross_batch
        self.temperature = temperature

    def forward_backward(
        self, model: Encode, chunks: Sequence[DualChunk], step: Step
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Leaves the gradients of `step.loss_scale` times the mean loss of all chunks; returns
        losses and hits, [N*B].
        """
        if self.cross_batch and len(chunks) > 1:
            return self._forward_backward_cached(model, chunks, step)
        results = [
            self._one_chunk(model, chunk, n, len(chunks), step) for n, chunk in enumerate(chunks)
        ]
        losses = paddle.concat([losses for losses, _ in results])
        hits = paddle.concat([hits for _, hits in results])
        return losses, hits

    def losses_and_hits(
        self, q_reps: paddle.Tensor, p_reps: paddle.Tensor, chunks: Sequence[DualChunk]
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Returns the loss of each query of the chunks, and whether its positive ranks first, [N*B]
        both.
        """
        return losses_and_hits(
            q_reps,
            p_reps,
            self.cross_batch,
            chunks=len(chunks),
            known_positives=KnownPositives.joined([chunk.known_positives for chunk in chunks]),
            temperature=self.temperature,
            own_negatives=self.own_negatives,
        )

    def _one_chunk(
        self, model: Encode, chunk: DualChunk, n: int, count: int, step: Step
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """The plain forward and backward pass of chunk `n` of `count`."""
        with step.chunk_context(n):
            q_reps, p_reps = reps_of(model, chunk)  # [B, H], [B*P, H]
        step.barrier()
        losses, hits = self.losses_and_hits(q_reps, p_reps, [chunk])
        (losses.mean() * (step.loss_scale / count)).backward()
        return losses.detach(), hits

    def _forward_backward_cached(
        self, model: Encode, chunks: Sequence[DualChunk], step: Step
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Footnote 2: the loss and gradients of N times as many devices, with the activations of
        one chunk at a time.

        The steps are those of GradCache (Gao et al., 2021) and have its names: all representations
        without a graph; the loss on them, and its gradient by representation; then each chunk once
        more, with the same dropout, to take its part of the cached gradient to the parameters.
        """
        q_reps, p_reps = forward_no_grad(model, chunks, step)
        step.barrier()
        losses, hits = self.losses_and_hits(q_reps, p_reps, chunks)
        cache = build_cache(losses, q_reps, p_reps, len(chunks), step.loss_scale)
        for n, (chunk, gradients) in enumerate(zip(chunks, cache)):
            forward_backward_chunk(model, chunk, n, gradients, step)
        return losses.detach(), hits


def forward_no_grad(model: Encode, chunks: Sequence[DualChunk], step: Step) -> Reps:
    """Returns the representations of all chunks, [N*B, H] and [N*B*P, H]: leaves of a new graph."""
    q_parts, p_parts = [], []
    with paddle.no_grad():
        for n, chunk in enumerate(chunks):
            with step.chunk_context(n):
                q_reps, p_reps = reps_of(model, chunk)  # [B, H], [B*P, H]
            q_parts.append(q_reps)
            p_parts.append(p_reps)
    all_q_reps = paddle.concat(q_parts).detach()  # [N*B, H]
    all_p_reps = paddle.concat(p_parts).detach()  # [N*B*P, H]
    all_q_reps.stop_gradient = False
    all_p_reps.stop_gradient = False
    return all_q_reps, all_p_reps


def build_cache(
    losses: paddle.Tensor,
    q_reps: paddle.Tensor,
    p_reps: paddle.Tensor,
    chunks: int,
    loss_scale: float,
) -> list[Reps]:
    """Returns the gradient of the mean loss by each chunk's representations: N times ([B, H], [B*P,
    H]).
    """
    (losses.mean() * loss_scale).backward()
    assert q_reps.grad is not None and p_reps.grad is not None
    return list(zip(paddle.split(q_reps.grad, chunks), paddle.split(p_reps.grad, chunks)))


def forward_backward_chunk(
    model: Encode, chunk: DualChunk, n: int, gradients: Reps, step: Step
) -> None:
    """Encodes chunk `n` again, with a graph, and takes the gradients of its representations to the
    parameters.
    """
    with step.chunk_context(n):
        q_reps, p_reps = reps_of(model, chunk)  # [B, H], [B*P, H]
    paddle.autograd.backward([q_reps, p_reps], list(gradients))
