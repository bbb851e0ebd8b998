"""Make the split of the kept images alone: those of one subset, with the held-out images."""

import argparse
from pathlib import Path

import pandas as pd

from petite.data.grown import grown_split
from petite.data.splits import training_images, weights_of
from petite.subsets.seed_tables import tables_of, write_seed_tables
from petite.util.files import read_table, write_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    [chosen] = tables_of([args.subset], [args.seed])
    table, record = chosen.read(), chosen.record()
    nothing = pd.DataFrame({"image_id": [], "label": [], "group": []})
    split = grown_split(read_table(args.split), table["image_id"].tolist(), nothing)
    write_table(args.output_split, split)
    # Weights of the method itself would be unknown for new images, so no case has them.
    own = weights_of(training_images(split).set_index("image_id").loc[table["image_id"]])
    table["weight"] = 1.0 if own is None else own
    # One subset for all training seeds.
    write_seed_tables(args.output_subset, [(table, record)])


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--subset", type=Path, required=True, help="the file that holds the subset")
    parser.add_argument("--seed", type=int, required=True, help="that of the subset")
    parser.add_argument("--split", type=Path, required=True, help="of the run")
    parser.add_argument("--output-split", type=Path, required=True)
    parser.add_argument("--output-subset", type=Path, required=True, help=".parquet, and a .json")
    run(main, parser)
