"""What the scripts that read the source of images share: its arguments, and opening it."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from petite.data.labels import LabelColumns
from petite.data.sources import ALL_SOURCES, USUAL_LIMITS, Columns, Source, open_source
from petite.data.sources.files import files_at


def add_source(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Add the arguments that name a source."""
    parser.add_argument("--source", choices=sorted(ALL_SOURCES), required=required)
    parser.add_argument("--path", type=Path, help="the file or folder that the source reads")
    parser.add_argument(
        "--max-entries",
        type=int,
        default=USUAL_LIMITS.max_entries,
        help="refuse an archive with more entries",
    )
    parser.add_argument(
        "--columns", type=json.loads, default={}, help="JSON: the columns image and label"
    )
    parser.add_argument(
        "--labels",
        type=_columns,
        help="JSON: the path of a table of labels, and its columns as far as they are named",
    )


def _columns(text: str) -> LabelColumns:
    return LabelColumns(**json.loads(text))


def reason_gone(path: Path) -> str:
    """Say why a source's path cannot be read, such as "is empty"; "" if it can."""
    try:
        if path.is_dir():
            # The mount point of a disk that is not mounted is an empty folder.
            return "" if any(path.iterdir()) else "is empty"
        path.stat()
    except FileNotFoundError:
        return "" if files_at(path, ()) else "does not exist"
    except OSError as error:  # a server that does not respond, a disk that fails
        return f"cannot be read: {error.strerror}"
    return ""


@contextmanager
def opened_if_there(args: argparse.Namespace, limit: int | None = None) -> Iterator[Source | None]:
    """Open the source that the arguments name; None if it is gone, for a step that can omit it."""
    if args.source is None or (args.path is not None and reason_gone(args.path)):
        yield None
        return
    with opened(args, USUAL_LIMITS.max_bytes if limit is None else limit) as source:
        yield source


def opened(args: argparse.Namespace, max_bytes: int = USUAL_LIMITS.max_bytes) -> Source:
    """Open the source that the arguments name.

    Parameters
    ----------
    args : Namespace
    max_bytes : int
        Larger files in the source are set aside.

    Raises
    ------
    PetiteError
    """
    limits = USUAL_LIMITS._replace(max_bytes=max_bytes, max_entries=args.max_entries)
    return open_source(args.source, args.path, limits, Columns(**args.columns), args.labels)
