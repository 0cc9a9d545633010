"""Cross-batch negatives (section 3.3.1): the passages of all devices are negatives for every query.

Letters: A devices, N chunks a device (1 unless accumulated), B queries a chunk, P passages a query (positive first),
H hidden size.

Each device holds q_reps [N*B, H] and p_reps [N*B*P, H], chunk by chunk: B positives, then B*(P-1) hard negatives (the
released code's order). The passages are gathered, device by device; the queries stay. Every device computes the loss of
its own N*B queries against all A*N*B*P passages. The mean over devices, which training takes of the gradients, is then
the gradient of the mean loss over all A*N*B queries: that of one process on the joint batch.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import numpy as np
import paddle
import paddle.distributed as dist
import paddle.nn.functional as F
from paddle.autograd import PyLayer

from rocketqa.files.errors import DataError

Chunk = object  # what `encode` takes, with its `known_positives`
Reps = tuple[paddle.Tensor, paddle.Tensor]  # q_reps, p_reps
ChunkContext = Callable[[int], AbstractContextManager]


class GatherAcrossDevices(PyLayer):
    """p_reps of every device, concatenated in rank order, with a gradient (Paddle's all_gather has none).

    Backward sums over devices what each one's loss says of all passages and takes the own slice: what the released
    code's c_allgather had as its gradient op (c_reducescatter). By all_reduce, for gloo has no reduce_scatter.
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

    Raises DataError, on every device and before anything is gathered, where their shapes differ: a collective of
    unequal shapes gives garbage on one device and an abort on another.
    """
    if dist.get_world_size() == 1:
        return p_reps
    shapes = [
        shape.tolist() for shape in _all_gather(paddle.to_tensor(p_reps.shape, dtype="int64"))
    ]
    if any(shape != shapes[0] for shape in shapes):
        raise DataError(f"p_reps: expected the same shape on every device, got {shapes}")
    return GatherAcrossDevices.apply(p_reps)


def _all_gather(tensor: paddle.Tensor) -> list[paddle.Tensor]:
    parts: list[paddle.Tensor] = []
    dist.all_gather(parts, tensor)
    return parts


def losses_and_hits(
    q_reps,
    p_reps,
    cross_batch: bool,
    chunks: int = 1,
    known_positives: "KnownPositives | None" = None,
) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Returns each query's negative log-likelihood of its positive (equation 2), and whether that ranks first: [N*B].

    q_reps: [N*B, H]; p_reps: [N*B*P, H], in each chunk the positives first. Dot products, no temperature. Without
    `cross_batch` the passages given are the only negatives (in-batch). A query with logits that are not finite has a
    loss that is none.
    """
    candidates = gather(p_reps) if cross_batch else p_reps  # [A*N*B*P, H], or [N*B*P, H]
    logits = paddle.matmul(q_reps, candidates, transpose_y=True)  # [N*B, A*N*B*P]
    finite = logits.isfinite().all(
        axis=1
    )  # [N*B]; Paddle's softmax makes finite losses of infinite logits
    before = dist.get_rank() * p_reps.shape[0] if cross_batch else 0
    labels = paddle.to_tensor(
        before + positive_places(q_reps.shape[0], p_reps.shape[0], chunks)
    )  # [N*B]
    if known_positives is not None:
        false_negatives = known_positives.mask(labels.numpy(), cross_batch)  # [N*B, A*N*B*P]
        logits = paddle.where(
            paddle.to_tensor(false_negatives), paddle.full_like(logits, -np.inf), logits
        )
    losses = F.cross_entropy(logits, labels, reduction="none").reshape([-1])
    losses = paddle.where(finite, losses, paddle.full_like(losses, np.nan))
    return losses, (logits.argmax(axis=1) == labels).astype("float32")


def positive_places(queries: int, passages: int, chunks: int) -> np.ndarray:
    """Returns where each query's positive is among the own passages, int64 [N*B]."""
    first = np.arange(chunks)[:, None] * (passages // chunks)
    return (first + np.arange(queries // chunks)).reshape(-1).astype(np.int64)


class KnownPositives:
    """What of the batch is no negative of a query although it is another's passage, by id and across devices.

    # Deviation: paper and released code take every other passage for a negative, known positives of the query and
    copies of its positive included.
    """

    def __init__(self, passages: np.ndarray, positives: Sequence[Sequence[int]]):
        """`passages`: numbers of the own passages, int64 [N*B*P]; `positives`: those of each own query, N*B lists."""
        self.passages, self.positives = passages, positives

    def mask(self, labels: np.ndarray, cross_batch: bool) -> np.ndarray:
        """Returns which passages are left out of a query's softmax: bool [N*B, A*N*B*P]; never its label."""
        candidates = self.passages
        if cross_batch and dist.get_world_size() > 1:
            candidates = np.concatenate(
                [part.numpy() for part in _all_gather(paddle.to_tensor(self.passages))]
            )
        mask = np.stack([np.isin(candidates, known) for known in self.positives])
        mask[np.arange(len(labels)), labels] = False
        return mask

    @staticmethod
    def joined(parts: Sequence["KnownPositives | None"]) -> "KnownPositives | None":
        """Returns those of several chunks as one; None where nothing is masked."""
        if parts[0] is None:
            return None
        return KnownPositives(
            np.concatenate([part.passages for part in parts]),
            [known for part in parts for known in part.positives],
        )


def backward(
    encode: Callable[[Chunk], Reps],
    chunks: Sequence[Chunk],
    chunk_context: ChunkContext,
    loss_scale: float,
    barrier: Callable[[], None],
    cross_batch: bool,
) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Leaves the gradients of `loss_scale` times the mean loss of all chunks; returns losses and hits, [N*B].

    `encode`: a chunk -> q_reps [B, H], p_reps [B*P, H]; `chunk_context(n)`: gives chunk n its dropout and precision, the same
    each time; `barrier` waits for the other devices before they communicate. A chunk's `known_positives` are masked, or
    None.
    """
    if cross_batch and len(chunks) > 1:
        return _backward_in_chunks(encode, chunks, chunk_context, loss_scale, barrier)
    judged = []
    for n, chunk in enumerate(chunks):
        reps = _encoded(encode, chunk, chunk_context(n))
        barrier()
        losses, hits = losses_and_hits(*reps, cross_batch, 1, chunk.known_positives)
        (losses.mean() * (loss_scale / len(chunks))).backward()
        judged.append((losses.detach(), hits))
    losses, hits = zip(*judged)
    return paddle.concat(losses), paddle.concat(hits)


def _backward_in_chunks(
    encode, chunks: Sequence[Chunk], chunk_context: ChunkContext, loss_scale: float, barrier
):
    """Footnote 2: the loss and gradients of N times as many devices, with one chunk's activations at a time.

    All representations without a graph; the loss of all of them and its gradients by representation; then each chunk
    once more, with the same dropout, to take these gradients to the parameters.
    """
    with paddle.no_grad():
        reps = [_encoded(encode, chunk, chunk_context(n)) for n, chunk in enumerate(chunks)]
    q_reps, p_reps = (paddle.concat(part).detach() for part in zip(*reps))  # [N*B, H], [N*B*P, H]
    q_reps.stop_gradient = p_reps.stop_gradient = False
    known_positives = KnownPositives.joined([chunk.known_positives for chunk in chunks])
    barrier()
    losses, hits = losses_and_hits(q_reps, p_reps, True, len(chunks), known_positives)
    (losses.mean() * loss_scale).backward()
    gradients = zip(paddle.split(q_reps.grad, len(chunks)), paddle.split(p_reps.grad, len(chunks)))
    for n, (chunk, of_chunk) in enumerate(zip(chunks, gradients)):
        paddle.autograd.backward(list(_encoded(encode, chunk, chunk_context(n))), list(of_chunk))
    return losses.detach(), hits


def _encoded(encode, chunk: Chunk, context: AbstractContextManager) -> Reps:
    with context:
        return encode(chunk)
