"""What the selections of a configuration will take on this machine: seconds and memory."""

import argparse
import sys
from pathlib import Path

from petite.files import read_table
from petite.job import argument_parser, run
from petite.selection.estimate import as_text, calibrate, estimate_entries
from petite.splits import training_images


def main(args: argparse.Namespace) -> None:
    labels = training_images(read_table(args.split))["label"].to_numpy()
    rows = estimate_entries(labels, calibrate(), **args.settings)
    sys.stdout.write(as_text(rows))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    run(main, parser)
