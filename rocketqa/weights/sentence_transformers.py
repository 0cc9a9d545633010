"""Folders of sentence-transformers: where the encoder is, and how a text becomes one vector.

    modules.json             the steps, each with its type and folder: Transformer, Pooling ...
    1_Pooling/config.json    the pooling: by the first token (cls), the mean over the tokens ...
    2_Normalize              vectors of length 1, so that dot products are cosines
    config_sentence_transformers.json    the similarity by name: dot, cosine ...

A folder without modules.json says nothing of this.
"""

from pathlib import Path

from rocketqa.encoder.config import SIMILARITIES
from rocketqa.files.errors import DataError
from rocketqa.files.json_files import JsonObject, parse_json_object, read_json_object, shown
from rocketqa.weights.notes import say

MODULES = "modules.json"
NAMED = "config_sentence_transformers.json"
TRANSFORMER, POOLING, NORMALIZE = "Transformer", "Pooling", "Normalize"
REPRESENTATION_OF = {  # names of poolings, of all versions -> our `representation`
    "cls": "first",
    "mean": "mean",
    "pooling_mode_cls_token": "first",
    "pooling_mode_mean_tokens": "mean",
}


def encoder_folder(folder: Path) -> Path:
    """Returns where the encoder and its tokenizer are: in the folder itself, or below it."""
    for module in _modules(folder):
        if _kind(module) == TRANSFORMER:
            return _folder_of(module, folder)
    return folder


def followed_representation(folder: Path, chosen: str | None) -> str | None:
    """Returns the representation: the chosen one, else that of the folder's pooling; None where
    neither says one. A line tells what is not as sentence-transformers does it.

    Raises DataError where nothing was chosen and the pooling is one that we do not have.
    """
    modules = _modules(folder)
    kinds = [_kind(module) for module in modules]
    further = [kind for kind in kinds if kind not in (TRANSFORMER, POOLING, NORMALIZE)]
    if further:
        say(
            f"{folder}: {MODULES} asks for {' and '.join(further)}, which this version does not "
            "do: vectors are taken as the pooling gives them"
        )
    if POOLING not in kinds:
        return chosen
    config_file = _folder_of(modules[kinds.index(POOLING)], folder) / "config.json"
    names = _poolings(read_json_object(config_file))
    pooled = REPRESENTATION_OF.get(names[0]) if len(names) == 1 else None
    if chosen is None and pooled is None:
        raise DataError(
            f"{config_file}: expected a pooling by the first token (cls) or the mean, got "
            f"{shown(', '.join(names))}: choose one for a training with --representation"
        )
    if chosen is None and pooled == "mean":
        say(
            f"{folder}: the mean over the tokens is the vector of a text, as {config_file} says "
            "(`--representation first` in a training takes the first token)"
        )
    if chosen is not None and chosen != pooled:
        say(
            f"{folder}: representation {chosen} was chosen, but {config_file} says "
            f"{', '.join(names)}"
        )
    return chosen or pooled


def followed_similarity(folder: Path, chosen: str | None) -> str | None:
    """Returns the similarity: the chosen one, else that of the folder; None where neither says one.
    A line tells where it is not the dot product, or not that of the folder.
    """
    own, reason = own_similarity(folder)
    if chosen is None and own is None and reason:
        say(f"{folder}: vectors are compared by dot product, although {reason}")
    if chosen is None and own == "cosine":
        say(
            f"{folder}: the similarity is the cosine, as {reason} (`--similarity dot` in a "
            "training compares vectors as the pooling gives them)"
        )
    if None not in (chosen, own) and chosen != own:
        say(f"{folder}: similarity {chosen} was chosen, but the folder's is {own}, as {reason}")
    return chosen or own


def own_similarity(folder: Path) -> tuple[str | None, str]:
    """Returns the similarity of a folder of sentence-transformers, and what says so.

    It is None for a similarity that we do not have. For other folders both say nothing.
    """
    modules = _modules(folder)
    if not modules:
        return None, ""
    if NORMALIZE in [_kind(module) for module in modules]:
        return "cosine", f"{MODULES} asks for {NORMALIZE}"
    if not (folder / NAMED).is_file():
        return "cosine", f"sentence-transformers does without {NAMED}"
    settings = read_json_object(folder / NAMED)
    name = settings.fields.get("similarity_fn_name")
    if name is None:
        return "cosine", f"sentence-transformers does where {NAMED} names none"
    if name in SIMILARITIES:
        return name, f"{NAMED} says"
    return None, f"{NAMED} names {shown(name)}"


def _modules(folder: Path) -> list[JsonObject]:
    """Returns the entries of modules.json; none where it is not there."""
    path = folder / MODULES
    if not path.is_file():
        return []
    in_an_object = b'{"modules": ' + path.read_bytes() + b"}"  # the file itself is a list
    modules = parse_json_object(in_an_object, path)
    entries = modules.require("modules", list)
    if not all(isinstance(entry, dict) for entry in entries):
        raise modules.fault("a list of objects", "others")
    return [JsonObject(entry, path) for entry in entries]


def _kind(module: JsonObject) -> str:
    """Returns the class of a module without its package, such as Pooling."""
    return module.require("type", str).rpartition(".")[2]


def _folder_of(module: JsonObject, folder: Path) -> Path:
    """Returns the folder of a module. Raises DataError where it is not below `folder`."""
    path = module.get("path", str, "")
    if path and Path(path).name != path:
        raise module.wrong_value("path", "the name of a folder beside it")
    return folder / path


def _poolings(config: JsonObject) -> list[str]:
    """Returns the names of the poolings that are switched on; version 5 has them in one field."""
    names: object = config.fields.get("pooling_mode")
    if names is None:
        switches = [name for name in config.fields if name.startswith("pooling_mode_")]
        return [name for name in switches if config.fields[name] is True]
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise config.wrong_value("pooling_mode", "the name of a pooling")
    return names
