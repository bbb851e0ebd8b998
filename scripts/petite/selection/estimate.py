"""How long a selection will take and how much memory, before it is started.

A method states its cost in matrix products, passes over elements and iterations of Python's loops
(`Method.cost`). How fast this machine does each is measured in a second or two. The estimate of a
method that does not state its cost is unknown.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from petite.selection import partitions
from petite.selection.base import Method
from petite.selection.cost import MOST_BLOCK_BYTES, MOST_HELD_BYTES, stages
from petite.selection.quota import shares, weights_of
from petite.selection.registry import METHODS, checked_settings
from petite.util.formatting import byte_size

# Turns of a loop that every selection takes, and for each place of a ranking.
OF_EACH_SELECTION = 1_000
OF_EACH_PLACE = 0.65


@dataclass(frozen=True)
class Speeds:
    """What the machine does in a second: multiply-adds, elements passed over, turns of a loop."""

    products: float
    elements: float
    steps: float


@dataclass(frozen=True)
class Estimate:
    """A forecast: seconds, bytes of memory, and the number of partitions it is for."""

    seconds: float
    memory: float
    partitions: int


def calibrate() -> Speeds:
    """Measure this machine, in some tenths of a second.

    In pieces of a millisecond or two, the fastest of which counts: other work seldom interrupts
    all of them. The kinds of work take turns, so that a slow moment does not hit one alone.
    """
    random = np.random.default_rng(0)
    a = random.random((8, 512, 64), np.float32)
    b = random.random((64, 2048), np.float32)
    out = np.empty((8, 512, 2048), np.float32)
    small = np.zeros(16)
    kinds: tuple[tuple[int, Callable[[int], Any]], ...] = (
        (a[0].size * b.shape[1], lambda piece: np.matmul(a[piece], b, out[piece])),
        (out[0].size, lambda piece: np.maximum(out[piece], 0.5, out[piece])),
        (1_000, lambda piece: [small.sum() for _ in range(1_000)]),
    )
    fastest = [0.0] * len(kinds)
    for piece in [*range(8)] * 10:
        for kind, (amount, work) in enumerate(kinds):
            began = time.perf_counter()
            work(piece)
            fastest[kind] = max(fastest[kind], amount / (time.perf_counter() - began))
    return Speeds(*fastest)


def estimate(
    method: Method,
    settings: Any,
    sizes: np.ndarray,
    k: int,
    dimensions: int,
    speeds: Speeds,
    wanted_partitions: int | None = None,
    quota: str = "proportional",
) -> Estimate:
    """Estimate the time and memory of a selection of k images.

    The quota "error" counts as "equal": the errors are known after the proxy's training.

    Parameters
    ----------
    method, settings, sizes, dimensions
        As `petite.selection.cost.stages` takes them.
    k : int
        How many images are chosen.
    speeds : Speeds
        Of this machine.
    wanted_partitions : int, optional
        As `petite.selection.select` takes `partitions`.
    quota : str
        The rule by which k is shared among the classes.

    Returns
    -------
    Estimate
        Seconds and memory are NaN where the method does not state its cost.
    """
    parts = partitions.how_many(method, settings, sizes, wanted_partitions)
    known = "equal" if quota == "error" else quota
    quotas = shares(sizes, weights_of(known, sizes, np.arange(len(sizes))), k)
    costs = stages(method, settings, sizes, quotas, dimensions, parts)
    if not costs:
        return Estimate(np.nan, np.nan, parts)
    seconds = sum(
        cost.products / speeds.products
        + cost.elements / speeds.elements
        + cost.steps / speeds.steps
        for cost in costs
    )
    held = max(cost.pairs for cost in costs)
    blocks = max(cost.blocks for cost in costs)
    # Checks, and the classes put in turn: in Python, image by image.
    turns = int(sizes.sum()) if method.traits(settings).ranks else k
    seconds += (OF_EACH_SELECTION + OF_EACH_PLACE * turns) / speeds.steps
    return Estimate(
        seconds,
        max(cost.memory for cost in costs)
        + min(blocks, MOST_BLOCK_BYTES)
        + (held if held <= MOST_HELD_BYTES else 0),
        parts,
    )


class EstimateRow(TypedDict):
    """What an entry of a configuration costs; NaN where a method does not state its cost."""

    label: str
    selections: int
    seconds: float  # of all selections
    seconds_each: float  # of the longest
    memory: float  # of the largest, bytes


def estimate_entries(
    labels: np.ndarray,
    speeds: Speeds,
    entries: dict[str, Any],
    widths: Mapping[str, int],
    partitions: int | None,
) -> list[EstimateRow]:
    """Estimate each entry of a configuration: all its selections together.

    Features and proxies, which the methods share, are not counted.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Of the training images.
    speeds : Speeds
        Of this machine.
    entries : dict from str to dict
        By label, with steps, fractions, the number of `seeds` of each fraction, depth (the share
        that is ranked, None where each fraction is chosen by itself) and seeded (whether each seed
        chooses again).
    widths : mapping from str to int
        Of the features, by space.
    partitions : int or None
        As `petite.selection.select` takes it.

    Returns
    -------
    list of EstimateRow
    """
    _, sizes = np.unique(labels, return_counts=True)
    rows: list[EstimateRow] = []
    for label, entry in entries.items():
        sizes_asked = [entry["depth"]] if entry["depth"] else entry["fractions"]
        times = [max(entry["seeds"])] if entry["depth"] else entry["seeds"]
        if not entry["seeded"]:
            times = [1] * len(sizes_asked)
        each = []
        for share in sizes_asked:
            found, pool = [], sizes
            for step in entry["steps"]:
                if step["method"] not in METHODS:  # augmentation: no selection
                    continue
                method = METHODS[step["method"]]
                k = min(int(pool.sum()), max(1, round(step["share"] * share * len(labels))))
                settings = checked_settings(method, step["settings"])
                width = widths.get(step["space"], 0)
                found.append(
                    estimate(method, settings, pool, k, width, speeds, partitions, step["quota"])
                )
                pool = np.maximum(1, pool * k // pool.sum())
            each.append((sum(e.seconds for e in found), np.max([e.memory for e in found])))
        rows.append(
            {
                "label": label,
                "selections": sum(times),
                "seconds": sum(n * took for n, (took, _) in zip(times, each, strict=True)),
                "seconds_each": np.max([seconds for seconds, _ in each]),
                "memory": np.max([memory for _, memory in each]),
            }
        )
    return rows


def as_text(rows: list[EstimateRow]) -> str:
    """The rows as a table for people."""
    lines = [f"{'method':<24} {'selections':>10} {'seconds each':>13} {'seconds':>9}  memory"]
    for row in rows:
        each, seconds, memory = "unknown", "unknown", "unknown"
        if not np.isnan(row["seconds"]):
            each, seconds = f"{row['seconds_each']:.2f}", f"{row['seconds']:.1f}"
            memory = byte_size(row["memory"])
        lines.append(
            f"{row['label']:<24} {row['selections']:>10} {each:>13} {seconds:>9}  {memory}"
        )
    total = np.nansum([row["seconds"] for row in rows])
    lines.append(f"{'together':<24} {'':>10} {'':>13} {total:>9.1f}")
    return "\n".join(lines) + "\n"
