"""The table of `rocketqa benchmark speed`: its header, and the line of a contender."""

from rocketqa.benchmark.closeness import Closeness
from rocketqa.benchmark.speed import Speed

GIB = 2**30
COLUMNS = (
    "work",
    "contender",
    "rows a second",
    "slowest round",
    "fastest round",
    "peak memory, GiB",
    "speed-up of ours",
    "share of the rate of float32 products",
    "largest difference",
    "mean cosine",
    "least cosine",
    "MRR@10",
)
HEADER = "\t".join(COLUMNS)


def speed_line(speed: Speed) -> str:
    """Returns the line of a contender, tab-separated; "-" where it has no vectors."""
    columns = [
        speed.work,
        speed.contender,
        f"{speed.rows_a_second:.1f}",
        f"{speed.slowest:.1f}",
        f"{speed.fastest:.1f}",
        f"{speed.peak_memory / GIB:.2f}",
        f"{speed.speed_up:.2f}",
        f"{speed.share:.2f}",
        *_closeness_columns(speed.closeness),
        "-" if speed.mrr is None else f"{speed.mrr:.4f}",
    ]
    return "\t".join(columns)


def _closeness_columns(found: Closeness | None) -> list[str]:
    if found is None:
        return ["-", "-", "-"]
    return [
        f"{found.largest_difference:.1e}",
        f"{found.mean_cosine:.6f}",
        f"{found.least_cosine:.6f}",
    ]
