"""Labelled queries are drawn by the seed and their ids, with their labels."""

from data_prep_runs import ROOT, call, data_prep_module, read, write

from rocketqa.training.plan import DRAWN_QUERIES

QUERIES = "".join(f"q{number}\tword {number}\n" for number in range(20))
QRELS = (
    "".join(f"q{number}\t0\tp{number}\t{number % 2}\n" for number in range(20)) + "q3\t0\tx\t2\n"
)


def draw(folder, count: int, seed: int, output: str = "sample") -> tuple[int, str]:
    flags = ("--count", count, "--seed", seed, "--output", folder / output)
    files = ("--queries", folder / "queries.tsv", "--qrels", folder / "qrels.tsv")
    return call("sample_queries.py", *files, *flags)


def test_a_flight_draws_as_many_as_its_plan_counts(tmp_path):
    assert "--count" not in (ROOT / "run_scripts/fuse.sh").read_text()
    flags = ("--queries", "q.tsv", "--qrels", "r.tsv", "--seed", "1", "--output", "sample")
    parsed = data_prep_module("sample_queries").build_parser().parse_args(flags)
    assert parsed.count == DRAWN_QUERIES == 500


def drawn(folder, output: str = "sample") -> list[str]:
    lines = read(folder / output, "queries.tsv").splitlines()
    return [line.split("\t")[0] for line in lines]


def test_all_queries_with_a_relevant_passage_are_drawn_where_there_are_no_more(tmp_path):
    write(tmp_path, queries__tsv=QUERIES, qrels__tsv=QRELS)
    assert draw(tmp_path, 500, 1)[0] == 0
    assert drawn(tmp_path) == [f"q{number}" for number in range(1, 20, 2)]
    qrels = read(tmp_path / "sample", "qrels.tsv").splitlines()
    assert qrels[:3] == ["q1\t0\tp1\t1", "q3\t0\tp3\t1", "q3\t0\tx\t1"]


def test_the_draw_follows_the_seed_and_not_the_other_queries(tmp_path):
    write(tmp_path, queries__tsv=QUERIES, qrels__tsv=QRELS)
    for seed in (1, 2):
        draw(tmp_path, 4, seed, f"sample{seed}")
    first = drawn(tmp_path, "sample1")
    assert len(first) == 4 and first != drawn(tmp_path, "sample2")
    longer = f"{QUERIES}q99\tone more\n"
    write(tmp_path, queries__tsv=longer, qrels__tsv=f"{QRELS}q99\t0\tp\t1\n")
    draw(tmp_path, 5, 1, "more")
    assert len({*first} & {*drawn(tmp_path, "more")}) >= 4


def test_only_queries_that_were_held_out_are_drawn_where_their_pairs_are_given(tmp_path):
    pairs = "query_id\tpassage_id\tlabel\tprobability\n"
    pairs += "".join(f"q{number}\tx\t0\t.5\n" for number in (8, 9, 5, 9))
    write(tmp_path, queries__tsv=QUERIES, qrels__tsv=QRELS, held_out__tsv=pairs)
    flags = ("--queries", tmp_path / "queries.tsv", "--qrels", tmp_path / "qrels.tsv")
    flags += ("--seed", 1, "--held-out-pairs", tmp_path / "held_out.tsv")
    assert call("sample_queries.py", *flags, "--output", tmp_path / "sample")[0] == 0
    assert drawn(tmp_path) == ["q5", "q9"]
    write(tmp_path, held_out__tsv=f"{pairs.splitlines()[0]}\n")
    status, stderr = call("sample_queries.py", *flags, "--output", tmp_path / "other")
    assert status == 2
    assert "held_out.tsv: expected labelled queries among its pairs, got none" in stderr


def test_queries_without_a_label_are_one_line_and_nothing_is_made(tmp_path):
    write(tmp_path, queries__tsv=QUERIES, qrels__tsv="other\t0\tp\t1\n")
    status, stderr = draw(tmp_path, 4, 1)
    assert status == 2
    assert stderr == (
        f"data_prep/sample_queries.py: {tmp_path}/qrels.tsv: expected labels of queries of "
        f"{tmp_path}/queries.tsv, got none\n"
    )
    assert not (tmp_path / "sample").exists()
