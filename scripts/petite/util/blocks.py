"""Rows in blocks of a bounded size."""

from collections.abc import Iterator


def slices(count: int, bytes_each: int, block_bytes: int) -> Iterator[slice]:
    """Yield slices of `count` rows, each of at most `block_bytes` but at least one row."""
    rows = max(1, block_bytes // max(1, bytes_each))
    for start in range(0, count, rows):
        yield slice(start, min(start + rows, count))
