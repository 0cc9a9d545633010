"""Checkpoints: a directory with weights (safetensors), `config.json`, the tokenizer's files, the log, the manifest.

While a model trains, `state-STEP/` in the part directory holds what going on needs: weights and optimizer, both by
structured names (Paddle's automatic ones shift with every layer built before), and the loss scale. There is no
generator to save: every step seeds its own.
"""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import paddle
from paddle import nn
from safetensors.numpy import load_file, save_file

from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.text.tokenizer import TextEncoder, load_text_encoder

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
OPTIMIZER = "optimizer.safetensors"
EXTRA = "state.json"
MEASURED = "best.json"
LOG = "train_log.tsv"


def save_model(directory: Path, model: nn.Layer, tokenizer_files: dict[str, bytes]) -> None:
    """Writes weights, configuration and tokenizer of a dual or cross encoder."""
    save_file(_arrays(model.state_dict()), directory / WEIGHTS)
    config = {"model": type(model).__name__, "encoder": model.config._asdict()}
    (directory / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    for name, content in tokenizer_files.items():
        (directory / name).write_bytes(content)


def load_model(directory: Path, kind: type[nn.Layer]) -> tuple[nn.Layer, TextEncoder]:
    """Returns a model of the class `kind`, ready for inference, and its tokenizer.

    Raises DataError where the directory is no checkpoint of that kind.
    """
    if not (directory / CONFIG).is_file():
        raise DataError(f"{directory}: expected a checkpoint with {CONFIG}, got none")
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    if config.get("model") != kind.__name__:
        raise DataError(
            f"{directory}: expected a {kind.__name__}, got {config.get('model', 'another model')}"
        )
    model = kind(ErnieConfig(**config["encoder"]))
    set_weights(model, load_file(directory / WEIGHTS), str(directory))
    model.eval()
    return model, load_text_encoder(directory)


def set_weights(model: nn.Layer, weights: dict[str, np.ndarray], source: str) -> None:
    """Sets every parameter. Raises DataError naming what is missing, unexpected or of another shape."""
    parameters = model.state_dict()
    missing, unexpected = (
        sorted(parameters.keys() - weights.keys()),
        sorted(weights.keys() - parameters.keys()),
    )
    if missing or unexpected:
        raise DataError(
            f"{source}: expected the parameters of {type(model).__name__}, "
            f"got missing {missing[:5]}, unexpected {unexpected[:5]}"
        )
    for name, parameter in parameters.items():
        if list(weights[name].shape) != list(parameter.shape):
            raise DataError(
                f"{source}: expected {name} of shape {list(parameter.shape)}, "
                f"got {list(weights[name].shape)}"
            )
        parameter.set_value(weights[name])


def _arrays(state: dict) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(value.numpy()) for name, value in state.items()}


def save_state(
    part: Path,
    step: int,
    model: nn.Layer,
    tokenizer_files: dict[str, bytes],
    optimizer,
    extra: dict[str, float],
    keep: int,
) -> None:
    """Writes the state after `step` steps, whole or not at all, and drops all but the newest `keep`.

    A state is a checkpoint, too: any verb takes it.
    """
    unfinished = _emptied(part / "state.tmp")
    save_model(unfinished, model, tokenizer_files)
    names = {parameter.name: name for name, parameter in model.named_parameters()}
    moments = {}
    for key, value in optimizer.state_dict().items():
        owner = max((name for name in names if key.startswith(name + "_")), key=len, default=None)
        if owner is not None:
            moments[f"{names[owner]}|{key.removeprefix(owner)}"] = value
    save_file(_arrays(moments), unfinished / OPTIMIZER)
    (unfinished / EXTRA).write_text(json.dumps(extra) + "\n", encoding="utf-8")
    os.replace(unfinished, part / f"state-{step}")
    _drop_all_but_newest(part, "state", keep)


def load_state(part: Path, model: nn.Layer, optimizer) -> tuple[int, dict[str, float]]:
    """Restores the newest state; returns how many steps it has behind it, 0 without one, and its `extra`."""
    states = _by_step(part, "state")
    if not states:
        return 0, {}
    set_weights(model, load_file(states[-1] / WEIGHTS), str(states[-1]))
    names = {name: parameter.name for name, parameter in model.named_parameters()}
    state = {}
    for key, value in load_file(states[-1] / OPTIMIZER).items():
        name, suffix = key.split("|")
        state[names[name] + suffix] = paddle.to_tensor(value)
    optimizer.set_state_dict(state)
    return _step(states[-1]), json.loads((states[-1] / EXTRA).read_text(encoding="utf-8"))


def save_best(
    part: Path, step: int, value: float, model: nn.Layer, tokenizer_files: dict[str, bytes]
) -> None:
    """Keeps the model as the best so far by the dev measure: `best-STEP/`, a checkpoint, whole or not at all."""
    unfinished = _emptied(part / "best.tmp")
    save_model(unfinished, model, tokenizer_files)
    (unfinished / MEASURED).write_text(
        json.dumps({"step": step, "MRR@10": value}) + "\n", encoding="utf-8"
    )
    os.replace(unfinished, part / f"best-{step}")
    _drop_all_but_newest(part, "best", 1)


def best_value(part: Path) -> float:
    """Returns the dev measure of the best model so far, -1 without one."""
    best = _by_step(part, "best")
    return json.loads((best[-1] / MEASURED).read_text(encoding="utf-8"))["MRR@10"] if best else -1.0


def tidy(part: Path, keep: int) -> None:
    """Leaves of a training that has ended the newest `keep` states, and the best model as `best/`."""
    _drop_all_but_newest(part, "state", keep)
    for unfinished in part.glob("*.tmp"):
        shutil.rmtree(unfinished)
    for best in _by_step(part, "best"):
        os.replace(best, part / "best")


def _emptied(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    return directory


def _step(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def _by_step(part: Path, kind: str) -> list[Path]:
    return sorted(part.glob(f"{kind}-*"), key=_step)


def _drop_all_but_newest(part: Path, kind: str, keep: int) -> None:
    for older in list(reversed(_by_step(part, kind)))[keep:]:
        shutil.rmtree(older)
