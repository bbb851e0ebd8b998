"""Write report.html, and report.json with the same contents as data."""

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petite.data.given_split import read_leaks
from petite.data.source_job import add_source, opened_if_there
from petite.data.splits import of_training_images, training_images
from petite.data.store import Store
from petite.features.embedding import read_embeddings
from petite.report.data import report_data
from petite.report.inputs import Inputs
from petite.report.page import rendered, sections
from petite.util.files import read_json, read_table, write_json, write_text
from petite.util.job import argument_parser, run

CHECKOUT = Path(__file__).resolve().parents[1]


def main(args: argparse.Namespace) -> None:
    split = read_table(args.split)
    with opened_if_there(args) as source:
        inputs = Inputs(
            tables={path.name: path for path in args.tables},
            store=Store.open(args.manifest),
            split=split,
            features=of_training_images(np.load(args.features), split),
            subsets=args.subsets,
            predictions=args.predictions,
            space=args.features.stem,
            source=source,
            config=args.settings,
            notices=[text for path in args.notices for text in read_json(path)["notices"]],
            leaks=read_leaks(args.leaks),
            checks={path.name: path for path in args.checks},
            embeddings=_embeddings(args),
            checkout=CHECKOUT,
        )
        values = sections(inputs)
        write_text(args.output, rendered(values))
        write_json(args.data, asdict(report_data(inputs, values)))


def _embeddings(args: argparse.Namespace) -> NDArray[np.float32] | None:
    """The embeddings of the training images, if there are any."""
    if not args.embeddings:
        return None
    train = training_images(read_table(args.split))
    return read_embeddings(Store.open(args.manifest), train["image_id"], args.embeddings)[0]


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--tables", type=Path, nargs="+", required=True, help="the tables of summarize.py"
    )
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument(
        "--leaks", type=Path, required=True, help="the CSV file of leaks of the split"
    )
    parser.add_argument("--features", type=Path, required=True, help="SPACE.npy, for the plane")
    parser.add_argument(
        "--subsets", type=Path, nargs="+", default=[], help=".../METHOD/FRACTION/*.parquet"
    )
    parser.add_argument(
        "--predictions", type=Path, nargs="+", default=[], help=".../JUDGE/METHOD/FRACTION/*.npz"
    )
    parser.add_argument(
        "--notices", type=Path, nargs="+", default=[], help="JSON files with notices of steps"
    )
    parser.add_argument(
        "--checks", type=Path, nargs="*", default=[], help="the files of the checks"
    )
    parser.add_argument(
        "--embeddings", type=Path, nargs="*", default=[], help="of all shards, for stand-ins"
    )
    add_source(parser, required=False)  # to show excluded files
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="report.json")
    run(main, parser)
