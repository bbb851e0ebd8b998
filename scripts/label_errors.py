"""Rank the images whose label is likely wrong, by the answers of a probe on embeddings."""

import argparse
import logging
from pathlib import Path

import numpy as np

from petite.data.splits import training_images
from petite.data.store import Store
from petite.data.together import together
from petite.evaluation.held_out import held_out_images
from petite.evaluation.label_errors import check_labels, check_record, error_table
from petite.features.embedding import read_embeddings
from petite.training.probe import Embedded
from petite.util.files import read_table, write_csv_and_parquet, write_json
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    store, split = Store.open(args.manifest), read_table(args.split)
    train, held_out = training_images(split), held_out_images(store, split)
    embedded = [
        Embedded(
            read_embeddings(store, images["image_id"], args.embeddings)[0],
            images["label"].to_numpy(np.int64),
        )
        for images in (train, held_out)
    ]
    groups = together(store, train)
    check = check_labels(embedded[0], groups, embedded[1])
    table = error_table(check, train, held_out, store.classes)
    record = check_record(check, table)
    logger.info("%s", record)
    write_csv_and_parquet(args.output, table)
    write_json(args.output.with_suffix(".json"), record)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--embeddings", type=Path, nargs="+", required=True, help="of all shards")
    parser.add_argument(
        "--output", type=Path, required=True, help="a .csv; a .parquet and a .json next to it"
    )
    run(main, parser)
