"""Checkpoints: folders with weights, configuration, tokenizer, training log and manifest.

While a model trains, the job's part folder holds further checkpoints:

    state-STEP/    the model after STEP steps, with optimizer and loss scale, to continue from
    best-STEP/     the model with the best dev measure so far; `best/` after the training

Weights and optimizer are stored by structured names, because Paddle's automatic names depend on how
many layers were built before. No random generator is saved: every step seeds its own.
"""

import json
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

import numpy as np
import paddle
from paddle import nn
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError, one_line
from rocketqa.files.git_lfs import refuse_git_lfs_pointer
from rocketqa.files.json_files import read_json_object
from rocketqa.jobs.durable import put_in_place
from rocketqa.text.tokenizer import TextEncoder, load_text_encoder
from rocketqa.weights.config_files import (
    class_of_checkpoint,
    config_of_checkpoint,
    write_checkpoint_config,
)
from rocketqa.weights.model_kinds import ENCODER, model_settings, other_kind
from rocketqa.weights.pretrained import load_pretrained
from rocketqa.weights.sentence_transformers import encoder_folder

WEIGHTS = "model.safetensors"
OPTIMIZER = "optimizer.safetensors"
EXTRA = "state.json"
MEASURED = "best.json"
MEASURE = "MRR@10"  # by which the best model is chosen
NO_MEASURE = -1.0  # below every measure
CLASSIFIER_WEIGHT = "classifier.weight"

Model = TypeVar("Model", bound=nn.Layer)
Arrays = dict[str, np.ndarray]
TokenizerFiles = dict[str, bytes]  # name -> content


def save_model(directory: Path, model: nn.Layer, tokenizer_files: TokenizerFiles) -> None:
    """Writes weights, configuration and tokenizer of a dual or cross encoder.

    Raises DataError, before anything is written, where a weight is not finite.
    """
    refuse_non_finite(model.state_dict(), directory)
    save_file(_arrays(model.state_dict()), directory / WEIGHTS)
    write_checkpoint_config(directory, type(model).__name__, model.config)
    for name, content in tokenizer_files.items():
        (directory / name).write_bytes(content)


def refuse_non_finite(tensors: dict[str, paddle.Tensor], folder: Path) -> None:
    """Raises DataError where a tensor has a number that is not finite. It names the output that the
    folder is a part of, and the tensor.
    """
    for name, tensor in tensors.items():
        if not bool(paddle.isfinite(tensor).all()):
            output = folder.with_name(folder.name.removesuffix(".part"))
            raise DataError(
                f"{output}: expected finite weights to save, got nan or infinity in {name}: "
                "the training has diverged, a lower learning rate may help"
            )


def load_model(
    directory: Path, model_class: Callable[[ErnieConfig], Model]
) -> tuple[Model, TextEncoder]:
    """Returns a model of the class, ready for inference, and its tokenizer.

    An encoder of others is a dual encoder with equal towers. Raises DataError where the directory
    is neither a checkpoint of that class nor such a model of others, or a file of it is damaged.
    """
    class_name = model_class.__name__
    settings = model_settings(directory, class_name)
    if not class_of_checkpoint(settings):
        return _load_published_model(directory, model_class)
    model = model_class(config_of_checkpoint(settings))
    set_weights(model, read_own_weights(directory / WEIGHTS), str(directory))
    model.eval()
    return model, load_text_encoder(directory)


def _load_published_model(
    directory: Path, model_class: Callable[[ErnieConfig], Model]
) -> tuple[Model, TextEncoder]:
    """Does what `load_model` does with a model of others."""
    class_name = model_class.__name__
    published = load_pretrained(directory, class_name)
    weights = published.weights
    if class_name == DualEncoder.__name__:
        weights = DualEncoder.from_encoder_weights(weights)
    elif CLASSIFIER_WEIGHT not in weights:
        raise other_kind(directory, ENCODER, [class_name])
    model = model_class(published.config)
    set_weights(model, weights, str(directory))
    model.eval()
    return model, load_text_encoder(encoder_folder(directory))


def read_own_weights(path: Path) -> Arrays:
    """Returns the arrays of a safetensors file that we wrote.

    Raises DataError where it is missing or damaged.
    """
    try:
        refuse_git_lfs_pointer(path, "weights")
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: expected complete weights, got {one_line(error)}") from error


def set_weights(model: nn.Layer, weights: Arrays, source: str) -> None:
    """Sets every parameter of a model.

    source: where the weights are from, for error messages. Raises DataError that names parameters
    which are missing, unexpected or of another shape.
    """
    parameters = model.state_dict()
    missing = sorted(parameters.keys() - weights.keys())
    unexpected = sorted(weights.keys() - parameters.keys())
    if missing or unexpected:
        raise DataError(
            f"{source}: expected the parameters of {type(model).__name__}, "
            f"got missing {missing[:5]}, unexpected {unexpected[:5]}"
        )
    for name, parameter in parameters.items():
        expected = list(parameter.shape)
        got = list(weights[name].shape)
        if got != expected:
            raise DataError(f"{source}: expected {name} of shape {expected}, got {got}")
        parameter.set_value(weights[name])


def _arrays(tensors: dict[str, paddle.Tensor]) -> Arrays:
    arrays = {}
    for name, tensor in tensors.items():
        arrays[name] = np.ascontiguousarray(tensor.numpy())
    return arrays


def save_state(
    part: Path,
    step: int,
    model: nn.Layer,
    tokenizer_files: TokenizerFiles,
    optimizer: paddle.optimizer.Optimizer,
    extra: dict[str, float],
    keep: int,
    every: int = 1,
) -> None:
    """Writes the state after `step` steps, and removes all but the newest `keep` states.

    A state is complete or absent. It is also a checkpoint, which any verb takes. extra: numbers
    that `load_state` returns again. every: an older state at another step than a multiple of it is
    removed.
    """
    optimizer_tensors = _optimizer_tensors(model, optimizer)
    refuse_non_finite(model.state_dict() | optimizer_tensors, part)
    unfinished = _empty_folder(part / "state.tmp")
    save_model(unfinished, model, tokenizer_files)
    save_file(_arrays(optimizer_tensors), unfinished / OPTIMIZER)
    (unfinished / EXTRA).write_text(json.dumps(extra) + "\n", encoding="utf-8")
    newest = part / f"state-{step}"
    put_in_place(unfinished, newest)
    for state in _superfluous_states(part, keep, every):
        if state != newest:
            shutil.rmtree(state)


def _optimizer_tensors(
    model: nn.Layer, optimizer: paddle.optimizer.Optimizer
) -> dict[str, paddle.Tensor]:
    """Returns the optimizer's tensors by `STRUCTURED_NAME|KIND`, e.g. `...weight|_moment1_0`."""
    structured_names = {parameter.name: name for name, parameter in model.named_parameters()}
    tensors = {}
    for key, value in optimizer.state_dict().items():
        owners = [name for name in structured_names if key.startswith(f"{name}_")]
        if owners:
            owner = max(owners, key=len)
            kind = key.removeprefix(owner)
            tensors[f"{structured_names[owner]}|{kind}"] = value
    return tensors


def load_state(
    part: Path,
    model: nn.Layer,
    optimizer: paddle.optimizer.Optimizer,
    expected: Collection[str] = (),
) -> tuple[int, dict[str, float]]:
    """Restores the newest state into model and optimizer.

    expected: names of `extra` numbers that the state must have. Returns how many steps the state
    has behind it, and its `extra` numbers; 0 and no numbers where there is no state. Raises
    DataError where a file of the state is damaged.
    """
    states = _folders_by_step(part, "state")
    if not states:
        return 0, {}
    newest = states[-1]
    set_weights(model, read_own_weights(newest / WEIGHTS), str(newest))
    automatic_names = {name: parameter.name for name, parameter in model.named_parameters()}
    optimizer_state = {}
    for key, value in read_own_weights(newest / OPTIMIZER).items():
        name, kind = key.split("|")
        optimizer_state[automatic_names[name] + kind] = paddle.to_tensor(value)
    optimizer.set_state_dict(optimizer_state)
    extra = read_json_object(newest / EXTRA)
    names = [*expected, *extra.fields]
    numbers = {name: extra.number(name) for name in names}
    return _step_of(newest), numbers


def save_best(
    part: Path, step: int, value: float, model: nn.Layer, tokenizer_files: TokenizerFiles
) -> None:
    """Saves the model with the best dev measure so far as the checkpoint `best-STEP/`.

    The folder is complete or absent.
    """
    refuse_non_finite(model.state_dict(), part)
    unfinished = _empty_folder(part / "best.tmp")
    save_model(unfinished, model, tokenizer_files)
    measured = json.dumps({"step": step, MEASURE: value})
    (unfinished / MEASURED).write_text(measured + "\n", encoding="utf-8")
    put_in_place(unfinished, part / f"best-{step}")
    for older in _folders_by_step(part, "best")[:-1]:
        shutil.rmtree(older)


def best_value(part: Path) -> float:
    """Returns the dev measure of the best model so far, -1 where there is none."""
    best_models = _folders_by_step(part, "best")
    if not best_models:
        return NO_MEASURE
    measured = read_json_object(best_models[-1] / MEASURED)
    measured.refuse_other_fields(("step", MEASURE))
    return measured.number(MEASURE)


def _superfluous_states(part: Path, keep: int, every: int) -> list[Path]:
    """Returns all states but the newest `keep` that are a multiple of `every`.

    Others were saved at the end, or because a signal stopped the training: what is left in the end
    does not depend on them.
    """
    states = _folders_by_step(part, "state")
    regular = [state for state in states if _step_of(state) % every == 0]
    newest = regular[max(0, len(regular) - keep) :]
    return [state for state in states if state not in newest]


def choose_results(part: Path, keep: int, every: int = 1) -> set[str]:
    """Copies, at the end of a training, the best model to `best/`, and returns the names of the
    folders that are no result: all states but the newest `keep`, and unfinished ones.

    They stay until the checkpoint is made, so that a kill costs no step. every: a state at another
    step than a multiple of it does not count.
    """
    superfluous = {*_superfluous_states(part, keep, every), *part.glob("*.tmp")}
    for best in _folders_by_step(part, "best"):
        shutil.rmtree(part / "best", ignore_errors=True)
        shutil.copytree(best, part / "best")
        superfluous.add(best)
    return {folder.name for folder in superfluous}


def _empty_folder(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    return directory


def _step_of(folder: Path) -> int:
    _, _, step = folder.name.rpartition("-")
    return int(step)


def _folders_by_step(part: Path, kind: str) -> list[Path]:
    """Returns the folders `KIND-STEP`, the newest last."""
    return sorted(part.glob(f"{kind}-*"), key=_step_of)
