"""Encoders as graphs for deployment: Paddle Inference or ONNX, checked against the checkpoint that they come from.

A plain ERNIE on padded rows, made of Paddle's own Transformer layers. Letters: N rows, L tokens of the longest, H
hidden size. N and L may be others at each call.

    token_ids, type_ids, mask    int64 [N, L]; mask is 1 on tokens, 0 on padding
    vectors                      float32 [N, H], of query_encoder and passage_encoder
    probabilities                float32 [N], of cross_encoder: P(relevant)
"""
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from rocketqa.chance import generator
from rocketqa.checkpoint import set_weights
from rocketqa.cross_encoder import CrossEncoder
from rocketqa.ernie import Ernie, ErnieConfig, pack
from rocketqa.formats import DataError
from rocketqa.tokenizer import Encoding

INPUTS = ("token_ids", "type_ids", "mask")
TOLERANCE = 1e-5  # largest difference from the checkpoint, of the largest value where that is above 1
MASKED = -1e4
Graph = Callable[[dict[str, np.ndarray]], np.ndarray]


class PaddedErnie(nn.Layer):
    """Padded rows -> the last layer's first-token vectors [N, H]. Parameters are named as those of `Ernie`."""

    def __init__(self, config: ErnieConfig):
        super().__init__()
        size = config.hidden_size
        self.embeddings = nn.Layer()
        self.embeddings.word_embeddings = nn.Embedding(config.vocab_size, size)
        self.embeddings.position_embeddings = nn.Embedding(config.max_position_embeddings, size)
        self.embeddings.token_type_embeddings = nn.Embedding(config.type_vocab_size, size)
        if config.use_task_id:
            self.embeddings.task_type_embeddings = nn.Embedding(config.task_type_vocab_size, size)
        self.embeddings.layer_norm = nn.LayerNorm(size, epsilon=config.layer_norm_eps)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(
            size, config.num_attention_heads, config.intermediate_size, dropout=0.0, activation=config.hidden_act),
            config.num_hidden_layers)
        for layer in self.encoder.layers:  # which Paddle 2 does not let one tell the epsilon
            layer.norm1, layer.norm2 = (nn.LayerNorm(size, epsilon=config.layer_norm_eps) for _ in range(2))
        self.use_task_id = config.use_task_id

    def forward(self, token_ids, type_ids, mask) -> paddle.Tensor:
        tables = self.embeddings
        positions = paddle.ones_like(token_ids).cumsum(axis=1) - 1
        hidden = tables.word_embeddings(token_ids) + tables.position_embeddings(positions)
        hidden = hidden + tables.token_type_embeddings(type_ids)
        if self.use_task_id:
            hidden = hidden + tables.task_type_embeddings(paddle.zeros_like(type_ids))
        attention = ((1 - mask.astype("float32")) * MASKED).unsqueeze([1, 2])  # [N, 1, 1, L]
        return self.encoder(tables.layer_norm(hidden), attention)[:, 0]  # [N, H]


class PaddedCrossEncoder(nn.Layer):
    """Padded pairs -> P(relevant) [N]."""

    def __init__(self, config: ErnieConfig):
        super().__init__()
        self.ernie = PaddedErnie(config)
        self.ernie.pooler = nn.Layer()
        self.ernie.pooler.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.classifier = nn.Linear(config.hidden_size, 2)

    def forward(self, token_ids, type_ids, mask) -> paddle.Tensor:
        pooled = paddle.tanh(self.ernie.pooler.dense(self.ernie(token_ids, type_ids, mask)))
        return F.softmax(self.classifier(pooled))[:, 1]


def towers(model: nn.Layer) -> Iterator[tuple[str, nn.Layer, Callable]]:
    """Yields each graph of a checkpoint: its name, the layer to export, and what it has to be equal to."""
    if isinstance(model, CrossEncoder):
        yield "cross_encoder", _loaded(PaddedCrossEncoder(model.config), model), model.probability
    else:
        for name in ("query_encoder", "passage_encoder"):
            tower: Ernie = getattr(model, name)
            yield name, _loaded(PaddedErnie(model.config), tower), tower


def _loaded(graph: nn.Layer, model: nn.Layer) -> nn.Layer:
    set_weights(graph, {name: value.numpy() for name, value in model.state_dict().items()}, "export")
    graph.eval()
    return graph


def padded(rows: Sequence[Encoding]) -> dict[str, np.ndarray]:
    """Returns the inputs of a graph for rows of tokens: int64 [N, L] each, 0 where a row has ended."""
    inputs = {name: np.zeros((len(rows), max(len(row.token_ids) for row in rows)), np.int64) for name in INPUTS}
    for place, row in enumerate(rows):
        for name, values in zip(INPUTS, (row.token_ids, row.type_ids, 1)):
            inputs[name][place, :len(row.token_ids)] = values
    return inputs


def write_paddle(layer: nn.Layer, folder: Path, name: str) -> Graph:
    """Writes a graph for Paddle Inference and returns it as that reads it back."""
    from paddle import inference

    spec = [paddle.static.InputSpec([None, None], "int64", name=each) for each in INPUTS]
    paddle.jit.save(layer, str(folder / name), input_spec=spec)
    structure = next(path for path in (folder / f"{name}.json", folder / f"{name}.pdmodel") if path.is_file())
    config = inference.Config(str(structure), str(folder / f"{name}.pdiparams"))
    config.disable_glog_info()
    predictor = inference.create_predictor(config)

    def run(inputs: dict[str, np.ndarray]) -> np.ndarray:
        for each, values in inputs.items():
            predictor.get_input_handle(each).copy_from_cpu(values)
        predictor.run()
        return predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()

    return run


def write_onnx(layer: nn.Layer, folder: Path, name: str) -> Graph:
    """Writes a graph as ONNX and returns it as onnxruntime runs it.

    Raises DataError without the extra `export`, and below Paddle 3, which its converter does not take.
    """
    if paddle.__version__.startswith("2."):
        raise DataError(f"--format onnx: expected Paddle 3 or later, got {paddle.__version__}")
    try:
        import onnxruntime
        import paddle2onnx  # noqa: F401  paddle.onnx needs it
    except ImportError as error:
        raise DataError(f"--format onnx: expected {error.name}, got none: pip install 'rocketqa[export]'") from error
    spec = [paddle.static.InputSpec([None, None], "int64", name=each) for each in INPUTS]
    paddle.onnx.export(layer, str(folder / name), input_spec=spec, opset_version=17)
    session = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]


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
            rows.append(Encoding(drawing.integers(0, config.vocab_size, length), types.astype(np.int64)))
        with paddle.no_grad():
            expected = twin(pack(rows)).numpy()
        found = graph(padded(rows))
        worst = max(worst, float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max())))
    if not worst <= TOLERANCE:
        raise DataError(f"export: expected at most {TOLERANCE} between the graph and its checkpoint, got {worst:.2g}")
    return worst


WRITERS = {"paddle": write_paddle, "onnx": write_onnx}


def write_graphs(model: nn.Layer, folder: Path, form: str) -> dict[str, float]:
    """Writes every graph of a checkpoint, and export.json; returns how far each is from it, by its name."""
    worst = {name: difference(WRITERS[form](layer, folder, name), twin, model.config)
             for name, layer, twin in towers(model)}
    told = {"model": type(model).__name__, "format": form, "inputs": INPUTS, "encoder": model.config._asdict(),
            "difference": worst}
    (folder / "export.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return worst
