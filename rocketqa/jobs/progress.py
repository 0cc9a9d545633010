"""Progress bars: tqdm with its ETA, from the first device, where a person looks on."""

import os
import sys

from tqdm import tqdm

WATCHED = "ROCKETQA_WATCHED"  # the run scripts set it where they write to a terminal and a launcher stands between


def bar(items=None, main: bool = True, **settings) -> tqdm:
    """Returns a tqdm bar, silent on all devices but the main one and where nobody looks on."""
    watched = sys.stderr.isatty() or os.environ.get(WATCHED) == "yes"
    return tqdm(items, disable=not (main and watched), **settings)
