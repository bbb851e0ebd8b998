"""Rank the images whose label is likely wrong, by the answers of a probe on embeddings."""

import argparse

import numpy as np

from petite.data.splits import training_images
from petite.data.store import Store
from petite.data.together import together
from petite.evaluation.check_job import check_parser, write_check
from petite.evaluation.held_out import held_out_images
from petite.evaluation.label_errors import check_labels, check_record, error_table
from petite.features.embedding import read_embeddings
from petite.training.probe import Embedded
from petite.util.files import read_table
from petite.util.job import run


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
    write_check(args.output, table, check_record(check, table))


if __name__ == "__main__":
    parser = check_parser(__doc__)
    run(main, parser)
