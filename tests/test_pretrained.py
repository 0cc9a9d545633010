"""What a training starts from: BERT in Hugging Face's layout against a slow numpy BERT, our own names, refusals."""

import json
import math
import pickle

import numpy as np
import pytest
from safetensors.numpy import save_file

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.packing import pack
from rocketqa.files.errors import DataError
from rocketqa.weights.checkpoint import save_model, set_weights
from rocketqa.weights.encoder_weights import parameter_shapes
from rocketqa.weights.pretrained import load_pretrained

# A BERT of two layers as Hugging Face writes it. H = 16 hidden, 4 heads, 40 in the feed-forward.
SETTINGS = {
    "architectures": ["BertForPreTraining"],
    "model_type": "bert",
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.2,
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-6,
    "pad_token_id": 0,
}
VOCABULARY = "".join(f"{word}\n" for word in ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]).encode()
DENSE = {
    "attention.self.query": (16, 16),
    "attention.self.key": (16, 16),
    "attention.self.value": (16, 16),
    "attention.output.dense": (16, 16),
    "intermediate.dense": (40, 16),
    "output.dense": (16, 40),
}  # [out, in]


def bert_weights() -> dict[str, np.ndarray]:
    """Returns drawn weights by Hugging Face's names, without a prefix; no bias is 0 and no norm 1."""
    shapes = {
        "embeddings.word_embeddings.weight": (60, 16),
        "embeddings.position_embeddings.weight": (32, 16),
        "embeddings.token_type_embeddings.weight": (2, 16),
        "pooler.dense.weight": (16, 16),
        "pooler.dense.bias": (16,),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in ("encoder.layer.0.", "encoder.layer.1."):
        for name, (outputs, inputs) in DENSE.items():
            shapes |= {
                f"{layer}{name}.weight": (outputs, inputs),
                f"{layer}{name}.bias": (outputs,),
            }
        norms += [f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"]
    shapes |= {f"{norm}.{part}": (16,) for norm in norms for part in ("weight", "bias")}
    drawing = np.random.default_rng(4)
    return {
        name: (drawing.normal(0, 0.3, shape) + name.endswith("LayerNorm.weight")).astype(np.float32)
        for name, shape in shapes.items()
    }


def heads() -> dict[str, np.ndarray]:
    """Returns what pre-training leaves beside the encoder."""
    return {
        "bert.embeddings.position_ids": np.arange(32)[None],
        "cls.predictions.bias": np.zeros(60, np.float32),
        "cls.predictions.transform.dense.weight": np.zeros((16, 16), np.float32),
        "cls.predictions.transform.LayerNorm.gamma": np.zeros(16, np.float32),
        "cls.seq_relationship.weight": np.zeros((2, 16), np.float32),
    }


def folder_with(folder, weights, settings=SETTINGS):
    save_file(weights, folder / "model.safetensors")
    if settings is not None:
        (folder / "config.json").write_text(json.dumps(settings))
    (folder / "vocab.txt").write_bytes(VOCABULARY)
    return folder


def slow_bert(weights, token_ids, type_ids) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first token's vector and the pooled one of a single row, in float64, token by token."""
    weights = {name: value.astype(np.float64) for name, value in weights.items()}

    def dense(vectors, name):
        return vectors @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(vectors, name):
        mean, variance = vectors.mean(1, keepdims=True), vectors.var(1, keepdims=True)
        return (vectors - mean) / np.sqrt(variance + 1e-6) * weights[f"{name}.weight"] + weights[
            f"{name}.bias"
        ]

    gelu = np.vectorize(lambda value: value * 0.5 * (1 + math.erf(value / math.sqrt(2))))
    hidden = np.array(
        [
            weights["embeddings.word_embeddings.weight"][token]
            + weights["embeddings.position_embeddings.weight"][position]
            + weights["embeddings.token_type_embeddings.weight"][kind]
            for position, (token, kind) in enumerate(zip(token_ids, type_ids))
        ]
    )
    hidden = norm(hidden, "embeddings.LayerNorm")
    for layer in ("encoder.layer.0.", "encoder.layer.1."):
        q, k, v = (
            dense(hidden, f"{layer}attention.self.{name}") for name in ("query", "key", "value")
        )
        context = np.zeros_like(hidden)
        for head in range(4):
            part = slice(4 * head, 4 * head + 4)
            for place in range(len(hidden)):
                weight = np.exp(k[:, part] @ q[place, part] / math.sqrt(4))
                context[place, part] = weight @ v[:, part] / weight.sum()
        hidden = norm(
            hidden + dense(context, f"{layer}attention.output.dense"),
            f"{layer}attention.output.LayerNorm",
        )
        inner = gelu(dense(hidden, f"{layer}intermediate.dense"))
        hidden = norm(hidden + dense(inner, f"{layer}output.dense"), f"{layer}output.LayerNorm")
    return hidden[0], np.tanh(dense(hidden[:1], "pooler.dense"))[0]


def old_names(weights):
    """Returns the weights with the norms' names of the first BERT checkpoints."""
    return {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): value
        for name, value in weights.items()
    }


@pytest.mark.parametrize(
    "layout",
    [
        lambda weights: weights,
        lambda weights: {f"bert.{name}": value for name, value in weights.items()} | heads(),
        lambda weights: (
            {f"bert.{name}": value for name, value in old_names(weights).items()} | heads()
        ),
    ],
    ids=["bare", "prefixed, with heads", "gamma and beta"],
)
def test_a_bert_checkpoint_gives_the_vectors_of_a_slow_numpy_bert(tmp_path, random_rows, layout):
    weights, rows = bert_weights(), random_rows(8)
    pretrained = load_pretrained(folder_with(tmp_path, layout(weights)))
    model = Ernie(pretrained.config, with_pooler=True)
    set_weights(model, pretrained.weights, "test")
    model.eval()
    expected, pooled = zip(*(slow_bert(weights, *row) for row in rows))
    np.testing.assert_allclose(model(pack(rows)).numpy(), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(model.pooled(pack(rows)).numpy(), pooled, rtol=0, atol=1e-5)


def test_the_architecture_and_the_tokenizer_files_are_read(tmp_path):
    folder = folder_with(tmp_path, bert_weights())
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
    }
    assert pretrained.tokenizer_files == {
        "vocab.txt": VOCABULARY,
        "tokenizer_config.json": b'{"do_lower_case": false}',
    }


def test_the_epsilon_is_1e_12_where_the_source_is_silent_and_can_be_overridden(tmp_path):
    silent = {name: value for name, value in SETTINGS.items() if name != "layer_norm_eps"}
    folder = folder_with(tmp_path, bert_weights(), silent)
    assert load_pretrained(folder).config.layer_norm_eps == 1e-12
    assert load_pretrained(folder, layer_norm_eps=1e-5).config.layer_norm_eps == 1e-5


def test_our_own_names_are_loaded_as_they_are(tmp_path, tiny_config):
    weights = initial_weights(tiny_config._replace(use_task_id=True), seed=5)
    pretrained = load_pretrained(
        folder_with(tmp_path, weights, tiny_config._replace(use_task_id=True)._asdict())
    )
    assert pretrained.config == tiny_config._replace(use_task_id=True)
    assert pretrained.weights.keys() == weights.keys()
    assert all((pretrained.weights[name] == value).all() for name, value in weights.items())


def test_both_towers_start_from_the_same_weights_without_the_pooler(tmp_path):
    pretrained = load_pretrained(folder_with(tmp_path, bert_weights()))
    model = DualEncoder(pretrained.config)
    set_weights(model, DualEncoder.from_encoder_weights(pretrained.weights), "test")
    towers = [model.query_encoder.state_dict(), model.passage_encoder.state_dict()]
    kept = pretrained.weights.keys() - {"pooler.dense.weight", "pooler.dense.bias"}
    assert towers[0].keys() == towers[1].keys() == kept
    for tower in towers:
        assert all(
            (value.numpy() == pretrained.weights[name]).all() for name, value in tower.items()
        )


def test_a_cross_encoder_keeps_a_pooler_and_draws_a_missing_one_by_the_seed(tmp_path):
    pretrained = load_pretrained(folder_with(tmp_path, bert_weights()))

    def built(weights, seed):
        model = CrossEncoder(pretrained.config)
        set_weights(
            model, CrossEncoder.from_encoder_weights(weights, pretrained.config, seed), "test"
        )
        return {name: value.numpy() for name, value in model.state_dict().items()}

    whole = built(pretrained.weights, 1)
    for name, value in pretrained.weights.items():
        assert (whole[f"ernie.{name}"] == value).all()
    bare = {
        name: value for name, value in pretrained.weights.items() if not name.startswith("pooler.")
    }
    first, again, other = built(bare, 1), built(bare, 1), built(bare, 2)
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
        load_pretrained(f"{folder_with(tmp_path, bert_weights(), settings=None)}{name}")


def test_a_training_starts_from_a_trained_model_of_its_kind_as_it_is(tmp_path, tiny_config):
    config = tiny_config._replace(layer_norm_eps=3e-6, type_vocab_size=2, hidden_act="relu")
    dual, cross = (
        initial_weights(config, 1),
        CrossEncoder.from_encoder_weights(initial_weights(config, 2), config, 3),
    )
    other = {name: value + 1 for name, value in dual.items()}
    for kind, weights in (
        (
            DualEncoder,
            {
                **DualEncoder.from_encoder_weights(dual),
                **{
                    f"passage_encoder.{name}": value
                    for name, value in other.items()
                    if "pooler" not in name
                },
            },
        ),
        (CrossEncoder, cross),
    ):
        folder = tmp_path / kind.__name__
        folder.mkdir()
        model = kind(config)
        set_weights(model, weights, "test")
        save_model(folder, model, {"vocab.txt": VOCABULARY})
        found = load_pretrained(folder, checkpoint_class=kind.__name__)
        assert found.config == config and found.tokenizer_files == {"vocab.txt": VOCABULARY}
        further = [found.weights] if kind is DualEncoder else [found.weights, config, 7]
        started = kind.from_encoder_weights(*further)
        assert started.keys() == weights.keys() and all(
            (started[name] == weights[name]).all() for name in weights
        )
    with pytest.raises(
        DataError,
        match="expected an encoder or a DualEncoder to start from, got a trained CrossEnc",
    ):
        load_pretrained(tmp_path / "CrossEncoder", checkpoint_class="DualEncoder")


def test_the_parameters_of_an_encoder_are_those_of_the_model(tiny_config):
    for config in (tiny_config, tiny_config._replace(use_task_id=True, num_hidden_layers=1)):
        assert parameter_shapes(config) == {
            name: tuple(value.shape) for name, value in Ernie(config, True).state_dict().items()
        }


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
    prefixed = {prefix + name: value for name, value in weights.items()}
    pretrained = load_pretrained(folder_with(tmp_path, prefixed, settings))
    assert (pretrained.weights["embeddings.task_type_embeddings.weight"] == task).all()
    assert (
        pretrained.config.hidden_act,
        pretrained.config.type_vocab_size,
        pretrained.config.use_task_id,
    ) == ("relu", 2, True)


def test_missing_and_unexpected_parameters_stop_the_load_with_their_names(tmp_path):
    weights = bert_weights() | {"extra.weight": np.zeros(2, np.float32)}
    del weights["encoder.layer.1.intermediate.dense.bias"]
    with pytest.raises(DataError) as error:
        load_pretrained(folder_with(tmp_path, weights))
    assert str(error.value) == (
        f"{tmp_path}: expected the parameters of the encoder in config.json, got missing "
        "['encoder.layers.1.linear1.bias'], unexpected ['extra.weight']"
    )


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((16, 17), np.float32),
        np.zeros((16, 16), np.int64),
        np.full((16, 16), np.nan, np.float32),
        np.full((16, 16), 1e300),
    ],
)
def test_a_parameter_of_another_shape_or_type_or_that_is_not_finite_is_refused(tmp_path, value):
    name = "encoder.layer.0.attention.self.query.weight"
    with pytest.raises(
        DataError, match="finite floats of shape .16, 16. for encoder.layers.0.self_attn.q_proj"
    ):
        load_pretrained(folder_with(tmp_path, bert_weights() | {name: value}))


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": "16"},
        {"hidden_size": 0},
        {"num_hidden_layers": True},
        {"layer_norm_eps": 0.0},
        {"layer_norm_eps": None},
        {"hidden_act": "__class__"},
        {"hidden_act": "gelu_new"},
        {"num_attention_heads": 3},
        {"model_type": "roberta"},
        {"model_type": ["bert"]},
        {"position_embedding_type": "relative_key"},
        {"vocab_size": 3},
        {"num_hidden_layers": 1 << 40},
        {"hidden_dropout_prob": math.nan},
        {"layer_norm_eps": math.inf},
    ],
)
def test_a_configuration_that_is_no_encoder_of_ours_is_refused(tmp_path, change):
    with pytest.raises(DataError) as error:
        load_pretrained(folder_with(tmp_path, bert_weights(), SETTINGS | change))
    assert str(error.value).startswith(f"{tmp_path}: expected ") and "\n" not in str(error.value)


def test_a_configuration_that_is_not_json_is_refused(tmp_path):
    folder = folder_with(tmp_path, bert_weights())
    for content in (b"", b"{", b"[]", b"\xff", b"[" * 100_000):
        (folder / "config.json").write_bytes(content)
        with pytest.raises(DataError, match="config.json: expected "):
            load_pretrained(folder)


@pytest.mark.parametrize("settings", [{}, {"encoder": []}, {"encoder": {"vocab_size": 0}}])
def test_a_trained_model_without_its_architecture_is_refused(tmp_path, settings):
    with pytest.raises(DataError, match="expected an object that describes|expected vocab_size"):
        load_pretrained(
            folder_with(tmp_path, {}, settings | {"model": "DualEncoder"}), checkpoint_class="DualEncoder"
        )


def test_a_parameter_that_stands_under_two_names_is_refused(tmp_path):
    weights = bert_weights()
    weights["bert.pooler.dense.bias"] = weights["pooler.dense.bias"] + 1
    with pytest.raises(DataError, match="expected each parameter of 2 layers once"):
        load_pretrained(folder_with(tmp_path, weights))


def test_a_word_list_that_would_run_something_is_refused_before_its_tokenizer_is_made(tmp_path):
    folder = folder_with(tmp_path, bert_weights())
    (folder / "dict.wordseg.pickle").write_bytes(b"cos\nsystem\n(Vtrue\ntR.")
    with pytest.raises(
        DataError, match="dict.wordseg.pickle: expected words only, got a call of os.system"
    ):
        load_pretrained(folder)
    (folder / "dict.wordseg.pickle").write_bytes(pickle.dumps({"a", "b"}, 2))
    assert "dict.wordseg.pickle" in load_pretrained(folder).tokenizer_files


def test_a_name_that_cannot_be_had_is_refused_in_one_line_that_says_what_to_do(monkeypatch):
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
        "INIT=ernie-there: expected a folder with config.json, vocab.txt and weights, or a model"
    )
    assert "Without a network, run `data_prep/ernie_weights.py --model ernie-there`" in message
    assert message.endswith("bring the folder here and set INIT=FOLDER") and "\n" not in message


def test_a_folder_saved_by_paddlenlp_is_loaded_with_its_tokenizer(
    tmp_path, tiny_config, random_rows
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
