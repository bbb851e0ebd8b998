"""What the selections of a configuration will take on this machine, and what its runs can tell."""

import argparse
import sys
import textwrap
from pathlib import Path

from petite.evidence import planned
from petite.files import read_table
from petite.job import argument_parser, run
from petite.own_features import own_dimensions
from petite.selection.estimate import as_text, calibrate, estimate_entries
from petite.splits import training_images

TERMINAL_COLUMNS = 100


def main(args: argparse.Namespace) -> None:
    design = args.settings.pop("design")
    labels = training_images(read_table(args.split))["label"].to_numpy()
    own = args.settings.pop("own")
    rows = estimate_entries(
        labels,
        calibrate(),
        **args.settings,
        own_dimensions=own_dimensions(Path(own)) if own else None,
    )
    sys.stdout.write(as_text(rows))
    sys.stdout.write("\n" + textwrap.fill(planned(**design), TERMINAL_COLUMNS) + "\n")


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    run(main, parser)
