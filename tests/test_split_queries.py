"""A query log is split by the seed and the ids into one part to train on and a held-out part."""

from data_prep_runs import call, data_prep_module, read, write

PARTS = ("log_train", "log_judged")


def split(folder, count: int, queries: int = 40, output: str = "log") -> tuple[int, str]:
    text = "".join(f"q{number}\tword {number}\n" for number in range(queries))
    write(folder, queries__tsv=text)
    flags = ("--count", count, "--seed", 1, "--output", folder / output)
    return call("split_queries.py", "--queries", folder / "queries.tsv", *flags)


def parts(folder, output: str = "log") -> list[list[str]]:
    lines = [read(folder / output, f"queries.{name}.tsv").splitlines() for name in PARTS]
    return [[line.split("\t")[0] for line in part] for part in lines]


def test_every_query_is_in_one_part_in_the_order_of_the_file(tmp_path):
    assert split(tmp_path, 3)[0] == 0
    found = parts(tmp_path)
    assert [len(part) for part in found] == [37, 3]
    together = [query_id for part in found for query_id in part]
    assert sorted(together) == sorted(f"q{number}" for number in range(40))
    for part in found:
        assert part == sorted(part, key=lambda query_id: int(query_id[1:]))


def test_the_held_out_part_has_at_most_a_tenth_and_at_least_one_query(tmp_path):
    assert split(tmp_path, 500)[0] == 0
    assert [len(part) for part in parts(tmp_path)] == [36, 4]
    assert split(tmp_path, 500, queries=2, output="few")[0] == 0
    assert [len(part) for part in parts(tmp_path, "few")] == [1, 1]


def test_the_held_out_queries_do_not_depend_on_the_order_of_the_log():
    parts_of = data_prep_module("split_queries").parts_of
    query_ids = [f"q{number}" for number in range(60)]
    forward = {name: set(part) for name, part in parts_of(query_ids, 5, 1)}
    backward = {name: set(part) for name, part in parts_of(query_ids[::-1], 5, 1)}
    assert forward == backward
    assert forward != {name: set(part) for name, part in parts_of(query_ids, 5, 2)}


def test_a_log_of_one_query_is_one_line_and_nothing_is_made(tmp_path):
    status, stderr = split(tmp_path, 500, queries=1)
    assert status == 2
    assert stderr.endswith(f"{tmp_path}/queries.tsv: expected 2 queries or more, got 1\n")
    assert not (tmp_path / "log").exists()
