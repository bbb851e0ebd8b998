"""Train a linear classifier on embeddings, for scores, features and gradients of each image."""

import argparse
import time
from pathlib import Path

import pandas as pd

from petite.data.splits import training_images, validation_images, weights_of
from petite.data.store import Store
from petite.features.embedding import read_embeddings
from petite.training.linear_proxy import LinearProxySettings, linear_proxy
from petite.training.proxy_job import proxy_parser, write_proxy
from petite.util.files import read_table
from petite.util.job import run


def main(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    settings = LinearProxySettings.model_validate(args.settings)
    store, split = Store.open(args.manifest), read_table(args.split)
    rows, held_out = training_images(split), validation_images(store, split)
    image_ids = pd.concat([rows["image_id"], held_out.image_ids])
    embeddings, embedding_seconds = read_embeddings(store, image_ids, args.embeddings)
    result = linear_proxy(
        embeddings[: len(rows)],
        rows["label"].to_numpy(),
        embeddings[len(rows) :],
        held_out.labels,
        len(store.classes),
        args.seed,
        settings,
        weights=weights_of(rows),
    )
    seconds = time.perf_counter() - started + embedding_seconds
    write_proxy(
        args, result, rows["image_id"], store.classes, "embeddings", seconds, embedding_seconds
    )


if __name__ == "__main__":
    parser = proxy_parser(__doc__)
    parser.add_argument(
        "--embeddings", type=Path, nargs="+", required=True, help="of all shards, .npy files"
    )
    run(main, parser)
