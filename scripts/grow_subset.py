"""Make the subsets that are judged: the kept images with some of the new ones."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from petite.data.splits import kept_images, training_images
from petite.data.store import Store
from petite.subsets.growing import Growing
from petite.subsets.records import SubsetRecord
from petite.subsets.seed_tables import SeedTable, seeds_of, write_seed_tables
from petite.util.files import read_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    store, split = Store.open(args.manifest), read_table(args.split)
    growing = Growing(training_images(split), kept_images(split), store.classes, store.shape)
    write_seed_tables(args.output, subsets(growing, args.ranking, args.size))


def subsets(
    growing: Growing, ranking: Path, size: float
) -> Iterator[tuple[pd.DataFrame, SubsetRecord]]:
    """The subset of each seed of a ranking."""
    for seed in seeds_of(ranking):
        ranked = SeedTable(ranking, seed)
        yield growing.subset(ranked.read(), ranked.record(), size)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--ranking", type=Path, required=True, help="of rank.py, all seeds")
    parser.add_argument("--size", type=float, required=True, help="share of the new images")
    parser.add_argument("--split", type=Path, required=True, help="of grow_images.py")
    parser.add_argument("--manifest", type=Path, required=True, help="of the store of both")
    parser.add_argument("--output", type=Path, required=True, help=".parquet; also writes .json")
    run(main, parser)
