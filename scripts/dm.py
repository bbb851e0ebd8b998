"""Make a subset of images that are learned so that their features match those of all images."""

import argparse
import logging
import time
from collections.abc import Iterator
from typing import Any

import pandas as pd

from petite.data.store import Store
from petite.data.views import StoredImages, in_memory_if_it_fits, size_of
from petite.subsets.made_tables import made_table
from petite.subsets.making_job import add_arguments, record_of, wanted
from petite.subsets.seed_tables import write_seed_tables
from petite.subsets.synthetic import DM, DmSettings, pixels_recipe
from petite.training.distribution_matching import learn_images
from petite.util import memory
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    write_seed_tables(args.output, subsets(args))


def subsets(args: argparse.Namespace) -> Iterator[tuple[pd.DataFrame, dict[str, Any]]]:
    """The subset of each seed, and its record."""
    settings = DmSettings.model_validate(args.settings["method"])
    store, (train, counts) = Store.open(args.manifest), wanted(args)
    stored = StoredImages(store, train["image_id"])
    limit = memory.available() if args.max_memory is None else memory.parse(args.max_memory)
    images = in_memory_if_it_fits(stored, size_of(stored), limit, "the training images")
    for seed in args.seeds:
        started = time.perf_counter()
        learned = learn_images(
            images,
            train["label"].to_numpy(),
            counts.tolist(),
            seed,
            settings,
            flips=args.settings["flips"],
            threads=args.threads,
            name=f"dm at {args.fraction:g}, seed {seed}",
        )
        table = made_table(
            train["image_id"].iloc[learned.starts].tolist(),
            learned.labels,
            [pixels_recipe(pixels) for pixels in learned.pixels],
            store.classes,
        )
        logger.info(
            "seed %d: %d images, loss %.3f at first and %.3f at last",
            *(seed, len(table), learned.losses[0], learned.losses[-1]),
        )
        seconds = time.perf_counter() - started
        record = record_of(table, DM, settings, args.fraction, seed, store.shape, seconds)
        yield table, record | {"losses": learned.losses}


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: {"method": those of dm, "flips": ...}
    add_arguments(parser)
    parser.add_argument("--max-memory", help="for the training images; default: half of the free")
    run(main, parser)
