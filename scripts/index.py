"""Combine the shards into a store: check all entries together, write index and manifest."""

import argparse
from pathlib import Path

from petite.data.ingest import (
    build_index,
    gather_shards,
    labeled_classes,
    make_manifest,
)
from petite.data.store import checked_shard
from petite.data.stored_check import check_duplicates, check_stored
from petite.util.files import read_table, write_json, write_table
from petite.util.job import argument_parser, run
from petite.util.notices import Notices


def main(args: argparse.Namespace) -> None:
    settings, notices = args.settings, Notices()
    listing = read_table(args.listing)
    classes = settings["classes"] or list(dict.fromkeys(listing["class_name"]))
    size, channels = settings["image_size"], settings["channels"]
    entries = gather_shards(listing, (read_table(path) for path in args.rows))
    check_stored(
        entries,
        image_size=size,
        channels=channels,
        depth=settings.get("depth", "full"),
        notices=notices,
    )
    index = build_index(
        entries,
        classes,
        limit_per_class=settings["limit_per_class"],
        min_per_class=settings["min_per_class"],
        max_bad_share=settings["max_bad_share"],
        near_copy_distance=settings["near_copy_distance"],
        notices=notices,
    )
    check_duplicates(index, notices)
    store = args.manifest.parent
    shards = [checked_shard(path, store) for path in args.rows]
    manifest = make_manifest(index, labeled_classes(index), shards, size, channels, settings)
    write_table(args.index, index)
    write_json(args.manifest, manifest)
    write_json(args.index.with_suffix(".json"), {"notices": notices})


if __name__ == "__main__":
    # settings: classes, limit_per_class, min_per_class, max_bad_share, near_copy_distance,
    # image_size, channels, depth
    parser = argument_parser(__doc__)
    parser.add_argument("--listing", type=Path, required=True, help="the table of all entries")
    parser.add_argument(
        "--rows",
        type=Path,
        nargs="+",
        required=True,
        help="the tables of the shards in order; their pixels are next to them as .npy",
    )
    parser.add_argument("--index", type=Path, required=True, help="the index.parquet to write")
    parser.add_argument(
        "--manifest",
        type=Path,
        required=True,
        help="the manifest.json to write, in the same folder",
    )
    run(main, parser)
