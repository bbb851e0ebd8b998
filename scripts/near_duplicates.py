"""Find held-out images that show nearly the same as a training image, by their embeddings."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from petite.data.splits import training_images
from petite.data.store import Store
from petite.data.together import together
from petite.evaluation.check_job import check_parser, write_check
from petite.evaluation.held_out import held_out_images
from petite.evaluation.near_duplicates import (
    Altered,
    check_near_duplicates,
    check_record,
    compared,
    pair_table,
)
from petite.features.embedding import read_embeddings
from petite.util.files import read_table
from petite.util.job import run


def main(args: argparse.Namespace) -> None:
    store, split = Store.open(args.manifest), read_table(args.split)
    train = training_images(split)
    held_out = compared(held_out_images(store, split), len(train))
    embeddings = [
        read_embeddings(store, images["image_id"], args.embeddings)[0]
        for images in (train, held_out)
    ]
    about = read_table(args.altered.with_suffix(".parquet"))
    rows = pd.Index(train["image_id"]).get_indexer(pd.Index(about["image_id"]))
    # If the source is gone, they may be of another split's training images.
    known = rows >= 0
    altered = Altered(
        np.load(args.altered)[known], rows[known], about["alteration"].to_numpy(object)[known]
    )
    groups = together(store, train)
    check = check_near_duplicates(embeddings[0], groups, embeddings[1], altered)
    table = pair_table(check, train, held_out, store.classes)
    write_check(args.output, table, check_record(check, table))


if __name__ == "__main__":
    parser = check_parser(__doc__)
    parser.add_argument("--altered", type=Path, required=True, help="the .npy of embed_altered.py")
    run(main, parser)
