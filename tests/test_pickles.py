"""A pickle of tensors is read without calling anything, and every other pickle is refused."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from pickled_weights_fixture import Harm, tensor_pickle, torch_file

from rocketqa.files.errors import DataError
from rocketqa.weights.pickles import REBUILD_TENSOR, RecordedCall, read_tensor_pickle
from rocketqa.weights.weight_files import read_file


def read(pickled: bytes) -> dict[str, object]:
    return read_tensor_pickle(io.BytesIO(pickled), len(pickled), Path("w.bin"))


def test_a_call_is_recorded_and_not_made():
    call = read(tensor_pickle())["a"]
    assert isinstance(call, RecordedCall)
    assert call.function == REBUILD_TENSOR
    storage, offset, shape, strides, _, _ = call.arguments
    assert storage == ("storage", "FloatStorage", "0", "cpu", 6)
    assert (offset, shape, strides) == (0, (2, 3), (3, 1))


def test_the_state_that_a_pickle_sets_is_recorded():
    call = read(pickle.dumps({"a": np.arange(3, dtype="<f4")}, 4))["a"]
    assert isinstance(call, RecordedCall)
    _, shape, number_type, by_columns, content = call.state
    assert (shape, by_columns) == ((3,), False)
    assert number_type.arguments[0] == "f4"
    assert content == np.arange(3, dtype="<f4").tobytes()


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


@pytest.mark.parametrize("protocol", range(5))
def test_the_name_that_is_called_is_told(tmp_path, protocol):
    with pytest.raises(DataError, match=r"^w.bin: expected tensors only, got a call of '.*open'$"):
        read(pickle.dumps({"a": Harm(tmp_path / "harm")}, protocol))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("put", [b"r\xff\xff\xff\x7f", b"p4294967295\n"])
def test_a_memo_larger_than_its_pickle_is_refused_before_it_takes_memory(put):
    with pytest.raises(DataError, match="expected at most .* remembered values, got "):
        read(b"}" + put + b".")


@pytest.mark.parametrize("content", [[1], {1: 2}, None, "text"])
def test_a_pickle_without_named_tensors_is_refused(content):
    with pytest.raises(DataError, match="w.bin: expected names with their tensors, got something"):
        read(pickle.dumps(content))
