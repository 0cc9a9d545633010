"""Our measures beside the paper's, from literal files."""

import pytest

from rocketqa.evaluation.report_tables import (
    Depths,
    Measured,
    MeasuresFile,
    ablation_table,
    found_main_measure,
    judged_queries,
    main_measure,
    measures_file_of_model,
    medians,
    models_without_passages,
    read_measured,
    report_table,
    summary_lines,
    too_deep,
)
from rocketqa.files.errors import DataError

PAPER = {("dual_encoder_2", "MRR@10"): 0.37}


def test_a_model_without_passages_evaluates_no_judged_query(tmp_path):
    files = []
    for model, count in (("bm25", "queries_evaluated\t0\n"), ("start", "queries_evaluated\t1\n")):
        path = tmp_path / f"{model}.measures.tsv"
        path.write_text("MRR@10\t0.0\n" + count)
        files.append(measures_file_of_model(path))
    assert models_without_passages(files) == {"bm25"}


def test_measures_by_the_truth_are_read_with_those_by_the_labels(tmp_path):
    path = tmp_path / "dual_encoder_2.measures.tsv"
    path.write_text("MRR@10\t0.365\nqueries_judged\t9\n")
    file = measures_file_of_model(path)
    assert read_measured(file) == [("dual_encoder_2", "", "MRR@10", 0.365)]
    truth = tmp_path / "dual_encoder_2.measures-truth.tsv"
    truth.write_text("MRR@10\t0.5\nqueries_judged\t9\n")
    assert file.truth == truth
    assert read_measured(file) == [
        ("dual_encoder_2", "", "MRR@10", 0.365),
        ("dual_encoder_2", "", "MRR@10-truth", 0.5),
    ]


def test_counts_are_kept_of_the_data_alone(tmp_path):
    path = tmp_path / "data.measures.tsv"
    path.write_text("collection\t8841823\n")
    assert read_measured(MeasuresFile("data", "", path)) == [("data", "", "collection", 8841823.0)]
    assert read_measured(MeasuresFile("model", "", path)) == []


def test_the_report_has_the_papers_value_where_there_is_one():
    measured = [
        Measured("dual_encoder_2", "", "MRR@10", 0.365),
        Measured("dual_encoder_2", "", "Recall@50", 1 / 3),
    ]
    assert report_table(measured, PAPER) == [
        ["model", "measure", "value", "paper"],
        ["dual_encoder_2", "MRR@10", "0.365", 0.37],
        ["dual_encoder_2", "Recall@50", "0.3333333333333333", ""],
    ]


def test_the_ablation_holds_the_main_measures_of_every_seed():
    measured = [
        Measured("in_batch", "1", "MRR@10", 0.3),
        Measured("in_batch", "1", "Recall@50", 0.8),
        Measured("in_batch", "2", "MRR@10", 0.4),
    ]
    assert ablation_table(measured) == [
        ["row", "seed", "measure", "value"],
        ["in_batch", "1", "MRR@10", 0.3],
        ["in_batch", "2", "MRR@10", 0.4],
    ]


def test_a_summary_has_medians_in_percent_and_the_papers_in_brackets():
    measured = [
        *(Measured("dual_encoder_2", str(seed), "MRR@10", seed / 10) for seed in (1, 2, 4)),
        Measured("bm25", "1", "Success@50", 0.5),
        Measured("data", "", "collection", 9.0),
    ]
    assert summary_lines(measured, PAPER, "MS MARCO") == [
        "Percent, medians of 3 seeds; in brackets the paper's on MS MARCO.",
        "",
        "| model | MRR@10 | R@50 |",
        "| --- | --- | --- |",
        "| dual_encoder_2 | 20.00 (37.00) |  |",
        "| bm25 |  | 50.00 |",
    ]


def test_a_summary_without_a_number_of_the_paper_does_not_speak_of_brackets():
    measured = [Measured("start", "", "MRR@10", 0.2)]
    descriptions = {"start": "the initial weights"}
    assert summary_lines(measured, PAPER, "MS MARCO", descriptions) == [
        "Percent.",
        "",
        "| model | what it is | MRR@10 |",
        "| --- | --- | --- |",
        "| start | the initial weights | 20.00 |",
    ]


def test_a_number_of_the_paper_alone_stands_in_brackets_without_a_blank_before():
    measured = [
        Measured("bm25", "", "MRR@10", 0.2),
        Measured("dual_encoder_2", "", "Success@50", 0.5),
    ]
    assert summary_lines(measured, PAPER, "MS MARCO")[-1] == "| dual_encoder_2 | (37.00) | 50.00 |"


def test_a_measure_is_left_out_where_the_run_has_fewer_passages():
    at_50 = [Measured(model, "", "Success@50", 0.5) for model in ("bm25", "cross_encoder")]
    at_1000 = Measured("bm25", "", "Success@1000", 0.9)
    truth = Measured("bm25", "", "MRR@10-truth", 0.4)
    count = Measured("data", "", "collection", 9.0)
    measured = [*at_50, at_1000, truth, count]
    depths = Depths(retrieved=100, reranked=20)
    assert depths.deep_enough(measured) == [at_50[0], truth, count]
    assert too_deep(measured, depths) == ["R@50", "R@1000"]
    assert Depths(1000, 50).deep_enough(measured) == measured
    assert Depths(9, 50).deep_enough([truth]) == []


def test_a_measure_that_the_cross_encoder_lacks_is_named_also_where_its_file_has_none():
    measured = [
        Measured("dual_encoder_2", "", "Success@1000", 0.9),
        Measured("cross_encoder", "", "MRR@10", 0.4),
    ]
    assert too_deep(measured, Depths(1000, 50)) == ["R@1000"]


def test_a_measure_without_a_k_is_no_count(tmp_path):
    (tmp_path / "model.measures.tsv").write_text("MAP\t0.5\nqueries_judged\t9\n")
    file = measures_file_of_model(tmp_path / "model.measures.tsv")
    assert read_measured(file) == [Measured("model", "", "MAP", 0.5)]


def test_every_measure_counts_where_no_depth_is_known():
    measured = [Measured("bm25", "", "Success@1000", 0.9)]
    assert Depths().deep_enough(measured) == measured
    assert too_deep(measured, Depths()) == []


def test_judged_queries_are_counted_in_the_files_that_say_so(tmp_path):
    (tmp_path / "bm25.measures.tsv").write_text("MRR@10\t0.1\nqueries_judged\t1491\n")
    (tmp_path / "start.measures.tsv").write_text("MRR@10\t0.1\n")
    paths = [tmp_path / f"{model}.measures.tsv" for model in ("bm25", "start")]
    assert judged_queries(map(measures_file_of_model, paths)) == {"bm25": 1491}


def test_the_values_of_the_papers_tables_are_medians_over_the_seeds_of_the_ablation(tmp_path):
    ablation = tmp_path / "ablation.tsv"
    ablation.write_text(
        "row\tseed\tmeasure\tvalue\n"
        "in_batch\t1\tMRR@10\t0.1\nin_batch\t2\tMRR@10\t0.2\nin_batch\t3\tMRR@10\t0.6\n"
    )
    measured = [Measured("dual_encoder_2", "", "MRR@10", 0.365)]
    of_models = {("dual_encoder_2", "MRR@10"): 0.365}
    assert medians(measured, None) == of_models
    assert medians(measured, ablation) == of_models | {("in_batch", "MRR@10"): 0.2}


def test_the_main_measure_is_the_first_that_was_measured():
    accuracy = Measured("dual_encoder_2", "", "accuracy@5", 0.7)
    assert main_measure([accuracy]) == "accuracy@5"
    assert main_measure([accuracy, accuracy._replace(measure="MRR@10")]) == "MRR@10"
    with pytest.raises(DataError, match="measures: expected one of MRR@10, accuracy@5"):
        main_measure([accuracy._replace(measure="Recall@50")])
    assert found_main_measure([accuracy._replace(measure="Recall@50")]) is None
