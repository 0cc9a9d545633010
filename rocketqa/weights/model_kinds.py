"""Which kind of model a folder holds, by its `config.json`, and what to do where it is another.

a checkpoint of ours    a dual encoder or a cross encoder
weights of others       an encoder in Hugging Face's or PaddleNLP's layout, which also is a dual
                        encoder with equal towers; a cross encoder in the same layouts
a released model        files as Baidu published them, for the released package
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rocketqa.files.errors import DataError
from rocketqa.files.json_files import JsonObject, read_json_object, shown
from rocketqa.files.ranges import TOKENS
from rocketqa.jobs.manifest import flag_of, made_by
from rocketqa.weights.config_files import (
    CONFIG,
    class_of_checkpoint,
    has_config,
    read_config_file,
)
from rocketqa.weights.sentence_transformers import encoder_folder

MODEL_NAMES = {  # by the class that a checkpoint names
    "DualEncoder": "a dual encoder",
    "CrossEncoder": "a cross encoder",
    "JointCrossEncoder": "a re-ranker of RocketQAv2",
}
TRAINING_VERBS = {
    "DualEncoder": "train-dual-encoder",
    "CrossEncoder": "train-cross-encoder",
}
WITHIN_A_TRAINING = re.compile(r"best|state-\d+")  # folders that have no manifest of their own
LENGTHS = {"query_length": 32, "passage_length": 128, "max_length": 160}  # where none is given
LENGTHS_OF = {
    "DualEncoder": ("query_length", "passage_length"),
    "CrossEncoder": ("max_length",),
}
ENCODER = "an encoder as others publish it"
PUBLISHED_CROSS_ENCODER = "a cross encoder as others publish it"
PUBLISHED = {"DualEncoder": ENCODER, "CrossEncoder": PUBLISHED_CROSS_ENCODER}
CROSS_ENCODER_CLASS = "ForSequenceClassification"  # ends the names of such classes
RELEASED = "a model that Baidu released"
OTHER = "another model"
ENCODER_FIELDS = ("hidden_size", "num_hidden_layers")  # in every `config.json` of an encoder
RELEASED_FIELD = "model_conf_path"  # in the `config.json` of a released model
IMPORT = "import it first with `python data_prep/released_models.py import`"


def checkpoint_settings(folder: Path, *classes: str) -> JsonObject:
    """Returns the `config.json` of a checkpoint of ours.

    classes: keys of MODEL_NAMES, the kinds that are accepted. Raises DataError, with what to do,
    where the folder holds anything else.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise other_kind(folder, _without_config(folder), classes)
    settings = read_json_object(path)
    if class_of_checkpoint(settings) not in classes:
        raise other_kind(folder, kind_in(settings), classes)
    return settings


def model_settings(folder: Path, class_name: str) -> JsonObject:
    """Returns the configuration of a model that works as one of the class: a checkpoint of ours, or
    weights as others publish them.

    class_name: DualEncoder or CrossEncoder. Raises DataError as `checkpoint_settings`.
    """
    encoder = encoder_folder(folder)
    if not has_config(encoder):
        return checkpoint_settings(folder, class_name)  # which says what the folder is instead
    settings = read_config_file(encoder)
    kind = kind_in(settings)
    # A folder that names no class may hold a cross encoder; its weights will tell.
    is_nameless = kind == ENCODER and "architectures" not in settings
    is_own = class_of_checkpoint(settings) == class_name
    if not (is_own or is_nameless or kind == PUBLISHED[class_name]):
        raise other_kind(folder, kind, [class_name])
    return settings


def other_kind(folder: Path, got: str, classes: Sequence[str]) -> DataError:
    """Returns the error about a folder that holds something else, with what the user can do."""
    expected = " or ".join(MODEL_NAMES[name] for name in classes)
    cure = f"give a checkpoint that {trained_by(classes)} made"
    if got == RELEASED:
        cure = IMPORT
    elif got == ENCODER or (got == PUBLISHED_CROSS_ENCODER and "CrossEncoder" in classes):
        cure = f"train it first, with {trained_by(classes)} --init {folder}"
    return DataError(f"{folder}: expected {expected}, got {got}: {cure}")


def kind_in(settings: JsonObject) -> str:
    """Returns the name of the kind of model that a `config.json` describes."""
    found_class = class_of_checkpoint(settings)
    if found_class in MODEL_NAMES:
        return MODEL_NAMES[found_class]
    if found_class:
        return OTHER
    if RELEASED_FIELD in settings:
        return RELEASED
    if not all(name in settings for name in ENCODER_FIELDS):
        type_there = settings.fields.get("model_type")
        return f"{OTHER} (model_type {shown(type_there)})" if type_there else OTHER
    architectures = settings.fields.get("architectures")
    names = architectures if isinstance(architectures, list) else []
    if any(str(name).endswith(CROSS_ENCODER_CLASS) for name in names):
        return PUBLISHED_CROSS_ENCODER
    return ENCODER


def told_length(checkpoint: Path, name: str) -> int | None:
    """Returns the length at which the training of a checkpoint cut its texts, in tokens.

    name: the flag of the length, a key of LENGTHS. The best model and the states of a training lie
    in its folder. None: no manifest tells it.
    """
    is_within = WITHIN_A_TRAINING.fullmatch(checkpoint.name)
    for folder in (checkpoint, checkpoint.parent) if is_within else (checkpoint,):
        length = flag_of(folder, name)
        if isinstance(length, int) and TOKENS.contains(length):
            return length
    return None


def trained_length(checkpoint: Path, name: str) -> int:
    """Returns the length of a training, as `told_length`, or else that of LENGTHS."""
    return told_length(checkpoint, name) or LENGTHS[name]


def trained_lengths(checkpoint: Path, model_class: str) -> dict[str, int]:
    """Returns the lengths of a checkpoint of a class, by the names of their flags."""
    names = LENGTHS_OF[model_class]
    return {name: trained_length(checkpoint, name) for name in names}


def length_within(checkpoint: Path, name: str, given: int | None, positions: int) -> int:
    """Returns a length that was given, or that of `trained_length`, within a model's positions.

    name: the flag of the length, a key of LENGTHS. Raises DataError where the given one is beyond
    the positions. The other is then replaced by their number, and a line says so.
    """
    length = given or trained_length(checkpoint, name)
    if length <= positions:
        return length
    flag = f"--{name.replace('_', '-')}"
    if given:
        raise DataError(
            f"{flag}: expected at most {positions} tokens, the positions of {checkpoint}, "
            f"got {given}"
        )
    line = f"{checkpoint}: has {positions} positions and is used with {flag} {positions}"
    print(f"{line} instead of {length}", file=sys.stderr)
    return positions


def warn_of_other_length(checkpoint: Path, name: str, length: int) -> None:
    """Prints a line where texts are cut at another length than in the training of a checkpoint.

    name: the flag of the length, such as "query_length". A checkpoint without a manifest is not
    compared.
    """
    trained = told_length(checkpoint, name)
    if trained not in (None, length):
        flag = f"--{name.replace('_', '-')}"
        line = f"{checkpoint}: was trained with {flag} {trained} and is used with {flag} {length}"
        print(line, file=sys.stderr)


def other_start(folder: Path, got: str, checkpoint_class: str) -> DataError:
    """Returns the error about a trained model of a kind that a training cannot start from."""
    expected = "an encoder"
    cure = "give weights as others publish them"
    if checkpoint_class:
        expected += f" or {MODEL_NAMES[checkpoint_class]}"
        cure += f", or a checkpoint that {trained_by([checkpoint_class])} made"
    return DataError(f"{folder}: expected {expected} to start from, got {got}: {cure}")


def trained_by(classes: Sequence[str]) -> str:
    """Returns the verbs that train the classes, for an error message."""
    verbs = [TRAINING_VERBS[name] for name in classes if name in TRAINING_VERBS]
    return " or ".join(f"`{verb}`" for verb in verbs)


def _without_config(folder: Path) -> str:
    """Returns what a path is that holds no `config.json`."""
    if made_by(folder):
        return made_by(folder)
    if folder.is_dir():
        return f"a folder without {CONFIG}"
    return "a file" if folder.exists() else "nothing there"
