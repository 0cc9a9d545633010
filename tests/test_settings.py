"""The record of settings decides what a training is: the same settings are the same job."""

from dataclasses import replace

import pytest

from rocketqa.training.settings import CrossEncoderSettings, DualEncoderSettings


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


@pytest.mark.parametrize("changed", [{"seed": 8}, {"negatives": "in-batch"}, {"accumulate": 2}])
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


def test_the_cross_encoder_has_its_own_length_and_adversarial_training():
    names = {"max_length": 160, "fgm": 0.0}
    for name, value in names.items():
        assert CrossEncoderSettings.__dataclass_fields__[name].default == value
