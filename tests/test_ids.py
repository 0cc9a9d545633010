"""Ids are sorted as text whatever their length, and cost what they are long."""

import random
import tracemalloc

import numpy as np
import pytest

from rocketqa.search.ids import IdList


def id_list(ids: list[str]) -> IdList:
    return IdList(["".join(f"{name}\n" for name in ids).encode()])


def test_ids_are_read_back_by_row_from_the_lines_of_several_files():
    ids = IdList([b"b\na\n", "é日\n".encode(), b"", b"\nc\n"])
    assert list(ids) == ["b", "a", "é日", "", "c"]
    assert (len(ids), ids[0], ids[2]) == (5, "b", "é日")
    assert ids.at(np.array([4, 0, 2], np.uint32)) == ["c", "b", "é日"]


def test_no_ids_are_a_list_too():
    rows, repeated = IdList([b""]).sorted_rows()
    assert (rows.tolist(), repeated) == ([], None)


def test_rows_are_sorted_by_id_as_text():
    rows, repeated = id_list(
        ["p2", "p10", "p1", "é", "z", "p", "p1234567", "p123456"]
    ).sorted_rows()
    assert rows.tolist() == [5, 2, 1, 7, 6, 0, 4, 3]
    assert repeated is None


def test_an_id_that_ends_in_nul_is_another_id():
    rows, repeated = id_list(["a\0", "a", "a\0\0"]).sorted_rows()
    assert (rows.tolist(), repeated) == ([1, 0, 2], None)


@pytest.mark.parametrize("letters", ["a", "ab", "\0a", "aé日"])
@pytest.mark.parametrize("longest", [2, 7, 8, 30])
def test_the_order_and_a_repeated_id_are_those_of_strings(letters, longest):
    chance = random.Random(longest)
    for _ in range(30):
        lengths = [chance.randint(1, longest) for _ in range(40)]
        ids = list({"".join(chance.choices(letters, k=length)) for length in lengths})
        rows, repeated = id_list(ids).sorted_rows()
        assert [ids[row] for row in rows] == sorted(ids)
        assert repeated is None
        ids.append(chance.choice(ids))
        assert id_list(ids).sorted_rows()[1] == len(ids) - 1


def test_one_long_id_does_not_make_the_others_long():
    ids = [f"p{number}" for number in range(20_000)]
    lines = "".join(f"{name}\n" for name in [*ids, "x" * 2000]).encode()
    tracemalloc.start()
    found = IdList([lines])
    found.sorted_rows()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100 * 20_000  # fixed widths would take 2,000 bytes for each id


@pytest.mark.parametrize("longest", [2, 7, 8, 30])
def test_the_rows_of_some_ids_are_found_and_left_out(longest, monkeypatch):
    monkeypatch.setattr("rocketqa.search.ids.ROWS_COMPARED", 7)
    chance = random.Random(longest)
    for _ in range(5):
        words = ["".join(chance.choices("a\0é", k=chance.randint(1, longest))) for _ in range(30)]
        ids = list(dict.fromkeys(words))
        wanted = {*chance.sample(ids, len(ids) // 3), "another", ids[0][:-1] + "b"}
        listed = id_list(ids)
        rows = listed.rows_of(wanted)
        assert rows.tolist() == [row for row, name in enumerate(ids) if name in wanted]
        assert list(listed.without(rows)) == [name for name in ids if name not in wanted]
    assert listed.rows_of([]).tolist() == listed.rows_of(["another"]).tolist() == []
