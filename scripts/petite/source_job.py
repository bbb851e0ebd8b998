"""What the scripts that read the source of images share: its arguments, and how it is opened."""

import argparse
from pathlib import Path

from petite.sources import SOURCES, USUAL_LIMITS, Source, open_source


def add_source(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """The arguments that name a source."""
    parser.add_argument("--source", choices=sorted(SOURCES), required=required)
    parser.add_argument("--path", type=Path, help="the file or folder that the source reads")
    parser.add_argument(
        "--max-entries",
        type=int,
        default=USUAL_LIMITS.max_entries,
        help="of an archive; one with more is refused",
    )


def opened(args: argparse.Namespace, max_bytes: int = USUAL_LIMITS.max_bytes) -> Source:
    """The source that the arguments name; `max_bytes`: a larger file in it is set aside."""
    limits = USUAL_LIMITS._replace(max_bytes=max_bytes, max_entries=args.max_entries)
    return open_source(args.source, args.path, limits)
