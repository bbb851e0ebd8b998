"""What the scripts that read one shard of a source share: its rows, and how its images are read."""

import argparse
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import pandas as pd

from petite.data.annotations import NOTHING_SAID
from petite.data.decoding.depth import Depth
from petite.data.ingest import Reading, range_of_set, read_shard_rows, shard_rows_by_name
from petite.data.source_job import add_source
from petite.data.sources import Source, listing
from petite.util.job import block_number


class Shard(NamedTuple):
    """The entries of a shard (rows of the source's listing), and how they are read."""

    rows: pd.DataFrame
    reading: Reading


def add_shard(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """The arguments that name a shard of a source.

    The settings of such a script have depth, min_side, max_pixels and max_seconds; without a
    listing also `listing` (classes, limit_per_class, max_bad_share), how to make it.
    """
    add_source(parser, required)
    parser.add_argument(
        "--listing",
        type=Path,
        nargs="?",
        help="the table of all entries, a shard a block of it; none: the source is listed, and an "
        "entry's shard goes by its name",
    )
    parser.add_argument("--shard", type=block_number, required=required, help="such as 1-of-2")


def shard_of(source: Source, args: argparse.Namespace, settings: dict[str, Any]) -> Shard:
    """The shard that the arguments name, of an open source."""
    if args.listing:
        rows = read_shard_rows(args.listing, *args.shard)
    else:
        entries = listing(source, **settings["listing"])
        rows = shard_rows_by_name(entries, *args.shard)
    # No shard depends on them.
    rows = rows.drop(columns=[*NOTHING_SAID], errors="ignore")

    def image_ids() -> pd.Series:
        return (pd.read_parquet(args.listing) if args.listing else entries)["image_id"]

    return Shard(rows, reading_of(source, settings, image_ids))


def reading_of(
    source: Source, settings: dict[str, Any], image_ids: Callable[[], Iterable[str]]
) -> Reading:
    """How images are read, by the settings depth, min_side, max_pixels and max_seconds.

    `image_ids` gives all images of the source, of which a stretched depth needs a sample.
    """
    limits = {name: settings[name] for name in ("max_pixels", "max_seconds") if name in settings}

    @cache  # found once, and only where an image needs it
    def set_range() -> Depth:
        return range_of_set(source, image_ids(), **limits)

    depth = settings.get("depth", "full")
    if depth == "stretch":
        depth = set_range
    elif not isinstance(depth, str):
        depth = tuple(depth)
    smallest = {"min_side": settings["min_side"]} if "min_side" in settings else {}
    return cast("Reading", {"depth": depth, **limits, **smallest})
