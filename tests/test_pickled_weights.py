"""Weights in PyTorch's and Paddle's files are read to the last bit, and hostile files refused."""

import base64
import lzma
import pickle
import zipfile

import numpy as np
import pytest
from pickled_weights_fixture import WRITTEN_BY_PYTORCH, tensor_pickle, torch_file

from rocketqa.files.errors import DataError
from rocketqa.weights.weight_files import read_file, read_weights


def test_a_file_of_pytorch_is_read(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(lzma.decompress(base64.b64decode(WRITTEN_BY_PYTORCH)))
    weights = read_weights(tmp_path)
    assert {name: (value.dtype.name, value.tolist()) for name, value in weights.items()} == {
        "a": ("float32", [[0, 3], [1, 4], [2, 5]]),
        "b": ("float32", [1.5, -2]),
        "c": ("float32", [0.25]),
        "position_ids": ("int64", [0, 1, 2]),
    }
    assert read_file(torch_file(tmp_path, tensor_pickle()))["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_file_of_paddle_is_read(tmp_path):
    import paddle

    weights = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1.5], np.float16)}
    for protocol in (2, 4):
        tensors = {name: paddle.to_tensor(value) for name, value in weights.items()}
        paddle.save(tensors, str(tmp_path / "model_state.pdparams"), protocol=protocol)
        found = read_weights(tmp_path)
        assert found.keys() == weights.keys() and all(
            (found[name] == weights[name]).all() for name in weights
        )
    with (tmp_path / "model_state.pdparams").open("wb") as file:
        pickle.dump(
            {"a": np.asfortranarray(weights["a"]), "StructuredToParameterName@@": {"a": "a"}},
            file,
            2,
        )
    assert read_weights(tmp_path)["a"].tolist() == weights["a"].tolist()


@pytest.mark.parametrize(
    "structure",
    [
        b"",
        b".",
        b"N.",
        tensor_pickle()[:-5],
        b"(lp0\nI1\na.",
        b"(dI1\nI2\ns.",
        b"(dVa\nI2\ns.",
        b"(dVa\nctorch\nFloatStorage\ns.",
        b"cos\nsystem\n(Vtrue\ntR.",
        b"(dVa\nc__builtin__\neval\n(V1\ntRs.",
        b"(ios\nsystem\n.",
        b"\x80\x04\x82\x01.",
        b"r\xff\xff\xff\x7f.",
        b"}r\xff\xff\xff\x7f.",
        tensor_pickle(offset="I1"),
        tensor_pickle(offset="I-1"),
        tensor_pickle(shape="(I2\nI4\nt"),
        tensor_pickle(shape="(I-2\nI3\nt"),
        tensor_pickle(shape=f"(I{1 << 60}\nI{1 << 60}\nt", strides="(I0\nI0\nt"),
        tensor_pickle(strides="(I4\nI1\nt"),
        tensor_pickle(strides="(I-3\nI1\nt"),
        tensor_pickle(strides="(I1\nt"),
        tensor_pickle(key="1"),
        tensor_pickle(key="../data.pkl"),
        tensor_pickle(storage="torch\nQInt8Storage"),
        tensor_pickle(storage="torch\nDoubleStorage"),
        tensor_pickle(offset="Vx"),
        tensor_pickle(shape="N"),
        b"\x80\x04\x8c\x03a\nb\x8c\x01c\x93.",
    ],
)
def test_a_hostile_file_of_pytorch_is_refused(tmp_path, structure):
    path = torch_file(tmp_path, structure)
    with pytest.raises(DataError) as error:
        read_file(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_tensors_that_share_a_storage_are_read_once(tmp_path):
    found = read_file(
        torch_file(tmp_path, tensor_pickle()[:-1] + tensor_pickle()[2:].replace(b"Va", b"Vb"))
    )
    assert found.keys() == {"a", "b"} and np.shares_memory(found["a"], found["b"])


def test_a_type_that_unfolds_without_end_is_refused_and_not_told(tmp_path):
    unfolding = (
        b")q\x00" + b"0h\x00h\x00\x86q\x00" * 40
    )  # 40 pairs of the pair before: 2^40 when written out
    made = (
        b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01)cnumpy\ndtype\n"
        + unfolding
        + b"\x85R\x89C\x00tb"
    )
    (tmp_path / "model_state.pdparams").write_bytes(b"\x80\x02}X\x01\x00\x00\x00a" + made + b"s.")
    with pytest.raises(DataError, match="expected little-endian numbers"):
        read_weights(tmp_path)
    storage = torch_file(tmp_path, tensor_pickle().replace(b"ctorch\nFloatStorage\n", unfolding))
    with pytest.raises(DataError, match="expected a storage and its name"):
        read_file(storage)


@pytest.mark.parametrize(
    "unusual",
    [{"compression": zipfile.ZIP_DEFLATED}, {"byteorder": b"big"}, {"other/data.pkl": b""}],
)
def test_a_zip_that_pytorch_would_not_write_is_refused(tmp_path, unusual):
    path = torch_file(tmp_path, tensor_pickle(), **unusual)
    with pytest.raises(DataError):
        read_file(path)


def test_a_zip_that_was_cut_off_is_refused(tmp_path):
    path = torch_file(tmp_path, tensor_pickle())
    whole = path.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError):
            read_file(path)


def test_a_hostile_file_of_paddle_is_refused(tmp_path):
    path = tmp_path / "model_state.pdparams"
    sound = pickle.dumps({"a": np.arange(300, dtype=np.float32)}, 4)
    for content in (
        b"",
        sound[:-40],
        pickle.dumps({"a": np.array([None])}),
        pickle.dumps({"a": np.array(["x"])}),
        pickle.dumps({"a": 1}),
        pickle.dumps({"a": np.arange(3, dtype=">f4")}),
        pickle.dumps([1]),
        pickle.dumps({1: np.ones(2)}),
        sound.replace(b"M,\x01", b"M-\x01"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError) as error:
            read_file(path)
        assert str(error.value).startswith(f"{path}: ")
