"""Rank the images whose label is likely wrong, by a probe on embeddings or other features."""

import argparse

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.splits import training_images
from petite.data.store import Store
from petite.data.together import together
from petite.evaluation.check_job import check_parser, write_check
from petite.evaluation.held_out import held_out_images
from petite.evaluation.label_errors import check_labels, check_record, error_table
from petite.features.embedding import read_embeddings
from petite.features.registry import SPACES
from petite.training.probe import Embedded
from petite.util.files import read_table
from petite.util.job import run


def main(args: argparse.Namespace) -> None:
    store, split = Store.open(args.manifest), read_table(args.split)
    train, held_out = training_images(split), held_out_images(store, split)
    features = _features(args, store, train["image_id"].tolist() + held_out["image_id"].tolist())
    parts = np.split(features, [len(train)])
    embedded = [
        Embedded(part, images["label"].to_numpy(np.int64))
        for part, images in zip(parts, (train, held_out), strict=True)
    ]
    groups = together(store, train)
    check = check_labels(embedded[0], groups, embedded[1])
    table = error_table(check, train, held_out, store.classes)
    space = args.settings.get("space", "backbone")
    write_check(args.output, table, check_record(check, table, space))


def _features(args: argparse.Namespace, store: Store, image_ids: list[str]) -> NDArray[np.float32]:
    """The embeddings of images, or their features in a space that knows nothing of labels."""
    ids = pd.Series(image_ids, dtype="str")
    if args.embeddings:
        return read_embeddings(store, ids, args.embeddings)[0]
    return SPACES[args.settings["space"]].compute(store, ids, args.settings, args.threads)[0]


if __name__ == "__main__":
    # settings: without embeddings, space and its settings
    parser = check_parser(__doc__)
    run(main, parser)
