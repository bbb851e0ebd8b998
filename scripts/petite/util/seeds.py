"""Random streams: every purpose draws from its own, so that none disturbs another."""

import zlib

import numpy as np


def generator(seed: int, *purpose: str) -> np.random.Generator:
    """A random generator for `seed` (>= 0) and a purpose, say `generator(3, "split")`.

    The same seed and purpose give the same stream on any machine; another purpose gives an
    independent one.
    """
    name = zlib.crc32("/".join(purpose).encode("utf-8"))
    return np.random.default_rng(np.random.SeedSequence([seed, name]))
