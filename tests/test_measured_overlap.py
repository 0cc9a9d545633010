"""What an index finds is held against exact search, by queries or by passages in their place."""

import numpy as np
import pytest

from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.search.measured_overlap import VectorsToIndex

SIZE = 8


def write_vectors(folder, count, size=SIZE):
    folder.mkdir()
    np.save(folder / "vectors.0.npy", np.random.default_rng(count).random((count, size), "f4"))
    write_lines(folder / "vectors.0.ids", map(str, range(count)))
    return folder


class Finds:
    """An engine whose candidates are the first rows, whatever the query is."""

    def __init__(self, rows):
        self._rows = rows

    def find(self, queries, count):
        found = np.full((len(queries), count), -1)
        found[:, : self._rows] = np.arange(self._rows)[:count]
        return found


@pytest.mark.parametrize("rows, share", [(60, 1.0), (30, 0.5)])
def test_the_share_of_the_best_that_is_found_is_said_with_what_measured_it(tmp_path, rows, share):
    passages = write_vectors(tmp_path / "passages", 60)
    measured = VectorsToIndex([passages], None, 1 << 20).overlap_of(Finds(rows), seed=1)
    assert measured.share == share
    assert str(measured) == f"finds {share:.4f} of the exact best 100 of 60 passages"


def test_queries_measure_it_where_they_are_given_and_have_the_size_of_the_passages(tmp_path):
    passages = write_vectors(tmp_path / "passages", 60)
    queries = write_vectors(tmp_path / "queries", 7)
    measured = VectorsToIndex([passages], queries, 1 << 20).overlap_of(Finds(60), seed=1)
    assert str(measured) == "finds 1.0000 of the exact best 100 of 7 queries"
    others = write_vectors(tmp_path / "others", 3, size=SIZE + 1)
    with pytest.raises(DataError, match="expected"):
        VectorsToIndex([passages], others, 1 << 20)
