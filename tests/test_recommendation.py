"""What report.md begins with, from literal measures."""

import pytest
from measured_flights import RISING, results, warnings

from rocketqa.evaluation.recommendation import (
    descriptions,
    falls,
    first_lines,
    listed,
    reranked_passages,
)
from rocketqa.evaluation.report_tables import Depths, Measured
from rocketqa.evaluation.search_command import Answering, entering_commands, serve_command


def test_a_report_begins_with_the_checkpoints_the_command_the_queries_and_the_depths():
    assert first_lines(results(RISING)) == [
        "# Which checkpoint to use",
        "",
        "- Dual encoder: `c/dual_encoder_2` (stage 4: data augmentation). Its MRR@10 of 72.00 "
        "percent is the highest of start, dual_encoder_0, dual_encoder_1 and dual_encoder_2.",
        "- Cross encoder: `c/cross_encoder` re-ranks what the dual encoder finds (MRR@10 78.91 "
        "over the first 20 passages of dual_encoder_2).",
        "",
        "```sh",
        *entering_commands(),
        "rocketqa search 'your query' \\\n"
        "    --checkpoint c/dual_encoder_2 \\\n"
        "    --collection d/collection.tsv \\\n"
        "    --passage-vectors o/dual_encoder_2.vectors/collection \\\n"
        "    --query-length 32 \\\n"
        "    --cross-encoder c/cross_encoder \\\n"
        "    --max-length 160 \\\n"
        "    --depth 20 \\\n"
        "    --rerank-depth 20",
        "```",
        "",
        "With a search page, at http://127.0.0.1:8000 on this machine:",
        "",
        "```sh",
        *entering_commands(),
        serve_command(results(RISING).flight, Answering("dual_encoder_2", True)),
        "```",
        "",
        "- Without training: MRR@10 is 60.00 with BM25 and 65.00 with the initial weights.",
        "- Judged queries: 1,491.",
        "- Depth: 100 passages were retrieved for each query, and the cross encoder re-ranked the "
        "first 20.",
        "",
        "# Measures",
        "",
    ]


def test_a_stage_below_the_one_before_is_warned_of_with_both_numbers():
    values = RISING | {"dual_encoder_1": 0.6999}
    assert warnings(values) == ["dual_encoder_1 has MRR@10 69.99, below dual_encoder_0 with 70.00."]


def test_a_stage_below_any_earlier_stage_is_warned_of():
    values = RISING | {"dual_encoder_1": 0.66, "dual_encoder_2": 0.68}
    assert warnings(values) == [
        "dual_encoder_1 has MRR@10 66.00, below dual_encoder_0 with 70.00.",
        "dual_encoder_2 has MRR@10 68.00, below dual_encoder_0 with 70.00.",
    ]


def test_a_stage_below_the_initial_weights_and_bm25_is_warned_of_in_one_line():
    assert warnings(RISING | {"dual_encoder_0": 0.5}) == [
        "dual_encoder_0 has MRR@10 50.00, below the initial weights with 65.00 and BM25 with 60.00."
    ]


def test_stages_below_bm25_alone_are_warned_of():
    values = {"bm25": 0.71, "dual_encoder_0": 0.7, "dual_encoder_1": 0.72}
    assert warnings(values) == ["dual_encoder_0 has MRR@10 70.00, below BM25 with 71.00."]


def test_a_cross_encoder_below_what_it_re_ranks_is_warned_of_and_not_recommended():
    values = RISING | {"cross_encoder": 0.7}
    lines = first_lines(results(values))
    assert lines[3] == (
        "- Cross encoder: none. `c/cross_encoder` has MRR@10 70.00 over the first 20 passages of "
        "dual_encoder_2, below dual_encoder_2 with 72.00."
    )
    assert "--cross-encoder" not in "\n".join(lines)
    assert warnings(values) == ["cross_encoder has MRR@10 70.00, below dual_encoder_2 with 72.00."]


def test_stages_that_rise_or_stay_have_no_warning():
    assert warnings(RISING) == []
    assert warnings(dict.fromkeys(RISING, 0.7)) == []


def test_what_is_equal_in_the_table_is_not_below():
    values = {"dual_encoder_0": 0.700001, "dual_encoder_1": 0.70}
    assert warnings(values) == []


def test_the_best_dual_encoder_may_be_an_earlier_one_or_the_initial_weights():
    lines = first_lines(results({"dual_encoder_0": 0.72, "dual_encoder_1": 0.71}))
    assert lines[2].startswith("- Dual encoder: `c/dual_encoder_0` (stage 1: cross-batch")
    lines = first_lines(results({"start": 0.8, "dual_encoder_0": 0.7}))
    assert lines[2].startswith("- Dual encoder: `c/start` (the initial weights). Its MRR@10 of 80")
    assert "    --checkpoint c/start \\" in "\n".join(lines)


def test_of_equal_dual_encoders_the_last_is_named():
    lines = first_lines(results({"dual_encoder_0": 0.7, "dual_encoder_1": 0.7}))
    assert "`c/dual_encoder_1`" in lines[2]


def test_a_flight_without_baselines_says_that_they_were_not_measured():
    lines = first_lines(results({"dual_encoder_0": 0.7}))
    assert "- Without training: neither BM25 nor the initial weights were measured." in lines
    lines = first_lines(results({"bm25": 0.6, "dual_encoder_0": 0.7}))
    assert "- Without training: MRR@10 is 60.00 with BM25." in lines


def test_by_answers_the_main_measure_has_the_name_of_the_paper():
    lines = first_lines(results({"dual_encoder_0": 0.7}, measure="accuracy@5"))
    assert "Its R@5 of 70.00 percent" in lines[2]


def test_measures_that_need_more_passages_are_named():
    values = results({"dual_encoder_0": 0.7})
    deep = [Measured("dual_encoder_0", "", "Success@1000", 0.9)]
    lines = first_lines(values._replace(measured=[*values.measured, *deep]))
    assert lines[-4] == (
        "- Depth: 100 passages were retrieved for each query. R@1000 is left out where a run has "
        "fewer passages."
    )


def test_a_cross_encoder_over_too_few_passages_is_not_compared():
    lines = first_lines(results(RISING, depths=Depths(100, 5)))
    assert not [line for line in lines if line.startswith("- Cross encoder")]
    assert "MRR@10 is left out where a run has fewer passages." in "\n".join(lines)


@pytest.mark.parametrize(
    "values, measure, line",
    [
        ({"bm25": 0.7}, "MRR@10", "- Dual encoder: none was measured."),
        ({"dual_encoder_0": 0.7}, "Recall@50", "- Dual encoder: none was measured."),
    ],
)
def test_without_a_main_measure_of_a_dual_encoder_none_is_named(values, measure, line):
    lines = first_lines(results(values, measure=measure))
    assert lines[2] == line
    assert "```sh" not in lines


def test_without_paths_depths_and_counts_the_names_alone_are_given():
    values = results({"dual_encoder_0": 0.7, "cross_encoder": 0.8}, depths=Depths(), flight=None)
    assert first_lines(values._replace(judged={})) == [
        "# Which checkpoint to use",
        "",
        "- Dual encoder: `dual_encoder_0` (stage 1: cross-batch negatives). Its MRR@10 of 70.00 "
        "percent is the highest of dual_encoder_0.",
        "- Cross encoder: `cross_encoder` re-ranks what the dual encoder finds (MRR@10 80.00 over "
        "the first passages of dual_encoder_2).",
        "- Without training: neither BM25 nor the initial weights were measured.",
        "",
        "# Measures",
        "",
    ]


def test_models_that_were_judged_on_different_queries_are_not_compared_in_silence():
    values = results({"bm25": 0.6, "dual_encoder_0": 0.7})
    lines = first_lines(values._replace(judged={"bm25": 20, "dual_encoder_0": 1000}))
    assert lines[-5] == (
        "- Judged queries: 20 to 1,000. Models that were judged on other queries cannot be "
        "compared."
    )


def test_the_cross_encoder_is_described_with_its_passages():
    deeper = results(RISING, depths=Depths(1000, 50))
    assert reranked_passages(deeper.depths) == "over the first 50 passages of dual_encoder_2"
    described = descriptions(results(RISING))
    assert described["cross_encoder"] == (
        "stage 2: cross encoder over the first 20 passages of dual_encoder_2"
    )
    assert described["start"] == "the initial weights"


def test_a_distilled_model_is_the_last_one_and_its_passages_are_re_ranked():
    values = RISING | {"dual_encoder_3": 0.74}
    lines = first_lines(results(values)._replace(last="dual_encoder_3"))
    assert lines[2:4] == [
        "- Dual encoder: `c/dual_encoder_3` (stage 5, beyond the paper: distillation). Its MRR@10 "
        "of 74.00 percent is the highest of start, dual_encoder_0, dual_encoder_1, dual_encoder_2 "
        "and dual_encoder_3.",
        "- Cross encoder: `c/cross_encoder` re-ranks what the dual encoder finds (MRR@10 78.91 "
        "over the first 20 passages of dual_encoder_3).",
    ]
    assert warnings(RISING | {"dual_encoder_3": 0.715}) == [
        "dual_encoder_3 has MRR@10 71.50, below dual_encoder_2 with 72.00."
    ]


def test_a_baseline_that_found_nothing_is_said_to_have_found_nothing():
    nothing = "it retrieved no passage for any judged query"
    empty = results(RISING | {"bm25": 0.0})._replace(without_passages={"bm25"})
    assert descriptions(empty)["bm25"] == f"BM25, which is not trained; {nothing}"
    assert (
        "- Without training: MRR@10 is 0.00 with BM25 and 65.00 with the initial weights. "
        f"BM25 has 0 because {nothing}."
    ) in first_lines(empty)
    assert nothing not in "".join(first_lines(results(RISING)))


def test_words_are_listed_with_a_last_and():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_a_stage_that_was_not_measured_is_no_fall():
    assert list(falls({"bm25": 60.0, "dual_encoder_2": 70.0}, "MRR@10")) == []
