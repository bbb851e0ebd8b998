"""Estimate the time and memory of selections before they start.

A method states its cost in matrix products, processed elements and iterations of Python loops
(`Method.cost`). The speed of this machine in each is measured in a second or two. There is no
estimate for a method that does not state its cost.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from petite.selection import partitions
from petite.selection.base import Method, StepParams
from petite.selection.cost import MOST_BLOCK_BYTES, MOST_HELD_BYTES, stages
from petite.selection.quota import shares, weights_of
from petite.selection.registry import METHODS, checked_settings
from petite.util.formatting import byte_size

# Iterations of Python loops of every selection, and for each place of a ranking.
OF_EACH_SELECTION = 1_000
OF_EACH_PLACE = 0.65


@dataclass(frozen=True)
class Speeds:
    """The machine's speeds per second: multiply-adds, processed elements, loop iterations."""

    products: float
    elements: float
    steps: float


@dataclass(frozen=True)
class Estimate:
    """Estimated seconds and bytes of memory."""

    seconds: float
    memory: float


def calibrate() -> Speeds:
    """Measure the speeds of this machine, in some tenths of a second.

    The fastest of many pieces of a millisecond or two counts, as other processes rarely interrupt
    all of them. The kinds of work alternate, so that a slow moment does not affect a single one.
    """
    rng = np.random.default_rng(0)
    a = rng.random((8, 512, 64), np.float32)
    b = rng.random((64, 2048), np.float32)
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

    The quota "error" counts as "equal", as the errors are only known after the proxy run.

    Parameters
    ----------
    method, settings, sizes, dimensions
        As `petite.selection.cost.stages` takes them.
    k : int
        How many images are selected.
    speeds : Speeds
        Of this machine.
    wanted_partitions : int, optional
        As `petite.selection.select` takes `partitions`.
    quota : str
        How k is divided among the classes.

    Returns
    -------
    Estimate
        Seconds and memory are NaN if the method does not state its cost.
    """
    parts = partitions.how_many(method, settings, sizes, wanted_partitions)
    known = "equal" if quota == "error" else quota
    quotas = shares(sizes, weights_of(known, sizes, np.arange(len(sizes))), k)
    costs = stages(method, settings, sizes, quotas, dimensions, parts)
    if not costs:
        return Estimate(np.nan, np.nan)
    seconds = sum(
        cost.products / speeds.products
        + cost.elements / speeds.elements
        + cost.steps / speeds.steps
        for cost in costs
    )
    held = max(cost.pairs for cost in costs)
    blocks = max(cost.blocks for cost in costs)
    # Checks, and interleaving the classes, in Python for each image.
    turns = int(sizes.sum()) if method.traits(settings).ranks else k
    seconds += (OF_EACH_SELECTION + OF_EACH_PLACE * turns) / speeds.steps
    return Estimate(
        seconds,
        max(cost.memory for cost in costs)
        + min(blocks, MOST_BLOCK_BYTES)
        + (held if held <= MOST_HELD_BYTES else 0),
    )


class Entry(TypedDict):
    """An entry of a configuration: its steps, and how often they run."""

    steps: list[StepParams]
    fractions: list[float]
    seeds: list[int]  # the number of seeds of each fraction
    depth: float | None  # the fraction that is ranked; None if each is selected separately
    seeded: bool  # whether each seed selects separately


class EstimateRow(TypedDict):
    """The cost of an entry; NaN if a method does not state its cost."""

    label: str
    selections: int
    seconds: float  # of all selections
    seconds_each: float  # of the longest
    memory: float  # of the largest, bytes


def estimate_entries(
    labels: np.ndarray,
    speeds: Speeds,
    entries: Mapping[str, Entry],
    widths: Mapping[str, int],
    partitions: int | None,
) -> list[EstimateRow]:
    """Estimate the total cost of the selections of each entry of a configuration.

    Features and proxies are not included, as the methods share them.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Labels of the training images.
    speeds : Speeds
        Of this machine.
    entries : mapping from str to Entry
        By label.
    widths : mapping from str to int
        Number of features of each space.
    partitions : int or None
        As `petite.selection.select` takes it.

    Returns
    -------
    list of EstimateRow
    """
    _, sizes = np.unique(labels, return_counts=True)
    rows: list[EstimateRow] = []
    for label, entry in entries.items():
        depths = [entry["depth"]] if entry["depth"] else entry["fractions"]
        times = [max(entry["seeds"])] if entry["depth"] else entry["seeds"]
        if not entry["seeded"]:
            times = [1] * len(depths)
        each = []
        for share in depths:
            found, pool = [], sizes
            for step in entry["steps"]:
                if step["method"] not in METHODS:  # augmentation: no selection
                    continue
                method = METHODS[step["method"]]
                k = min(int(pool.sum()), max(1, round(step["share"] * share * len(labels))))
                settings = checked_settings(method, step["settings"])
                width = widths.get(step["space"] or "", 0)
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
    """Format the rows as a text table."""
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
