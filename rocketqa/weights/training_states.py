"""States: checkpoints within a training, from which a killed one goes on.

While a model trains, the job's part folder holds further checkpoints:

    state-STEP/    the model after STEP steps, with optimizer and loss scale, to continue from
    best-STEP/     the model with the best dev measure so far; `best/` after the training

Each lists its digests in its own `meta.json`. One that is damaged is removed before it is used, and
the training goes on from the state before.

Weights and optimizer are stored by structured names, because Paddle's automatic names depend on how
many layers were built before. No random generator is saved: every step seeds its own.
"""

import json
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

import paddle
from paddle import nn
from safetensors.numpy import save_file

from rocketqa.files.errors import DataError
from rocketqa.files.json_files import read_json_object
from rocketqa.jobs.digests import MAKE_AGAIN, refuse_damaged, seal_folder
from rocketqa.jobs.durable import put_in_place
from rocketqa.weights.checkpoint import (
    WEIGHTS,
    TokenizerFiles,
    arrays_of,
    refuse_non_finite,
    save_model,
    set_weights,
)
from rocketqa.weights.stored_model import WeightsFile

OPTIMIZER = "optimizer.safetensors"
EXTRA = "state.json"
MEASURED = "best.json"
MEASURE = "MRR@10"  # by which the best model is chosen
NO_MEASURE = -1.0  # below every measure
FEWEST_STATES = 2  # that are kept while a training goes on


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
    """Writes the state after `step` steps, and removes all but the newest `keep` states, two at
    least: the older one serves where the newest is damaged.

    A state is complete or absent. It is also a checkpoint, which any verb takes. extra: numbers
    that `load_state` returns again. every: an older state at another step than a multiple of it is
    removed.
    """
    optimizer_tensors = _optimizer_tensors(model, optimizer)
    refuse_non_finite(model.state_dict() | optimizer_tensors, part)
    unfinished = _empty_folder(part / "state.tmp")
    save_model(unfinished, model, tokenizer_files)
    save_file(arrays_of(optimizer_tensors), unfinished / OPTIMIZER)
    (unfinished / EXTRA).write_text(json.dumps(extra) + "\n", encoding="utf-8")
    seal_folder(unfinished)
    newest = part / f"state-{step}"
    put_in_place(unfinished, newest)
    for state in _superfluous_states(part, max(FEWEST_STATES, keep), every):
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


def remove_damaged_states(part: Path) -> None:
    """Removes damaged folders, and the states that followed a damaged best model, because they
    would go on without it. A line names each fault and where the training goes on.
    """
    faults = []
    for best in _folders_by_step(part, "best"):
        if fault := _fault_of(best):
            faults.append(fault)
            shutil.rmtree(best)
            _remove_states_from(part, _step_of(best))
    for state in _folders_by_step(part, "state"):
        if fault := _fault_of(state):
            faults.append(fault)
            shutil.rmtree(state)
    states = _folders_by_step(part, "state")
    goes_on = f"goes on from {states[-1]}" if states else "begins anew"
    for fault in faults:
        print(f"{fault}; the training {goes_on}", file=sys.stderr, flush=True)


def _fault_of(folder: Path) -> str:
    """Returns what is damaged in a folder, an empty text where nothing is."""
    try:
        refuse_damaged(folder)
    except DataError as error:
        return str(error).removesuffix(f": {MAKE_AGAIN}")
    return ""


def _remove_states_from(part: Path, step: int) -> None:
    for state in _folders_by_step(part, "state"):
        if _step_of(state) >= step:
            shutil.rmtree(state)


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
    set_weights(model, WeightsFile(newest / WEIGHTS), str(newest))
    automatic_names = {name: parameter.name for name, parameter in model.named_parameters()}
    optimizer_state = {}
    for key, value in WeightsFile(newest / OPTIMIZER).items():
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
    seal_folder(unfinished)
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
    step than a multiple of it does not count. Raises DataError where a folder that is a result is
    damaged.
    """
    superfluous = {*_superfluous_states(part, keep, every), *part.glob("*.tmp")}
    best_models = _folders_by_step(part, "best")
    states = _folders_by_step(part, "state")
    refuse_damaged(*best_models, *(state for state in states if state not in superfluous))
    for best in best_models:
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
