# What data.smk looks up: where the images are, and what tells of their changes.

import shlex

from petite.download import archive_name
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
        return database_files(Path(DATASET.path))
    return [SOURCE_PATH] if SOURCE_PATH and DATASET.source != "folder" else []


LISTING_SETTINGS = {
    name: getattr(CONFIG.dataset, name)
    for name in ("classes", "limit_per_class", "max_bad_share")
}


def folder_fingerprints():
    """For each shard of a folder what tells of a change in its files; {} for other sources."""
    if DATASET.source != "folder":
        return {}
    folder = open_source("folder", Path(DATASET.path))
    entries = listing(folder, **LISTING_SETTINGS)
    return {
        f"{shard}-of-{DATASET.shards}": folder.fingerprint(
            shard_rows_by_name(entries, shard, DATASET.shards)["image_id"]
        )
        for shard in range(1, DATASET.shards + 1)
    }


DATASET = CONFIG.dataset
SOURCE_PATH = or_exit(source_path)
SOURCE_CODE = [
    "source_job",
    "sources/__init__",
    "sources/base",
    "sources/layout",
    "sources/class_signs",
    "notices",
    f"sources/{DATASET.source}",
]


SOURCE_FILES = or_exit(source_files)
FOLDER = or_exit(folder_fingerprints)
SOURCE_ARGUMENTS = f"--source {DATASET.source}"
if SOURCE_PATH:
    SOURCE_ARGUMENTS += f" --path={shlex.quote(SOURCE_PATH)}"
if DATASET.source == "archive":
    SOURCE_ARGUMENTS += f" --max-entries {DATASET.max_entries}"


def source_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input: a folder may move."""
    return SOURCE_ARGUMENTS
