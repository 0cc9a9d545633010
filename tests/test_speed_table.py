"""A line of the table of speeds has a value, or a dash, for each column of the header."""

from rocketqa.benchmark.closeness import Closeness
from rocketqa.benchmark.speed import Speed
from rocketqa.benchmark.speed_table import COLUMNS, HEADER, speed_line


def test_each_column_has_its_value():
    speed = Speed("encode", "a peer", 71.26, 64.55, 73.0, 3 * 2**29, 1.294, 0.671)
    close = speed._replace(closeness=Closeness(0.0123, 0.99961, 0.998))
    close = close._replace(mrr=0.61324)
    ends = ["1.2e-02", "0.999610", "0.998000", "0.6132"]
    assert speed_line(close).split("\t") == [
        "encode",
        "a peer",
        "71.3",
        "64.5",
        "73.0",
        "1.50",
        "1.29",
        "0.67",
        *ends,
    ]
    assert speed_line(speed).split("\t")[8:] == ["-", "-", "-", "-"]
    assert len(COLUMNS) == len(HEADER.split("\t")) == len(speed_line(speed).split("\t"))
