"""Add recipes of augmented images, made by random transforms, to a subset."""

import argparse
import logging
import time
from pathlib import Path

from petite.subsets.augmentation import NAME, Settings
from petite.subsets.tables import augmented, recipe_bytes
from petite.util.files import read_json, read_table, write_json, write_table
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    settings = Settings.model_validate(args.settings)
    subset = read_table(args.subset)
    record = read_json(args.subset.with_suffix(".json"))
    table = augmented(subset, args.seed, settings)
    write_table(args.output, table)
    write_json(
        args.output.with_suffix(".json"),
        {
            "method": NAME,
            "settings": settings.model_dump(mode="json"),
            "fraction": record["fraction"],
            "seed": args.seed,
            "images": record["images"],
            "rows": len(table),
            "stored_bytes": record["stored_bytes"] + recipe_bytes(table),
            "seconds": record["seconds"] + time.perf_counter() - started,
            "proxy_seconds": record["proxy_seconds"],
            "proxy_of": record["proxy_of"],
        },
    )
    logger.info("%d new images from %d real ones", len(table) - len(subset), len(subset))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--subset",
        type=Path,
        required=True,
        help="a subset of real images; its .json is next to it",
    )
    parser.add_argument("--seed", type=int, required=True, help="the seed of the recipes")
    parser.add_argument(
        "--output", type=Path, required=True, help="the .parquet to write, and a .json next to it"
    )
    run(main, parser)
