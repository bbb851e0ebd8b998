# What data.smk looks up: where the images are, and what tells of their changes.

import shlex

from petite.depth import may_be_deep, sampled
from petite.download import archive_name, public_url
from petite.groups import found_groups
from petite.ingest import shard_rows_by_name
from petite.sources import listing, open_source
from petite.sources.lsun import database_files
from petite.sources.silhouettes import WHEEL_NAME


def source_path():
    """Where the source's file or folder is, or will be once it is downloaded."""
    if DATASET.source == "silhouettes":
        return f"results/downloads/{WHEEL_NAME}"
    if DATASET.is_remote:
        return f"results/downloads/{archive_name(DATASET.path)}"
    return DATASET.path


def source_files():
    """The files that the source reads; a folder's are known by their fingerprints instead."""
    if DATASET.source == "lsun":
        return [outside(path) for path in database_files(Path(DATASET.path))]
    if DATASET.is_remote:
        return [SOURCE_PATH]
    return [outside(SOURCE_PATH)] if DATASET.source == "archive" else []


LISTING_SETTINGS = {
    name: getattr(CONFIG.dataset, name)
    for name in ("classes", "limit_per_class", "max_bad_share")
}


def opened_folder():
    """The folder, whose tree is walked once; None for other sources."""
    if DATASET.source == "folder":
        return open_source("folder", Path(DATASET.path))


def folder_listing():
    """The images of a folder, which its groups fit; None for other sources."""
    if OPENED_FOLDER is None:
        return None
    entries = listing(OPENED_FOLDER, **LISTING_SETTINGS)
    if CONFIG.split.groups:
        # Known now, not when all images are read.
        found_groups(entries["image_id"], CONFIG.split.groups)
    return entries


def folder_fingerprints():
    """For each shard of a folder what tells of a change in its files; {} for other sources."""
    if OPENED_FOLDER is None:
        return {}
    # How deep images are stored depends on the sample, wherever they are.
    candidates = (
        sampled(FOLDER_LISTING["image_id"]) if DATASET.depth == "stretch" else []
    )
    sample = [name for name in candidates if may_be_deep(OPENED_FOLDER.head(name))]
    return {
        name: OPENED_FOLDER.fingerprint(
            [
                *shard_rows_by_name(FOLDER_LISTING, number, DATASET.shards)["image_id"],
                *sample,
            ]
        )
        for number, name in enumerate(SHARDS, start=1)
    }


DATASET = CONFIG.dataset
SHARDS = [f"{number}-of-{DATASET.shards}" for number in range(1, DATASET.shards + 1)]
SOURCE_PATH = or_exit(source_path)
SOURCE_CODE = [
    "source_job",
    "sources/__init__",
    "sources/base",
    "sources/layout",
    "notices",
    f"sources/{DATASET.source}",
]

# From the bytes of a file to pixels.
READING_CODE = ["images", "formats", "png", "tiff", "depth"]


SOURCE_FILES = or_exit(source_files)
OPENED_FOLDER = or_exit(opened_folder)
FOLDER_LISTING = or_exit(folder_listing)
FOLDER = or_exit(folder_fingerprints)
SOURCE_ARGUMENTS = f"--source {DATASET.source}"
if SOURCE_PATH:
    SOURCE_PLACE = placed(SOURCE_PATH) if DATASET.is_remote else SOURCE_PATH
    SOURCE_ARGUMENTS += f" --path={shlex.quote(SOURCE_PLACE)}"
if DATASET.source == "archive":
    SOURCE_ARGUMENTS += f" --max-entries {DATASET.max_entries}"


def source_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input: a folder may move."""
    return SOURCE_ARGUMENTS
