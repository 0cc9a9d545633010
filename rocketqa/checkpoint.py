"""Checkpoints: a directory with weights (safetensors), `config.json`, the tokenizer's files, the log, the manifest.

While a model trains, `state-STEP/` in the part directory holds what going on needs: weights and optimizer, both by
structured names (Paddle's automatic ones shift with every layer built before). There is no generator to save: every
step seeds its own.
"""
import json
import os
import shutil
from pathlib import Path

import numpy as np
import paddle
from paddle import nn
from safetensors.numpy import load_file, save_file

from rocketqa.ernie import ErnieConfig
from rocketqa.formats import DataError
from rocketqa.tokenizer import TextEncoder, load_text_encoder

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
OPTIMIZER = "optimizer.safetensors"


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
        raise DataError(f"{directory}: expected a {kind.__name__}, got {config.get('model', 'another model')}")
    model = kind(ErnieConfig(**config["encoder"]))
    set_weights(model, load_file(directory / WEIGHTS), str(directory))
    model.eval()
    return model, load_text_encoder(directory)


def set_weights(model: nn.Layer, weights: dict[str, np.ndarray], source: str) -> None:
    """Sets every parameter. Raises DataError naming what is missing, unexpected or of another shape."""
    parameters = model.state_dict()
    missing, unexpected = sorted(parameters.keys() - weights.keys()), sorted(weights.keys() - parameters.keys())
    if missing or unexpected:
        raise DataError(f"{source}: expected the parameters of {type(model).__name__}, "
                        f"got missing {missing[:5]}, unexpected {unexpected[:5]}")
    for name, parameter in parameters.items():
        if list(weights[name].shape) != list(parameter.shape):
            raise DataError(f"{source}: expected {name} of shape {list(parameter.shape)}, "
                            f"got {list(weights[name].shape)}")
        parameter.set_value(weights[name])


def _arrays(state: dict) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(value.numpy()) for name, value in state.items()}


def save_state(part: Path, step: int, model: nn.Layer, optimizer) -> None:
    """Writes the state after `step` steps, whole or not at all, and drops older ones."""
    unfinished, finished = part / "state.tmp", part / f"state-{step}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    save_file(_arrays(model.state_dict()), unfinished / WEIGHTS)
    names = {parameter.name: name for name, parameter in model.named_parameters()}
    moments = {}
    for key, value in optimizer.state_dict().items():
        owner = max((name for name in names if key.startswith(name + "_")), key=len, default=None)
        if owner is not None:
            moments[f"{names[owner]}|{key.removeprefix(owner)}"] = value
    save_file(_arrays(moments), unfinished / OPTIMIZER)
    os.replace(unfinished, finished)
    for older in part.glob("state-*"):
        if older != finished:
            shutil.rmtree(older)


def load_state(part: Path, model: nn.Layer, optimizer) -> int:
    """Restores the newest state and returns how many steps it has behind it; 0 without one."""
    states = sorted(part.glob("state-*"), key=lambda path: int(path.name.removeprefix("state-")))
    if not states:
        return 0
    set_weights(model, load_file(states[-1] / WEIGHTS), str(states[-1]))
    names = {name: parameter.name for name, parameter in model.named_parameters()}
    state = {}
    for key, value in load_file(states[-1] / OPTIMIZER).items():
        name, suffix = key.split("|")
        state[names[name] + suffix] = paddle.to_tensor(value)
    optimizer.set_state_dict(state)
    return int(states[-1].name.removeprefix("state-"))


def drop_states(part: Path) -> None:
    """Removes what only a training that goes on needs."""
    for state in part.glob("state*"):
        shutil.rmtree(state)
