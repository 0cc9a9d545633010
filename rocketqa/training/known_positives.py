"""What is masked out of the negatives: known positives of the queries, copies of them, and where a
teacher judges them, the queries' own hard negatives.

Letters: N chunks a device, B queries a chunk, P passages a query, C candidates of a query, K known
positives of the query that has most.
"""

from collections.abc import Sequence

import numpy as np
import paddle
from paddle import Tensor

from rocketqa.distributed.device_copies import to_device

EMPTY_PLACE = -1  # stands for the number of a passage where a query has fewer than P
NO_PASSAGE = -2  # is the number of no passage and of no empty place
NO_QUERY = -1  # owns the passages that are no hard negatives of a query of this device


class KnownPositives:
    """Passages that are excluded as negatives of a query: its known positives, and copies of them,
    on every device. Passages have numbers; copies of a text have the same number, whatever their
    ids. Places without a passage have the number EMPTY_PLACE, and are excluded for every query.

    # Deviation: the paper and the released code take every other passage of the batch for a
    negative, also the known positives of the query and copies of its positive. A switch,
    MASK_POSITIVES, off by default.
    """

    def __init__(self, passages: np.ndarray, positives: Sequence[Sequence[int]]):
        """`passages`: numbers of the own passages, int64 [N*B*P]; `positives`: those of each own
        query, N*B lists.
        """
        self.passages = passages
        self.positives = positives

    def mask(self, labels: Tensor, candidates: Tensor) -> Tensor:
        """Returns which candidates are left out of the softmax of each query, bool [N*B, C].

        candidates: the numbers of the passages, int64 [C]. The passage that `labels` [N*B] names,
        the positive that the query is trained on, always stays.
        """
        places = paddle.arange(candidates.shape[0], dtype="int64")  # [C]
        mask = paddle.zeros([labels.shape[0], places.shape[0]], "bool")  # [N*B, C]
        for column in self._columns():
            positives = to_device(column).unsqueeze(1)  # [N*B, 1]
            mask = mask | (candidates == positives)
        return mask & (places != labels.unsqueeze(1))

    def _columns(self) -> np.ndarray:
        """Returns the numbers of the first positive of each query, of the second ..., [K, N*B].

        A query with fewer than K positives has NO_PASSAGE in the last places.
        """
        most = max(map(len, self.positives), default=0)  # K
        columns = np.full((most, len(self.positives)), NO_PASSAGE, np.int64)
        for query, numbers in enumerate(self.positives):
            columns[: len(numbers), query] = numbers
        return columns

    @staticmethod
    def joined(parts: Sequence["KnownPositives | None"]) -> "KnownPositives | None":
        """Returns the known positives of several chunks as one; None where nothing is masked."""
        present = [part for part in parts if part is not None]
        if not present:
            return None
        passages = np.concatenate([part.passages for part in present])
        positives = [numbers for part in present for numbers in part.positives]
        return KnownPositives(passages, positives)


def own_hard_negatives(
    queries: int, passages: int, chunks: int, first: int, candidates: int
) -> Tensor:
    """Returns which candidates are hard negatives of the query itself, bool [N*B, C].

    queries: N*B; passages: N*B*P, those of this device, of which candidate `first` is the first.
    """
    of_chunk = np.arange(queries).reshape([chunks, 1, queries // chunks])  # [N, 1, B]
    owners = np.tile(of_chunk, [1, passages // queries, 1])  # [N, P, B]
    owners[:, 0] = NO_QUERY  # the positives
    all_owners = np.full(candidates, NO_QUERY)
    all_owners[first : first + passages] = owners.reshape(-1)
    return to_device(all_owners) == paddle.arange(queries, dtype="int64").unsqueeze(1)
