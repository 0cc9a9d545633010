"""The classifier of a published cross encoder gives the same probabilities here."""

import numpy as np
import pytest
from bert_fixture import SlowBert, bert_weights
from published_models import CROSS_ENCODER, with_classifier, write_model

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.encoder.packing import pack
from rocketqa.files.errors import DataError
from rocketqa.weights.checkpoint import load_model
from rocketqa.weights.classifiers import cross_encoder_weights
from rocketqa.weights.pretrained import load_pretrained


def logits_of(rows, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the logits of `BertForSequenceClassification`, [N, labels], by a slow BERT."""
    bert = SlowBert(bert_weights())
    pooled = np.array([bert.answer(*row)[1] for row in rows])  # [N, H]
    return pooled @ weights["classifier.weight"].T.astype(np.float64) + weights["classifier.bias"]


def relevance(logits: np.ndarray) -> np.ndarray:
    """Returns sigmoid(z) of one label, the second of the softmax of two."""
    if logits.shape[1] == 1:
        return 1 / (1 + np.exp(-logits[:, 0]))
    exponents = np.exp(logits)
    return exponents[:, 1] / exponents.sum(axis=1)


@pytest.mark.parametrize(
    "labels, meaning",
    [
        (1, "classifier of 1 label are taken: P(relevant) is the sigmoid of its logit"),
        (2, "classifier of 2 labels are taken: P(relevant) is that of the second label (yes)"),
    ],
)
def test_a_published_cross_encoder_scores_as_its_makers_do(
    tmp_path, random_rows, capsys, labels, meaning
):
    names = {"id2label": {"0": "no", "1": "yes"}} if labels == 2 else {}
    weights = with_classifier(labels)
    folder = write_model(tmp_path / "model", weights, **CROSS_ENCODER, **names)
    model, _ = load_model(folder, CrossEncoder)
    rows = [row._replace(type_ids=np.minimum(row.type_ids, 1)) for row in random_rows(8)]
    expected = relevance(logits_of(rows, weights))
    np.testing.assert_allclose(model.probability(pack(rows)).numpy(), expected, rtol=0, atol=1e-5)
    assert np.ptp(expected) > 0.01
    assert capsys.readouterr().err == f"{folder}: its pooler and its {meaning}\n"


def test_a_training_goes_on_from_the_classifier(tmp_path):
    folder = write_model(tmp_path / "model", with_classifier(1), **CROSS_ENCODER)
    start = load_pretrained(folder, "CrossEncoder")
    weights = CrossEncoder.from_encoder_weights(start.weights, start.config, seed=3)
    published = with_classifier(1)
    assert not weights["classifier.weight"][:, 0].any() and not weights["classifier.bias"][0]
    assert (weights["classifier.weight"][:, 1] == published["classifier.weight"][0]).all()
    assert weights["classifier.bias"][1] == published["classifier.bias"][0]
    assert weights.keys() == CrossEncoder(start.config).state_dict().keys()


def test_the_layout_of_paddlenlp_has_its_classifier_turned(tmp_path):
    start = load_pretrained(write_model(tmp_path / "model"))
    ours = {f"ernie.{name}": value for name, value in start.weights.items()}
    classifier = with_classifier(2)
    ours["classifier.weight"] = classifier["classifier.weight"].T
    ours["classifier.bias"] = classifier["classifier.bias"]
    found = cross_encoder_weights(ours, start.config, "model")
    assert (found["classifier.weight"] == classifier["classifier.weight"].T).all()


@pytest.mark.parametrize("left_out", ["three labels", "no pooler"])
def test_a_classifier_that_cannot_be_taken_is_said(tmp_path, capsys, left_out):
    weights = with_classifier(3 if left_out == "three labels" else 1)
    if left_out == "no pooler":
        weights = {name: value for name, value in weights.items() if "pooler" not in name}
    folder = write_model(tmp_path / "model", weights)
    start = load_pretrained(folder, "CrossEncoder")
    assert not [name for name in start.weights if "classifier" in name]
    said = capsys.readouterr().err
    reason = {
        "three labels": "its classifier of 3 labels is left out: one or two can be taken",
        "no pooler": "its classifier is left out, because there is no pooler for it to read",
    }
    assert said == f"{folder}: {reason[left_out]}\n"
    with pytest.raises(DataError, match="expected a cross encoder, got an encoder as others"):
        load_model(folder, CrossEncoder)


def test_a_dual_encoder_leaves_a_classifier_out_and_says_so(tmp_path, capsys):
    folder = write_model(tmp_path / "model", with_classifier(1))
    assert "classifier.weight" not in load_pretrained(folder, "DualEncoder").weights
    line = f"{folder}: its classifier is left out: a dual encoder has none\n"
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    "change",
    [
        {"classifier.weight": np.zeros((1, 17), np.float32)},
        {"classifier.bias": np.zeros(2, np.float32)},
        {"classifier.bias": np.full(1, np.nan, np.float32)},
    ],
)
def test_a_classifier_of_another_shape_or_not_finite_is_refused(tmp_path, change):
    folder = write_model(tmp_path / "model", with_classifier(1) | change)
    with pytest.raises(DataError, match="expected a classifier of finite floats with 16 weights"):
        load_pretrained(folder, "CrossEncoder")
