"""A model as its folder has it: what is needed to compute with it, without a layer of Paddle.

The kernels on a CPU read the arrays themselves (`inference/kernel_encoder.py`), one after the
other. A layer of Paddle beside them would hold all weights a second time, and a dual encoder those
of the tower that is not asked for.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from paddle import nn
from safetensors import safe_open

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie
from rocketqa.files.errors import DataError, one_line
from rocketqa.files.git_lfs import refuse_git_lfs_pointer

Arrays = Mapping[str, np.ndarray]  # by the names of the parameters


class WeightsFile(Mapping[str, np.ndarray]):
    """The arrays of a safetensors file that we wrote, each of them read when it is asked for.

    Raises DataError where the file is missing or damaged.
    """

    def __init__(self, path: Path):
        self._path = path
        try:
            refuse_git_lfs_pointer(path, "weights")
            with safe_open(path, "np") as file:
                self._names = list(file.keys())
        except DataError:
            raise
        except Exception as error:  # noqa: BLE001  A damaged file breaks its reader in any way.
            raise self._damaged(error) from error

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        try:
            with safe_open(self._path, "np") as file:
                return file.get_tensor(name)
        except Exception as error:  # noqa: BLE001  See above.
            raise self._damaged(error) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _damaged(self, error: Exception) -> DataError:
        return DataError(f"{self._path}: expected complete weights, got {one_line(error)}")


class StoredModel(NamedTuple):
    """A dual encoder, one of its towers, or a cross encoder.

    prefix: before the names of its parameters in `weights`, which may hold others too. source:
    where the weights are from, for error messages.
    """

    model_class: type[nn.Layer]  # DualEncoder, Ernie or CrossEncoder
    config: ErnieConfig
    weights: Arrays
    source: str
    prefix: str = ""

    @classmethod
    def of(cls, model: Ernie | CrossEncoder) -> "StoredModel":
        """Returns a model that has been built, with copies of its weights."""
        weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
        return cls(type(model), model.config, weights, "the weights of a model")

    def tower(self, name: str) -> "StoredModel":
        """Returns a tower of a dual encoder, query_encoder or passage_encoder."""
        return self._replace(model_class=Ernie, prefix=f"{name}.")

    def at(self, name: str) -> np.ndarray:
        """Returns the array of a parameter."""
        return self.weights[self.prefix + name]

    def own(self) -> Arrays:
        """Returns the arrays of its parameters by their names in the model."""
        if not self.prefix:
            return self.weights
        names = [name for name in self.weights if name.startswith(self.prefix)]
        return {name.removeprefix(self.prefix): self.weights[name] for name in names}
