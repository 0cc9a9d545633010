"""The architecture of INIT is known from a config alone: of folders, checkpoints and names."""

import json
from importlib.util import find_spec

import pytest
from toy_files import write_tiny_flight

from rocketqa.encoder.config import ErnieConfig
from rocketqa.training.step_memory import parameters_of
from rocketqa.weights.architectures import architecture_of
from rocketqa.weights.config_files import write_checkpoint_config


def test_the_weights_of_a_folder_are_not_read(tmp_path):
    write_tiny_flight(tmp_path)
    for path in (tmp_path / "init").iterdir():
        if path.name != "config.json":
            path.unlink()
    config = architecture_of(str(tmp_path / "init"))
    assert config is not None and config.hidden_size == 16
    # V = 46, H = 16, I = 32, 40 positions, 4 types: the embeddings, two layers, the pooler.
    embeddings = (46 + 40 + 4 + 2) * 16
    layer = 4 * (16 * 16 + 16) + (16 * 32 + 32) + (32 * 16 + 16) + 4 * 16
    assert parameters_of(config) == embeddings + 2 * layer + (16 * 16 + 16)


def test_a_checkpoint_of_ours_tells_its_architecture(tmp_path):
    config = ErnieConfig(hidden_size=24, representation="mean")
    write_checkpoint_config(tmp_path, "DualEncoder", config)
    assert architecture_of(str(tmp_path)) == config


def test_the_encoder_of_sentence_transformers_may_lie_below_its_folder(tmp_path):
    module = {"type": "sentence_transformers.models.Transformer", "path": "0_Transformer"}
    (tmp_path / "modules.json").write_text(json.dumps([module]))
    below = tmp_path / "0_Transformer"
    below.mkdir()
    (below / "config.json").write_text(json.dumps({"hidden_size": 96}))
    config = architecture_of(str(tmp_path))
    assert config is not None and config.hidden_size == 96


def test_what_has_no_readable_config_is_unknown(tmp_path):
    assert architecture_of(str(tmp_path)) is None
    assert architecture_of(str(tmp_path / "nowhere")) is None
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    assert architecture_of(str(broken)) is None


def test_the_papers_names_are_known_without_paddlenlp():
    base = architecture_of("ernie-2.0-base-en")
    large = architecture_of("ernie-2.0-large-en")
    assert base is not None and round(parameters_of(base) / 1e6, 1) == 109.5
    assert large is not None and round(parameters_of(large) / 1e6, 1) == 335.1


@pytest.mark.skipif(not find_spec("paddlenlp"), reason="needs PaddleNLP")
def test_names_that_paddlenlp_lists_are_known():
    architecture_of.cache_clear()  # another test may have hidden PaddleNLP
    tiny = architecture_of("ernie-tiny")
    assert tiny is not None and tiny.num_hidden_layers == 3
    assert architecture_of("no-such-model") is None
