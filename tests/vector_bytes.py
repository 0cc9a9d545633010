"""Trains and encodes a tiny flight, and prints the digest of its vectors.

.ci/run calls this program on each Python of a machine, and compares what it prints.
"""

import hashlib
import subprocess
import tempfile
from pathlib import Path

from toy_files import ENVIRONMENT, dual_flags, verb, write_tiny_flight


def run(name: str, *flags: object) -> None:
    """Runs a verb, which must succeed."""
    subprocess.run(verb(name, *flags), env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)


def digest_of_vectors(folder: Path) -> str:
    """Returns the sha256 of the vectors that a model has after 20 steps of training."""
    write_tiny_flight(folder)
    run("train-dual-encoder", *dual_flags(folder, folder / "model", 4))
    vectors = folder / "vectors"
    texts = ("--collection", folder / "collection.tsv")
    run("encode", "--checkpoint", folder / "model", *texts, "--output", vectors)
    arrays = [path.read_bytes() for path in sorted(vectors.glob("*.npy"))]
    assert arrays
    return hashlib.sha256(b"".join(arrays)).hexdigest()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(digest_of_vectors(Path(name)))
