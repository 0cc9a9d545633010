"""Encoders as graphs for deployment: Paddle Inference or ONNX, compared with their checkpoint.

The graphs are those that `encode` and `score` run on a CPU. Letters: N rows, L tokens of the
longest, H hidden size. N and L may differ from call to call.

    token_ids, type_ids, mask    int64 [N, L]; mask is 1 on tokens, 0 on padding
    vectors                      float32 [N, H], of query_encoder and passage_encoder
    probabilities                float32 [N], of cross_encoder: P(relevant)
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import paddle
from paddle import nn

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.packing import PackedRows, pack
from rocketqa.files.errors import DataError
from rocketqa.inference.graph_files import RunRows, load_graph, write_graph
from rocketqa.inference.padded_encoder import (
    INPUTS,
    PaddedCrossEncoder,
    PaddedErnie,
    padded_inputs,
)
from rocketqa.jobs.seeds import generator
from rocketqa.jobs.temporary_folders import temporary_folder
from rocketqa.text.tokenizer import Encoding
from rocketqa.weights.checkpoint import load_model
from rocketqa.weights.config_files import class_of_checkpoint
from rocketqa.weights.model_kinds import checkpoint_settings
from rocketqa.weights.pretrained import TOKENIZER_FILES

# The largest difference between the outputs of a graph and of its checkpoint that is accepted. It
# is relative to the largest output where that is above 1.
TOLERANCE = 1e-5
ROWS_OF_COMPARED_BATCHES = (1, 2, 5, 8)
LONGEST_COMPARED_ROW = 512
ONNX_OPSET = 17


class GraphToExport(NamedTuple):
    """A graph of a checkpoint: its name, the layer to write, the model whose output it computes."""

    name: str
    layer: nn.Layer
    model: Callable[[PackedRows], paddle.Tensor]


def export_checkpoint(checkpoint: Path, folder: Path, graph_format: str) -> dict[str, float]:
    """Writes the graphs of a checkpoint (`write_graphs`), and beside them its tokenizer's files.

    Returns the largest difference of each graph from the checkpoint, by its name. Raises DataError
    where `checkpoint` is neither a dual encoder nor a cross encoder.
    """
    settings = checkpoint_settings(checkpoint, DualEncoder.__name__, CrossEncoder.__name__)
    model: DualEncoder | CrossEncoder
    if class_of_checkpoint(settings) == CrossEncoder.__name__:
        model, _ = load_model(checkpoint, CrossEncoder)
    else:
        model, _ = load_model(checkpoint, DualEncoder)
    differences = write_graphs(model, folder, graph_format)
    for name in TOKENIZER_FILES:
        if (checkpoint / name).is_file():
            (folder / name).write_bytes((checkpoint / name).read_bytes())
    return differences


def graphs_of(model: DualEncoder | CrossEncoder) -> Iterator[GraphToExport]:
    """Yields the graphs of a checkpoint: one of a cross encoder, two of a dual encoder."""
    if isinstance(model, CrossEncoder):
        yield GraphToExport("cross_encoder", PaddedCrossEncoder(model), model.probability)
        return
    query_encoder = model.query_encoder
    yield GraphToExport("query_encoder", PaddedErnie(query_encoder), query_encoder)
    passage_encoder = model.passage_encoder
    yield GraphToExport("passage_encoder", PaddedErnie(passage_encoder), passage_encoder)


def write_graphs(
    model: DualEncoder | CrossEncoder, folder: Path, graph_format: str
) -> dict[str, float]:
    """Writes every graph of a checkpoint, and export.json, which describes them.

    Returns the largest difference of each graph from the checkpoint, by its name. Raises DataError
    where it is above TOLERANCE.
    """
    write = WRITERS[graph_format]
    differences = {}
    for graph in graphs_of(model):
        run = write(graph.layer, folder, graph.name)
        differences[graph.name] = largest_difference(run, graph.model, model.config)
    description = {
        "model": type(model).__name__,
        "format": graph_format,
        "inputs": INPUTS,
        "encoder": model.config.fields_to_write(),
        "difference": differences,
    }
    text = json.dumps(description, indent=1) + "\n"
    (folder / "export.json").write_text(text, encoding="utf-8")
    return differences


def write_paddle(layer: nn.Layer, folder: Path, name: str) -> RunRows:
    """Writes a graph for Paddle Inference; returns a function that runs the written files."""
    structure = write_graph(layer, folder, name)
    return load_graph(structure, reduced=False)


def write_onnx(layer: nn.Layer, folder: Path, name: str) -> RunRows:
    """Writes a graph as ONNX; returns a function that runs the written file with onnxruntime.

    Raises DataError where the extra `export` is not installed, and with Paddle 2, which the
    converter does not support.
    """
    if paddle.__version__.startswith("2."):
        raise DataError(f"--format onnx: expected Paddle 3 or later, got {paddle.__version__}")
    try:
        import onnxruntime
        import paddle2onnx
    except ImportError as error:
        raise DataError(
            f"--format onnx: expected {error.name}, got none: pip install 'rocketqa[export]', on "
            "Python 3.10 to 3.12"
        ) from error
    onnx_file = folder / f"{name}.onnx"
    with temporary_folder(folder) as paddle_folder:
        structure = write_graph(layer, Path(paddle_folder), name)
        weights = structure.with_suffix(".pdiparams")
        paddle2onnx.export(
            str(structure),
            str(weights),
            str(onnx_file),
            opset_version=ONNX_OPSET,
            # The converter's optimiser would install packages with pip. onnxruntime optimises a
            # graph when it loads it.
            optimize_tool="None",
        )
    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])

    def run(rows: Sequence[Encoding]) -> np.ndarray:
        [output] = session.run(None, padded_inputs(rows))
        return output

    return run


WRITERS = {"paddle": write_paddle, "onnx": write_onnx}


def largest_difference(
    run: RunRows, model: Callable[[PackedRows], paddle.Tensor], config: ErnieConfig
) -> float:
    """Returns how far a graph's outputs are from those of the model, over seeded random batches.

    The difference is relative to the largest output of a batch where that is above 1. Raises
    DataError where it is above TOLERANCE.
    """
    drawing = generator(0, "export")
    worst = 0.0
    for count in ROWS_OF_COMPARED_BATCHES:
        rows = random_batch(drawing, count, config)
        with paddle.no_grad():
            expected = model(pack(rows)).numpy()
        difference = np.abs(run(rows) - expected).max()
        largest_output = max(1.0, np.abs(expected).max())
        worst = max(worst, float(difference / largest_output))
    if not worst <= TOLERANCE:
        raise DataError(
            f"export: expected at most {TOLERANCE} between the graph and its checkpoint, "
            f"got {worst:.2g}"
        )
    return worst


def random_batch(drawing: np.random.Generator, count: int, config: ErnieConfig) -> list[Encoding]:
    """Returns `count` rows of random tokens: the longest that is possible, and random lengths."""
    longest = min(config.max_position_embeddings, LONGEST_COMPARED_ROW)
    lengths = [longest, *drawing.integers(2, longest + 1, count - 1)]
    rows = []
    for length in lengths:
        begin_of_second_text = drawing.integers(1, length + 1)
        type_ids = (np.arange(length) >= begin_of_second_text).astype(np.int64)
        token_ids = drawing.integers(0, config.vocab_size, length)
        rows.append(Encoding(token_ids, type_ids))
    return rows
