"""Static graphs on disk: written from a padded encoder, run by Paddle Inference on this CPU."""

import errno
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

from rocketqa.files.machine_errors import refuse_without_memory
from rocketqa.inference.padded_encoder import INPUTS, padded_inputs
from rocketqa.text.tokenizer import Encoding

# Runs a model on rows of tokens and returns float32: vectors [N, H] or probabilities [N].
RunRows = Callable[[Sequence[Encoding]], np.ndarray]

MEMORY_OF_THREADS = 512 << 20  # bytes of address space
SHAPES_IN_CACHE = 256  # oneDNN keeps its primitives for so many shapes of batches


def write_graph(layer: nn.Layer, folder: Path, name: str) -> Path:
    """Writes a padded encoder as a graph for Paddle Inference; its weights lie in NAME.pdiparams.

    Returns the file of the graph's structure: NAME.json, or NAME.pdmodel with Paddle 2.
    """
    layer.eval()
    shape_of_inputs = [None, None]  # N and L may differ from call to call.
    inputs = [paddle.static.InputSpec(shape_of_inputs, "int64", name=each) for each in INPUTS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        paddle.jit.save(layer, str(folder / name), input_spec=inputs)
    structure = folder / f"{name}.json"
    if not structure.is_file():
        structure = folder / f"{name}.pdmodel"
    refuse_cut_files(layer, structure)
    return structure


def refuse_cut_files(layer: nn.Layer, structure: Path) -> None:
    """Raises OSError where the disk was full: Paddle writes as much as it can and says nothing."""
    weights = structure.with_suffix(".pdiparams")
    bytes_of_weights = sum(value.size * value.element_size() for value in layer.parameters())
    is_cut = weights.stat().st_size < bytes_of_weights
    if structure.suffix == ".json":
        is_cut |= not structure.read_bytes().rstrip().endswith(b"}")
    if is_cut:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(structure.parent))


def load_graph(structure: Path, reduced: bool) -> RunRows:
    """Returns a function that runs a written graph on rows; `reduced` computes in bfloat16."""
    predictor = _predictor(structure, reduced)
    handles = {name: predictor.get_input_handle(name) for name in INPUTS}
    output_name = predictor.get_output_names()[0]
    output = predictor.get_output_handle(output_name)

    def run(rows: Sequence[Encoding]) -> np.ndarray:
        for name, values in padded_inputs(rows).items():
            handles[name].copy_from_cpu(values)
        predictor.run()
        return output.copy_to_cpu()

    return run


def _predictor(structure: Path, reduced: bool) -> Any:
    """Returns Paddle Inference's predictor of a graph: one thread of this CPU, with oneDNN."""
    from paddle import inference

    refuse_without_memory(MEMORY_OF_THREADS)
    config = inference.Config(str(structure), str(structure.with_suffix(".pdiparams")))
    config.disable_glog_info()
    config.disable_gpu()
    config.set_cpu_math_library_num_threads(1)
    config.enable_mkldnn()
    config.set_mkldnn_cache_capacity(SHAPES_IN_CACHE)
    if hasattr(config, "enable_new_ir"):  # Paddle 2.6 does not need it.
        config.enable_new_ir(True)
        config.enable_new_executor(True)
    if reduced:
        config.enable_mkldnn_bfloat16()
    return inference.create_predictor(config)
