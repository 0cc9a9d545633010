"""Checkpoints to export, and the exported graphs as a deployment runs them: without rocketqa."""

from pathlib import Path

import numpy as np

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.inference.padded_encoder import INPUTS
from rocketqa.weights.checkpoint import save_model, set_weights

VOCABULARY = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n"


def write_checkpoint(
    folder: Path, model_class: type[DualEncoder] | type[CrossEncoder], config: ErnieConfig
) -> DualEncoder | CrossEncoder:
    """Writes and returns a model without a weight of 0 whose towers differ from each other."""
    drawing = np.random.default_rng(6)
    model = model_class(config)
    weights = {}
    for name, value in model.state_dict().items():
        is_norm = ".norm" in name or "layer_norm" in name
        weights[name] = (drawing.normal(0, 0.3, value.shape) + is_norm).astype(np.float32)
    set_weights(model, weights, "test")
    folder.mkdir()
    save_model(folder, model, {"vocab.txt": VOCABULARY})
    model.eval()
    return model


def run_exported(
    graph_format: str, folder: Path, name: str, inputs: dict[str, np.ndarray]
) -> np.ndarray:
    """Returns the output of the graph NAME in a folder that `rocketqa export` wrote."""
    run = {"paddle": _run_paddle, "onnx": _run_onnx}[graph_format]
    return run(folder, name, inputs)


def _run_paddle(folder: Path, name: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
    from paddle import inference

    structures = [folder / f"{name}.json", folder / f"{name}.pdmodel"]
    [structure] = [path for path in structures if path.is_file()]
    config = inference.Config(str(structure), str(folder / f"{name}.pdiparams"))
    predictor = inference.create_predictor(config)
    for each in INPUTS:
        predictor.get_input_handle(each).copy_from_cpu(inputs[each])
    predictor.run()
    [output_name] = predictor.get_output_names()
    return predictor.get_output_handle(output_name).copy_to_cpu()


def _run_onnx(folder: Path, name: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"))
    [output] = session.run(None, inputs)
    return output
