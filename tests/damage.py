"""What disks do to files."""

from pathlib import Path


def flip(path: Path, bit: int | None = None) -> None:
    """Changes one bit of a file, the middle one unless another is given."""
    content = bytearray(path.read_bytes())
    position = len(content) * 4 if bit is None else bit
    content[position // 8] ^= 1 << position % 8
    path.write_bytes(content)


def halve(path: Path) -> None:
    """Cuts a file in the middle."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path: Path) -> None:
    """Leaves nothing of a file but its name."""
    path.write_bytes(b"")


DAMAGES = (flip, halve, empty)
