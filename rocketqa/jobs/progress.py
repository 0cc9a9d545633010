"""Progress bars: tqdm with the time that is left, on the first device, where a person watches a
terminal.
"""

import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

# The run scripts set this to "yes" where they write to a terminal, which a launcher hides from its
# processes.
WATCHED = "ROCKETQA_WATCHED"


def bar(items: Iterable | None = None, main: bool = True, **settings: Any) -> tqdm:
    """Returns a tqdm bar over `items`; it shows nothing where no person watches, or where `main` is
    False.

    main: whether this is the first device. settings: tqdm's own, such as `total`, `unit` and
    `desc`.
    """
    is_watched = sys.stderr.isatty() or os.environ.get(WATCHED) == "yes"
    return tqdm(items, disable=not (main and is_watched), **settings)
