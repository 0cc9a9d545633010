"""Initial weights (`INIT`): where they come from, read into our parameter names.

    a folder of Hugging Face's, PaddleNLP's      config.json, vocab.txt, weights of a BERT or ERNIE
    or sentence-transformers'
    a checkpoint of ours                         for a training of the same model
    a name that PaddleNLP knows                  ernie-2.0-base-en, ernie-tiny, rocketqa-* ...

Epsilon, activation, type vocabulary and task embedding are the source's.
"""

from pathlib import Path
from typing import Any, NamedTuple

from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.files.json_files import JsonObject
from rocketqa.files.packages import import_package
from rocketqa.jobs.temporary_folders import temporary_folder
from rocketqa.text.tokenizer_files import (
    TOKENIZER_FILES,
    VOCABULARY,
    read_tokenizer_files,
    settings_of,
)
from rocketqa.text.tokenizer_notes import added_tokens, notes_on_tokenizer
from rocketqa.text.wordpiece import words_of
from rocketqa.weights.classifiers import cross_encoder_weights
from rocketqa.weights.config_files import (
    class_of_checkpoint,
    config_of_checkpoint,
    config_of_encoder,
    read_config_file,
)
from rocketqa.weights.encoder_weights import (
    CLASSIFIER,
    Weights,
    bare_name,
    dual_encoder_weights,
    encoder_weights,
)
from rocketqa.weights.model_kinds import IMPORT, RELEASED, RELEASED_FIELD, kind_in, other_start
from rocketqa.weights.model_shapes import refuse_longer_vocabulary, refuse_other_parameters
from rocketqa.weights.notes import say
from rocketqa.weights.sentence_transformers import (
    encoder_folder,
    followed_representation,
    followed_similarity,
)
from rocketqa.weights.weight_files import read_file, read_weights

__all__ = ["TOKENIZER_FILES", "Pretrained", "is_known_name", "load_pretrained"]


class Pretrained(NamedTuple):
    """An encoder to start from: architecture, weights by our names, and tokenizer files."""

    config: ErnieConfig
    weights: Weights
    tokenizer_files: dict[str, bytes]


def load_pretrained(source: str | Path, checkpoint_class: str = "", **overrides: Any) -> Pretrained:
    """Returns the weights that a training starts from, or a model that others have finished.

    source: a folder or a name. checkpoint_class: the class of our checkpoints that are accepted
    too; all of their weights are returned, and all of a cross encoder or of both towers of others;
    those of an encoder otherwise. overrides: fields of the architecture that replace the source's
    where they are not None. Lines say what of the source is not as its makers use it. Raises
    DataError where the source is not there, cannot be downloaded, or is no such model.
    """
    folder = Path(source)
    if folder.is_dir():
        pretrained = _from_folder(folder, checkpoint_class, overrides)
    else:
        pretrained = _from_name(str(source), checkpoint_class)
    refuse_longer_vocabulary(pretrained.tokenizer_files, pretrained.config, source)
    similarity = overrides.pop("similarity", None)
    temperature = overrides.pop("temperature", None)
    chosen = {name: value for name, value in overrides.items() if value is not None}
    config = pretrained.config._replace(**chosen).with_similarity(similarity, temperature)
    return pretrained._replace(config=config)


def _from_folder(folder: Path, checkpoint_class: str, chosen: dict[str, Any]) -> Pretrained:
    source = encoder_folder(folder)
    settings = read_config_file(source)
    found_class = class_of_checkpoint(settings)
    if RELEASED_FIELD in settings:
        raise DataError(f"{folder}: expected an encoder to start from, got {RELEASED}: {IMPORT}")
    if found_class and found_class != checkpoint_class:
        raise other_start(folder, kind_in(settings), checkpoint_class)
    files = read_tokenizer_files(source)
    if found_class:
        config = config_of_checkpoint(settings)
        weights = read_weights(source)
        refuse_other_parameters(weights, found_class, config, folder)
        return Pretrained(config, weights, files)
    config = config_of_encoder(settings)
    _refuse_shorter_vocabulary(source, config, files)
    weights = _weights_for(checkpoint_class, read_weights(source), config, folder, settings)
    for line in notes_on_tokenizer(source, files):
        say(line)
    if checkpoint_class == "DualEncoder":
        if "representation" not in settings:
            followed = followed_representation(folder, chosen.get("representation"))
            config = config._replace(representation=followed or config.representation)
        similarity = followed_similarity(folder, chosen.get("similarity"))
        config = config.with_similarity(similarity, None)
    return Pretrained(config, weights, files)


def _weights_for(
    checkpoint_class: str,
    weights: Weights,
    config: ErnieConfig,
    place: str | Path,
    settings: JsonObject,
) -> Weights:
    """Returns the weights of others by our names: those of a model of the class, where they are of
    such a model, else those of an encoder.
    """
    if checkpoint_class == "CrossEncoder":
        return cross_encoder_weights(weights, config, place, _second_label(settings))
    if checkpoint_class == "DualEncoder":
        if any(CLASSIFIER.match(bare_name(name)) for name in weights):
            say(f"{place}: its classifier is left out: a dual encoder has none")
        return dual_encoder_weights(weights, config, place)
    return encoder_weights(weights, config, place)


def _second_label(settings: JsonObject) -> str:
    """Returns the name of the second label of a classifier, an empty text where it has none."""
    names = settings.fields.get("id2label")
    name = names.get("1") if isinstance(names, dict) else None
    return name if isinstance(name, str) else ""


def _refuse_shorter_vocabulary(folder: Path, config: ErnieConfig, files: dict[str, bytes]) -> None:
    """Raises DataError where a vocabulary lacks one line: all words behind it have wrong ids.

    More missing words than one are usual: their rows make the table's size a round number, or
    belong to added tokens.
    """
    if VOCABULARY not in files or added_tokens(folder, settings_of(files, folder)):
        return
    count = len(words_of(files[VOCABULARY], folder / VOCABULARY))
    if count == config.vocab_size - 1:
        raise DataError(
            f"{folder}: expected a vocab.txt of vocab_size {config.vocab_size} words, got {count}: "
            "one line is missing (if the last word has no name, write [unused] into this line)"
        )


def _from_name(name: str, checkpoint_class: str) -> Pretrained:
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
        fields = JsonObject(settings, name)
        config = config_of_encoder(fields)
        weights_file = Path(resolve_file_path(name, candidates))
        tokenizer = AutoTokenizer.from_pretrained(name)
    except Exception as error:  # noqa: BLE001  PaddleNLP raises of every kind where a download fails.
        raise _not_loaded(name, is_listed=bool(url), error=error) from error
    weights = _weights_for(checkpoint_class, read_file(weights_file), config, name, fields)
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
    with temporary_folder() as folder:
        tokenizer.save_pretrained(folder)
        saved = [path for path in sorted(Path(folder).iterdir()) if path.is_file()]
        return {path.name: path.read_bytes() for path in saved}
