"""A stopped training continues from its newest undamaged state to the same bytes."""

from pathlib import Path

import numpy as np
import pytest
from checkpoint_fixture import FILES, Training
from damage import DAMAGES, flip
from paddle import nn
from safetensors.numpy import load_file

from rocketqa.dual_encoder import DualEncoder
from rocketqa.files.errors import DataError
from rocketqa.weights.checkpoint import load_model, save_model
from rocketqa.weights.training_states import (
    best_value,
    choose_results,
    load_state,
    remove_damaged_states,
    save_best,
)


@pytest.fixture
def config(tiny_config):
    """One layer, with dropout."""
    return tiny_config._replace(
        num_hidden_layers=1, hidden_dropout_prob=0.5, attention_probs_dropout_prob=0.5
    )


def names(folder: Path) -> set[str]:
    """Returns the names in a folder."""
    return {path.name for path in folder.iterdir()}


def weights_of(model) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in model.state_dict().items()}


def assert_same_bytes(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert found[name].tobytes() == value.tobytes(), name


def spoil(tensor, value: float) -> None:
    """Makes one number of a tensor another one."""
    numbers = tensor.numpy()
    numbers.flat[0] = value
    tensor.set_value(numbers)


def test_a_continued_training_equals_one_without_a_stop_whatever_layers_were_built_before(
    tmp_path, config, random_rows
):
    uninterrupted = Training(config, random_rows)
    stopped = Training(config, random_rows)
    uninterrupted.run(0, 6)
    stopped.run(0, 3)
    stopped.save(tmp_path, 3)
    # Layers that are built in between shift Paddle's automatic names, each kind by another number.
    _ = (nn.Linear(2, 2), nn.Embedding(2, 2), nn.LayerNorm(2))
    resumed = Training(config, random_rows, seed=2)
    assert load_state(tmp_path, resumed.model, resumed.optimizer)[0] == 3
    resumed.run(3, 6)
    assert_same_bytes(weights_of(resumed.model), weights_of(uninterrupted.model))


def test_a_state_holds_every_moment_by_the_name_of_its_parameter(tmp_path, config, random_rows):
    training = Training(config, random_rows)
    training.run(0, 1)
    training.save(tmp_path, 1)
    state = load_file(tmp_path / "state-1" / "optimizer.safetensors")
    shapes = {name: list(value.shape) for name, value in training.model.named_parameters()}
    assert {key.split("|")[0] for key in state} == set(shapes)
    moments = {key: value for key, value in state.items() if "moment" in key}
    assert len(moments) == 2 * len(shapes)
    for key, value in moments.items():
        name, _ = key.split("|")
        assert list(value.shape) == shapes[name]


def test_only_the_newest_states_are_kept_two_at_least(tmp_path, config, random_rows):
    training = Training(config, random_rows)
    for step in (8, 9, 10):
        training.run(step - 1, step)
        training.save(tmp_path, step)
    assert names(tmp_path) == {"state-9", "state-10"}
    assert load_state(tmp_path, training.model, training.optimizer)[0] == 10


def test_the_newest_of_two_states_counts_by_its_number(tmp_path, config, random_rows):
    training = Training(config, random_rows)
    training.run(0, 1)
    training.save(tmp_path, 9)
    older = (tmp_path / "state-9").rename(tmp_path / "kept")
    training.run(1, 2)
    training.save(tmp_path, 10)
    # As a kill leaves it between the renaming of the new state and the removal of the old one.
    older.rename(tmp_path / "state-9")
    resumed = Training(config, random_rows, seed=2)
    assert load_state(tmp_path, resumed.model, resumed.optimizer)[0] == 10
    assert_same_bytes(weights_of(resumed.model), weights_of(training.model))


def test_without_a_state_a_training_begins_at_zero(tmp_path, config, random_rows):
    training = Training(config, random_rows)
    before = weights_of(training.model)
    assert load_state(tmp_path, training.model, training.optimizer)[0] == 0
    assert_same_bytes(weights_of(training.model), before)


def test_a_half_written_state_is_ignored_and_overwritten(tmp_path, config, random_rows):
    training = Training(config, random_rows)
    training.run(0, 1)
    (tmp_path / "state.tmp").mkdir()
    (tmp_path / "state.tmp" / "model.safetensors").write_bytes(b"half")
    (tmp_path / "state.tmp" / "rest").write_bytes(b"of an older format")
    assert load_state(tmp_path, training.model, training.optimizer)[0] == 0
    training.save(tmp_path, 1)
    assert names(tmp_path) == {"state-1"}
    checkpoint = {"model.safetensors", "config.json", *FILES}
    further = {"optimizer.safetensors", "state.json", "meta.json"}
    assert names(tmp_path / "state-1") == checkpoint | further


def test_the_last_states_are_kept_as_many_as_asked_for(tmp_path, config, random_rows):
    training = Training(config, random_rows)
    for step in (8, 9, 10, 11):
        training.save(tmp_path, step, keep=3)
    assert names(tmp_path) == {"state-9", "state-10", "state-11"}
    assert choose_results(tmp_path, 2) == {"state-9"}
    assert names(tmp_path) == {"state-9", "state-10", "state-11"}


def test_a_state_that_a_signal_saved_does_not_take_the_place_of_another(
    tmp_path, config, random_rows
):
    training = Training(config, random_rows)
    for step in (10, 20, 23, 26):
        training.save(tmp_path, step, keep=2, every=10)
    assert names(tmp_path) == {"state-10", "state-20", "state-26"}
    training.save(tmp_path, 30, keep=2, every=10)
    assert names(tmp_path) == {"state-20", "state-30"}
    training.save(tmp_path, 33, keep=2, every=10)
    assert choose_results(tmp_path, 2, every=10) == {"state-33"}


def test_a_state_is_a_checkpoint_and_brings_back_what_else_was_saved(tmp_path, config, random_rows):
    training = Training(config, random_rows)
    training.run(0, 1)
    training.save(tmp_path, 4, scale=512.0, good=3)
    model, _ = load_model(tmp_path / "state-4", DualEncoder)
    assert_same_bytes(weights_of(model), weights_of(training.model))
    step, extra = load_state(tmp_path, training.model, training.optimizer)
    assert step == 4
    assert extra == {"scale": 512.0, "good": 3}


def test_the_best_model_stays_though_later_ones_are_worse(tmp_path, config, random_rows):
    training = Training(config, random_rows)
    assert best_value(tmp_path) == -1
    save_best(tmp_path, 2, 0.5, training.model, FILES)
    (tmp_path / "best.tmp").mkdir()
    training.run(0, 1)
    save_best(tmp_path, 10, 0.75, training.model, FILES)
    assert best_value(tmp_path) == 0.75
    assert names(tmp_path) == {"best-10"}
    for _ in range(2):  # the second time as after a kill
        assert choose_results(tmp_path, 0) == {"best-10"}
    assert best_value(tmp_path) == 0.75
    best, _ = load_model(tmp_path / "best", DualEncoder)
    assert_same_bytes(weights_of(best), weights_of(training.model))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_never_saved(tmp_path, config, random_rows, value):
    training = Training(config, random_rows)
    training.run(0, 1)
    part = tmp_path / "out.part"
    part.mkdir()
    training.save(part, 1)
    name = "query_encoder.embeddings.word_embeddings.weight"
    spoil(dict(training.model.named_parameters())[name], value)
    for save in (
        lambda: save_model(part, training.model, FILES),
        lambda: training.save(part, 2),
        lambda: save_best(part, 2, 0.5, training.model, FILES),
    ):
        with pytest.raises(DataError) as error:
            save()
        assert str(error.value) == (
            f"{tmp_path}/out: expected finite weights to save, got nan or infinity in {name}: "
            "the training has diverged, a lower learning rate may help"
        )
        assert names(part) == {"state-1"}


def test_moments_that_are_not_finite_are_never_saved(tmp_path, config, random_rows):
    training = Training(config, random_rows)
    training.run(0, 1)
    moments = training.optimizer.state_dict()
    spoil(next(value for key, value in moments.items() if "moment2" in key), np.inf)
    with pytest.raises(DataError, match=r"got nan or infinity in [\w.]+\|_moment2_0: "):
        training.save(tmp_path, 1)
    assert not names(tmp_path)


def test_a_finished_training_keeps_no_state(tmp_path, config, random_rows):
    training = Training(config, random_rows)
    training.save(tmp_path, 1)
    (tmp_path / "state.tmp").mkdir()
    (tmp_path / "train_log.tsv").write_text("step\n")
    assert choose_results(tmp_path, 0) == {"state-1", "state.tmp"}


STATE_FILES = ["model.safetensors", "optimizer.safetensors", "state.json", "meta.json"]


@pytest.mark.parametrize("file", STATE_FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_falls_back_to_the_one_before_and_then_to_the_beginning(
    tmp_path, config, random_rows, capsys, file, damage
):
    training = Training(config, random_rows)
    training.save(tmp_path, 1)
    training.save(tmp_path, 2)
    remove_damaged_states(tmp_path)
    assert capsys.readouterr().err == ""
    damage(tmp_path / "state-2" / file)
    remove_damaged_states(tmp_path)
    line = capsys.readouterr().err
    assert line.startswith(f"{tmp_path}/state-2/{file}: expected ") and line.count("\n") == 1
    assert line.endswith(f"; the training goes on from {tmp_path}/state-1\n")
    assert load_state(tmp_path, training.model, training.optimizer)[0] == 1
    (tmp_path / "state-1/vocab.txt").unlink()
    remove_damaged_states(tmp_path)
    line = capsys.readouterr().err
    assert line.endswith("; the training begins anew\n") and line.count("\n") == 1
    assert not names(tmp_path)


def test_states_that_followed_a_damaged_best_model_are_not_gone_on_from(
    tmp_path, config, random_rows, capsys
):
    training = Training(config, random_rows)
    training.save(tmp_path, 1)
    save_best(tmp_path, 2, 0.5, training.model, FILES)
    training.save(tmp_path, 2)
    flip(tmp_path / "best-2/model.safetensors")
    remove_damaged_states(tmp_path)
    assert names(tmp_path) == {"state-1"}
    assert capsys.readouterr().err.endswith(f"; the training goes on from {tmp_path}/state-1\n")


@pytest.mark.parametrize("damaged", ["state-2", "best-1"])
def test_a_finished_training_never_takes_a_damaged_state_or_best_model_over(
    tmp_path, config, random_rows, damaged
):
    training = Training(config, random_rows)
    save_best(tmp_path, 1, 0.5, training.model, FILES)
    training.save(tmp_path, 2)
    flip(tmp_path / damaged / "model.safetensors")
    with pytest.raises(DataError, match=f"{damaged}/model.safetensors: expected the bytes"):
        choose_results(tmp_path, 1)
    assert names(tmp_path) == {"best-1", "state-2"}
    remove_damaged_states(tmp_path)
    choose_results(tmp_path, 1)
