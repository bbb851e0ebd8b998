"""Train a network on all training images, for scores, features and gradients of each image."""

import argparse
import time
from pathlib import Path

from petite.data.splits import training_images, validation_images, weights_of
from petite.data.store import Store
from petite.data.views import StoredImages, in_memory_if_it_fits
from petite.training.loop import size_in_training
from petite.training.proxy import network_proxy
from petite.training.proxy_job import proxy_parser, write_proxy
from petite.training.settings import ProxySettings, checked
from petite.util import memory
from petite.util.files import read_table
from petite.util.job import run


def main(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    settings = checked(ProxySettings, args.settings, "the proxy's settings")
    store, split = Store.open(args.manifest), read_table(args.split)
    rows, held_out = training_images(split), validation_images(store, split)
    images = StoredImages(store, rows["image_id"])
    needed = size_in_training(images, settings.training)
    limit = memory.available() if args.max_memory is None else memory.parse(args.max_memory)
    result = network_proxy(
        in_memory_if_it_fits(images, needed, limit, "the training images"),
        rows["label"].to_numpy(),
        held_out.images,
        held_out.labels,
        store.classes,
        args.seed,
        settings,
        args.threads,
        weights=weights_of(rows),
        model_path=args.output_model,
    )
    seconds = time.perf_counter() - started
    write_proxy(args, result, rows["image_id"], store.classes, "network", seconds)


if __name__ == "__main__":
    parser = proxy_parser(__doc__)
    parser.add_argument(
        "--max-memory", help="for the images, such as 6 GB; default: half of what is free"
    )
    parser.add_argument("--output-model", type=Path, help="where to save the network, a .keras")
    run(main, parser)
