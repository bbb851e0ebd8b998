# Functions of config.smk: the source of the results, and the summary at the start of a run.

from petite.config.layers import described
from petite.data.ownership import (
    Owner,
    check_owner,
    digest_of_files,
    digest_of_listing,
    record_owner,
)


def owner():
    """The source of this run."""
    if not SOURCE.takes_path():
        return Owner(DATASET.source, "", "", "")
    if DATASET.is_remote:
        address = public_url(DATASET.path)
        return Owner(DATASET.source, address, address, "")
    if IS_FOLDER:
        contents = digest_of_listing(
            FOLDER_LISTING["image_id"], FOLDER_LISTING["bytes"]
        )
    else:
        contents = digest_of_files([Path(path) for path in SOURCE_FILES])
    path = os.path.abspath(DATASET.path)
    return Owner(DATASET.source, DATASET.path, path, contents)


OWNER = owner()
HAS_LABELS = CONFIG.pool.labeled  # otherwise there is only a pool; see pool.smk
if IS_RUN and HAS_LABELS:
    or_exit(lambda: check_owner(Path(RESULTS), OWNER))


def say_settings():
    """Print notices on the settings, and the images and the preset in one line, before the first job."""
    if HAS_LABELS and not GONE:
        record_owner(Path(RESULTS), OWNER)
    for notice in ASKED.notices:
        print(f"Note: {notice}", file=sys.stderr)
    if RESOLVED.preset is None or not HAS_LABELS:
        return
    what = DATASET.source if DATASET.path is None else DATASET.path
    count = f"{len(FOLDER_LISTING):,} images in " if IS_FOLDER else ""
    print(
        f"{count}{what}: your settings and those of {RESOLVED.preset}.yaml ({judges_in_words()}). "
        "To print all of them, run `snakemake --cores 1 config`",
        file=sys.stderr,
    )
    if left := not_judged():
        print(
            f"Not judged: {', '.join(left)}. No judge of this run can train on them. Add "
            "`judges: {scratch: {}}` to judge them",
            file=sys.stderr,
        )


def judges_in_words():
    """How subsets are judged, and with how many seeds."""
    size, color = DATASET.image_size, "color" if DATASET.channels == 3 else "gray"
    settings = {
        PROBE: f"a probe on embeddings of {BACKBONE.label}",
        PROBE_SOFT: f"a probe on embeddings of {BACKBONE.label} and soft labels",
        SCRATCH: f"{size}x{size} {color} pixels, {CONFIG.training.model} for "
        f"{CONFIG.training.budget}",
    }
    return "; ".join(
        f"{settings.get(name, name)}, {seeds_in_words(name)} seeds"
        for name in CONFIG.judges.used
    )


def seeds_in_words(judge):
    """The number of seeds of a judge; with looks, the fewest and the most."""
    if looks := CONFIG.looks_of(judge):
        return f"{looks.seeds[0]} to {looks.seeds[-1]}"
    return str(CONFIG.judges.used[judge].seeds or CONFIG.seeds)


def not_judged():
    """The entries that no judge takes, because they make images or see fewer."""
    judged = {label for label, _ in CASES}
    return [
        label
        for label, entry in CONFIG.methods.items()
        if entry.fractions and label not in judged
    ]
