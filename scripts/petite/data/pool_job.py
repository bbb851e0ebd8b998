"""The command-line arguments that the scripts of a pool share."""

import argparse
from pathlib import Path


def add_stores(parser: argparse.ArgumentParser) -> None:
    """Add the store of the pool, and that of the labeled images."""
    parser.add_argument("--pool", type=Path, required=True, help="manifest.json of the pool")
    parser.add_argument("--labeled", type=Path, help="manifest.json of the labeled images, if any")


def add_images(parser: argparse.ArgumentParser) -> None:
    """Add the images of both, and their embeddings."""
    add_stores(parser)
    parser.add_argument("--images", type=Path, required=True, help="the table of pool_images.py")
    parser.add_argument("--pool-embeddings", type=Path, nargs="*", default=[], help="all shards")
    parser.add_argument("--split", type=Path, help="that of the labeled images")
    parser.add_argument("--embeddings", type=Path, nargs="*", default=[], help="theirs, all shards")
