"""Print the settings in effect and where each of them comes from."""

import argparse

from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    print(args.settings["described"], flush=True)


if __name__ == "__main__":
    run(main, argument_parser(__doc__))  # settings: described
