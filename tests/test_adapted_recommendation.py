"""What report.md says of a model that was adapted without labels, from literal measures."""

from measured_flights import results

from rocketqa.evaluation.recommendation import descriptions, first_lines

VALUES = {"bm25": 0.6, "start": 0.65, "adapted": 0.7, "cross_encoder": 0.95, "fused": 0.72}


def adapted(values, last="adapted", **others):
    return results(values)._replace(last=last, bm25_weight=0.4, **others)


def text_of(values, **others) -> str:
    return "\n".join(first_lines(adapted(values, **others)))


def test_by_labels_the_cross_encoder_is_compared_as_everywhere():
    text = text_of(VALUES)
    assert "`c/adapted` (trained on without labels). Its MRR@10 of 70.00 percent is the hi" in text
    assert "- Cross encoder: `c/cross_encoder` re-ranks what" in text
    assert "MRR@10 is 60.00 with BM25 and 65.00 with the model as it came." in text
    assert "    --cross-encoder c/cross_encoder \\" in text
    assert "Measured by" not in text


def test_without_labels_the_judge_does_not_compare_itself_and_the_report_says_so():
    text = text_of(VALUES | {"fused_reranked": 0.97}, judged_by_cross_encoder=True)
    assert "- Measured by the cross encoder, `c/cross_encoder`, because there are no labels" in text
    assert "- Cross encoder:" not in text and "--cross-encoder" not in text
    assert "- BM25 beside it: yes. Fused with `c/adapted` it has MRR@10 72.00, above " in text
    assert "    --bm25-weight 0.4" in text
    assert "Warning" not in text


def test_an_adapted_model_below_what_came_is_warned_of():
    text = text_of(VALUES | {"adapted": 0.5})
    assert "**Warning:** adapted has MRR@10 50.00, below the model as it came with 65.00" in text
    assert "- Dual encoder: `c/start` (the model as it came)." in text


def test_the_rows_say_that_the_models_were_given():
    for last in ("adapted", "start"):
        described = descriptions(adapted(VALUES, last))
        assert described["start"] == "the model as it came"
        assert described["cross_encoder"] == (
            f"the given cross encoder over the first 20 passages of {last}"
        )
    assert descriptions(adapted(VALUES, "dual_encoder_2"))["start"] == "the initial weights"
