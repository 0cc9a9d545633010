"""The architecture of the weights that INIT names. Weights are neither read nor fetched."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.files.json_files import JsonObject
from rocketqa.weights.config_files import (
    class_of_checkpoint,
    config_of_checkpoint,
    config_of_encoder,
    has_config,
    read_config_file,
)
from rocketqa.weights.sentence_transformers import encoder_folder

# Those of the paper, for machines without PaddleNLP.
KNOWN = {
    "ernie-2.0-base-en": ErnieConfig(),
    "ernie-2.0-large-en": ErnieConfig(
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
    ),
}


@cache
def architecture_of(source: str) -> ErnieConfig | None:
    """Returns the architecture of initial weights; None where it is not known.

    source: a folder, or a name that PaddleNLP lists.
    """
    try:
        if Path(source).exists():
            return _of_folder(Path(source))
        return KNOWN.get(source) or _of_name(source)
    except DataError:
        return None


def _of_folder(folder: Path) -> ErnieConfig | None:
    """Returns the architecture in a folder. Raises DataError where its config is wrong."""
    folder = encoder_folder(folder)
    if not has_config(folder):
        return None
    settings = read_config_file(folder)
    if class_of_checkpoint(settings):
        return config_of_checkpoint(settings)
    return config_of_encoder(settings)


def _of_name(name: str) -> ErnieConfig | None:
    """Returns the architecture that PaddleNLP has under a name, None without PaddleNLP."""
    if "/" in name or not find_spec("paddlenlp"):
        return None  # a folder that is not there; PaddleNLP takes seconds to load
    from paddlenlp.transformers import BertConfig
    from paddlenlp.transformers import ErnieConfig as PaddleNlpConfig

    for listed in (PaddleNlpConfig, BertConfig):
        fields = listed.pretrained_init_configuration.get(name)
        if fields:
            return config_of_encoder(JsonObject(fields, name))
    return None
