"""Random generators, each made from a seed, what it is for, and an id or a step.

The global generators are never used. So a draw does not depend on the order of the work, on the
number of processes, or on a training that was resumed.
"""

import hashlib

import numpy as np


def generator(seed: int, purpose: str, *identity: object) -> np.random.Generator:
    """Returns the same generator for the same seed, purpose and identity (ids or steps)."""
    return np.random.default_rng(number(seed, purpose, *identity, bits=128))


def number(seed: int, purpose: str, *identity: object, bits: int = 31) -> int:
    """Returns a number from 0 to below 2**bits, for libraries that take a plain seed.

    bits: at most 256.
    """
    words = (seed, purpose, *identity)
    name = "\t".join(map(str, words))
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest, "big") >> (256 - bits)
