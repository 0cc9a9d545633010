"""The pooling of a sentence-transformers folder is followed, unless another one is chosen."""

import json

import pytest
from published_models import add_pooling, write_model

from rocketqa.encoder.config import TEMPERATURES
from rocketqa.files.errors import DataError
from rocketqa.weights.model_similarity import with_similarity_of
from rocketqa.weights.pretrained import load_pretrained
from rocketqa.weights.sentence_transformers import (
    NAMED,
    encoder_folder,
    followed_representation,
)

MEAN = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
FIRST = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
MAX = {"pooling_mode_max_tokens": True}


def representation(folder, kind="DualEncoder", **chosen) -> str:
    return load_pretrained(folder, kind, **chosen).config.representation


@pytest.mark.parametrize(
    "pooling, expected",
    [(MEAN, "mean"), (FIRST, "first"), ({"pooling_mode": "mean"}, "mean")],
)
def test_the_pooling_is_followed_and_a_mean_is_said(tmp_path, capsys, pooling, expected):
    folder = add_pooling(write_model(tmp_path / "model"), pooling)
    assert representation(folder) == expected
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 + (expected == "mean")
    for line in lines[:-1]:
        assert line.startswith(f"{folder}: the mean over the tokens is the vector of a text, as ")


def test_a_choice_wins_and_is_said_where_it_is_another(tmp_path, capsys):
    folder = add_pooling(write_model(tmp_path / "model"), MEAN)
    (folder / NAMED).write_text('{"similarity_fn_name": "dot"}')
    assert representation(folder, representation="mean") == "mean"
    assert capsys.readouterr().err == ""
    assert representation(folder, representation="first") == "first"
    assert capsys.readouterr().err == (
        f"{folder}: representation first was chosen, but {folder}/1_Pooling/config.json says "
        "pooling_mode_mean_tokens\n"
    )
    assert followed_representation(folder, "first") == "first"


def test_a_cross_encoder_reads_the_first_token_whatever_the_pooling(tmp_path, capsys):
    folder = add_pooling(write_model(tmp_path / "model"), MEAN)
    assert representation(folder, "CrossEncoder") == "first"
    assert capsys.readouterr().err == ""


def test_another_pooling_is_refused_unless_one_is_chosen(tmp_path):
    folder = add_pooling(write_model(tmp_path / "model"), MAX)
    with pytest.raises(DataError) as error:
        representation(folder)
    assert str(error.value) == (
        f"{folder}/1_Pooling/config.json: expected a pooling by the first token (cls) or the mean, "
        'got "pooling_mode_max_tokens": choose one for a training with --representation'
    )
    assert representation(folder, representation="mean") == "mean"


def test_two_poolings_side_by_side_are_refused(tmp_path):
    folder = add_pooling(write_model(tmp_path / "model"), MEAN | MAX)
    with pytest.raises(DataError, match="pooling_mode_mean_tokens, pooling_mode_max_tokens"):
        representation(folder)


def test_steps_that_are_not_done_are_said(tmp_path, capsys):
    folder = add_pooling(write_model(tmp_path / "model"), FIRST, further=("Dense", "Normalize"))
    representation(folder)
    assert capsys.readouterr().err.splitlines()[0] == (
        f"{folder}: modules.json asks for Dense, which this version does not do: vectors are taken "
        "as the pooling gives them"
    )


@pytest.mark.parametrize(
    "further, named, expected, reason",
    [
        (("Normalize",), {"similarity_fn_name": "dot"}, "cosine", "modules.json asks for Normal"),
        ((), {"similarity_fn_name": "cosine"}, "cosine", f"{NAMED} says"),
        ((), {"similarity_fn_name": None}, "cosine", f"sentence-transformers does where {NAMED}"),
        ((), None, "cosine", f"sentence-transformers does without {NAMED}"),
        ((), {"similarity_fn_name": "dot"}, "dot", ""),
        ((), {"similarity_fn_name": "euclidean"}, "dot", f'{NAMED} names "euclidean"'),
    ],
)
def test_the_similarity_is_the_models(tmp_path, capsys, further, named, expected, reason):
    folder = add_pooling(write_model(tmp_path / "model"), FIRST, further)
    if named is not None:
        (folder / NAMED).write_text(json.dumps(named))
    config = load_pretrained(folder, "DualEncoder").config
    assert (config.similarity, config.temperature) == (expected, TEMPERATURES[expected])
    assert with_similarity_of(folder)[-2:] == config[-2:]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == bool(reason)
    assert all(reason in line for line in lines)


def test_a_chosen_similarity_wins_and_is_said(tmp_path, capsys):
    folder = add_pooling(write_model(tmp_path / "model"), FIRST, ("Normalize",))
    config = load_pretrained(folder, "DualEncoder", similarity="dot", temperature=2.0).config
    assert (config.similarity, config.temperature) == ("dot", 2.0)
    assert capsys.readouterr().err == (
        f"{folder}: similarity dot was chosen, but the folder's is cosine, as modules.json asks "
        "for Normalize\n"
    )


def test_a_cross_encoder_compares_nothing(tmp_path, capsys):
    folder = add_pooling(write_model(tmp_path / "model"), FIRST, ("Normalize",))
    assert load_pretrained(folder, "CrossEncoder").config.similarity == "dot"
    assert capsys.readouterr().err == ""


def test_an_encoder_below_the_folder_is_found(tmp_path, capsys):
    folder = tmp_path / "model"
    folder.mkdir()
    write_model(folder / "0_Transformer")
    add_pooling(folder, MEAN)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))
    assert encoder_folder(folder) == folder / "0_Transformer"
    assert representation(folder) == "mean"


@pytest.mark.parametrize(
    "content, expected",
    [
        ("[", "a JSON object"),
        ('{"a": 1}', "a list for modules"),
        ("[1]", "a list of objects"),
        ('[{"path": ""}]', "a text for type"),
        ('[{"type": "x.Transformer", "path": "../y"}]', "the name of a folder beside it for path"),
    ],
)
def test_a_broken_list_of_modules_is_one_line(tmp_path, content, expected):
    folder = write_model(tmp_path / "model")
    (folder / "modules.json").write_text(content)
    with pytest.raises(DataError) as error:
        load_pretrained(folder, "DualEncoder")
    assert str(error.value).startswith(f"{folder}/modules.json: expected {expected}")
    assert "\n" not in str(error.value)
