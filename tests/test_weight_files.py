"""Weights that others wrote: read to the last bit from every format, and hostile files refused in one line."""

import base64
import json
import lzma
import pickle
import struct
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from rocketqa.files.errors import DataError
from rocketqa.weights.weight_files import read_file, read_weights

# What PyTorch 2.13 wrote of {"a": arange(6.).reshape(2, 3).t(), "b": bfloat16 [1.5, -2], "c": a Parameter of float16
# [0.25], "position_ids": arange(3)}.
WRITTEN_BY_PYTORCH = (
    "XQAAAAT//////////wAoErxgJ+cNi6hSNClg99fhzj9CyPcNdA3GcizNY7fU/gUl4pO0Vy6caPDUWp/Ri+LU5AAwyWRhff1x5QpW+7QlKWG7ka"
    "gIEb32s5pZKlfSk1AAlFAsSdgdMs45rndhgX7jxRikevkSw4SQXGv32fUOIT3lNlxhxLGnZISCebkcw6brAuT6Gzt8pfI9JHfy6oEq6hAYT1an"
    "o7OgXxwjqO4rWvhj0UXfKV0AAawUGkWrh+G787H1ICf7U1s7GVVsxmqJCFcfniCZkt7TRMoLfayIbfklyLWqzgL8u/czSM97gF7jtbyDmIZ4mJ"
    "fVjmuZTU/Fi8jJJMSV8fsOG1YNBrbQ8xN87X/V5+wJ94w8a+dpNX2gQOgafUFFw3zKlq4wcjNXZjmWcOIY02zUGZTXT2++FDSoqRYxvVkM3cuI"
    "nAE1G4pn4Hatc9qKuFoAlOnA65EDse1CtiNZQshzZ5P0YgEkEWAyaW3z2cB4zDws1Zzo+U1v/fADDlEnmsvMJWBs3yV9NzgnKTXZ6eT2yaeIjl"
    "YQYdrShpklP33KDUc/icTMUkF2Pmf1goND0BbS520wNVUhwh8vfXSxVN7Viil6w95LD2v96SK4WmfZJHkFvYg4DMHkAq5aDLHtx36j1Md/CkBD"
    "mnIda+9slZByavjj6PS/MMdEeS4BX5EY+SCNAwN15vBVKiDnc23SqfeOLhRKeWJ8UMP30lGvUZ5wc/6BIJf2xPeDQoKkNtfxIEVm59NrGSDwxE"
    "2y4UJU9uapOszMYfY268nq7Gg8KJcRO+qyVm7GUPyD3VLS96XqLzI00VjF7P0q5djdrBdm5gZrUNmLAlIj98DB/rYdvBmeatcaeH0tMYaPVg0E"
    "795s8gb9dy8j3RrRfegUzPErD19oO3VqGHIZwd4wutTbmR3vrTSKSbH976JuaoMIpsqMFiE86lTcB7U24J0bVtNsHpVSlPinML+7oRN5vJW0AJ"
    "44Bx75klg620pZjMnZdKmDt9ClIAFLnaN/qY6Fjudwm2Q5ahSTYQ6nXp+WTqQv/S4GqQ=="
)


def torch_file(folder, structure: bytes, compression=zipfile.ZIP_STORED, **entries):
    path = folder / "pytorch_model.bin"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", structure)
        archive.writestr("archive/data/0", np.arange(6, dtype="<f4").tobytes())
        for name, content in entries.items():
            archive.writestr(name if "/" in name else f"archive/{name}", content)
    return path


def tensor(
    offset="I0", shape="(I2\nI3\nt", strides="(I3\nI1\nt", storage="torch\nFloatStorage", key="0"
):
    """Returns the pickle of {"a": a tensor}, opcode by opcode."""
    return (
        f"(dVa\nctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nc{storage}\nV{key}\nVcpu\nI6\ntQ{offset}\n"
        f"{shape}{strides}I00\nNtRs."
    ).encode()


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
    assert read_file(torch_file(tmp_path, tensor()))["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_file_of_paddle_is_read(tmp_path):
    import paddle

    weights = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1.5], np.float16)}
    for protocol in (2, 4):
        paddle.save(
            {name: paddle.to_tensor(value) for name, value in weights.items()},
            str(tmp_path / "model_state.pdparams"),
            protocol=protocol,
        )
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


def test_every_float_of_two_bytes_is_read_exactly(tmp_path):
    bits = np.arange(1 << 16, dtype="<u2")
    finite = bits[(bits & 0x7F80) != 0x7F80]
    header = json.dumps(
        {"b": {"dtype": "BF16", "shape": [len(finite)], "data_offsets": [0, 2 * len(finite)]}}
    )
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + finite.tobytes())
    found = read_file(path)["b"]
    assert found.dtype == np.float32
    for place in (1, 127, 128, 16256, len(finite) - 1):
        sign, exponent, part = (
            int(finite[place]) >> 15,
            int(finite[place]) >> 7 & 255,
            int(finite[place]) & 127,
        )
        expected = (part / 128 + (exponent > 0)) * 2.0 ** (max(exponent, 1) - 127) * (-1) ** sign
        assert found[place] == expected
    save_file({"h": np.array([1 / 3, 65504, 6e-8], np.float16)}, path)
    assert (read_file(path)["h"] == np.array([1 / 3, 65504, 6e-8], np.float16)).all()


def test_weights_in_several_files_are_one(tmp_path):
    save_file({"a": np.ones(2, np.float32)}, tmp_path / "model-1.safetensors")
    save_file({"b": np.zeros(3, np.float32)}, tmp_path / "model-2.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}')
    assert {name: value.shape for name, value in read_weights(tmp_path).items()} == {
        "a": (2,),
        "b": (3,),
    }
    for broken in (
        '{"weight_map": {"c": "model-1.safetensors"}}',
        '{"weight_map": {"a": "../model-1.safetensors"}}',
        '{"weight_map": {"a": "model-3.safetensors"}}',
        '{"weight_map": {"a": 1}}',
        "[]",
        "{",
        "{}",
        '{"weight_map": {"a": "model-1.safetensors"}, "more": ' + "[" * 100_000,
    ):
        index.write_text(broken)
        with pytest.raises(DataError):
            read_weights(tmp_path)


def test_a_parameter_that_the_index_leaves_out_is_refused(tmp_path):
    save_file(
        {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}, tmp_path / "model-1.safetensors"
    )
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    with pytest.raises(DataError) as error:
        read_weights(tmp_path)
    assert str(error.value) == f"{index}: expected every parameter of its files, got none of ['b']"


WHOLE = save({"a": np.arange(6, dtype=np.float32), "b": np.arange(4, dtype=np.float32)})


def with_header(**changes) -> bytes:
    (size,) = struct.unpack("<Q", WHOLE[:8])
    header = json.loads(WHOLE[8 : 8 + size])
    header["a"] |= changes
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + WHOLE[8 + size :]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        WHOLE[:5],
        WHOLE[:60],
        WHOLE[:-1],
        WHOLE + b"x",
        struct.pack("<Q", 1 << 40) + WHOLE[8:],
        struct.pack("<Q", len(WHOLE)) + WHOLE[8:],
        struct.pack("<Q", 2) + b"\xff\xfe",
        struct.pack("<Q", 2) + b"[]",
        with_header(shape=[7]),
        with_header(shape=[-6]),
        with_header(dtype="F64"),
        with_header(dtype="F31"),
        with_header(data_offsets=[0, 30]),
        with_header(data_offsets=[8, 32]),
        with_header(data_offsets=[24, 0]),
        with_header(shape=[1 << 62, 6]),
    ],
)
def test_broken_safetensors_are_refused(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_weights(tmp_path)
    assert str(error.value).startswith(f"{path}: expected ") and "\n" not in str(error.value)


class Harm:
    """A pickle that would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("wrap", [lambda harm: harm, lambda harm: {"a": harm}, lambda harm: [harm]])
def test_a_pickle_can_call_nothing(tmp_path, wrap):
    for protocol in range(5):
        bomb = pickle.dumps(wrap(Harm(tmp_path / "harm")), protocol)
        (tmp_path / "model_state.pdparams").write_bytes(bomb)
        for path in (tmp_path / "model_state.pdparams", torch_file(tmp_path, bomb)):
            with pytest.raises(
                DataError, match=r"tensors only, got a call of '(_?io|__builtin__|builtins).open'"
            ):
                read_file(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "structure",
    [
        b"",
        b".",
        b"N.",
        tensor()[:-5],
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
        tensor(offset="I1"),
        tensor(offset="I-1"),
        tensor(shape="(I2\nI4\nt"),
        tensor(shape="(I-2\nI3\nt"),
        tensor(shape=f"(I{1 << 60}\nI{1 << 60}\nt", strides="(I0\nI0\nt"),
        tensor(strides="(I4\nI1\nt"),
        tensor(strides="(I-3\nI1\nt"),
        tensor(strides="(I1\nt"),
        tensor(key="1"),
        tensor(key="../data.pkl"),
        tensor(storage="torch\nQInt8Storage"),
        tensor(storage="torch\nDoubleStorage"),
        tensor(offset="Vx"),
        tensor(shape="N"),
        b"\x80\x04\x8c\x03a\nb\x8c\x01c\x93.",
    ],
)
def test_a_hostile_file_of_pytorch_is_refused(tmp_path, structure):
    path = torch_file(tmp_path, structure)
    with pytest.raises(DataError) as error:
        read_file(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_tensors_that_share_a_storage_are_read_once(tmp_path):
    found = read_file(torch_file(tmp_path, tensor()[:-1] + tensor()[2:].replace(b"Va", b"Vb")))
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
    storage = torch_file(tmp_path, tensor().replace(b"ctorch\nFloatStorage\n", unfolding))
    with pytest.raises(DataError, match="expected a storage and its name"):
        read_file(storage)


@pytest.mark.parametrize(
    "unusual",
    [{"compression": zipfile.ZIP_DEFLATED}, {"byteorder": b"big"}, {"other/data.pkl": b""}],
)
def test_a_zip_that_pytorch_would_not_write_is_refused(tmp_path, unusual):
    path = torch_file(tmp_path, tensor(), **unusual)
    with pytest.raises(DataError):
        read_file(path)


def test_a_zip_that_was_cut_off_is_refused(tmp_path):
    path = torch_file(tmp_path, tensor())
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


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"expected weights \(model.safetensors, pytorch_model.bin, "
    ):
        read_weights(tmp_path)
