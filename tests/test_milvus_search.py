"""Ids are found among those of the passages, whatever they begin with."""

import numpy as np
from vectors_fixture import write_vectors

from rocketqa.search.milvus_search import RowsOfIds
from rocketqa.search.vectors import VectorStore


def test_ids_have_the_rows_of_a_dictionary(tmp_path):
    random = np.random.default_rng(3)
    numbers = random.permutation(500)
    ids = [f"é{number}" if number % 3 else f"a long beginning {number}" for number in numbers]
    store = VectorStore([write_vectors(tmp_path, ids, np.ones((500, 2)), shards=3)])
    rows = RowsOfIds(store.ids, store.rows_by_id())
    wanted = [*ids[::7], "é", "", "zzz", "a long beginning"]
    expected = [ids.index(identifier) if identifier in ids else -1 for identifier in wanted]
    assert rows.find(wanted).tolist() == expected
