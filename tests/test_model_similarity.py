"""The similarity of a model is read from its folder, for the identity of jobs."""

from pathlib import Path

import pytest
from published_models import add_pooling, write_model

from rocketqa.encoder.config import ErnieConfig
from rocketqa.weights.config_files import write_checkpoint_config
from rocketqa.weights.model_similarity import similarity_flags, with_similarity_of

FIRST = {"pooling_mode_cls_token": True}


def found(source, *chosen) -> tuple[str, float]:
    config = with_similarity_of(source, *chosen)
    return config.similarity, config.temperature


def test_a_name_and_a_plain_folder_have_the_dot_product(tmp_path):
    folder = write_model(tmp_path / "model")
    for source in ("ernie-2.0-base-en", [Path("a")], folder, tmp_path / "none"):
        assert found(source) == ("dot", 1.0)
    assert found(folder, "cosine") == ("cosine", 0.05)
    assert found(folder, None, 0.5) == ("dot", 0.5)


def test_a_folder_of_sentence_transformers_has_its_own(tmp_path):
    folder = add_pooling(write_model(tmp_path / "model"), FIRST, ("Normalize",))
    assert found(folder) == ("cosine", 0.05)
    assert found(folder, "dot") == ("dot", 1.0)


def test_a_checkpoint_has_that_of_its_training(tmp_path, tiny_config):
    config = tiny_config.with_similarity("cosine", 0.1)
    write_checkpoint_config(tmp_path, "DualEncoder", config)
    assert found(tmp_path) == ("cosine", 0.1)
    assert found(tmp_path, None, 0.2) == ("cosine", 0.2)


@pytest.mark.parametrize("similarity, flags", [("dot", {}), ("cosine", {"similarity": "cosine"})])
def test_the_dot_product_is_no_flag_of_a_job(similarity, flags):
    assert similarity_flags(ErnieConfig().with_similarity(similarity, None)) == flags
