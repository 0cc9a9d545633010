"""Known positives of the queries, and copies of them, that are masked out of the negatives.

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
