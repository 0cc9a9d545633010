"""A folder with another kind of model is refused in one line, which says what to give instead."""

import json
import re

import pytest

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.files.errors import DataError
from rocketqa.weights.model_kinds import (
    MODEL_NAMES,
    TRAINING_VERBS,
    checkpoint_settings,
    length_within,
    model_settings,
    trained_length,
    trained_lengths,
    warn_of_other_length,
)
from rocketqa.weights.pretrained import load_pretrained
from rocketqa.weights.released_layout import KINDS

ENCODER = {"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 2}
RELEASED = {"model_type": "dual_encoder", "q_max_seq_len": 32, "model_conf_path": "ernie.json"}
GIVE_DUAL = "give a checkpoint that `train-dual-encoder` made"
IMPORT = "import it first with `python data_prep/released_models.py import`"


def refusal(call, *arguments, **named) -> str:
    """Returns the line with which a call refuses what it is given."""
    with pytest.raises(DataError) as error:
        call(*arguments, **named)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_classes_are_those_of_our_models():
    assert MODEL_NAMES.keys() == {kind.layer.__name__ for kind in KINDS.values()}
    assert list(TRAINING_VERBS) == [DualEncoder.__name__, CrossEncoder.__name__]


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_settings_of_the_kind_that_is_expected_are_returned(tmp_path, name):
    (tmp_path / "config.json").write_text(json.dumps({"model": name}))
    assert checkpoint_settings(tmp_path, name).fields == {"model": name}
    assert checkpoint_settings(tmp_path, *MODEL_NAMES).fields == {"model": name}


@pytest.mark.parametrize(
    "settings, got",
    [
        ({"model": "CrossEncoder"}, f"a cross encoder: {GIVE_DUAL}"),
        ({"model": "JointCrossEncoder"}, f"a re-ranker of RocketQAv2: {GIVE_DUAL}"),
        ({"model": "two\nlines"}, f"another model: {GIVE_DUAL}"),
        ({"architectures": ["DistilBert"]}, f"another model: {GIVE_DUAL}"),
        ({"model_type": "distilbert"}, f'another model (model_type "distilbert"): {GIVE_DUAL}'),
        (RELEASED, f"a model that Baidu released: {IMPORT}"),
    ],
)
def test_another_kind_is_refused_with_what_to_give(tmp_path, settings, got):
    (tmp_path / "config.json").write_text(json.dumps(settings))
    line = refusal(checkpoint_settings, tmp_path, "DualEncoder")
    assert line == f"{tmp_path}: expected a dual encoder, got {got}"


@pytest.mark.parametrize(
    "classes, expected, verbs",
    [
        (["DualEncoder"], "a dual encoder", "`train-dual-encoder`"),
        (["CrossEncoder"], "a cross encoder", "`train-cross-encoder`"),
        (
            TRAINING_VERBS,
            "a dual encoder or a cross encoder",
            "`train-dual-encoder` or `train-cross-encoder`",
        ),
    ],
)
def test_published_weights_are_refused_with_the_training_that_takes_them(
    tmp_path, classes, expected, verbs
):
    (tmp_path / "config.json").write_text(json.dumps(ENCODER))
    assert refusal(checkpoint_settings, tmp_path, *classes) == (
        f"{tmp_path}: expected {expected}, got an encoder as others publish it: "
        f"train it first, with {verbs} --init {tmp_path}"
    )


def test_what_holds_no_configuration_is_named(tmp_path):
    file = tmp_path / "weights.tar"
    file.write_bytes(b"")
    vectors = tmp_path / "vectors"
    vectors.mkdir()
    (vectors / "meta.json").write_text('{"job": {"verb": "encode"}}')
    for path, got in (
        (tmp_path, "a folder without config.json"),
        (tmp_path / "nowhere", "nothing there"),
        (file, "a file"),
        (vectors, "the output of `encode`"),
    ):
        line = refusal(checkpoint_settings, path, "DualEncoder")
        assert line == f"{path}: expected a dual encoder, got {got}: {GIVE_DUAL}"
    line = refusal(load_pretrained, vectors, "DualEncoder")
    expected = f"{vectors}: expected a config.json beside the weights, got the output of `encode`"
    assert line == expected


@pytest.mark.parametrize(
    "trained, wanted, line",
    [
        (
            "CrossEncoder",
            "DualEncoder",
            "expected an encoder or a dual encoder to start from, got a cross encoder: "
            "give weights as others publish them, or a checkpoint that `train-dual-encoder` made",
        ),
        (
            "DualEncoder",
            "CrossEncoder",
            "expected an encoder or a cross encoder to start from, got a dual encoder: "
            "give weights as others publish them, or a checkpoint that `train-cross-encoder` made",
        ),
        (
            "DualEncoder",
            "",
            "expected an encoder to start from, got a dual encoder: "
            "give weights as others publish them",
        ),
    ],
)
def test_a_training_refuses_a_model_of_the_other_kind_to_start_from(
    tmp_path, trained, wanted, line
):
    (tmp_path / "config.json").write_text(json.dumps({"model": trained, "encoder": {}}))
    got = refusal(load_pretrained, tmp_path, checkpoint_class=wanted)
    assert got == f"{tmp_path}: {line}"


def test_a_training_refuses_a_released_model_with_the_command_that_imports_it(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(RELEASED))
    assert refusal(load_pretrained, tmp_path, checkpoint_class="DualEncoder") == (
        f"{tmp_path}: expected an encoder to start from, got a model that Baidu released: {IMPORT}"
    )


def test_lengths_are_those_of_the_training_else_the_usual_ones(tmp_path):
    flags = {"query_length": 24, "passage_length": "64", "max_length": 9000}
    (tmp_path / "meta.json").write_text(json.dumps({"job": {"flags": flags}}))
    names = ("query_length", "passage_length", "max_length")
    assert [trained_length(tmp_path, name) for name in names] == [24, 128, 160]
    assert [trained_length(tmp_path / "state-200", name) for name in names] == [24, 128, 160]
    assert [trained_length(tmp_path / "nowhere", name) for name in names] == [32, 128, 160]


def test_each_kind_of_model_has_its_lengths(tmp_path):
    flags = {"query_length": 24, "max_length": 64}
    (tmp_path / "meta.json").write_text(json.dumps({"job": {"flags": flags}}))
    of_dual = {"query_length": 24, "passage_length": 128}
    assert trained_lengths(tmp_path, "DualEncoder") == of_dual
    assert trained_lengths(tmp_path, "CrossEncoder") == {"max_length": 64}


def test_a_usual_length_beyond_the_positions_becomes_their_number_with_a_line(tmp_path, capsys):
    assert length_within(tmp_path, "max_length", None, 512) == 160
    assert length_within(tmp_path, "max_length", 512, 512) == 512
    assert capsys.readouterr().err == ""
    assert length_within(tmp_path, "max_length", None, 64) == 64
    line = f"{tmp_path}: has 64 positions and is used with --max-length 64 instead of 160\n"
    assert capsys.readouterr().err == line


def test_a_length_that_the_training_did_not_have_is_told(tmp_path, capsys):
    (tmp_path / "meta.json").write_text('{"job": {"flags": {"query_length": 32}}}')
    warn_of_other_length(tmp_path, "query_length", 32)
    warn_of_other_length(tmp_path, "max_length", 8)
    warn_of_other_length(tmp_path / "nowhere", "query_length", 8)
    assert capsys.readouterr().err == ""
    warn_of_other_length(tmp_path, "query_length", 16)
    assert capsys.readouterr().err == (
        f"{tmp_path}: was trained with --query-length 32 and is used with --query-length 16\n"
    )


PUBLISHED_CROSS = ENCODER | {"architectures": ["BertForSequenceClassification"]}


@pytest.mark.parametrize(
    "name, settings",
    [
        ("DualEncoder", ENCODER),
        ("DualEncoder", ENCODER | {"architectures": ["BertModel"]}),
        ("CrossEncoder", PUBLISHED_CROSS),
        ("CrossEncoder", ENCODER),  # names no class: the weights will tell
        ("CrossEncoder", {"model": "CrossEncoder"}),
    ],
)
def test_published_models_that_work_as_the_class_are_accepted(tmp_path, name, settings):
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert model_settings(tmp_path, name).fields == settings


@pytest.mark.parametrize(
    "name, settings, line",
    [
        (
            "CrossEncoder",
            ENCODER | {"architectures": ["BertModel"]},
            "expected a cross encoder, got an encoder as others publish it: train it first, with "
            "`train-cross-encoder` --init FOLDER",
        ),
        (
            "DualEncoder",
            PUBLISHED_CROSS,
            f"expected a dual encoder, got a cross encoder as others publish it: {GIVE_DUAL}",
        ),
        ("DualEncoder", RELEASED, f"expected a dual encoder, got a model that Baidu rel.*{IMPORT}"),
        ("DualEncoder", {"model": "CrossEncoder"}, "expected a dual encoder, got a cross encoder"),
    ],
)
def test_published_models_of_the_other_kind_are_refused(tmp_path, name, settings, line):
    (tmp_path / "config.json").write_text(json.dumps(settings))
    got = refusal(model_settings, tmp_path, name)
    assert re.match(f"{tmp_path}: {line.replace('FOLDER', str(tmp_path))}", got)
