"""A training starts from what its settings name, and learns from what they say is a negative."""

import pytest
from toy_files import write_tiny_flight
from training_logs import column

from rocketqa.cross_batch_negatives import NegativesObjective
from rocketqa.cross_encoder import ClassificationObjective
from rocketqa.files.errors import DataError
from rocketqa.training.settings import CrossEncoderSettings, DualEncoderSettings
from rocketqa.training.tasks import (
    cross_encoder_task,
    dual_encoder_task,
    train_cross_encoder,
    train_dual_encoder,
)


@pytest.fixture(scope="module")
def flight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flight")
    write_tiny_flight(folder)
    return folder


def common(folder, file: str, **changed) -> dict:
    given = {
        "output": folder / "out",
        "init": folder / "init",
        "collection": folder / "collection.tsv",
        "queries": [folder / "queries.tsv"],
        "examples": [folder / file],
        "batch_size": 4,
        "epochs": 1,
        "learning_rate": 1e-3,
        "warmup": 0.1,
        "decay": "linear",
        "weight_decay": 0.0,
        "seed": 1,
    }
    return given | changed


def dual_settings(folder, **changed) -> DualEncoderSettings:
    return DualEncoderSettings(**common(folder, "examples.dual.tsv", **changed))


def test_a_dual_encoder_starts_as_twins_with_cross_batch_negatives(flight):
    task = dual_encoder_task(dual_settings(flight))
    assert len(task.batches) == 40 and task.dev_measure is None
    name = "embeddings.word_embeddings.weight"
    towers = [task.weights[f"{tower}.{name}"] for tower in ("query_encoder", "passage_encoder")]
    assert (towers[0] == towers[1]).all()
    assert isinstance(task.objective, NegativesObjective) and task.objective.cross_batch
    in_batch = dual_encoder_task(dual_settings(flight, negatives="in-batch"))
    assert not in_batch.objective.cross_batch


def test_a_cross_encoder_starts_with_a_drawn_classifier_of_its_seed(flight):
    def classifier(**changed):
        settings = CrossEncoderSettings(**common(flight, "examples.cross.tsv", **changed))
        task = cross_encoder_task(settings)
        assert isinstance(task.objective, ClassificationObjective)
        return task.weights["classifier.weight"], task.objective.fgm_epsilon

    first, epsilon = classifier(fgm=0.01)
    assert epsilon == 0.01
    assert (classifier()[0] == first).all()
    assert (classifier(seed=2)[0] != first).any()


def test_masked_positives_are_no_negatives(flight):
    """With the hard negatives of all examples masked, the first loss falls."""
    labels = flight / "more.tsv"
    labels.write_text("".join(f"q{i}\t0\tp{(i + 11) % 40}\t1\n" for i in range(40)))
    for name, masked in (("plain", None), ("masked", [labels])):
        output = flight / name
        settings = dual_settings(flight, mask_positives=masked, output=output, max_steps=1)
        assert train_dual_encoder(settings) == 0
    assert column(flight / "masked", "loss")[0] < column(flight / "plain", "loss")[0] - 0.05


def test_a_finished_training_is_not_repeated_and_check_trains_nothing(flight):
    settings = CrossEncoderSettings(**common(flight, "examples.cross.tsv", max_steps=1))
    assert train_cross_encoder(settings, check=True) == 3
    assert not settings.output.exists()
    assert train_cross_encoder(settings) == 0
    before = (settings.output / "model.safetensors").stat().st_mtime_ns
    assert train_cross_encoder(settings) == train_cross_encoder(settings, check=True) == 0
    assert (settings.output / "model.safetensors").stat().st_mtime_ns == before


def test_examples_that_name_unknown_passages_are_refused(flight, tmp_path):
    bad = tmp_path / "bad.tsv"
    bad.write_text("q0\tp0\tp99\n")
    with pytest.raises(DataError, match="bad.tsv:1: expected a passage_id of the collection, got"):
        dual_encoder_task(dual_settings(flight, examples=[bad]))


@pytest.mark.parametrize(
    "task, settings, purpose, other",
    [
        (dual_encoder_task, DualEncoderSettings, "dual", "cross"),
        (cross_encoder_task, CrossEncoderSettings, "cross", "dual"),
    ],
)
@pytest.mark.parametrize("given_as", ["examples", "dev_examples"])
def test_examples_of_the_other_model_are_refused(
    flight, tmp_path, task, settings, purpose, other, given_as
):
    examples = tmp_path / "examples.tsv"
    examples.write_text("q0\tp1\t1\n")
    manifest = tmp_path / "examples.tsv.meta.json"
    manifest.write_text(f'{{"job": {{"flags": {{"purpose": "{other}"}}}}}}')
    given = {"examples": [examples], "dev_examples": examples}[given_as]
    with pytest.raises(DataError) as error:
        task(settings(**common(flight, f"examples.{purpose}.tsv", **{given_as: given})))
    assert str(error.value) == (
        f"{examples}: expected examples of a {purpose} encoder, got those of a {other} encoder: "
        f"make them with `rocketqa sample-negatives --for {purpose}`"
    )
