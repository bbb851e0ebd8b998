"""Add recipes of augmented images, made by random transforms, to the subset of each seed."""

import argparse
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from petite.subsets.augmentation import NAME, Settings
from petite.subsets.seed_tables import tables_of, write_seed_tables
from petite.subsets.tables import augmented, recipe_bytes
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    write_seed_tables(args.output, subsets(args))


def subsets(args: argparse.Namespace) -> Iterator[tuple[pd.DataFrame, dict[str, Any]]]:
    """The augmented subset of each seed, and its record."""
    settings = Settings.model_validate(args.settings)
    for seed, real in zip(args.seeds, tables_of(args.subset, args.seeds), strict=True):
        started = time.perf_counter()
        subset, record = real.read(), real.record()
        table = augmented(subset, seed, settings)
        logger.info(
            "seed %d: %d new images from %d real ones",
            *(seed, len(table) - len(subset), len(subset)),
        )
        yield (
            table,
            {
                "method": NAME,
                "settings": settings.model_dump(mode="json"),
                "fraction": record["fraction"],
                "seed": seed,
                "images": record["images"],
                "rows": len(table),
                "stored_bytes": record["stored_bytes"] + recipe_bytes(table),
                "seconds": record["seconds"] + time.perf_counter() - started,
                "proxy_seconds": record["proxy_seconds"],
                "proxy_of": record["proxy_of"],
            },
        )


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--subset",
        type=Path,
        nargs="+",
        required=True,
        help="subsets of real images; the .json of each is next to it",
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", required=True, help="of the subsets and the recipes"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="the .parquet to write, and a .json next to it"
    )
    run(main, parser)
