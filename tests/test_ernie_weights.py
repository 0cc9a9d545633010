"""A published ERNIE becomes a folder to start from: downloaded, read as data and checked."""

import http.server
import json
import threading

import pytest
from data_prep_runs import call, data_prep_module

from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.weights.pretrained import load_pretrained

VOCABULARY = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n"


@pytest.fixture
def published(tmp_path, tiny_config, monkeypatch, paddlenlp):
    """A tiny ERNIE by the name `ernie-there`, in PaddleNLP's tables and on a server of files."""
    import paddle
    from paddlenlp.transformers import ErnieConfig, ErnieModel, ErnieTokenizer

    folder = tmp_path / "server" / "ernie-there"
    folder.mkdir(parents=True)
    weights = initial_weights(tiny_config, 3)
    paddle.save(
        {name: paddle.to_tensor(value) for name, value in weights.items()},
        str(folder / "ernie.pdparams"),
        2,
    )
    (folder / "vocab.txt").write_text(VOCABULARY)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def __init__(self, *args):
            super().__init__(*args, directory=folder)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    settings = {
        name: value for name, value in tiny_config._asdict().items() if name != "layer_norm_eps"
    }
    for table in (
        ErnieConfig.pretrained_init_configuration,
        ErnieModel.pretrained_init_configuration,
    ):
        monkeypatch.setitem(table, "ernie-there", settings)
    monkeypatch.setitem(
        ErnieModel.pretrained_resource_files_map["model_state"],
        "ernie-there",
        f"{url}/ernie.pdparams",
    )
    monkeypatch.setitem(
        ErnieTokenizer.pretrained_resource_files_map["vocab_file"],
        "ernie-there",
        f"{url}/vocab.txt",
    )
    yield folder, weights
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("way", ["over HTTP", "from a folder"])
def test_a_published_encoder_becomes_a_folder_to_start_from(tmp_path, published, way, tiny_config):
    folder, weights = published
    given = ["--from", folder.parent] if way == "from a folder" else []
    arguments = ["--output", tmp_path / "checkpoints", "--model", "ernie-there", *given]
    status, stderr = call("ernie_weights.py", *arguments)
    parameters = sum(value.size for value in weights.values())
    assert status == 0
    assert stderr.endswith(f"{parameters:,} parameters\n")
    assert (tmp_path / "checkpoints" / "downloads").exists() == (not given)
    encoder = load_pretrained(tmp_path / "checkpoints" / "ernie-there")
    assert encoder.config == tiny_config._replace(layer_norm_eps=1e-5)
    assert encoder.weights.keys() == weights.keys()
    for name, value in weights.items():
        assert (encoder.weights[name] == value).all()
    assert encoder.tokenizer_files["vocab.txt"] == VOCABULARY.encode()
    assert json.loads(encoder.tokenizer_files["tokenizer_config.json"]) == {
        "tokenizer_class": "ErnieTokenizer",
        "do_lower_case": True,
    }
    assert call("ernie_weights.py", *arguments)[1].endswith("ernie-there: up to date\n")


def test_a_published_file_with_a_parameter_too_few_is_refused_by_its_name(tmp_path, published):
    import paddle

    folder, weights = published
    del weights["encoder.layers.0.linear1.bias"]
    paddle.save(
        {name: paddle.to_tensor(value) for name, value in weights.items()},
        str(folder / "ernie.pdparams"),
    )
    flags = ("--output", tmp_path / "made", "--model", "ernie-there", "--from", folder.parent)
    status, stderr = call("ernie_weights.py", *flags)
    assert status == 2
    assert stderr.endswith("got missing ['encoder.layers.0.linear1.bias'], unexpected []\n")
    assert not (tmp_path / "made" / "ernie-there").exists()


def test_a_name_that_paddlenlp_does_not_know_is_refused(tmp_path, paddlenlp):
    status, stderr = call("ernie_weights.py", "--output", tmp_path, "--model", "ernie-9")
    assert status == 2
    assert "--model ernie-9: expected a name among" in stderr
    assert "ernie-2.0-large-en" in stderr


def test_the_papers_two_encoders_are_known_with_their_architecture(paddlenlp):
    ernie_weights = data_prep_module("ernie_weights")
    sizes_and_layers = ((768, 12), (1024, 24))
    for name, (size, layers) in zip(ernie_weights.MODELS, sizes_and_layers, strict=True):
        settings, urls = ernie_weights.published(name)
        assert settings["hidden_size"] == size
        assert settings["num_hidden_layers"] == layers
        assert settings["hidden_act"] == "gelu"
        assert settings["type_vocab_size"] == 4
        assert settings["vocab_size"] == 30522
        assert urls.keys() == {"model_state.pdparams", "vocab.txt"}
