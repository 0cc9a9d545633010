"""Labels of documents become labels of the passages that the documents are cut into."""

import pytest
from data_prep_runs import data_prep_module, write

from rocketqa.files.errors import DataError

cutting = data_prep_module("cutting")
document_labels = data_prep_module("document_labels")

FOUR_BY_TWO = cutting.Cutting(4, 2, False)
DOCUMENTS = [
    cutting.Document("d1", "", "aa bb cc dd ee ff gg"),  # aa-dd 0-11, cc-ff 6-17, ee-gg 12-20
    cutting.Document("d2", "", "one two"),
]


def of_spans(tmp_path, content: str, seed: int = 1):
    path = write(tmp_path, spans__dev__tsv=content) / "spans.dev.tsv"
    return document_labels.labels_of_spans(iter(DOCUMENTS), path, FOUR_BY_TWO, seed)


def test_all_passages_with_the_span_are_the_truth_and_one_of_them_is_labelled(tmp_path):
    labels = of_spans(tmp_path, "q2\td2\t4\t7\nq1\td1\t6\t8\n")
    assert labels.truth == ["q2\t0\td2@0-7\t1", "q1\t0\td1@0-11\t1", "q1\t0\td1@6-17\t1"]
    assert labels.qrels[0] == "q2\t0\td2@0-7\t1"
    assert labels.qrels[1] in labels.truth[1:]
    assert len(labels.qrels) == 2
    drawn = {tuple(of_spans(tmp_path, "q1\td1\t6\t8\n", seed).qrels) for seed in range(8)}
    assert len(drawn) == 2


def test_blanks_around_a_span_do_not_count(tmp_path):
    assert of_spans(tmp_path, "q1\td1\t11\t20\n").truth == ["q1\t0\td1@12-20\t1"]


def test_what_cannot_be_carried_along_is_counted_by_its_kind(tmp_path):
    labels = of_spans(tmp_path, "q1\td1\t0\t20\nq1\tgone\t0\t1\nq2\td2\t0\t3\nq2\td2\t4\t7\n")
    assert labels.qrels == labels.truth == ["q2\t0\td2@0-7\t1"]
    assert labels.notes == {
        document_labels.CUT_SPANS: 1,
        document_labels.UNKNOWN_DOCUMENTS: 1,
        document_labels.REPEATED_LABELS: 1,
    }


@pytest.mark.parametrize(
    "row, fault",
    [
        ("q1\td1\t6\t21", "1: expected a text within the 20 characters of 'd1', got 6 to 21"),
        ("q1\td1\t2\t3", "1: expected a text within the 20 characters of 'd1', got 2 to 3"),
        ("q1\td1\t3\t3", "1: expected whole numbers, 0 <= begin < end, got 3 and 3"),
        ("q1\td1\tx\t3", "1: expected whole numbers, 0 <= begin < end, got x and 3"),
        ("q 1\td1\t0\t3", "1: expected a query_id without spaces, got 'q 1'"),
        ("q1\td1\t3", "1: expected 4 columns, got 3"),
    ],
)
def test_a_span_that_cannot_be_is_refused(tmp_path, row, fault):
    with pytest.raises(DataError, match=f"spans.dev.tsv:{fault}"):
        of_spans(tmp_path, f"{row}\n")


def test_each_passage_of_a_judged_document_gets_its_relevance(tmp_path):
    path = write(tmp_path, qrels__dev__tsv="q2\t0\td2\t3\nq1\t0\td1\t0\nq1\t0\tgone\t1\n")
    labels = document_labels.labels_of_judged(iter(DOCUMENTS), path / "qrels.dev.tsv", FOUR_BY_TWO)
    assert labels.qrels == [
        "q2\t0\td2@0-7\t3",
        "q1\t0\td1@0-11\t0",
        "q1\t0\td1@6-17\t0",
        "q1\t0\td1@12-20\t0",
    ]
    assert labels.notes[document_labels.UNKNOWN_DOCUMENTS] == 1
