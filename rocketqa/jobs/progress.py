"""Progress bars with the time that is left, shown where a person watches a terminal."""

import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

# The run scripts set this to "yes" where they write to a terminal, which a launcher hides from its
# processes.
WATCHED = "ROCKETQA_WATCHED"


def bar(items: Iterable | None = None, main: bool = True, **settings: Any) -> tqdm:
    """Returns a tqdm bar over `items`, which shows nothing where no person watches.

    main: whether this is the first device; the bars of all others show nothing. settings: tqdm's
    own, such as `total`, `unit` and `desc`.
    """
    is_watched = sys.stderr.isatty() or os.environ.get(WATCHED) == "yes"
    return tqdm(items, disable=not (main and is_watched), **settings)
