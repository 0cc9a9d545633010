"""Finished models that a flight takes as they are: folders, and released models by their names."""

from pathlib import Path

from rocketqa.files.errors import DataError
from rocketqa.text.tokenizer import text_encoder_of
from rocketqa.weights.encoder_weights import CLASSIFIER
from rocketqa.weights.model_kinds import ENCODER, MODEL_NAMES, model_settings, other_kind
from rocketqa.weights.pretrained import load_pretrained
from rocketqa.weights.released_archives import MODELS, downloaded

CLASS_OF_NAME = {"de": "DualEncoder", "ce": "CrossEncoder"}  # by a part of a released name


def read_finished_model(source: str, class_name: str, fetch: bool = True) -> None:
    """Reads a finished model, with all its weights and its tokenizer.

    source: a folder, or a name of `rocketqa.available_models()`, which is fetched where `fetch`
    says so. class_name: DualEncoder or CrossEncoder. Raises DataError, with what to do, where it is
    no such model.
    """
    if Path(source).is_dir():
        _read_folder(Path(source), class_name)
    elif source in MODELS and not Path(source).exists():
        _read_released(source, class_name, fetch)
    else:
        got = "a file" if Path(source).exists() else "nothing there"
        raise DataError(
            f"{source}: expected the folder of {MODEL_NAMES[class_name]}, or a released one by its "
            f"name ({', '.join(names_of(class_name))}), got {got}"
        )


def names_of(class_name: str) -> list[str]:
    """Returns the names of the released models of a class."""
    return [name for name in MODELS if class_of_name(name) == class_name]


def class_of_name(name: str) -> str:
    """Returns the class of a released model, by its name."""
    [part] = set(name.split("_")) & CLASS_OF_NAME.keys()
    return CLASS_OF_NAME[part]


def _read_folder(folder: Path, class_name: str) -> None:
    model_settings(folder, class_name)
    model = load_pretrained(folder, class_name)
    has_classifier = any(CLASSIFIER.match(name) for name in model.weights)
    if class_name == "CrossEncoder" and not has_classifier:
        raise other_kind(folder, ENCODER, [class_name])
    try:
        text_encoder_of(model.tokenizer_files)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error


def _read_released(name: str, class_name: str, fetch: bool) -> None:
    """Reads a released model. Raises DataError where its name or its files are of another class."""
    found = class_of_name(name)
    if found == class_name and fetch:
        from rocketqa.weights.released_models import read_model_of

        found = read_model_of(downloaded(name) / "config.json").kind.layer.__name__
    if found != class_name:
        raise DataError(
            f"{name}: expected {MODEL_NAMES[class_name]}, got {MODEL_NAMES[found]}: take one of "
            f"{', '.join(names_of(class_name))}, or a folder"
        )
