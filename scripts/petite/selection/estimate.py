"""How long a selection will take and how much memory, before it is begun.

Each method tells its cost in matrix products, passes over elements and turns of Python's loops
(`Method.cost`); how fast this machine does each is measured in a second or two.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from petite.memory import in_words
from petite.selection import partitions
from petite.selection.base import Cost, Method
from petite.selection.kernels import FLOAT

# The similarities of all pairs of 8,192 images.
MOST_HELD_BYTES = 256 * 2**20

# Turns of a loop that every selection takes, and for each place of a ranking.
OF_EACH_SELECTION = 10_000
OF_EACH_PLACE = 4


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
    """Measure this machine, in some tenths of a second."""
    random = np.random.default_rng(0)
    a = random.random((4096, 64), np.float32)
    b = random.random((64, 2048), np.float32)
    out = np.empty((4096, 2048), np.float32)
    products = a.size * b.shape[1] / _seconds(lambda: np.matmul(a, b, out=out))
    elements = out.size / _seconds(lambda: np.maximum(out, 0.5, out=out))
    small = np.zeros(16)
    steps = 1_000 / _seconds(lambda: [small.sum() for _ in range(1_000)])
    return Speeds(products, elements, steps)


def _seconds(work: Any) -> float:
    """The best of some repetitions."""
    best = np.inf
    for _ in range(5):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def stages(
    method: Method, settings: Any, sizes: np.ndarray, k: int, dimensions: int, parts: int
) -> list[Cost]:
    """The cost of each piece of work that a selection consists of.

    sizes: (c,) int, images of each class; k: how many are chosen; dimensions: of the features.
    """
    total = int(sizes.sum())
    if method.choose_whole:
        return [method.cost(total, k, dimensions, settings)]
    costs = []
    for size in sizes.tolist():
        quota = min(size, max(1, round(k * size / total)))
        if parts == 1:
            costs.append(method.cost(size, quota, dimensions, settings))
            continue
        here = min(parts, size)
        part = -(-size // here)
        wanted = partitions.candidates_wanted(quota, part, size)
        first = method.cost(part, wanted, dimensions, settings)
        found = min(size, wanted * here)
        blocks = partitions.merge_blocks(found)
        second = method.cost(found // blocks, max(1, quota // blocks), dimensions, settings)
        # The features of the class are held beside those of the part.
        held = FLOAT * size * dimensions
        costs += [
            Cost(
                count * cost.products,
                count * cost.elements,
                count * cost.steps,
                cost.memory + held,
                cost.pairs,
            )
            for count, cost in ((here, first), (blocks, second))
        ]
    return costs


def estimate(
    method: Method,
    settings: Any,
    sizes: np.ndarray,
    k: int,
    dimensions: int,
    speeds: Speeds,
    wanted_partitions: int | None = None,
) -> Estimate:
    """What a selection will take; arguments as `stages` takes them."""
    parts = partitions.how_many(method, settings, sizes, wanted_partitions)
    costs = stages(method, settings, sizes, k, dimensions, parts)
    seconds = sum(
        cost.products / speeds.products
        + cost.elements / speeds.elements
        + cost.steps / speeds.steps
        for cost in costs
    )
    held = max(cost.pairs for cost in costs)
    # Checks, and the classes put in turn: in Python, image by image.
    turns = int(sizes.sum()) if method.traits(settings).ranks else k
    seconds += (OF_EACH_SELECTION + OF_EACH_PLACE * turns) / speeds.steps
    return Estimate(
        seconds,
        max(cost.memory for cost in costs) + (held if held <= MOST_HELD_BYTES else 0),
        parts,
    )


def estimate_entries(
    labels: np.ndarray,
    speeds: Speeds,
    entries: dict[str, Any],
    dimensions: int,
    seeds: int,
    partitions: int | None,
) -> list[dict[str, Any]]:
    """What each entry of a configuration will take: for each, all its selections together.

    labels: (n,) int, of the training images. entries: by label, with steps, fractions, depth (the
    share that is ranked, None where each fraction is chosen by itself) and seeded (whether each
    seed chooses anew). Features and proxies, which the methods share, are not counted.

    Returns rows with label, selections, seconds of all of them, seconds_each and memory in bytes
    of the largest.
    """
    from petite.selection import METHODS, checked_settings

    _, sizes = np.unique(labels, return_counts=True)
    rows = []
    for label, entry in entries.items():
        shares = [entry["depth"]] if entry["depth"] else entry["fractions"]
        each = []
        for share in shares:
            found, pool = [], sizes
            for step in entry["steps"]:
                if step["method"] not in METHODS:  # augmentation: no selection
                    continue
                method = METHODS[step["method"]]
                k = min(int(pool.sum()), max(1, round(step["share"] * share * len(labels))))
                settings = checked_settings(method, step["settings"])
                found.append(estimate(method, settings, pool, k, dimensions, speeds, partitions))
                pool = np.maximum(1, pool * k // pool.sum())
            each.append((sum(e.seconds for e in found), max(e.memory for e in found)))
        times = seeds if entry["seeded"] else 1
        rows.append(
            {
                "label": label,
                "selections": times * len(each),
                "seconds": times * sum(seconds for seconds, _ in each),
                "seconds_each": max(seconds for seconds, _ in each),
                "memory": max(memory for _, memory in each),
            }
        )
    return rows


def as_text(rows: list[dict[str, Any]]) -> str:
    """The rows as a table for people."""
    lines = [f"{'method':<24} {'selections':>10} {'seconds each':>13} {'seconds':>9}  memory"]
    for row in rows:
        lines.append(
            f"{row['label']:<24} {row['selections']:>10} {row['seconds_each']:>13.2f} "
            f"{row['seconds']:>9.1f}  {in_words(row['memory'])}"
        )
    total = sum(row["seconds"] for row in rows)
    lines.append(f"{'together':<24} {'':>10} {'':>13} {total:>9.1f}")
    return "\n".join(lines) + "\n"
