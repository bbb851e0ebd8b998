"""Print what to write for each goal."""

import argparse

from petite.config.goals import as_text
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    print(as_text(), flush=True)


if __name__ == "__main__":
    run(main, argument_parser(__doc__))
