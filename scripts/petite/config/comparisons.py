"""Which comparisons a judge makes: they are one family of tests, which Holm's method adjusts."""

from collections.abc import Collection

from petite.config.methods import FULL, RANDOM
from petite.util.encoded_names import encoding_of, in_encoding, method_of

# The name of a method, with its encoding, and a fraction.
Case = tuple[str, float]


def with_random(cases: Collection[Case]) -> list[Case]:
    """Those that are compared with random at the same fraction and in the same encoding."""
    return [
        (name, share)
        for name, share in cases
        if method_of(name) != RANDOM and (in_encoding(RANDOM, encoding_of(name)), share) in cases
    ]


def with_full(cases: Collection[Case]) -> list[Case]:
    """Those that are compared with all training images."""
    full = (FULL, 1.0)
    return [case for case in cases if case != full] if full in cases else []
