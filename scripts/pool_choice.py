"""Choose by a method which images of a pool to label next."""

import argparse
import logging
from pathlib import Path

import numpy as np

from petite.data.pool_job import add_images
from petite.data.splits import training_images
from petite.data.store import Store
from petite.features.embedding import find_embeddings
from petite.features.io import read_features
from petite.training.label_next import PoolFeatures, choose_next, uncertainty_of
from petite.util import memory
from petite.util.files import read_table, write_csv_and_parquet, write_json
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    settings, images = args.settings, read_table(args.images)
    split = read_table(args.split) if args.split else None
    labeled = [] if split is None else training_images(split)["image_id"].tolist()
    features, about = read_features(args.features, [*labeled, *images["image_id"]])
    uncertainty = None
    if settings["uncertainty"] and split is not None:
        pool = find_embeddings(Store.open(args.pool), images["image_id"], args.pool_embeddings)
        uncertainty = uncertainty_of(
            settings["uncertainty"],
            Store.open(args.labeled),
            split,
            args.embeddings,
            pool,
            settings["penalties"],
        )
    table, record = choose_next(
        PoolFeatures(images, labeled, features, about["space"]),
        args.k,
        settings["method"],
        settings["settings"],
        keep_copies=settings["copies"] == "keep",
        seed=settings["seed"],
        uncertainty=uncertainty,
        max_memory=None if args.max_memory is None else memory.parse(args.max_memory),
    )
    if np.isnan(table["value"]).all():
        table = table.drop(columns="value")
    write_csv_and_parquet(args.output, table)
    write_json(args.output.with_suffix(".json"), record)
    logger.info("%s chose %d of %d images", record["method"], args.k, record["candidates"])


if __name__ == "__main__":
    # settings: method, settings, uncertainty (the score that it needs, or null), penalties, copies,
    # seed
    parser = argument_parser(__doc__)
    add_images(parser)
    parser.add_argument("--features", type=Path, required=True, help="of pool_features.py")
    parser.add_argument("-k", type=int, required=True, help="number of images to choose")
    parser.add_argument("--max-memory", help="such as 6 GB; default: half of the free memory")
    parser.add_argument(
        "--output", type=Path, required=True, help=".csv; also writes .parquet and .json"
    )
    run(main, parser)
