"""The published ERNIEs as folders to start from: what PaddleNLP names, fetched, read as data and checked."""

import http.server
import json
import threading

import pytest
from data_prep_runs import call

from rocketqa.encoder.ernie import initial_weights
from rocketqa.weights.pretrained import load_pretrained

VOCABULARY = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n"


@pytest.fixture
def published(tmp_path, tiny_config, monkeypatch):
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
    status, said = call("ernie_weights.py", *arguments)
    assert status == 0 and said.endswith(
        f"{sum(value.size for value in weights.values()):,} parameters\n"
    )
    assert (tmp_path / "checkpoints" / "downloads").exists() == (not given)
    found = load_pretrained(tmp_path / "checkpoints" / "ernie-there")
    assert found.config == tiny_config._replace(layer_norm_eps=1e-5)
    assert found.weights.keys() == weights.keys()
    assert all((found.weights[name] == value).all() for name, value in weights.items())
    assert found.tokenizer_files["vocab.txt"] == VOCABULARY.encode()
    assert json.loads(found.tokenizer_files["tokenizer_config.json"]) == {
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
    status, said = call(
        "ernie_weights.py",
        "--output",
        tmp_path / "made",
        "--model",
        "ernie-there",
        "--from",
        folder.parent,
    )
    assert status == 2 and said.endswith(
        "got missing ['encoder.layers.0.linear1.bias'], unexpected []\n"
    )
    assert not (tmp_path / "made" / "ernie-there").exists()


def test_a_name_that_paddlenlp_does_not_know_is_refused(tmp_path):
    status, said = call("ernie_weights.py", "--output", tmp_path, "--model", "ernie-9")
    assert (
        status == 2
        and "--model ernie-9: expected a name among" in said
        and "ernie-2.0-large-en" in said
    )


def test_the_papers_two_encoders_are_known_with_their_architecture():
    from ernie_weights import MODELS, published

    for name, (size, layers) in zip(MODELS, ((768, 12), (1024, 24)), strict=True):
        settings, urls = published(name)
        assert (settings["hidden_size"], settings["num_hidden_layers"]) == (size, layers)
        assert (settings["hidden_act"], settings["type_vocab_size"], settings["vocab_size"]) == (
            "gelu",
            4,
            30522,
        )
        assert urls.keys() == {"model_state.pdparams", "vocab.txt"}
