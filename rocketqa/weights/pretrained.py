"""Initial weights (`INIT`): where they come from, read into our parameter names.

    a folder of Hugging Face's or PaddleNLP's    config.json, vocab.txt, weights of a BERT or ERNIE
    a checkpoint of ours                         for a training of the same model
    a name that PaddleNLP knows                  ernie-2.0-base-en, ernie-tiny, rocketqa-* ...

Epsilon, activation, type vocabulary and task embedding are the source's.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.files.json_files import JsonObject
from rocketqa.files.packages import import_package
from rocketqa.text.word_list import check_word_list
from rocketqa.weights.config_files import (
    class_of_checkpoint,
    config_of_checkpoint,
    config_of_encoder,
    read_config_file,
)
from rocketqa.weights.encoder_weights import encoder_weights
from rocketqa.weights.model_kinds import (
    IMPORT,
    MODEL_NAMES,
    RELEASED,
    RELEASED_FIELD,
    kind_in,
    trained_by,
)
from rocketqa.weights.weight_files import read_file, read_weights

WORD_LIST = "dict.wordseg.pickle"  # ernie-tiny's, which PaddleNLP loads with `pickle`
TOKENIZER_FILES = ("vocab.txt", "tokenizer_config.json", "spm_cased_simp_sampled.model", WORD_LIST)


class Pretrained(NamedTuple):
    """An encoder to start from: architecture, weights by our names, and tokenizer files."""

    config: ErnieConfig
    weights: dict[str, np.ndarray]
    tokenizer_files: dict[str, bytes]


def load_pretrained(source: str | Path, checkpoint_class: str = "", **overrides: Any) -> Pretrained:
    """Returns the weights that a training starts from.

    source: a folder or a name. checkpoint_class: the class of our checkpoints that are accepted
    too; all of their weights are returned, those of an encoder otherwise. overrides: fields of the
    architecture that replace the source's where they are not None. Raises DataError where the
    source is not there, cannot be downloaded, or is no such model.
    """
    folder = Path(source)
    if folder.is_dir():
        pretrained = _from_folder(folder, checkpoint_class)
    else:
        pretrained = _from_name(str(source))
    _refuse_longer_vocabulary(pretrained, source)
    chosen = {name: value for name, value in overrides.items() if value is not None}
    return pretrained._replace(config=pretrained.config._replace(**chosen))


def _from_folder(folder: Path, checkpoint_class: str) -> Pretrained:
    settings = read_config_file(folder)
    files = _tokenizer_files(folder)
    found_class = class_of_checkpoint(settings)
    if RELEASED_FIELD in settings:
        raise DataError(f"{folder}: expected an encoder to start from, got {RELEASED}: {IMPORT}")
    if not found_class:
        config = config_of_encoder(settings)
        weights = encoder_weights(read_weights(folder), config, folder)
        return Pretrained(config, weights, files)
    if found_class != checkpoint_class:
        raise _other_start(folder, kind_in(settings), checkpoint_class)
    return Pretrained(config_of_checkpoint(settings), read_weights(folder), files)


def _other_start(folder: Path, got: str, checkpoint_class: str) -> DataError:
    """Returns the error about a trained model of a kind that this training cannot start from."""
    expected = "an encoder"
    cure = "give weights as others publish them"
    if checkpoint_class:
        expected += f" or {MODEL_NAMES[checkpoint_class]}"
        cure += f", or a checkpoint that {trained_by([checkpoint_class])} made"
    return DataError(f"{folder}: expected {expected} to start from, got {got}: {cure}")


def _tokenizer_files(folder: Path) -> dict[str, bytes]:
    """Returns name -> content of the tokenizer's files in a folder.

    Raises DataError on an unsafe word list.
    """
    if (folder / WORD_LIST).is_file():
        check_word_list(folder / WORD_LIST)
    present = [name for name in TOKENIZER_FILES if (folder / name).is_file()]
    return {name: (folder / name).read_bytes() for name in present}


def _refuse_longer_vocabulary(pretrained: Pretrained, source: str | Path) -> None:
    words = pretrained.tokenizer_files.get("vocab.txt", b"").count(b"\n")
    if words > pretrained.config.vocab_size:
        raise DataError(
            f"{source}: expected a vocab.txt of at most vocab_size {pretrained.config.vocab_size} "
            f"words, got {words}"
        )


def _from_name(name: str) -> Pretrained:
    """Returns the model that PaddleNLP has under a name, downloaded where it is not cached."""
    if Path(name).exists() or name.startswith((".", "/", "~")):
        got = "a file" if Path(name).exists() else "nothing there"
        raise DataError(
            f"{name}: expected a folder with config.json, vocab.txt and weights, got {got}"
        )
    expect_paddlenlp(name)
    from paddlenlp.transformers import AutoTokenizer, ErnieModel
    from paddlenlp.transformers import ErnieConfig as PaddleNlpConfig
    from paddlenlp.utils.download import resolve_file_path
    from paddlenlp.utils.log import logger

    logger.set_level("ERROR")
    url = ErnieModel.pretrained_resource_files_map["model_state"].get(name)
    candidates = [url] if url else ["model.safetensors", "model_state.pdparams"]
    try:
        settings = PaddleNlpConfig.from_pretrained(name).to_dict()
        config = config_of_encoder(JsonObject(settings, name))
        weights_file = Path(resolve_file_path(name, candidates))
        tokenizer = AutoTokenizer.from_pretrained(name)
    except Exception as error:  # noqa: BLE001  PaddleNLP raises of every kind where a download fails.
        raise _not_loaded(name, is_listed=bool(url), error=error) from error
    weights = encoder_weights(read_file(weights_file), config, name)
    return Pretrained(config, weights, _saved_files(tokenizer))


def expect_paddlenlp(name: str) -> None:
    """Raises MissingPackage where PaddleNLP, which knows models by name, is not installed."""
    expected = "a folder, or the package paddlenlp, which knows models by name"
    import_package("paddlenlp", name, expected)


def is_known_name(name: str) -> bool:
    """Returns whether PaddleNLP lists a model of this name or has fetched one. Fetches nothing."""
    expect_paddlenlp(name)
    from paddlenlp.transformers import BertModel, ErnieModel
    from paddlenlp.utils.env import MODEL_HOME

    for model in (ErnieModel, BertModel):
        if name in model.pretrained_resource_files_map["model_state"]:
            return True
    return (Path(MODEL_HOME) / name).is_dir()


def _not_loaded(name: str, is_listed: bool, error: Exception) -> DataError:
    """Returns the error about a name, with what the user can do."""
    cure = "It lists no such name, and no such folder is here"
    if is_listed:
        cure = (
            f"Without a network, run `data_prep/ernie_weights.py --model {name}` "
            "where there is one, bring the folder here and give it in place of the name"
        )
    return DataError(
        f"{name}: expected a folder with config.json, vocab.txt and weights, or a model that "
        f"PaddleNLP can load, got {type(error).__name__}. {cure}"
    )


def _saved_files(tokenizer) -> dict[str, bytes]:
    """Returns the files that a tokenizer of PaddleNLP saves, name -> content."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        saved = [path for path in sorted(Path(folder).iterdir()) if path.is_file()]
        return {path.name: path.read_bytes() for path in saved}
