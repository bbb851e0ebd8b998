# What the rules share: the checked configuration, names of files, settings as params. No rules.

import json
import os
import re
import shlex
import sys
from pathlib import Path

import pyarrow.parquet
import yaml

# Relative where it can be, so that a moved checkout reruns nothing.
BASE = Path(os.path.relpath(workflow.basedir))
SCRIPTS = BASE / "scripts"
sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from petite import config as petite_config
from petite import environment
from petite.errors import PetiteError
from petite.selection import METHODS

# The `python` of the rules is this interpreter, which need not be the first on PATH. A conda
# environment puts its own before it.
os.environ.update(PATH=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
environment.hold_for_steps(os.environ)


def or_exit(function):
    """What `function` returns; a user's mistake ends the program in words.

    Raised on, Snakemake would print where in the rules it was found, which helps nobody.
    """
    try:
        return function()
    except PetiteError as error:
        sys.exit(f"Petite: {error}")


def checked_config():
    default, photos = (
        yaml.safe_load((BASE / name).read_text("utf-8"))
        for name in ("config.yaml", "workflow/config/photos.yaml")
    )
    return petite_config.load(petite_config.with_shortcuts(config, default, photos))


CONFIG = or_exit(checked_config)
RESULTS = f"results/{CONFIG.dataset.name}"
SPLIT = f"{RESULTS}/splits/{CONFIG.split.seed}.parquet"
SPLIT_NOTICES = f"{RESULTS}/splits/{CONFIG.split.seed}.json"


wildcard_constraints:
    method=r"[A-Za-z0-9_-]+",
    fraction=r"[0-9.e-]+",
    seed=r"\d+",
    first=r"\d+",
    last=r"\d+",


def as_param(settings):
    """Settings as the one param of a rule: the same settings are the same text."""
    return json.dumps(settings, sort_keys=True, ensure_ascii=False)


def code(script, *modules):
    """The script and the library's modules of a rule; an edit of them reruns it."""
    return [str(SCRIPTS / f"{script}.py")] + [
        str(SCRIPTS / "petite" / f"{module}.py") for module in modules
    ]


# With --cache the store and the features come from Snakemake's cache or go into it. It takes none
# with a benchmark; the logs have the time and the memory of these.
IS_CACHED = (
    workflow.workflow_settings.cache is not None
    and os.environ.get("SNAKEMAKE_OUTPUT_CACHE") is not None
)


# What every training runs, that of the proxy included.
TRAINING_CODE = [
    "seeds",
    "splits",
    "store",
    "environment",
    "training/backend",
    "training/batches",
    "training/engine",
    "training/metrics",
    "training/models",
    "training/schedule",
    "training/settings",
]


def memory_limit(wildcards, input):
    """Snakemake does not compare params that depend on the input: another limit reruns nothing."""
    limit = CONFIG.max_memory
    return "" if limit is None else f"--max-memory {shlex.quote(limit)}"


def as_text(fraction):
    """A fraction as it stands in paths: 0.1, 0.25, 1."""
    return format(float(fraction), "g")


def method_name(label):
    """The method behind a label of the config: `grid_of_9` may be a `pca_grid`."""
    return CONFIG.methods[label].method


def selection_seed(label, seed):
    """A selection without chance in it is made once for all seeds."""
    return seed if CONFIG.is_seeded(label) else 0


def subset_path(label, fraction, seed):
    return f"{RESULTS}/subsets/{label}/{as_text(fraction)}/seed-{selection_seed(label, seed)}.parquet"


# (label, fraction) of all that is to be trained
CASES = [
    (label, fraction)
    for label, entry in CONFIG.methods.items()
    for fraction in entry.fractions
]


def batches(label, fraction):
    """(first, last) seed of each training job of a case; those that ran are kept as they are."""
    folder = Path(RESULTS) / "runs" / label / as_text(fraction)
    names = [
        re.fullmatch(r"seeds-(\d+)-(\d+)", path.stem) for path in folder.glob("*.csv")
    ]
    done = [(int(name[1]), int(name[2])) for name in names if name]
    return CONFIG.seed_batches(fraction, done)


# What is compared with random at the same fraction.
COMPARED = [
    (label, fraction)
    for label, fraction in CASES
    if label != "random" and ("random", fraction) in CASES
]


def runs_paths(suffix):
    """The files of all training jobs: suffix is .csv, .history.csv or .predictions.npz."""
    return [
        f"{RESULTS}/runs/{label}/{as_text(fraction)}/seeds-{first}-{last}{suffix}"
        for label, fraction in CASES
        for first, last in batches(label, fraction)
    ]


# Taken for the number of images while nothing tells it.
MANY_IMAGES = 25_000


def number_of_images():
    """Those of the store; before it is made, the entries of the listing."""
    manifest = Path(RESULTS) / "store/manifest.json"
    listing = Path(RESULTS) / "store/listing.parquet"
    if manifest.exists():
        counts = json.loads(manifest.read_text("utf-8"))["counts"]
        return sum(count["ok"] for count in counts.values())
    if listing.exists():
        return pyarrow.parquet.read_metadata(listing).num_rows
    return MANY_IMAGES


# Bytes of one stored image.
IMAGE_BYTES = CONFIG.dataset.image_size**2 * CONFIG.dataset.channels


def memory(base, per_image):
    """The mem_mb of a rule: MB for any job, and bytes for each image; doubled at each new attempt.

    A fifth above the most that was seen in benchmarks/ (max_rss) and the 360 MB that the two
    Snakemakes take which a cluster's executor runs around a job.
    """

    def mem_mb(wildcards, attempt):
        needed = base + per_image * number_of_images() / 1e6
        return round(needed * 2 ** (attempt - 1))

    return mem_mb
