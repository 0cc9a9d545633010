"""The record of settings decides what a training is: the same settings are the same job."""

import math
from dataclasses import fields, replace
from pathlib import Path

import pytest

from rocketqa.files.errors import DataError
from rocketqa.training.settings import (
    CHOICES,
    RANGES,
    CrossEncoderSettings,
    DualEncoderSettings,
)


@pytest.fixture
def settings(tmp_path) -> DualEncoderSettings:
    for name in ("collection", "queries", "examples", "init"):
        (tmp_path / name).write_text(name)
    return DualEncoderSettings(
        output=tmp_path / "out",
        init=tmp_path / "init",
        collection=tmp_path / "collection",
        queries=[tmp_path / "queries"],
        examples=[tmp_path / "examples"],
        batch_size=4,
        epochs=2,
        learning_rate=1e-3,
        warmup=0.1,
        decay="linear",
        weight_decay=0.01,
        seed=7,
    )


def test_the_identity_of_a_training_is_written_out(settings):
    identity = settings.job("train-dual-encoder", devices=2).identity
    assert identity["verb"] == "train-dual-encoder"
    assert set(identity["inputs"]) == {"init", "collection", "queries", "examples"}
    assert identity["flags"] == {
        "accumulate": 1,
        "batch_size": 4,
        "clip_norm": 1.0,
        "decay": "linear",
        "dev_examples": None,
        "devices": 2,
        "epochs": 2,
        "evaluate_every": 0,
        "keep": 0,
        "layer_norm_eps": None,
        "learning_rate": 0.001,
        "loss_scale": None,
        "mask_positives": None,
        "max_steps": None,
        "min_steps": 0,
        "negatives": "cross-batch",
        "passage_length": 128,
        "precision": "float32",
        "query_length": 32,
        "recompute": False,
        "representation": None,
        "seed": 7,
        "warmup": 0.1,
        "weight_decay": 0.01,
    }


@pytest.mark.parametrize("changed", [{"save_every": 7}, {"visualdl": "logs"}, {"output": "moved"}])
def test_what_does_not_change_the_weights_is_no_part_of_it(settings, tmp_path, changed):
    changed = {name: tmp_path / v if isinstance(v, str) else v for name, v in changed.items()}
    other = replace(settings, **changed)
    assert other.job("t", 1).identity == settings.job("t", 1).identity


@pytest.mark.parametrize(
    "changed", [{"deterministic": True}, {"seed": 8}, {"negatives": "in-batch"}, {"accumulate": 2}]
)
def test_what_changes_the_weights_is_part_of_it(settings, changed):
    assert replace(settings, **changed).job("t", 1).identity != settings.job("t", 1).identity


def test_a_name_is_recorded_instead_of_a_digest(settings):
    identity = replace(settings, init="ernie-tiny").job("t", 1).identity
    assert identity["flags"]["init"] == "ernie-tiny"
    assert "init" not in identity["inputs"]


def test_constants_of_a_caller_are_left_out(settings):
    identity = settings.job("t", 1, constants=("negatives", "mask_positives", "fgm")).identity
    assert not {"negatives", "mask_positives", "fgm"} & set(identity["flags"])


def test_the_schedule_follows_the_settings(settings):
    schedule = replace(settings, accumulate=2, min_steps=9, max_steps=30).schedule(100, devices=3)
    assert schedule == (100, 4, 3, 2, 2, 9, 30, 7)
    assert schedule.batch == 24


@pytest.mark.parametrize(
    "field, value, expected",
    [
        ("batch_size", 0, "a whole number from 1"),
        ("batch_size", -4, "a whole number from 1"),
        ("batch_size", 2.5, "a whole number from 1"),
        ("batch_size", None, "a whole number from 1"),
        ("epochs", -1, "a whole number from 0"),
        ("max_steps", -3, "a whole number from 1"),
        ("max_steps", 0, "a whole number from 1"),
        ("learning_rate", math.nan, "a rate above 0 and up to 1, such as 3e-5"),
        ("learning_rate", -1, "a rate above 0 and up to 1, such as 3e-5"),
        ("warmup", 100, "a share of the steps, 0 to 1"),
        ("warmup", -3, "a share of the steps, 0 to 1"),
        ("weight_decay", -5, "a finite number from 0"),
        ("clip_norm", 0, "a finite number above 0"),
        ("loss_scale", 0, "a number from 1 to 1e30"),
        ("layer_norm_eps", math.inf, "a number above 0 and up to 1, such as 1e-5"),
        ("query_length", 7, "8 to 512 tokens"),
        ("seed", "one", "a whole number"),
        ("decay", "cosine", "linear or constant"),
        ("precision", "float8", "float32 or tf32 or float16 or bfloat16"),
        ("negatives", "all", "cross-batch or in-batch"),
        ("representation", "last", "first or mean"),
        ("similarity", "l2", "dot or cosine"),
        ("temperature", 0, "a finite number above 0"),
        ("teacher_temperature", -1, "a finite number above 0"),
        ("teacher_weight", 1.5, "a weight, 0 to 1"),
    ],
)
def test_a_field_has_the_range_of_its_flag(settings, field, value, expected):
    with pytest.raises(DataError) as error:
        replace(settings, **{field: value})
    assert str(error.value) == f"{field}: expected {expected}, got {value!r}"


def test_the_dot_product_without_temperature_is_what_a_training_was_before(settings):
    def job_of(**chosen):
        return replace(settings, **chosen).job("train-dual-encoder", devices=2).identity

    assert job_of(similarity="dot", temperature=1.0) == job_of()
    assert job_of(temperature=0.5)["flags"] == job_of()["flags"] | {"temperature": 0.5}
    cosine = {"similarity": "cosine", "temperature": 0.05}
    assert job_of(**cosine)["flags"] == job_of()["flags"] | cosine


def test_a_teacher_belongs_to_the_identity_where_it_is_given(settings, tmp_path):
    before = settings.job("t", 1).identity
    run = tmp_path / "a.run"
    run.write_text("scores")
    identity = replace(settings, teacher=[run]).job("t", 1).identity
    assert identity["flags"] == before["flags"]
    assert identity["inputs"].keys() - before["inputs"].keys() == {"teacher"}
    with_weight = replace(settings, teacher=[run], teacher_weight=0.5).job("t", 1).identity
    assert with_weight["flags"] == before["flags"] | {"teacher_weight": 0.5}
    with pytest.raises(DataError) as error:
        replace(settings, teacher_weight=0.5)
    assert str(error.value) == (
        "--teacher-weight: expected it together with --teacher, got it alone"
    )


@pytest.mark.parametrize("kind", [DualEncoderSettings, CrossEncoderSettings])
def test_every_number_and_word_has_a_range_or_choices(kind):
    for field in fields(kind):
        is_number = field.type in (int, float, int | None, float | None)
        assert is_number == (field.name in RANGES), field.name
        if field.type in (str, str | None) or "Literal" in str(field.type):
            assert field.name in CHOICES, field.name


def test_the_cross_encoder_has_its_own_length_and_adversarial_training():
    names = {"max_length": 160, "fgm": 0.0}
    for name, value in names.items():
        assert CrossEncoderSettings.__dataclass_fields__[name].default == value


def test_a_checkpoint_is_a_folder_even_where_its_name_is_that_of_its_weights(settings, tmp_path):
    output = tmp_path / "model.safetensors"
    job = replace(settings, output=output).job("train-dual-encoder", devices=1)
    job.run(lambda part: (part / output.name).write_text("weights"))
    assert (output / output.name).read_text() == "weights"
    assert (output / "meta.json").is_file()


@pytest.mark.parametrize("output", ["/", "."])
def test_an_output_without_a_name_is_refused(settings, output):
    with pytest.raises(DataError, match="expected a file or folder to make, got a path without"):
        replace(settings, output=Path(output)).job("train-dual-encoder", devices=1)
