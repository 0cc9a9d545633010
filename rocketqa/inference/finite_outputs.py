"""The check of what an encoder has computed: nan and infinity are refused where they are made."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rocketqa.files.errors import DataError


def refuse_non_finite(
    outputs: np.ndarray,
    checkpoint: Path,
    name_of_row: Callable[[int], str],
) -> None:
    """Raises DataError at the first row of the outputs, [N, H] or [N], that is not finite.

    checkpoint: what computed them. name_of_row: tells the text of a row, such as "passage 'p7'".
    """
    is_finite = np.isfinite(outputs)
    if is_finite.all():
        return
    row = int(np.argwhere(~is_finite)[0, 0])
    what = "scores" if outputs.ndim == 1 else "vectors"
    cure = "its weights may be damaged"
    if outputs.dtype == np.float16:
        cure += ", or float16 too narrow for them (--dtype float32)"
    raise DataError(
        f"{checkpoint}: expected finite {what}, got nan or infinity for {name_of_row(row)}: {cure}"
    )
