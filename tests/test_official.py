"""`--mode official` against a slow twin of the official MS MARCO script."""

import random

import pytest

from rocketqa.cli.__main__ import main
from rocketqa.files.formats import write_lines


class Refused(Exception):
    """What the official script raises as an IOError."""


def slow_official(
    run: list[tuple[int, int, int]], qrels: list[tuple[int, int, int]]
) -> tuple[list[float], int]:
    """Returns MRR@10, hit rates at 1, 50 and 1,000, and how many queries were ranked.

    It is written from descriptions alone: of the official script, and of the released code's copy,
    whose "recall" is a hit rate.
    """
    relevant: dict[int, list[int]] = {}
    for query_id, passage_id, _ in qrels:  # the relevance is not read
        relevant.setdefault(query_id, []).append(passage_id)
    slots: dict[int, list[int]] = {}
    for query_id, passage_id, rank in run:
        row = slots.setdefault(query_id, [0] * 1000)
        if not -1000 < rank <= 1000:
            raise Refused
        row[rank - 1] = passage_id
    if not set(slots) & set(relevant):
        raise Refused
    mrr = 0.0
    hits = dict.fromkeys((1, 50, 1000), 0)
    for query_id, row in slots.items():
        for place in range(1000):
            if row[place] in relevant.get(query_id, []):
                mrr += 1 / (place + 1) if place < 10 else 0
                for k in hits:
                    hits[k] += place < k
                break
    totals = [mrr, *hits.values()]
    return [total / len(relevant) for total in totals], len(slots)


def random_case(seed: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Returns a run with all that the official script accepts, and labels.

    The ids are few, so that many judged passages are retrieved.
    """
    drawing = random.Random(seed)
    queries = range(drawing.randint(1, 12))
    qrels = []
    for query_id in queries:
        for _ in range(drawing.randint(1, 3)):
            if query_id == 0 or drawing.random() < 0.8:
                qrels.append((query_id, drawing.randint(0, 9), drawing.randint(0, 1)))
    ranks = [*range(0, 14), 999, 1000]
    if drawing.random() < 0.03:
        ranks.append(1001)
    run = []
    for query_id in queries:
        for _ in range(drawing.randint(0, 12)):
            retrieved_for = query_id + drawing.choice([0, 0, 0, 50])
            run.append((retrieved_for, drawing.randint(0, 12), drawing.choice(ranks)))
    drawing.shuffle(run)
    return run or [(0, 1, 1)], qrels


def files_of(folder, run, qrels) -> tuple[str, str]:
    """Writes a run and labels and returns their paths."""
    write_lines(folder / "a.run", ("\t".join(map(str, row)) for row in run))
    write_lines(
        folder / "qrels.tsv",
        (f"{query_id}\t0\t{passage_id}\t{label}" for query_id, passage_id, label in qrels),
    )
    return str(folder / "a.run"), str(folder / "qrels.tsv")


def test_random_runs_have_the_official_measures_to_the_last_digit(tmp_path, capsys):
    refused = different = 0
    for seed in range(500):
        run, qrels = random_case(seed)
        run_file, qrels_file = files_of(tmp_path, run, qrels)
        command = ["evaluate", "--mode", "official", "--run", run_file, "--qrels", qrels_file]
        status = main(command)
        printed = capsys.readouterr()
        try:
            values, ranked_queries = slow_official(run, qrels)
        except Refused:
            assert status == 2 and not printed.out, seed
            refused += 1
            continue
        lines = dict(line.split("\t") for line in printed.out.splitlines())
        measures = ("MRR@10", "Success@1", "Success@50", "Success@1000")
        assert status == 0, seed
        assert [float(lines[name]) for name in measures] == values, seed
        assert int(lines["queries_retrieved"]) == ranked_queries, seed
        different += 0 < values[0] < 1
    assert refused > 5 and different > 300  # the random cases differ enough


@pytest.mark.parametrize(
    "run, mrr, retrieved",
    [
        ([(5, 77, 1)], 0.5, 1),
        ([(5, 77, 1), (5, 77, 2)], 0.5, 1),
        ([(5, 77, 2), (5, 3, 1)], 0.25, 1),
        ([(5, 77, 11)], 0.0, 1),
        ([(5, 77, 0)], 0.0, 1),
        ([(5, 77, 1), (5, 3, 1)], 0.0, 1),
        ([(1185869, 9, 1), (5, 8, 1)], 0.25, 2),
    ],
)
def test_the_twin_itself_gives_the_golden_vectors(run, mrr, retrieved):
    values, ranked_queries = slow_official(run, [(1185869, 0, 1), (5, 77, 1)])
    assert (values[0], ranked_queries) == (mrr, retrieved)


def official(
    tmp_path, capsys, run: str, qrels: str, mode: str = "official"
) -> tuple[int, str, str]:
    """Returns the exit status, the first line of the output, and what went to stderr."""
    run_file = tmp_path / "a.run"
    run_file.write_text(run.replace(" ", "\t"))
    qrels_file = tmp_path / "qrels.tsv"
    qrels_file.write_text(qrels.replace(" ", "\t"))
    command = ["evaluate", "--mode", mode, "--run", str(run_file), "--qrels", str(qrels_file)]
    status = main(command)
    printed = capsys.readouterr()
    return status, printed.out.split("\n")[0], printed.err


def test_official_mode_reads_no_judgement_so_a_zero_is_relevant(tmp_path, capsys):
    for label in ("0", "yes", "1.0", ""):
        assert official(tmp_path, capsys, "5 77 1\n", f"5 0 77 {label}\n")[:2] == (0, "MRR@10\t1.0")
    assert official(tmp_path, capsys, "5 77 1\n", "5 0 77 0\n5 0 3 1\n", "strict")[:2] == (
        0,
        "MRR@10\t0.0",
    )


def test_official_mode_warns_of_repeated_passages_and_scores_on(tmp_path, capsys):
    status, line, complaint = official(tmp_path, capsys, "5 77 1\n5 77 2\n", "5 0 77 1\n")
    assert (status, line) == (0, "MRR@10\t1.0") and "first: query 5, passage 77" in complaint


def test_official_mode_accepts_what_its_script_accepts_and_strict_mode_refuses_it(tmp_path, capsys):
    for run, qrels in (
        ("5 77 1", "5 0 77 1\n"),
        ("5 77 1\r\n", "5 0 77 1\n"),
        ("5 77 1 nan\n", "5 0 77 1\n"),
        ("5 77 1\n", "5 0 77 1\n5 0 77 1\n"),
    ):
        assert official(tmp_path, capsys, run, qrels)[:2] == (0, "MRR@10\t1.0"), run
        assert official(tmp_path, capsys, run, qrels, "strict")[0] == 2, run


@pytest.mark.parametrize("rank", ["1001", "-1000", "-99999"])
def test_official_mode_refuses_a_rank_without_a_slot(tmp_path, capsys, rank):
    status, line, complaint = official(tmp_path, capsys, f"5 77 1\n5 3 {rank}\n", "5 0 77 1\n")
    assert (status, line) == (2, "") and complaint.endswith(
        f"a.run:2: expected a rank up to 1000, got {rank}\n"
    )


def test_queries_that_nobody_judged_are_named_and_left_out(tmp_path, capsys):
    for mode in ("strict", "official"):
        status, value, complaint = official(
            tmp_path, capsys, "5 77 1\n6 3 1\n7 3 1\n", "5 0 77 1\n7 0 3 0\n", mode
        )
        assert status == 0 and value == "MRR@10\t1.0"
        assert "1 queries are not in" in complaint and complaint.splitlines()[0].endswith(
            "are left out: 6"
        )


def test_official_mode_reads_tabs_alone_as_its_script(tmp_path):
    run_file = tmp_path / "a.run"
    qrels_file = tmp_path / "qrels.tsv"
    command = ["evaluate", "--run", str(run_file), "--qrels", str(qrels_file)]
    for blank_in_run, blank_in_qrels in ((" ", "\t"), ("\t", " ")):
        run_file.write_text("5 77 1\n".replace(" ", blank_in_run))
        qrels_file.write_text("5 0 77 1\n".replace(" ", blank_in_qrels))
        assert main([*command, "--mode", "official"]) == 2
        assert main(command) == 0


@pytest.mark.parametrize("rank, slot", [("0", 1000), ("-1", 999)])
def test_official_mode_warns_of_ranks_below_1_and_measures_on(tmp_path, capsys, rank, slot):
    run = f"5 3 1\n5 77 {rank}\n5 8 {rank}\n5 77 {rank}\n"
    status, line, complaint = official(tmp_path, capsys, run, "5 0 77 1\n")
    assert (status, line) == (0, "MRR@10\t0.0")
    assert f"{tmp_path}/a.run:2: 3 ranks are below 1, and this is the first: " in complaint
    assert f"the run has no passage beyond rank {slot}" in complaint or slot == 1000


def test_official_mode_has_every_measure_and_says_where_the_run_ends(tmp_path, capsys):
    status, _, complaint = official(tmp_path, capsys, "5 3 1\n5 77 2\n", "5 0 77 1\n")
    expected = (
        "a.run: MRR@10, Success@50, Success@1000, Recall@50, Recall@1000: the run has no passage "
        "beyond rank 2\n"
    )
    assert status == 0 and complaint.endswith(expected)
