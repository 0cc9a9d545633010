"""What the machine of a flight must have: writable folders, room on the disk, packages, GPUs."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rocketqa.distributed.gpus import number_of_gpus
from rocketqa.files.errors import DataError, one_line
from rocketqa.files.packages import MissingPackage, import_package
from rocketqa.training.plan import PipelinePlan
from rocketqa.training.plan_numbers import GIB

LAUNCHER = ("PADDLE_NNODES", "PADDLE_TRAINERS_NUM")
DEVICES = ("DEVICES", "DEVICES_CROSS", "DEVICES_INFERENCE")


class Refusal(NamedTuple):
    """One line about what must be mended.

    of_machine: this machine is too small. In a plan that is no fault, because a plan is often made
    on another machine than the flight.
    """

    line: str
    of_machine: bool = False


def refusals_of_the_launcher() -> Iterator[Refusal]:
    """Yields the variables of Paddle's launcher that ask for several machines or processes."""
    for name in LAUNCHER:
        value = os.environ.get(name) or "1"
        if value != "1":
            expected = "expected 1 or no value: NODES starts a flight on several machines, DEVICES"
            yield Refusal(f"{name}: {expected} on several devices, got {value}")


def refusals_of_nodes(variables: Mapping[str, str]) -> Iterator[Refusal]:
    """Yields the numbers of devices that the nodes of the flight cannot share evenly."""
    nodes = _nodes()
    for name in DEVICES:
        devices = int(variables.get(name, 1))
        if devices > 1 and devices % nodes:
            expected = f"expected 1 or a multiple of NODES={nodes}"
            yield Refusal(f"{name}: {expected}, got {devices}")


def _nodes() -> int:
    """Returns the number of nodes of this flight; `rocketqa.distributed.nodes` has checked it."""
    value = os.environ.get("NODES", "")
    return max(1, int(value)) if value.isdecimal() else 1


def refusals_of_folders(variables: Mapping[str, str]) -> Iterator[Refusal]:
    """Yields the folders of the env file in which no file can be made."""
    for name in ("OUTPUT_DIR", "CHECKPOINT_DIR"):
        if name in variables:
            folder = Path(variables[name])
            fault = _fault_of_folder(folder)
            if folder.resolve() == Path(variables.get("DATA_DIR", "/")).resolve():
                fault = "expected another folder than DATA_DIR, got the same"
            if fault:
                yield Refusal(f"{name}: {fault}")


def _fault_of_folder(folder: Path) -> str:
    """Returns why no file can be made in a folder, or where it will be made; else an empty text."""
    parent = _nearest_that_exists(folder)
    if not parent.is_dir():
        return f"expected a folder, got {parent}, which is none"
    try:
        with tempfile.TemporaryFile(dir=parent):
            return ""
    except OSError as error:
        reason = error.strerror or one_line(error)
        return f"expected a folder that can be written, got {parent}: {reason}"


def _nearest_that_exists(path: Path) -> Path:
    path = path.absolute()
    while not os.path.lexists(path):
        path = path.parent
    return path


def refusals_of_packages(packages: Iterable[str]) -> Iterator[Refusal]:
    """Yields the packages that cannot be imported."""
    for package in packages:
        try:
            import_package(package, f"package {package}", "it to be installed")
        except MissingPackage as error:
            yield Refusal(str(error))


def refusals_of_gpus(variables: Mapping[str, str]) -> Iterator[Refusal]:
    """Yields the precisions that this machine does not train in, and the GPUs that it lacks."""
    for name in ("PRECISION", "PRECISION_CROSS"):
        precision = variables.get(name, "float32")
        if precision != "float32":
            from rocketqa.training.run import refuse_unless_supported

            try:
                refuse_unless_supported(precision)
            except DataError as error:
                fault = str(error).removeprefix("--precision ")
                yield Refusal(f"{name}={fault}", of_machine=True)
    gpus = number_of_gpus()
    if gpus:
        yield from refusals_of_devices(variables, gpus)


def refusals_of_devices(variables: Mapping[str, str], gpus: int) -> Iterator[Refusal]:
    """Yields the numbers of devices that are above the number of GPUs.

    All nodes of a flight count as machines with as many GPUs as this one.
    """
    nodes = _nodes()
    of_whom = "this machine" if nodes == 1 else f"{nodes} machines like this one"
    for name in DEVICES:
        if int(variables.get(name, 1)) > gpus * nodes:
            expected = f"expected at most {gpus * nodes}, the GPUs of {of_whom}"
            cure = "" if name == "DEVICES_INFERENCE" else "; ACCUMULATE stands in for devices"
            line = f"{name}: {expected}, got {variables[name]}{cure}"
            yield Refusal(line, of_machine=True)


def refusals_of_disk(
    variables: Mapping[str, str], kind: type[PipelinePlan] = PipelinePlan
) -> Iterator[Refusal]:
    """Yields the disks with less room than the plan foretells, without what has been made.

    kind: the plan of the script.
    """
    outputs, checkpoints = kind(variables).disk()
    needed: dict[int, float] = {}  # device number -> bytes
    folders: dict[int, str] = {}  # device number -> the first folder on it
    for name, size in (("OUTPUT_DIR", outputs), ("CHECKPOINT_DIR", checkpoints)):
        folder = Path(variables[name])
        device = _nearest_that_exists(folder).stat().st_dev
        folders.setdefault(device, variables[name])
        needed[device] = needed.get(device, 0) + max(0, size - _bytes_in(folder))
    for device, size in needed.items():
        free = shutil.disk_usage(_nearest_that_exists(Path(folders[device]))).free
        if free < size:
            expected = f"expected {size / GIB:.1f} GiB of free disk, as the plan foretells"
            got = f"{free / GIB:.1f} GiB"
            yield Refusal(f"{folders[device]}: {expected}, got {got}", of_machine=True)


def _bytes_in(folder: Path) -> int:
    """Returns the bytes of all files below a folder, 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
