# What the rules share: the checked configuration, names of files, settings as params. No rules.

import atexit
import json
import os
import re
import sys
from pathlib import Path

import pyarrow.parquet
import yaml

# Relative where it can be, so that a moved checkout reruns nothing.
BASE = Path(os.path.relpath(workflow.basedir))
SCRIPTS = BASE / "scripts"
sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from petite import config as petite_config
from petite.errors import PetiteError
from petite.selection import METHODS

# With conda the job's own environment has the interpreter; otherwise it is this one, which need
# not be the first on PATH.
PYTHON = (
    "python"
    if "conda" in str(workflow.deployment_settings.deployment_method)
    else sys.executable
)


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
    """The script and the library's modules that a rule runs: an edit of them reruns it."""
    return [str(SCRIPTS / f"{script}.py")] + [
        str(SCRIPTS / "petite" / f"{module}.py") for module in modules
    ]


# What every training runs, that of the proxy included.
TRAINING_CODE = [
    "seeds",
    "splits",
    "store",
    "training/backend",
    "training/batches",
    "training/engine",
    "training/metrics",
    "training/models",
    "training/schedule",
    "training/settings",
]


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


def batches(fraction):
    """(first, last) seed of each training job at this fraction."""
    runs = CONFIG.runs_at(fraction)
    step = CONFIG.seeds_per_job
    return [(first, min(first + step, runs) - 1) for first in range(0, runs, step)]


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
        for first, last in batches(fraction)
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


def say_where_things_are():
    """At the very end of the run, after Snakemake's own last lines."""
    summary = Path(RESULTS) / "summary.txt"
    if not summary.exists():
        return
    lines = [
        "",
        f"Answer   {RESULTS}/recommendation.md  (its numbers: {RESULTS}/verdicts.csv)",
        f"Table    {RESULTS}/summary.md  (all runs: {RESULTS}/runs.csv)",
        f"Figures  {RESULTS}/figures/  (begin with accuracy_by_fraction.png)",
        "",
        summary.read_text("utf-8").rstrip(),
    ]
    atexit.register(print, "\n".join(lines), flush=True)


def say_what_failed():
    atexit.register(
        print,
        f"\nPetite stopped before its end. The rule that failed and its log are named above; each "
        f"rule's log lies in {RESULTS}/logs/.\nMend the cause and start the same command again: "
        "what is done stays done.",
        file=sys.stderr,
        flush=True,
    )
