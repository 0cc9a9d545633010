"""The `config.json` of a model folder: the architecture, in our form or in that of others.

    a checkpoint of ours           {"model": "DualEncoder", "encoder": {fields of ErnieConfig}}
    Hugging Face's, PaddleNLP's    the same fields at the top, among many that we do not need
    PaddleNLP's before 2.5         model_config.json instead: the same fields, those of a model
                                   with a head in {"init_args": [{...}]}; its class is init_class

Both have the same names and units; only a checkpoint of ours must have all fields and no others.
"""

import json
import re
from pathlib import Path
from typing import Any

from rocketqa.encoder.config import REPRESENTATIONS, SIMILARITIES, ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.files.json_files import JsonObject, read_json_object
from rocketqa.jobs.manifest import made_by

CONFIG = "config.json"
OLDER_CONFIG = "model_config.json"
OLDER_CLASS = re.compile(r"(Bert|Ernie)(Model|For\w+)")
# Fields of ours that checkpoints of others may have with another meaning.
OF_OUR_CHECKPOINTS = ("similarity", "temperature")
# Checkpoints from before these fields were added lack them.
ADDED_LATER = ("representation", *OF_OUR_CHECKPOINTS)
DEFAULT_EPSILON = 1e-12  # Google BERT's, where a folder of others names none
MODEL_TYPES = ("bert", "ernie", "dpr")
ACTIVATIONS = ("gelu", "relu", "silu", "tanh")


def has_config(folder: Path) -> bool:
    """Returns whether a folder has a `config.json`, or a `model_config.json` of older PaddleNLP."""
    return (folder / CONFIG).is_file() or (folder / OLDER_CONFIG).is_file()


def read_config_file(folder: Path) -> JsonObject:
    """Returns the `config.json` of a folder of weights, or the fields that its `model_config.json`
    would have there. Raises DataError where there is neither.
    """
    if (folder / CONFIG).is_file():
        return read_json_object(folder / CONFIG)
    if (folder / OLDER_CONFIG).is_file():
        return _with_fields_of_today(read_json_object(folder / OLDER_CONFIG))
    got = made_by(folder) or "none"
    raise DataError(f"{folder}: expected a {CONFIG} beside the weights, got {got}")


def _with_fields_of_today(settings: JsonObject) -> JsonObject:
    """Returns the fields of a `model_config.json` as a `config.json` has them."""
    fields = dict(settings.fields)
    for arguments in settings.get("init_args", list, []):
        if isinstance(arguments, dict):
            fields = arguments | fields
    if "init_class" in settings:
        model_class = settings.require("init_class", str)
        known = OLDER_CLASS.fullmatch(model_class)
        fields.setdefault("model_type", known[1].lower() if known else model_class)
        fields.setdefault("architectures", [model_class])
    return JsonObject(fields, settings.place)


def write_checkpoint_config(folder: Path, class_name: str, config: ErnieConfig) -> None:
    """Writes the `config.json` of a checkpoint of ours."""
    content = {"model": class_name, "encoder": config.fields_to_write()}
    (folder / CONFIG).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def class_of_checkpoint(settings: JsonObject) -> str:
    """Returns the class that a checkpoint of ours names, as `DualEncoder`; else an empty text."""
    return settings.get("model", str, "")


def config_of_checkpoint(settings: JsonObject) -> ErnieConfig:
    """Returns the architecture in the `config.json` of a checkpoint of ours.

    Raises DataError where a field is missing, unknown or wrong.
    """
    settings.refuse_other_fields(("model", "encoder"))
    encoder = settings.nested("encoder")
    encoder.refuse_other_fields(ErnieConfig._fields)
    for name in ErnieConfig._fields:
        if name not in encoder and name not in ADDED_LATER:
            raise encoder.wrong_value(name, "a value")
    config = _checked_config(encoder, ErnieConfig())
    if config.similarity not in SIMILARITIES:
        raise encoder.wrong_value("similarity", " or ".join(SIMILARITIES))
    if config.similarity != "dot" and class_of_checkpoint(settings) != "DualEncoder":
        raise encoder.wrong_value(
            "similarity", "dot, as nothing but a dual encoder compares vectors"
        )
    if config.temperature <= 0:
        raise encoder.wrong_value("temperature", "a number above 0")
    return config


def config_of_encoder(settings: JsonObject) -> ErnieConfig:
    """Returns the architecture in a `config.json` of Hugging Face or PaddleNLP.

    A missing field has the value of ERNIE 2.0 base, a missing epsilon Google BERT's. Raises
    DataError where the file describes a network that our encoder is not.
    """
    model_type = settings.get("model_type", str, "bert")
    if model_type not in MODEL_TYPES:
        raise settings.wrong_value("model_type", " or ".join(MODEL_TYPES))
    if settings.fields.get("projection_dim") not in (None, 0):
        raise settings.wrong_value("projection_dim", "0 (vectors of the encoder's size)")
    if settings.get("position_embedding_type", str, "absolute") != "absolute":
        raise settings.wrong_value("position_embedding_type", "absolute")
    if settings.fields.get("is_decoder"):
        raise settings.wrong_value("is_decoder", "false (each token sees the tokens behind it)")
    fields = {
        name: value for name, value in settings.fields.items() if name not in OF_OUR_CHECKPOINTS
    }
    defaults = ErnieConfig(layer_norm_eps=DEFAULT_EPSILON)
    return _checked_config(JsonObject(fields, settings.place), defaults)


def _checked_config(settings: JsonObject, defaults: ErnieConfig) -> ErnieConfig:
    """Returns `defaults` with the fields that `settings` has.

    Raises DataError on a value that is wrong.
    """
    values = {}
    for name in ErnieConfig._fields:
        if name in settings:
            values[name] = _checked_value(settings, name)
    config = defaults._replace(**values)
    if config.hidden_act not in ACTIVATIONS:
        raise settings.wrong_value("hidden_act", " or ".join(ACTIVATIONS))
    if config.representation not in REPRESENTATIONS:
        raise settings.wrong_value("representation", " or ".join(REPRESENTATIONS))
    if config.layer_norm_eps <= 0:
        raise settings.wrong_value("layer_norm_eps", "a number above 0")
    if config.hidden_size % config.num_attention_heads:
        expected = f"a hidden_size for {config.num_attention_heads} heads of equal size"
        raise settings.fault(expected, str(config.hidden_size))
    return config


def _checked_value(settings: JsonObject, name: str) -> Any:
    """Returns the value of a field of ErnieConfig, of the kind that its default has."""
    kind = type(ErnieConfig._field_defaults[name])
    if kind is int:
        return settings.positive(name)
    if kind is not float:
        return settings.require(name, kind)
    value = settings.number(name)
    if name == "temperature":
        return value
    if not 0 <= value < 1:
        raise settings.wrong_value(name, "a number from 0 to below 1")
    return value
