"""The released models of RocketQA, PAIR and RocketQAv2: read into our parameters, and written back.

    released_archives    where the models are
    released_layout      their networks and the names of their variables
    released_settings    config.json, architecture and vocabulary

The NAACL release's checkpoints are folders of variables without the text files.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.files.json_files import JsonObject, parse_json_object, read_json_object
from rocketqa.jobs.digests import MANIFEST, refuse_damaged
from rocketqa.text.tokenizer_files import options_of
from rocketqa.training.settings import LOG
from rocketqa.weights.checkpoint import WEIGHTS
from rocketqa.weights.config_files import CONFIG, class_of_checkpoint, config_of_checkpoint
from rocketqa.weights.fluid_variables import read_variable, variable_bytes
from rocketqa.weights.model_kinds import MODEL_NAMES, RELEASED_FIELD, checkpoint_settings
from rocketqa.weights.model_shapes import refuse_longer_vocabulary, refuse_other_parameters
from rocketqa.weights.released_layout import (
    EMBEDDINGS,
    KINDS,
    Kind,
    count_layers,
    read_variables,
    variable_names,
    variables_in,
)
from rocketqa.weights.released_settings import (
    EPSILON,
    INNER_SIZES,
    TOKENIZER,
    VOCABULARY,
    kind_of,
    lengths_of,
    path_in,
    read_architecture,
    tokenizer_files,
)
from rocketqa.weights.stored_model import WeightsFile
from rocketqa.weights.training_states import EXTRA, MEASURED, OPTIMIZER

HEAD_SIZE = 64  # of every ERNIE 2.0, base and large
ARCHITECTURE, VARIABLES = "ernie_config.json", "params"  # what `write_released` calls them
NOT_OF_THE_TOKENIZER = (CONFIG, WEIGHTS, MANIFEST, LOG, OPTIMIZER, EXTRA, MEASURED)
# Fields of ours that a released architecture does not have, or has under another name.
NOT_RELEASED = (
    *("layer_norm_eps", "intermediate_size", "type_vocab_size"),
    *("representation", "similarity", "temperature"),
)


class Released(NamedTuple):
    """A model as numbers and files: network, our state dict, tokenizer files and lengths.

    lengths: in tokens, by the names of our flags. files: everything that the model was read from.
    """

    kind: Kind
    config: ErnieConfig
    weights: dict[str, np.ndarray]
    tokenizer_files: dict[str, bytes]
    lengths: dict[str, int]
    files: tuple[Path, ...] = ()


def read_model_of(config_file: Path) -> Released:
    """Returns the model whose `config.json` this is: a released one, or a checkpoint of ours.

    Raises DataError where a file has other bytes than its manifest lists.
    """
    refuse_damaged(config_file.parent)
    if RELEASED_FIELD in read_json_object(config_file):
        return read_released(config_file)
    return read_checkpoint(config_file.parent)


def read_released(config_file: Path) -> Released:
    """Returns the model that a released `config.json` describes.

    Raises DataError where a file is not as released.
    """
    settings = read_json_object(config_file)
    kind = kind_of(settings)
    folder = config_file.parent
    architecture_file = folder / path_in(settings, "model_conf_path")
    vocabulary = folder / path_in(settings, "model_vocab_path")
    variables = folder / path_in(settings, "model_checkpoint_path")
    config = read_architecture(architecture_file)
    lengths = lengths_of(settings, kind, config)
    return Released(
        kind,
        config,
        read_variables(variables, kind, config),
        tokenizer_files(vocabulary, config, remove_spaces=settings.switch("for_cn")),
        lengths,
        (config_file, architecture_file, vocabulary, variables),
    )


def read_variables_alone(folder: Path, vocabulary: Path) -> Released:
    """Returns the model in a folder of variables, as the NAACL release has them.

    Its architecture follows from the shapes; the activation is gelu and a head has 64 numbers, as
    in ERNIE 2.0. Raises DataError where the folder holds no released model.
    """
    present = variables_in(folder)
    kind = next((kind for kind in KINDS.values() if kind.mark in present), None)
    if kind is None:
        marks = ", ".join(kind.mark for kind in KINDS.values())
        raise DataError(f"{folder}: expected one of the variables {marks}, got none")
    prefix = list(kind.prefixes.values())[-1]
    words, hidden_size = _embedding_shape(folder, prefix, "word_embeddings")
    positions, _ = _embedding_shape(folder, prefix, "position_embeddings")
    types, _ = _embedding_shape(folder, prefix, "token_type_embeddings")
    config = ErnieConfig(
        vocab_size=words,
        hidden_size=hidden_size,
        num_hidden_layers=count_layers(present, prefix),
        num_attention_heads=max(1, hidden_size // HEAD_SIZE),
        intermediate_size=INNER_SIZES * hidden_size,
        type_vocab_size=types,
        max_position_embeddings=positions,
        use_task_id=f"{prefix}task_embedding" in present,
    )
    return Released(
        kind,
        config,
        read_variables(folder, kind, config),
        tokenizer_files(vocabulary, config, remove_spaces=False),
        kind.default_lengths,
        (folder, vocabulary),
    )


def _embedding_shape(folder: Path, prefix: str, name: str) -> tuple[int, int]:
    """Returns the shape of an embedding table, [rows, H].

    Raises DataError where it is missing or no table.
    """
    path = folder / f"{prefix}{EMBEDDINGS[name]}"
    if not path.is_file():
        raise DataError(f"{path}: expected a variable, got nothing there")
    shape = read_variable(path).shape
    if len(shape) != 2:
        raise DataError(f"{path}: expected a table, got values of shape {list(shape)}")
    rows, hidden_size = shape
    return rows, hidden_size


def read_checkpoint(folder: Path) -> Released:
    """Returns a checkpoint of ours in the same form.

    Its lengths are those of its training, by its manifest, else the paper's. Raises DataError where
    the folder is no dual or cross encoder of ours, or a file of it is damaged.
    """
    settings = checkpoint_settings(folder, *MODEL_NAMES)
    class_name = class_of_checkpoint(settings)
    kind = next(kind for kind in KINDS.values() if kind.layer.__name__ == class_name)
    config = config_of_checkpoint(settings)
    weights = dict(WeightsFile(folder / WEIGHTS))
    refuse_other_parameters(weights, class_name, config, folder)
    if kind.is_dual and _encoders_are_equal(weights):
        kind = KINDS["shared"]
    lengths = _trained_lengths(folder / MANIFEST, kind.default_lengths)
    files = _tokenizer_files_in(folder)
    refuse_longer_vocabulary(files, config, folder)
    return Released(kind, config, weights, files, lengths, (folder,))


def _trained_lengths(manifest: Path, defaults: dict[str, int]) -> dict[str, int]:
    """Returns the lengths among the flags of a training."""
    flags = JsonObject({}, manifest)
    if manifest.is_file():
        fields = read_json_object(manifest)
        is_of_a_job = "job" in fields or "outputs" not in fields
        if is_of_a_job:  # those of the best model and of a state are not
            flags = fields.nested("job").nested("flags")
    return {name: flags.get(name, int, default) for name, default in defaults.items()}


def _tokenizer_files_in(checkpoint: Path) -> dict[str, bytes]:
    files = [path for path in sorted(checkpoint.iterdir()) if path.is_file()]
    return {path.name: path.read_bytes() for path in files if path.name not in NOT_OF_THE_TOKENIZER}


def _encoders_are_equal(weights: dict[str, np.ndarray]) -> bool:
    """Returns whether both encoders of a dual encoder have the same weights."""
    for name, value in weights.items():
        passage_name = name.replace("query_encoder.", "passage_encoder.", 1)
        if not np.array_equal(value, weights.get(passage_name, ())):
            return False
    return True


def write_released(folder: Path, model: Released) -> None:
    """Writes a model as the released package reads it.

    Raises DataError where the released package cannot have such a network.
    """
    _refuse_other_networks(folder, model)
    _write_json(folder / CONFIG, _released_settings(model))
    _write_json(folder / ARCHITECTURE, _released_architecture(model.config))
    (folder / VOCABULARY).write_bytes(model.tokenizer_files[VOCABULARY])
    (folder / VARIABLES).mkdir()
    for ours, released in variable_names(model.kind, model.config).items():
        (folder / VARIABLES / released).write_bytes(variable_bytes(model.weights[ours]))


def _tokenizer_settings(model: Released) -> JsonObject:
    return parse_json_object(model.tokenizer_files.get(TOKENIZER, b"{}"), TOKENIZER)


def _refuse_other_networks(folder: Path, model: Released) -> None:
    config = model.config
    options = options_of(_tokenizer_settings(model))
    vocabulary = VOCABULARY if VOCABULARY in model.tokenizer_files else None
    for name, expected, got in (
        ("layer_norm_eps", EPSILON, config.layer_norm_eps),
        ("representation", "first", config.representation),
        ("similarity", "dot", config.similarity),
        ("intermediate_size", INNER_SIZES * config.hidden_size, config.intermediate_size),
        ("do_lower_case", True, options.lowercase),
        ("strip_accents", True, options.strips_accents),
        ("tokenize_chinese_chars", True, options.chinese_characters),
        ("a vocabulary", VOCABULARY, vocabulary),
    ):
        if got != expected:
            raise DataError(
                f"{folder}: expected {name} {expected}, which all released models have, got {got}"
            )


def _released_settings(model: Released) -> dict[str, object]:
    """Returns the content of a released `config.json`."""
    settings: dict[str, object] = {
        "model_type": "dual_encoder" if model.kind.is_dual else "cross_encoder"
    }
    for released, ours in model.kind.length_fields.items():
        settings[released] = model.lengths[ours]
    settings["model_conf_path"] = ARCHITECTURE
    settings["model_vocab_path"] = VOCABULARY
    settings["model_checkpoint_path"] = VARIABLES
    settings["for_cn"] = _tokenizer_settings(model).get("remove_spaces", bool, False)
    settings["share_parameter"] = int(model.kind is KINDS["shared"])
    settings["joint_training"] = int(model.kind is KINDS["joint"])
    return settings


def _released_architecture(config: ErnieConfig) -> dict[str, object]:
    """Returns the content of a released `ernie_config.json`."""
    fields = config._asdict()
    architecture = {name: value for name, value in fields.items() if name not in NOT_RELEASED}
    architecture["sent_type_vocab_size"] = config.type_vocab_size
    return architecture


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
