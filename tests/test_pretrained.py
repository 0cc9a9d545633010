"""What a training starts from: a BERT or an ERNIE answers as before, and all else is refused."""

import pickle

import numpy as np
import pytest
from bert_fixture import (
    SETTINGS,
    VOCABULARY,
    SlowBert,
    bert_weights,
    heads,
    with_old_names,
    with_prefix,
    write_folder,
)

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.packing import pack
from rocketqa.files.errors import DataError
from rocketqa.weights.checkpoint import save_model, set_weights
from rocketqa.weights.pretrained import load_pretrained

LAYOUTS = {
    "bare": bert_weights(),
    "prefixed, with heads": with_prefix(bert_weights(), "bert.") | heads(),
    "gamma and beta": with_prefix(with_old_names(bert_weights()), "bert.") | heads(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_bert_checkpoint_gives_the_vectors_of_a_slow_numpy_bert(tmp_path, random_rows, layout):
    rows = random_rows(8)
    pretrained = load_pretrained(write_folder(tmp_path, LAYOUTS[layout]))
    model = Ernie(pretrained.config, with_pooler=True)
    set_weights(model, pretrained.weights, "test")
    model.eval()
    slow = SlowBert(bert_weights())
    expected, pooled = zip(*[slow.answer(*row) for row in rows])
    np.testing.assert_allclose(model(pack(rows)).numpy(), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(model.pooled(pack(rows)).numpy(), pooled, rtol=0, atol=1e-5)


def test_the_architecture_and_the_tokenizer_files_are_read(tmp_path):
    folder = write_folder(tmp_path, bert_weights())
    (folder / "tokenizer_config.json").write_bytes(b'{"do_lower_case": false}')
    (folder / "README.md").write_text("not the tokenizer's")
    pretrained = load_pretrained(folder)
    expected = {
        name: value for name, value in SETTINGS.items() if name in pretrained.config._fields
    }
    assert len(expected) == 12 and pretrained.config._asdict() == expected | {
        "use_task_id": False,
        "task_type_vocab_size": 16,
        "representation": "first",
        "similarity": "dot",
        "temperature": 1.0,
    }
    assert pretrained.tokenizer_files == {
        "vocab.txt": VOCABULARY,
        "tokenizer_config.json": b'{"do_lower_case": false}',
    }


def test_the_epsilon_is_1e_12_where_the_source_is_silent_and_can_be_overridden(tmp_path):
    silent = {name: value for name, value in SETTINGS.items() if name != "layer_norm_eps"}
    folder = write_folder(tmp_path, bert_weights(), silent)
    assert load_pretrained(folder).config.layer_norm_eps == 1e-12
    assert load_pretrained(folder, layer_norm_eps=1e-5).config.layer_norm_eps == 1e-5


def test_our_own_names_are_loaded_as_they_are(tmp_path, tiny_config):
    config = tiny_config._replace(use_task_id=True)
    weights = initial_weights(config, seed=5)
    pretrained = load_pretrained(write_folder(tmp_path, weights, config._asdict()))
    assert pretrained.config == config
    assert pretrained.weights.keys() == weights.keys()
    assert all((pretrained.weights[name] == value).all() for name, value in weights.items())


def test_both_towers_start_from_the_same_weights_without_the_pooler(tmp_path):
    pretrained = load_pretrained(write_folder(tmp_path, bert_weights()))
    model = DualEncoder(pretrained.config)
    set_weights(model, DualEncoder.from_encoder_weights(pretrained.weights), "test")
    expected = pretrained.weights.keys() - {"pooler.dense.weight", "pooler.dense.bias"}
    for tower in (model.query_encoder.state_dict(), model.passage_encoder.state_dict()):
        assert tower.keys() == expected
        for name, value in tower.items():
            assert (value.numpy() == pretrained.weights[name]).all()


def cross_encoder_arrays(config, weights, seed: int) -> dict[str, np.ndarray]:
    """Returns the parameters of a cross encoder that starts from an encoder's weights."""
    model = CrossEncoder(config)
    set_weights(model, CrossEncoder.from_encoder_weights(weights, config, seed), "test")
    return {name: value.numpy() for name, value in model.state_dict().items()}


def test_a_cross_encoder_keeps_a_pooler(tmp_path):
    pretrained = load_pretrained(write_folder(tmp_path, bert_weights()))
    arrays = cross_encoder_arrays(pretrained.config, pretrained.weights, 1)
    for name, value in pretrained.weights.items():
        assert (arrays[f"ernie.{name}"] == value).all()


def test_a_cross_encoder_draws_a_missing_pooler_by_the_seed(tmp_path):
    config, weights, _ = load_pretrained(write_folder(tmp_path, bert_weights()))
    bare = {name: value for name, value in weights.items() if not name.startswith("pooler.")}
    first, again, other = (cross_encoder_arrays(config, bare, seed) for seed in (1, 1, 2))
    for name in ("ernie.pooler.dense.weight", "classifier.weight"):
        assert (first[name] == again[name]).all() and (first[name] != other[name]).any()
        assert 0 < np.abs(first[name]).max() <= 0.04
    assert not first["ernie.pooler.dense.bias"].any() and not first["classifier.bias"].any()


@pytest.mark.parametrize(
    "name, told",
    [
        ("", "beside the weights, got none"),
        ("/vocab.txt", "got a file"),
        ("/nowhere", "got nothing there"),
    ],
)
def test_a_path_without_a_configuration_is_refused(tmp_path, name, told):
    with pytest.raises(DataError, match=f"{tmp_path}{name}: expected .*config.json.* {told}$"):
        load_pretrained(f"{write_folder(tmp_path, bert_weights(), settings=None)}{name}")


def saved_checkpoint(folder, kind, config, weights):
    """Writes a checkpoint of ours with these weights."""
    folder.mkdir()
    model = kind(config)
    set_weights(model, weights, "test")
    save_model(folder, model, {"vocab.txt": VOCABULARY})
    return folder


@pytest.fixture
def trained_config(tiny_config):
    """An architecture that differs from the defaults."""
    return tiny_config._replace(layer_norm_eps=3e-6, type_vocab_size=2, hidden_act="relu")


def test_a_training_starts_from_a_trained_dual_encoder_as_it_is(tmp_path, trained_config):
    weights = DualEncoder.from_encoder_weights(initial_weights(trained_config, 1))
    for name in weights:
        if name.startswith("passage_encoder."):
            weights[name] = weights[name] + 1
    folder = saved_checkpoint(tmp_path / "dual", DualEncoder, trained_config, weights)
    found = load_pretrained(folder, checkpoint_class="DualEncoder")
    assert found.config == trained_config
    assert found.tokenizer_files == {"vocab.txt": VOCABULARY}
    started = DualEncoder.from_encoder_weights(found.weights)
    assert started.keys() == weights.keys()
    assert all((started[name] == weights[name]).all() for name in weights)


def test_a_training_starts_from_a_trained_cross_encoder_as_it_is(tmp_path, trained_config):
    encoder = initial_weights(trained_config, 2)
    weights = CrossEncoder.from_encoder_weights(encoder, trained_config, 3)
    folder = saved_checkpoint(tmp_path / "cross", CrossEncoder, trained_config, weights)
    found = load_pretrained(folder, checkpoint_class="CrossEncoder")
    assert found.config == trained_config
    assert found.tokenizer_files == {"vocab.txt": VOCABULARY}
    started = CrossEncoder.from_encoder_weights(found.weights, trained_config, 7)
    assert started.keys() == weights.keys()
    assert all((started[name] == weights[name]).all() for name in weights)


@pytest.mark.parametrize("prefix", ["", "ernie.", "bert."])
def test_an_ernie_in_hugging_faces_layout_is_read_with_its_task_embedding(tmp_path, prefix):
    task = np.random.default_rng(5).normal(size=(3, 16)).astype(np.float32)
    weights = bert_weights() | {"embeddings.task_type_embeddings.weight": task}
    settings = SETTINGS | {
        "model_type": "ernie",
        "use_task_id": True,
        "task_type_vocab_size": 3,
        "hidden_act": "relu",
    }
    folder = write_folder(tmp_path, with_prefix(weights, prefix), settings)
    pretrained = load_pretrained(folder)
    assert (pretrained.weights["embeddings.task_type_embeddings.weight"] == task).all()
    assert (
        pretrained.config.hidden_act,
        pretrained.config.type_vocab_size,
        pretrained.config.use_task_id,
    ) == ("relu", 2, True)


def test_more_words_than_the_encoder_has_are_refused(tmp_path):
    weights = bert_weights()
    weights["embeddings.word_embeddings.weight"] = np.ones((3, 16), np.float32)
    folder = write_folder(tmp_path, weights, SETTINGS | {"vocab_size": 3})
    with pytest.raises(DataError) as error:
        load_pretrained(folder)
    assert str(error.value) == (
        f"{tmp_path}: expected a vocab.txt of at most vocab_size 3 words, got 4"
    )


@pytest.mark.parametrize("change", [{"vocab_size": 3}, {"num_hidden_layers": 1 << 30}])
def test_sizes_that_the_weights_do_not_have_are_refused(tmp_path, change):
    folder = write_folder(tmp_path, bert_weights(), SETTINGS | change)
    with pytest.raises(DataError, match=f"^{tmp_path}: expected "):
        load_pretrained(folder)


def test_a_configuration_that_is_not_json_is_refused(tmp_path):
    folder = write_folder(tmp_path, bert_weights())
    for content in (b"", b"{", b"[]", b"\xff", b"[" * 100_000):
        (folder / "config.json").write_bytes(content)
        with pytest.raises(DataError, match="config.json: expected a JSON object"):
            load_pretrained(folder)


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({}, "an object for encoder, got nothing"),
        ({"encoder": []}, "an object for encoder, got a list"),
        ({"encoder": {"vocab_size": 0}}, "a value for encoder.hidden_size, got nothing"),
    ],
)
def test_a_trained_model_without_its_architecture_is_refused(tmp_path, settings, expected):
    folder = write_folder(tmp_path, {}, settings | {"model": "DualEncoder"})
    with pytest.raises(DataError, match=f"config.json: expected {expected}$"):
        load_pretrained(folder, checkpoint_class="DualEncoder")


def test_a_word_list_that_would_run_something_is_refused_before_its_tokenizer_is_made(tmp_path):
    folder = write_folder(tmp_path, bert_weights())
    (folder / "dict.wordseg.pickle").write_bytes(b"cos\nsystem\n(Vtrue\ntR.")
    with pytest.raises(
        DataError, match="dict.wordseg.pickle: expected words only, got a call of os.system"
    ):
        load_pretrained(folder)
    (folder / "dict.wordseg.pickle").write_bytes(pickle.dumps({"a", "b"}, 2))
    assert "dict.wordseg.pickle" in load_pretrained(folder).tokenizer_files


def test_a_name_that_cannot_be_had_is_refused_in_one_line_that_says_what_to_do(
    monkeypatch, paddlenlp
):
    from paddlenlp.transformers import ErnieConfig, ErnieModel

    monkeypatch.setitem(ErnieConfig.pretrained_init_configuration, "ernie-there", dict(SETTINGS))
    monkeypatch.setitem(ErnieModel.pretrained_init_configuration, "ernie-there", dict(SETTINGS))
    monkeypatch.setitem(
        ErnieModel.pretrained_resource_files_map["model_state"],
        "ernie-there",
        "http://127.0.0.1:9/ernie.pdparams",
    )
    with pytest.raises(DataError) as error:
        load_pretrained("ernie-there")
    message = str(error.value)
    assert message.startswith(
        "ernie-there: expected a folder with config.json, vocab.txt and weights, or a model"
    )
    assert "Without a network, run `data_prep/ernie_weights.py --model ernie-there`" in message
    assert message.endswith("bring the folder here and give it in place of the name")
    assert "\n" not in message


def test_a_folder_saved_by_paddlenlp_is_loaded_with_its_tokenizer(
    tmp_path, tiny_config, random_rows, paddlenlp
):
    import paddle
    from paddlenlp.transformers import BertTokenizer, ErnieConfig, ErnieModel

    (tmp_path / "vocab.txt").write_bytes(VOCABULARY)
    twin = ErnieModel(ErnieConfig(**tiny_config._replace(use_task_id=True)._asdict()))
    twin.eval()
    folder = tmp_path / "saved"
    twin.save_pretrained(str(folder))
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(str(folder))
    pretrained = load_pretrained(folder, layer_norm_eps=1e-12)
    assert pretrained.tokenizer_files["vocab.txt"] == VOCABULARY
    model, [row] = Ernie(pretrained.config, with_pooler=True), random_rows(1)
    set_weights(model, pretrained.weights, "test")
    vectors, _ = twin(paddle.to_tensor(row.token_ids[None]), paddle.to_tensor(row.type_ids[None]))
    np.testing.assert_allclose(model(pack([row])).numpy(), vectors[:, 0].numpy(), rtol=0, atol=1e-5)
