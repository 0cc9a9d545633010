"""Cross-batch negatives (section 3.3.1): the passages of all devices are negatives for every query.

Letters: A devices, B queries per device, P passages per query (positive first), H hidden size.

Each device holds q_reps [B, H] and p_reps [B*P, H]: its B positives, then its B*(P-1) hard negatives (the released
code's order). The passages are gathered, device by device; the queries stay. Every device computes the loss of its own
B queries against all A*B*P passages. The mean over devices, which data-parallel training takes of the gradients, is
then the gradient of the mean loss over all A*B queries.
"""
import paddle
import paddle.distributed as dist
import paddle.nn.functional as F
from paddle.autograd import PyLayer


class GatherAcrossDevices(PyLayer):
    """p_reps of every device, concatenated in rank order, with a gradient (Paddle's all_gather has none).

    Backward sums over devices what each one's loss says of all passages and takes the own slice: what the released
    code's c_allgather had as its gradient op (c_reducescatter). By all_reduce, for gloo has no reduce_scatter.
    """

    @staticmethod
    def forward(context, p_reps):
        parts = []
        dist.all_gather(parts, p_reps)
        return paddle.concat(parts)  # [A*B*P, H]

    @staticmethod
    def backward(context, gradient):
        gradient = gradient.clone()
        dist.all_reduce(gradient)
        return paddle.split(gradient, dist.get_world_size())[dist.get_rank()]  # [B*P, H]


def gather(p_reps: paddle.Tensor) -> paddle.Tensor:
    """Returns the passages of all devices, [A*B*P, H]; on one device its own."""
    return p_reps if dist.get_world_size() == 1 else GatherAcrossDevices.apply(p_reps)


def loss_and_accuracy(q_reps, p_reps, cross_batch: bool) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Returns this device's mean negative log-likelihood of the positives (equation 2), and how often they rank first.

    q_reps: [B, H]; p_reps: [B*P, H], the B positives first. Dot products, no temperature. Without `cross_batch` the
    device's own passages are the only negatives (in-batch).
    """
    count = q_reps.shape[0]
    before = dist.get_rank() * p_reps.shape[0] if cross_batch else 0
    candidates = gather(p_reps) if cross_batch else p_reps  # [A*B*P, H], or [B*P, H]
    logits = paddle.matmul(q_reps, candidates, transpose_y=True)  # [B, A*B*P]
    labels = paddle.arange(before, before + count, dtype="int64")  # [B]
    loss = F.cross_entropy(logits, labels)
    accuracy = (logits.argmax(axis=1) == labels).astype("float32").mean()
    return loss, accuracy
