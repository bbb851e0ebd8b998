"""List the new images in the order in which to add them, and those that are set aside."""

import argparse
from pathlib import Path

from petite.data.splits import training_images
from petite.features.io import read_features
from petite.subsets.seed_tables import tables_of
from petite.training.grow_list import grow_list
from petite.util.files import read_table, write_csv_and_parquet, write_json
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    train = training_images(read_table(args.split))
    features, about = read_features(args.features, train["image_id"].tolist())
    [ranked] = tables_of([args.ranking], [0])
    table, record = grow_list(
        read_table(args.images), train, ranked.read(), ranked.record(), features, about["space"]
    )
    write_csv_and_parquet(args.output, table)
    write_json(args.output.with_suffix(".json"), record)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--images", type=Path, required=True, help="of grow_images.py")
    parser.add_argument("--split", type=Path, required=True, help="of grow_images.py")
    parser.add_argument("--ranking", type=Path, required=True, help="of rank.py")
    parser.add_argument("--features", type=Path, required=True, help="of the space of the ranking")
    parser.add_argument(
        "--output", type=Path, required=True, help=".csv; also writes .parquet and .json"
    )
    run(main, parser)
