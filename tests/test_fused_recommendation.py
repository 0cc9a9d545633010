"""What report.md says of BM25 and the last model together, from literal measures."""

from pathlib import Path

from measured_flights import FLIGHT, RISING, results, warnings

from rocketqa.evaluation.recommendation import descriptions, first_lines

WITH_FUSED = RISING | {"fused": 0.76, "fused_reranked": 0.81}
WITH_INDEX = FLIGHT._replace(bm25_index=Path("o/bm25.index"))


def fused_lines(values, **others):
    """Returns the lines on BM25 beside the vectors, and those of the command after its length."""
    of_flight = results(values, flight=WITH_INDEX)._replace(bm25_weight=0.4, **others)
    lines = first_lines(of_flight)
    [beside] = [line for line in lines if line.startswith("- BM25 beside it")]
    [command] = [line for line in lines if line.startswith("rocketqa search")]
    return beside, command.split("--query-length 32")[1].replace(" \\\n    ", " ")


def test_the_fused_search_is_recommended_where_re_ranked_it_is_the_best():
    beside, command = fused_lines(WITH_FUSED)
    assert beside == (
        "- BM25 beside it: yes. Fused with `c/dual_encoder_2` it has MRR@10 76.00, 81.00 "
        "re-ranked, above cross_encoder with 78.91; the weight of BM25, chosen on training "
        "queries, is 0.4."
    )
    assert command == (
        " --bm25-index o/bm25.index --bm25-weight 0.4 --cross-encoder c/cross_encoder "
        "--max-length 160 --depth 20 --rerank-depth 20"
    )


def test_the_command_has_the_weight_of_the_cross_encoder_where_it_does_not_rank_alone():
    beside, command = fused_lines(WITH_FUSED, cross_encoder_weight=0.6)
    assert beside.endswith("is 0.4, that of the cross encoder 0.6.")
    assert "--cross-encoder c/cross_encoder --cross-encoder-weight 0.6 --max-length" in command
    described = descriptions(results(WITH_FUSED)._replace(cross_encoder_weight=0.6))
    assert described["fused_reranked"].endswith(
        "the fused ranking: 0.6 x P(relevant) + 0.4 x fused"
    )
    of_pure = fused_lines(RISING | {"fused": 0.7}, cross_encoder_weight=0.6)[1]
    assert "--cross-encoder c/cross_encoder" in of_pure and "-weight" not in of_pure


def test_the_fused_search_is_recommended_without_re_ranking_where_that_is_better():
    values = RISING | {"fused": 0.82, "fused_reranked": 0.81}
    beside, command = fused_lines(values)
    assert "Fused with `c/dual_encoder_2` it has MRR@10 82.00, 81.00 re-ranked, above" in beside
    assert command == " --bm25-index o/bm25.index --bm25-weight 0.4"
    assert "has MRR@10 78.91 over the first 20 passages of dual_encoder_2, below fused with" in (
        "".join(first_lines(results(values)))
    )


def test_the_fused_search_is_not_recommended_where_others_are_as_good():
    for equal in (RISING | {"fused": 0.7891}, RISING | {"fused": 0.7, "fused_reranked": 0.7891}):
        beside, command = fused_lines(equal)
        assert beside.startswith("- BM25 beside it: no. Fused with dual_encoder_2 it has MRR@10 7")
        assert beside.endswith(", not above cross_encoder with 78.91.")
        assert "--bm25" not in command


def test_the_rows_of_fused_passages_say_what_they_are_and_where_they_fall():
    described = descriptions(results(WITH_FUSED)._replace(bm25_weight=0.3))
    assert described["fused"] == "BM25 + last model: 0.3 x BM25 + 0.7 x dual_encoder_2"
    assert described["fused_reranked"] == (
        "BM25 + last model, re-ranked over the first 20 passages of the fused ranking"
    )
    assert warnings(RISING | {"fused": 0.5, "fused_reranked": 0.6}) == [
        "fused has MRR@10 50.00, below dual_encoder_2 with 72.00 and BM25 with 60.00.",
        "fused_reranked has MRR@10 60.00, below cross_encoder with 78.91.",
    ]


def test_a_model_that_was_not_trained_is_warned_of_and_the_last_one_stands_for_it():
    values = {"dual_encoder_0": 0.7, "cross_encoder": 0.69, "fused": 0.75}
    of_flight = results(values)._replace(
        last="dual_encoder_0", notes=["dual_encoder_1 was not trained: too few."]
    )
    lines = "\n".join(first_lines(of_flight))
    assert "**Warning:** dual_encoder_1 was not trained: too few.\n" in lines
    assert "**Warning:** cross_encoder has MRR@10 69.00, below dual_encoder_0 with 70.00." in lines
    assert "Fused with `c/dual_encoder_0` it has" in lines
    assert "over the first 20 passages of dual_encoder_0" in lines
