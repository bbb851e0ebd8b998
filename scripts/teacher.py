"""Train a network of a teacher on all training images."""

import argparse
from dataclasses import asdict
from pathlib import Path

from petite.data.store import Store
from petite.training.loop import ScratchTrainer
from petite.training.scratch import check_settings
from petite.training.teacher import train_network
from petite.util import memory
from petite.util.files import read_table, write_json
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    store = Store.open(args.manifest)
    size, _, channels = store.shape
    settings = check_settings(args.settings)
    record = train_network(
        store,
        read_table(args.split),
        ScratchTrainer(size, channels, list(store.classes), settings, args.threads),
        args.seed,
        args.output_model,
        None if args.max_memory is None else memory.parse(args.max_memory),
    )
    write_json(args.output_record, asdict(record))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument(
        "--max-memory", help="for the images, such as 6 GB; default: half of what is free"
    )
    parser.add_argument("--output-model", type=Path, required=True, help="a .keras file")
    parser.add_argument("--output-record", type=Path, required=True, help="how it was trained")
    run(main, parser)
