"""How long a selection will take and how much memory, before it is begun.

A method tells its cost in matrix products, passes over elements and turns of Python's loops
(`Method.cost`); how fast this machine does each is measured in a second or two. Of a method that
does not tell it, the estimate is unknown.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from petite.selection import partitions
from petite.selection.base import Cost, Method
from petite.selection.quota import shares, weights_of
from petite.selection.similarities import FLOAT
from petite.util.formatting import byte_size

# The similarities of all pairs of 8,192 images.
MOST_HELD_BYTES = 256 * 2**20
MOST_BLOCK_BYTES = 64 * 2**20

# Turns of a loop that every selection takes, and for each place of a ranking.
OF_EACH_SELECTION = 1_000
OF_EACH_PLACE = 0.65
# Bytes for each image, whatever the method: labels, classes, members; and its place in a ranking.
OF_EACH_IMAGE_BYTES = 40
OF_EACH_PLACE_BYTES = 40


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


def stages(
    method: Method,
    settings: Any,
    sizes: np.ndarray,
    quotas: np.ndarray,
    dimensions: int,
    parts: int,
) -> list[Cost]:
    """The cost of each piece of work that a selection consists of; none where it is unknown.

    sizes, quotas: (c,) int, images of each class, and how many of them are chosen; dimensions: of
    the features.
    """
    if method.cost is None:
        return []
    total, chosen = int(sizes.sum()), int(quotas.sum())
    if method.choose_whole:
        costs = [method.cost(total, chosen, dimensions, settings)]
    else:
        costs = [
            cost
            for size, quota in zip(sizes.tolist(), quotas.tolist(), strict=True)
            for cost in _of_class(method, settings, size, max(1, quota), dimensions, parts)
        ]
    places = total if method.traits(settings).ranks else chosen
    beside = OF_EACH_IMAGE_BYTES * total + OF_EACH_PLACE_BYTES * places
    return [replace(cost, memory=cost.memory + beside) for cost in costs]


def _of_class(
    method: Method, settings: Any, size: int, quota: int, dimensions: int, parts: int
) -> list[Cost]:
    """What the method itself costs for `quota` of the images of one class."""
    assert method.cost is not None
    if parts == 1:
        return [method.cost(size, quota, dimensions, settings)]
    here = min(parts, size)
    part = -(-size // here)
    wanted = partitions.candidates_wanted(quota, part, size)
    first = method.cost(part, wanted, dimensions, settings)
    found = min(size, wanted * here)
    blocks = partitions.merge_blocks(found, method.traits(settings).part)
    second = method.cost(found // blocks, max(1, quota // blocks), dimensions, settings)
    # The features of the class are held beside those of the part.
    held = FLOAT * size * dimensions
    return [
        replace(
            cost,
            products=count * cost.products,
            elements=count * cost.elements,
            steps=count * cost.steps,
            memory=cost.memory + held,
        )
        for count, cost in ((here, first), (blocks, second))
    ]


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
    """What a selection of k images will take; other arguments as `stages` takes them.

    Seconds and memory are NaN where the method does not tell its cost.

    The quota "error" is taken for "equal": the errors are known after the proxy's training.
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


def estimate_entries(
    labels: np.ndarray,
    speeds: Speeds,
    entries: dict[str, Any],
    widths: Mapping[str, int],
    partitions: int | None,
) -> list[dict[str, Any]]:
    """What each entry of a configuration will take: for each, all its selections together.

    labels: (n,) int, of the training images. entries: by label, with steps, fractions, the number
    of `seeds` of each fraction, depth (the share that is ranked, None where each fraction is chosen
    by itself) and seeded (whether each seed chooses anew). widths: of the features, by space.
    Features and proxies, which the methods share, are not counted.

    Returns rows with label, selections, seconds of all of them, seconds_each and memory in bytes
    of the largest; the last three are NaN where a method does not tell its cost.
    """
    from petite.selection import METHODS, checked_settings

    _, sizes = np.unique(labels, return_counts=True)
    rows = []
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


def as_text(rows: list[dict[str, Any]]) -> str:
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
