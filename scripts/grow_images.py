"""Find the new images that can be added, and describe the store of them and the old ones."""

import argparse
import logging
from pathlib import Path

from petite.data.grown import check_depth, grown_split, grown_store, new_images
from petite.data.splits import kept_images
from petite.data.store import Store
from petite.util.files import read_table, write_json, write_table
from petite.util.job import argument_parser, run
from petite.util.notices import Notices

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    settings, notices = args.settings, Notices()
    new, old = Store.open(args.new), Store.open(args.manifest)
    split, kept = read_table(args.split), kept_images(read_table(args.kept))
    check_depth(new, old, settings["depth"])
    table = new_images(
        new,
        old,
        split,
        kept,
        args.folder,
        near_copy_distance=settings["near_copy_distance"],
        groups=settings["groups"],
        notices=notices,
    )
    added = table[table["kind"] == ""].reset_index(drop=True)
    added["label"] = added["class_name"].map({name: n for n, name in enumerate(old.classes)})
    index, manifest = grown_store(new, old, added, args.output_manifest.parent)
    write_table(args.output_images, table)
    write_table(args.output_split, grown_split(split, kept, added))
    write_table(args.output_manifest.with_name("index.parquet"), index)
    write_json(args.output_manifest, manifest)
    write_json(args.output_images.with_suffix(".json"), {"notices": notices})
    logger.info("%d of %d new images can be added", len(added), len(table))


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: near_copy_distance, depth, groups
    parser.add_argument("--new", type=Path, required=True, help="manifest.json of the new images")
    parser.add_argument("--folder", type=Path, required=True, help="where they are, for messages")
    parser.add_argument("--manifest", type=Path, required=True, help="that of the run")
    parser.add_argument("--split", type=Path, required=True, help="of the run")
    parser.add_argument("--kept", type=Path, required=True, help="the split of grow_kept.py")
    parser.add_argument("--output-images", type=Path, required=True, help=".parquet, and a .json")
    parser.add_argument("--output-split", type=Path, required=True)
    parser.add_argument(
        "--output-manifest", type=Path, required=True, help="manifest.json of the store of both"
    )
    run(main, parser)
