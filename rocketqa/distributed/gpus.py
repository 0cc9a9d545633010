"""The GPUs of this machine. Paddle is loaded only where it is one that computes on GPUs."""

from importlib.metadata import PackageNotFoundError, version


def number_of_gpus() -> int:
    """Returns the number of GPUs, 0 with a Paddle that computes on the CPU."""
    try:
        version("paddlepaddle-gpu")
    except PackageNotFoundError:
        return 0
    import paddle

    return paddle.device.cuda.device_count()


def smallest_memory(gpus: int) -> int:
    """Returns the memory of the smallest of the first `gpus` GPUs, in bytes."""
    import paddle

    properties = [paddle.device.cuda.get_device_properties(gpu) for gpu in range(gpus)]
    return min(each.total_memory for each in properties)
