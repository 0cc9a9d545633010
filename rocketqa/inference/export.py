"""Encoders as graphs for deployment: Paddle Inference or ONNX, checked against the checkpoint that they come from.

The graphs are those that `encode` and `score` run on a CPU. Letters: N rows, L tokens of the longest, H hidden size. N
and L may be others at each call.

    token_ids, type_ids, mask    int64 [N, L]; mask is 1 on tokens, 0 on padding
    vectors                      float32 [N, H], of query_encoder and passage_encoder
    probabilities                float32 [N], of cross_encoder: P(relevant)
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import paddle
from paddle import nn

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.packing import pack
from rocketqa.files.errors import DataError
from rocketqa.inference.engine import (
    INPUTS,
    PaddedCrossEncoder,
    PaddedErnie,
    graph_of,
    padded,
    write_graph,
)
from rocketqa.jobs.seeds import generator
from rocketqa.text.tokenizer import Encoding

TOLERANCE = (
    1e-5  # largest difference from the checkpoint, of the largest value where that is above 1
)
Graph = Callable[[Sequence[Encoding]], np.ndarray]


def towers(model: nn.Layer) -> Iterator[tuple[str, nn.Layer, Callable]]:
    """Yields each graph of a checkpoint: its name, the layer to export, and what it has to be equal to."""
    if isinstance(model, CrossEncoder):
        yield "cross_encoder", PaddedCrossEncoder(model), model.probability
    else:
        for name in ("query_encoder", "passage_encoder"):
            tower: Ernie = getattr(model, name)
            yield name, PaddedErnie(tower), tower


def write_paddle(layer: nn.Layer, folder: Path, name: str) -> Graph:
    """Writes a graph for Paddle Inference and returns it as that reads it back."""
    return graph_of(write_graph(layer, folder, name), reduced=False)


def write_onnx(layer: nn.Layer, folder: Path, name: str) -> Graph:
    """Writes a graph as ONNX and returns it as onnxruntime runs it.

    Raises DataError without the extra `export`, and below Paddle 3, which its converter does not take.
    """
    if paddle.__version__.startswith("2."):
        raise DataError(f"--format onnx: expected Paddle 3 or later, got {paddle.__version__}")
    try:
        import onnxruntime
        import paddle2onnx
    except ImportError as error:
        raise DataError(
            f"--format onnx: expected {error.name}, got none: pip install 'rocketqa[export]'"
        ) from error
    with TemporaryDirectory(dir=folder) as written:
        structure = write_graph(layer, Path(written), name)
        # Its own optimiser would install packages with pip; onnxruntime optimises what it loads.
        paddle2onnx.export(
            str(structure),
            str(structure.with_suffix(".pdiparams")),
            str(folder / f"{name}.onnx"),
            opset_version=17,
            optimize_tool="None",
        )
    session = onnxruntime.InferenceSession(
        str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"]
    )
    return lambda rows: session.run(None, padded(rows))[0]


def difference(graph: Graph, twin: Callable, config: ErnieConfig) -> float:
    """Returns how far a graph is from the checkpoint's model, over drawn rows of every length, in batches of 1 to 8.

    In units of the largest value, where that is above 1. Raises DataError where it is more than TOLERANCE.
    """
    drawing, worst = generator(0, "export"), 0.0
    longest = min(config.max_position_embeddings, 512)
    for count in (1, 2, 5, 8):
        rows = []
        for length in (longest, *drawing.integers(2, longest + 1, count - 1)):
            types = np.arange(length) >= drawing.integers(1, length + 1)
            rows.append(
                Encoding(drawing.integers(0, config.vocab_size, length), types.astype(np.int64))
            )
        with paddle.no_grad():
            expected = twin(pack(rows)).numpy()
        found = graph(rows)
        worst = max(worst, float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max())))
    if not worst <= TOLERANCE:
        raise DataError(
            f"export: expected at most {TOLERANCE} between the graph and its checkpoint, got {worst:.2g}"
        )
    return worst


WRITERS = {"paddle": write_paddle, "onnx": write_onnx}


def write_graphs(model: nn.Layer, folder: Path, form: str) -> dict[str, float]:
    """Writes every graph of a checkpoint, and export.json; returns how far each is from it, by its name."""
    worst = {
        name: difference(WRITERS[form](layer, folder, name), twin, model.config)
        for name, layer, twin in towers(model)
    }
    told = {
        "model": type(model).__name__,
        "format": form,
        "inputs": INPUTS,
        "encoder": model.config._asdict(),
        "difference": worst,
    }
    (folder / "export.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return worst
