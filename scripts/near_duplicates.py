"""Find held-out images that show nearly the same as a training image, by their embeddings."""

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from petite.data.splits import training_images
from petite.data.store import Store
from petite.data.together import together
from petite.evaluation.held_out import held_out_images
from petite.evaluation.near_duplicates import (
    Altered,
    check_near_duplicates,
    check_record,
    compared,
    pair_table,
)
from petite.features.embedding import read_embeddings
from petite.util.files import read_table, write_csv_and_parquet, write_json
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    store, split = Store.open(args.manifest), read_table(args.split)
    train = training_images(split)
    held_out = compared(held_out_images(store, split), len(train))
    embeddings = [
        read_embeddings(store, images["image_id"], args.embeddings)[0]
        for images in (train, held_out)
    ]
    about = read_table(args.altered.with_suffix(".parquet"))
    altered = Altered(
        np.load(args.altered),
        pd.Index(train["image_id"]).get_indexer(pd.Index(about["image_id"])),
        about["alteration"].to_numpy(object),
    )
    groups = together(store, train)
    check = check_near_duplicates(embeddings[0], groups, embeddings[1], altered)
    table = pair_table(check, train, held_out, store.classes)
    record = check_record(check, table)
    logger.info("%s", record)
    write_csv_and_parquet(args.output, table)
    write_json(args.output.with_suffix(".json"), record)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--embeddings", type=Path, nargs="+", required=True, help="of all shards")
    parser.add_argument("--altered", type=Path, required=True, help="the .npy of embed_altered.py")
    parser.add_argument(
        "--output", type=Path, required=True, help="a .csv; a .parquet and a .json next to it"
    )
    run(main, parser)
