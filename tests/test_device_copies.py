"""Arrays go to a GPU through pinned memory, without waiting for it."""

import inspect

import numpy as np
import paddle

from rocketqa.distributed.device_copies import to_device


def test_on_a_cpu_the_tensor_has_the_values_and_is_a_copy():
    array = np.array([[1, 2], [3, 4]], np.int64)
    tensor = to_device(array)
    array[0, 0] = 9
    assert tensor.tolist() == [[1, 2], [3, 4]]
    assert tensor.dtype == paddle.int64 and tensor.place.is_cpu_place() and tensor.stop_gradient


def test_on_a_gpu_the_array_is_pinned_and_nothing_waits_for_its_copy(monkeypatch):
    copies = []

    def cuda(tensor, device_id=None, blocking=True):
        copies.append((tensor, blocking))
        return tensor

    assert [*inspect.signature(paddle.Tensor.cuda).parameters] == ["self", "device_id", "blocking"]
    places = []

    def pinned_place():
        places.append("pinned")
        return paddle.CPUPlace()

    assert inspect.isclass(paddle.CUDAPinnedPlace)
    monkeypatch.setattr(paddle.device, "get_device", lambda: "gpu:1")
    monkeypatch.setattr(paddle, "CUDAPinnedPlace", pinned_place)
    monkeypatch.setattr(paddle.Tensor, "cuda", cuda)
    tensor = to_device(np.array([1.5, 2.5], np.float32))
    assert places == ["pinned"]
    [(copied, blocking)] = copies
    assert copied is tensor and blocking is False
    assert tensor.tolist() == [1.5, 2.5]
