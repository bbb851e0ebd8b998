"""Fit a probe to all training images, and ask it for their soft labels."""

import argparse
from pathlib import Path

from petite.data.store import Store
from petite.training.judges import ProbeSettings
from petite.training.probe_job import ProbeData, teach
from petite.training.settings import checked
from petite.util.files import read_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    data = ProbeData(Store.open(args.manifest), read_table(args.split), args.embeddings)
    settings = checked(ProbeSettings, args.settings, "the settings of the probe")
    teach(data, settings).write(args.output)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--embeddings", type=Path, nargs="+", required=True, help="of all shards")
    parser.add_argument("--output", type=Path, required=True, help="the .npz; .json is next to it")
    run(main, parser)
