"""A collapsed encoder is named, and a sound one never is."""

import numpy as np
import pytest
from vectors_fixture import retrieve, write_queries_and_passages, write_vectors

from rocketqa.search.collapse import near_equal_share, warn_of_collapse
from rocketqa.search.vectors import VectorStore

RANDOM = np.random.default_rng(1)
BASE = RANDOM.standard_normal(48)


def around_base(distance: float, count: int) -> np.ndarray:
    """Returns vectors at about a distance, in lengths of a vector, from BASE."""
    return BASE * (1 + distance * RANDOM.standard_normal((count, 48)))


def test_the_share_is_that_of_the_largest_group_of_nearly_equal_vectors():
    vectors = np.array([[1, 0], [1, 1e-7], [1, 0.1], [0, 1], [1, -1e-7]], np.float32)
    assert near_equal_share(vectors) == 3 / 5
    assert near_equal_share(np.zeros((4, 2), np.float32)) == 1


@pytest.mark.parametrize(
    "vectors, dtype, share",
    [
        (around_base(1e-7, 300), np.float32, 1),
        (around_base(1e-6, 300), np.float16, 1),
        (around_base(1e-3, 300), np.float32, 1 / 256),
        (RANDOM.standard_normal((300, 48)), np.float32, 1 / 256),
    ],
)
def test_vectors_within_rounding_are_nearly_equal(tmp_path, vectors, dtype, share):
    ids = [f"p{number}" for number in range(300)]
    store = VectorStore([write_vectors(tmp_path, ids, vectors, dtype=dtype)])
    assert near_equal_share(store.sample(256)) == share


@pytest.mark.parametrize("collapsed, said", [(99, False), (300, True)])
def test_a_collapse_is_said_of_enough_vectors(tmp_path, capsys, collapsed, said):
    ids = [f"p{number}" for number in range(collapsed)]
    store = VectorStore([write_vectors(tmp_path, ids, around_base(1e-7, collapsed))])
    warn_of_collapse(store, "passages")
    line = (
        f"{tmp_path}: expected different vectors of different passages, got nearly the same one "
        "for 100% of a sample: the encoder has collapsed, or these passages have the same text\n"
    )
    assert capsys.readouterr().err == (line if said else "")


def test_retrieve_names_a_third_of_equal_passages_and_is_silent_on_others(tmp_path, capsys):
    write_queries_and_passages(tmp_path)
    retrieve(tmp_path)
    assert "collapsed" not in capsys.readouterr().err
    vectors = RANDOM.standard_normal((900, 24))
    vectors[::3] = vectors[0]
    ids = [f"p{number}" for number in range(900)]
    write_vectors(tmp_path / "third", ids, vectors)
    retrieve(tmp_path, passages=["third"])
    assert f"{tmp_path}/third: expected different vectors of" in capsys.readouterr().err
