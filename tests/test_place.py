"""A program computes on the device that it asks for, or learns that there is no such device."""

import pytest

from rocketqa.distributed.place import place_of
from rocketqa.files.errors import DataError


def test_without_cuda_the_place_is_the_cpu():
    assert place_of(False, 0).is_cpu_place()


def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(DataError, match="^device_id: expected one of .* GPUs .*, got 5000"):
        place_of(True, 5000)
