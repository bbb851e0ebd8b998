"""Make subsets of mosaics: crops of training images on which a teacher has the lowest loss."""

import argparse
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from petite.data.store import Store
from petite.data.views import StoredImages
from petite.subsets.made_tables import images_used, mosaics
from petite.subsets.making_job import add_arguments, record_of, wanted
from petite.subsets.records import ProxyRecord
from petite.subsets.seed_tables import write_seed_tables
from petite.subsets.synthetic import RDED, RdedSettings
from petite.training.crops import load_teacher, scored_crops
from petite.util.files import read_json
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    write_seed_tables(args.output, subsets(args))


def subsets(args: argparse.Namespace) -> Iterator[tuple[pd.DataFrame, dict[str, Any]]]:
    """The subset of each seed, and its record."""
    settings = RdedSettings.model_validate(args.settings["method"])
    store, (train, counts) = Store.open(args.manifest), wanted(args)
    images = StoredImages(store, train["image_id"])
    for seed, path in zip(args.seeds, args.teachers, strict=True):
        started = time.perf_counter()
        proxy: ProxyRecord = read_json(path.with_suffix(".json"))
        teacher = load_teacher(path, args.settings["backend"], args.threads)
        crops = scored_crops(
            teacher, images, train["image_id"], train["label"].to_numpy(), seed, settings
        )
        table = mosaics(crops, settings, counts, store.classes)
        logger.info(
            "seed %d: %d mosaics of %d crops each, of %d training images",
            *(seed, len(table), settings.mosaic**2, len(images_used(table))),
        )
        seconds = time.perf_counter() - started + proxy["seconds"]
        record = record_of(table, RDED, settings, args.fraction, seed, store.shape, seconds)
        yield table, record | {"proxy_seconds": proxy["seconds"], "proxy_of": proxy["proxy_of"]}


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: {"method": those of rded, "backend": ...}
    add_arguments(parser)
    parser.add_argument(
        "--teachers",
        type=Path,
        nargs="+",
        required=True,
        help="the network of the proxy of each seed, .keras, with its record next to it",
    )
    run(main, parser)
