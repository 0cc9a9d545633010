"""Chance has one owner: a generator from a seed, what it is for, and an id or step. Never the global one."""

import hashlib

import numpy as np


def generator(seed: int, purpose: str, *which: object) -> np.random.Generator:
    """Returns the same generator for the same seed, purpose and ids, whatever was drawn elsewhere."""
    return np.random.default_rng(number(seed, purpose, *which, bits=128))


def number(seed: int, purpose: str, *which: object, bits: int = 31) -> int:
    """Returns a number below 2**bits for what takes a plain seed."""
    name = "\t".join(map(str, (seed, purpose, *which)))
    return int.from_bytes(hashlib.sha256(name.encode()).digest(), "big") >> (256 - bits)
