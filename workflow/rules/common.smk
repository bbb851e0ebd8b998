# Shared by all rules: the validated configuration, file names, and settings as params. No rules.
# Needs: place.smk. Makes: nothing.

import json
import os
import re
import shlex
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pyarrow.parquet
from snakemake.common.configfile import load_configfile

# Relative, so that moving the checkout reruns nothing.
BASE = Path(os.path.relpath(CHECKOUT))
if str(BASE).startswith("-"):  # which programs would read as an option
    BASE = CHECKOUT
SCRIPTS = BASE / "scripts"
CODE_FOLDER = Path(".snakemake/petite-code")

from petite.config import Plan, load as load_config
from petite.config.winner import (
    Winner,
    check_winner_can_be_judged,
    config_of_winner,
    read_winner,
)
from petite.config.comparisons import with_full, with_random
from petite.config.export import BEST
from petite.config.methods import AUGMENTATION, MAKING, SYNTHETIC
from petite.util.errors import PetiteError
from petite.util import imports
from petite.util.encoded_names import ORIGINAL, encoding_of, in_encoding, method_of
from petite.util.files import read_json
from petite.config.layers import (
    Layer,
    check_repeated_keys,
    command_line,
    read_layer,
    resolve,
)
from petite.data.sources import ALL_SOURCES
from petite.features.registry import SPACES
from petite.plots.registry import FIGURES
from petite.selection import METHODS
from petite.subsets.synthetic import DM, RDED
from petite.training.judges import (
    FINE_TUNE,
    PROBE,
    PROBE_SOFT,
    SCRATCH,
    SCRATCH_SOFT,
    judge_named,
)


def or_exit(function):
    """The result of `function`; a user's mistake ends the program with its message.

    If it were raised, Snakemake would also print where in the rules it happened.
    """
    try:
        return function()
    except PetiteError as error:
        sys.exit(f"Petite: {error}")


def written_layers():
    """The user's settings, the weakest first; one layer if another workflow provides them.

    A module has its own configuration. An included file shares that of the other workflow: Petite's
    settings are those below `petite`, or all.
    """
    if not IS_MAIN:
        given = config.get("petite", config) if IS_INCLUDED else config
        if not isinstance(given, dict):
            raise PetiteError(
                f"the settings for Petite must be a mapping from keys to values, got {given!r}"
            )
        return [Layer("the workflow that uses Petite", given)]
    files = [
        Layer(os.path.relpath(path), load_configfile(path))
        for path in workflow.overwrite_configfiles
    ]
    for path in workflow.overwrite_configfiles:
        check_repeated_keys(Path(path).read_text("utf-8-sig"), os.path.relpath(path))
    return [*files, command_line(workflow.config_settings.config_args or [])]


def resolved_config():
    default = read_layer(BASE / "config.yaml", "default")
    return resolve(default, written_layers(), BASE / "workflow/config")


# If some methods failed, this variable names a file that lists them for the run that makes the tables of
# the others. See partial.smk.
PARTIAL_VARIABLE = "PETITE_PARTIAL"
PARTIAL = None
if IS_MAIN and PARTIAL_VARIABLE in os.environ:
    PARTIAL = json.loads(Path(os.environ[PARTIAL_VARIABLE]).read_text("utf-8"))
GAPS = PARTIAL["gaps"] if PARTIAL else []


def checked_config():
    if PARTIAL:
        return load_config(PARTIAL["config"])
    try:
        return load_config(RESOLVED.values)
    except PetiteError as error:
        if IS_INCLUDED and "petite" not in config:
            raise PetiteError(
                f"{error}\nIf a workflow that includes Petite has its own settings, put those of "
                "Petite below `petite:`"
            ) from None
        raise


RESOLVED = or_exit(resolved_config)
# As the user wrote it.
ASKED = or_exit(checked_config)
PATHS = workflow.modifier.path_modifier


def placed(path):
    """The path on disk of a path below results/: a module may have a prefix or another folder.

    Snakemake itself changes the paths of input, output, log and benchmark in this way.
    """
    return PATHS.replace_prefix(path)


include: "../lookups/winner.smk"


# With what a search within a budget of bytes found. The budget of time may leave out a part of it.
WRITTEN = or_exit(config_with_winner)


include: "../lookups/budget.smk"


CONFIG = or_exit(config_of_run)
CUTS = cuts_by_judge()
PLAN = Plan(CONFIG)
RESULTS = f"results/{CONFIG.dataset.name}"
# Selection sees the split with the images to keep and to exclude, if the user lists any. A table of labels
# may have a column of them.
HAS_LISTS = bool(CONFIG.keep or CONFIG.exclude or CONFIG.labels)


def seed_of_split(repeat):
    """The seed of a split: each repeat has the next one."""
    number = int(re.search(r"\d+", repeat)[0]) if repeat else 1
    return CONFIG.split.seed + number - 1


def split_path(repeat):
    """The split of a repeat."""
    return f"{RESULTS}/{repeat}splits/{seed_of_split(repeat)}.parquet"


def selected_path(repeat):
    """The split of a repeat as selection sees it."""
    lists = "-lists" if HAS_LISTS else ""
    return f"{RESULTS}/{repeat}splits/{seed_of_split(repeat)}{lists}.parquet"


# Those of the first split.
SPLIT, SELECTED = split_path(""), selected_path("")
LEAKS = SPLIT.removesuffix(".parquet") + ".leaks.csv"
SPLIT_NOTICES = SPLIT.removesuffix(".parquet") + ".json"
LISTED_NOTICES = SELECTED.removesuffix(".parquet") + ".json"
# The other splits of `split.repeats`, by their folders. Those of the first split are the results' own, so that
# more splits add jobs only. If some methods failed, the tables of the others are of the first split.
REPEATS = (
    []
    if PARTIAL
    else [f"split-{number}/" for number in range(2, CONFIG.split.repeats + 1)]
)


wildcard_constraints:
    repeat=r"(?:split-\d+/)?",
    split_seed=r"\d+",
    judge=r"[A-Za-z0-9_-]+",
    method=r"[A-Za-z0-9_-]+(@[a-z0-9-]+)?",
    fraction=r"[0-9.e-]+",
    seed=r"\d+",
    first=r"\d+",
    last=r"\d+",


def split_seed(wildcards):
    return seed_of_split(wildcards.get("repeat", ""))


def split_of(wildcards):
    """The split of a job, as an input."""
    return split_path(wildcards.repeat)


def selected_of(wildcards):
    """The split of a job as selection sees it, as an input."""
    return selected_path(wildcards.repeat)


def as_param(settings):
    """Settings as the only param of a rule: equal settings give the same text.

    Braces are escaped, because Snakemake would read {2} as a wildcard.
    """
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    return re.sub(r"\{(?=\s*\w)", r"\\u007b", text)


def registered_modules():
    """The modules of all methods, feature spaces, figures and sources."""
    entries = [*METHODS.values(), *FIGURES.values()]
    entries += [space for space in SPACES.values() if space.function]
    sources = {source.__module__ for source in ALL_SOURCES.values()}
    return sources | {entry.module for entry in entries}


def all_digests():
    """The files; only the run itself writes them, not its jobs, of which many start at a time."""
    names = {path.stem for path in SCRIPTS.glob("*.py")} | registered_modules()
    above = next(path for path in (*CODE_FOLDER.parents, Path()) if path.is_dir())
    # Where nothing can be written, lock.smk says so.
    if workflow.exec_mode == ExecMode.DEFAULT and os.access(above, os.W_OK):
        for name in sorted(names):
            imports.digests_file(CODE_FOLDER, name)
    return {name: CODE_FOLDER / f"{name}.txt" for name in names}


# Files with the digests of the modules that a script or a registered entry loads, by its name. They are
# written here, before Snakemake looks which files there are.
DIGESTS = or_exit(all_digests)


@cache
def code(script, *entries):
    """A rule's script, and files with the digests of all modules of the library that it loads.

    An edit of one of them reruns the rule. `entries` are the modules of the methods, sources, figures
    and feature spaces that it uses. If the modules themselves were inputs, some fifty of each job,
    planning would cost Snakemake one and a half times as much.
    """
    digests = [DIGESTS[name] for name in (script, *entries)]
    return [outside(SCRIPTS / f"{script}.py"), *map(outside, digests)]


def outside(path):
    """A file outside of the results, which gets no prefix of a module."""
    return local(str(path))


# With --cache, the store and the features are shared through Snakemake's cache. The cache does not
# accept rules with a benchmark; their time and memory are in the logs.
IS_CACHED = (
    workflow.workflow_settings.cache is not None
    and os.environ.get("SNAKEMAKE_OUTPUT_CACHE") is not None
)


# The files of a job for some seeds of a method at a fraction.
RUN = "{method}/{fraction}/seeds-{first}-{last}"


def memory_limit(wildcards, input):
    """Snakemake does not compare params that depend on the input, so another limit reruns nothing."""
    limit = CONFIG.max_memory
    return "" if limit is None else f"--max-memory {shlex.quote(limit)}"


def as_text(fraction):
    """A fraction as in paths: 0.1, 0.25, 1."""
    return format(float(fraction), "g")


def method_name(label):
    """The method of a label of the config: `grid_of_9` may be a `pca_grid`."""
    return CONFIG.methods[method_of(label)].method


# The feature spaces in which a method that is run compares images.
USED_SPACES = {
    space
    for label, entry in CONFIG.methods.items()
    if entry.fractions
    for space in PLAN.spaces(label)
}


def batches_in(folder, suffix):
    """(first, last) seed of each file in a folder of the results."""
    paths = Path(placed(folder)).glob(f"*{suffix}")
    names = [re.fullmatch(r"seeds-(\d+)-(\d+)", path.stem) for path in paths]
    return [(int(name[1]), int(name[2])) for name in names if name]


@cache
def batches(judge, label, fraction, repeat=""):
    """(first, last) seed of each job of a judge for a case; finished jobs keep their seeds."""
    folder = f"{RESULTS}/{repeat}runs/{judge}/{label}/{as_text(fraction)}"
    done = batches_in(folder, ".csv")
    due = PLAN.seed_batches(judge, fraction, done)
    if not PARTIAL:
        return due
    return [
        (first, last)
        for first, last in due
        if (first, last) in done
        and f"{placed(folder)}/seeds-{first}-{last}.csv" not in PARTIAL["unfinished"]
    ]


# (label, fraction) of all subsets that each judge judges
CASES_OF = {
    judge.name: [
        (label, fraction)
        for label, fraction in PLAN.cases_of(judge.name)
        if batches(judge.name, label, fraction)
    ]
    for judge in PLAN.judges
}


@cache
def judgings_of(repeat):
    """(judge, label, fraction, first seed, last seed) of all jobs of the judges in a split."""
    return [
        (judge, label, fraction, first, last)
        for judge, cases in CASES_OF.items()
        for label, fraction in cases
        for first, last in batches(judge, label, fraction, repeat)
    ]


# Those of the first split.
JUDGINGS = judgings_of("")
# (label, fraction) of all subsets, in each encoding in which they are judged
ENCODED_CASES = [
    case for case in CONFIG.runs if any(case in own for own in CASES_OF.values())
]
# (label, fraction) of all subsets, which all encodings share
CASES = list(
    dict.fromkeys((method_of(name), fraction) for name, fraction in ENCODED_CASES)
)


def subset_seeds(label, fraction, due=None):
    """The seeds of the subsets of a case that are kept as files: 0, and those that judges read.

    due: the jobs of the judges that count; None for those that are due in any case.
    """
    read = {
        seed
        for judge, name, share, first, last in (JUDGINGS if due is None else due)
        if (method_of(name), share) == (label, fraction)
        and not judge_named(judge).selects
        for seed in range(first, last + 1)
    }
    return sorted(read) or [0]


# The looks of each judge whose seeds are not a fixed number.
LOOKS = {
    judge.name: looks
    for judge in PLAN.judges
    if CASES_OF[judge.name] and (looks := CONFIG.looks_of(judge.name))
}
LOOK_SEEDS = next(iter(LOOKS.values())).seeds if LOOKS else ()


def looks_param(judge):
    """The looks of a judge as JSON has them; None if it has none."""
    return json.loads(json.dumps(asdict(LOOKS[judge]))) if judge in LOOKS else None


def seeds_due(before=None):
    """The number of seeds of each (judge, label, fraction), as the looks so far decide.

    before: the looks with fewer seeds than this count only.
    """
    due = {
        (judge, *case): LOOK_SEEDS[0] if judge in LOOKS and not PARTIAL else None
        for judge, cases in CASES_OF.items()
        for case in cases
    }
    if PARTIAL:
        return due
    for now, after in zip(LOOK_SEEDS, LOOK_SEEDS[1:]):
        if before is not None and now >= before:
            break
        found = read_json(Path(checkpoints.look.get(seeds=now).output[0]))["open"]
        for judge, cases in found.items():
            due |= {(judge, *case): after for case in map(tuple, cases)}
        if not any(found.values()):
            break
    return due


def judgings(before=None):
    """The jobs of the judges, see JUDGINGS: those whose seeds are due.

    A job of a run with other looks may have more seeds, which wait for the next look. With a budget of
    bytes, none is due before the search is over.
    """
    check_search_is_over()
    if not LOOKS or ALL_SEEDS:
        return JUDGINGS
    due = seeds_due(before)
    return [
        (*case, first, last)
        for *case, first, last in JUDGINGS
        if (most := due[tuple(case)]) is None or first < most
    ]


# The fractions of the config as in paths, which round them.
FRACTIONS = {
    as_text(fraction): fraction
    for entry in CONFIG.methods.values()
    for fraction in entry.fractions
}


def subset_folder(label, fraction, repeat=""):
    return f"{RESULTS}/{repeat}subsets/{label}/{as_text(fraction)}"


@cache
def ranking_batches(label, repeat=""):
    """(first, last) seed of each file of rankings of an entry; finished jobs keep their seeds."""
    done = batches_in(f"{RESULTS}/{repeat}rankings/{label}", ".parquet")
    return PLAN.selection_batches(label, PLAN.ranking_seeds(label), done)


@cache
def subset_batches(label, fraction, repeat=""):
    """(first, last) seed of each file of subsets of a case; finished jobs keep their seeds.

    Subsets that are cut from rankings, or made of those of `random`, have the seeds of that file.
    """
    seeds = PLAN.subset_seeds(label, FRACTIONS.get(as_text(fraction), float(fraction)))
    done = batches_in(subset_folder(label, fraction, repeat), ".parquet")
    made_of = []
    if method_name(label) == AUGMENTATION:
        made_of = subset_batches("random", fraction, repeat)
    elif PLAN.ranks(label):
        made_of = ranking_batches(label, repeat)
    new = [one for one in made_of if not any(overlap(one, other) for other in done)]
    return PLAN.selection_batches(label, seeds, [*done, *new])


def overlap(one, other):
    """Whether two batches, each the first and last seed, share seeds."""
    return one[0] <= other[1] and other[0] <= one[1]


def subset_paths(label, fraction, first, last, repeat=""):
    """The files with the subsets of some seeds: of a deterministic selection, one for all seeds."""
    label = method_of(label)
    wanted = (first, last) if PLAN.is_seeded(label) else (0, 0)
    return [
        f"{subset_folder(label, fraction, repeat)}/seeds-{begin}-{end}.parquet"
        for begin, end in subset_batches(label, as_text(fraction), repeat)
        if overlap((begin, end), wanted)
    ]


def run_path(judge, label, fraction, first, last, repeat=""):
    """The files of a job of a judge, without their suffix."""
    folder = f"{RESULTS}/{repeat}runs/{judge}/{label}/{as_text(fraction)}"
    return f"{folder}/seeds-{first}-{last}"


def runs_paths(suffix, before=None):
    """The files of all jobs of the judges; suffix is .csv, .history.csv or .predictions.npz."""
    return [f"{run_path(*judging)}{suffix}" for judging in judgings(before)]


def runs_files(suffix):
    """The same, as the input of a rule: which seeds are due is known when the looks are over."""
    return lambda wildcards: runs_paths(suffix)


# Assumed number of images until it is known.
MANY_IMAGES = 25_000


def counted_images():
    """The number of images in the store; before it is made, of entries in the listing; or None."""
    manifest = Path(placed(RESULTS)) / "store/manifest.json"
    listing = Path(placed(RESULTS)) / "store/listing.parquet"
    if manifest.exists():
        try:
            counts = read_json(manifest)["counts"]
            return sum(count["ok"] for count in counts.values())
        except ValueError:
            return None  # it is damaged, as the job that reads it says
    if listing.exists():
        return pyarrow.parquet.read_metadata(listing).num_rows
    return None


def number_of_images():
    """The number of images, or MANY_IMAGES until it is known."""
    found = counted_images()
    return MANY_IMAGES if found is None else found


# Bytes of one stored image.
IMAGE_BYTES = CONFIG.dataset.image_size**2 * CONFIG.dataset.channels


def memory(base, per_image, count=number_of_images):
    """The mem_mb of a rule: `base` MB and `per_image` bytes, doubled at each new attempt.

    `count` gives the number of images. A fifth above the maximum in benchmarks/ (max_rss), and 360 MB for the two Snakemake processes
    that a cluster's executor runs for a job.
    """

    def mem_mb(wildcards, attempt):
        needed = base + per_image * count() / 1e6
        return round(needed * 2 ** (attempt - 1))

    return mem_mb
