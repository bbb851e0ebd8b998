# Functions of pool.smk: the pool of images without labels, and what is chosen from it.

from petite.config.pool import pool_method
from petite.training.judges import ProbeSettings

POOL = CONFIG.pool
POOL_PLACE = "pool"
LABEL_NEXT = "label_next"
# Rules that need no labels.
WITHOUT_LABELS = re.compile(r"pool_.*|second_.*|download_weights|config|all|label_next")


def pool_owner():
    """The pool, so that its results are not overwritten by those of another one."""
    source, path = SECOND[POOL_PLACE], os.path.abspath(POOL.path)
    contents = digest_of_listing(source.listing["image_id"], source.listing["bytes"])
    return Owner(source.kind.name, POOL.path, path, contents)


def is_choosing():
    """Whether the run chooses from the pool: it is asked to, or there are no labels."""
    return bool(POOL.path) and (LABEL_NEXT in PROGRESS.due or not POOL.labeled)


def record_pool():
    """Record the pool, and print what is read."""
    if not is_choosing():
        return
    record_owner(Path(RESULTS) / POOL_PLACE, POOL_OWNER)
    print(
        f"{SECOND[POOL_PLACE].count:,} files in {POOL.path}, without labels",
        file=sys.stderr,
    )


def check_pool():
    """Raise PetiteError for a pool that is too small, and for results of another one."""
    if POOL.images > SECOND[POOL_PLACE].count:
        raise PetiteError(
            f"pool.images: {POOL.images} is more than the {SECOND[POOL_PLACE].count} files of the "
            f"pool {POOL.path}: choose fewer"
        )
    if IS_RUN:
        check_owner(Path(RESULTS) / POOL_PLACE, POOL_OWNER)


def check_targets():
    """End the run, before its first job, if it needs a pool or labels that there are none of."""
    due = PROGRESS.due.keys()
    if LABEL_NEXT in due and POOL.path is None:
        sys.exit(
            f"Petite: '{LABEL_NEXT}' needs images without labels: give pool=FOLDER"
        )
    others = [name for name in due if not WITHOUT_LABELS.fullmatch(name)]
    if others and not POOL.labeled:
        sys.exit(
            f"Petite: '{others[-1]}' needs labels, and the images in {POOL.path} have none: run "
            f"'{LABEL_NEXT}', or give labeled images too (folder=LABELED)"
        )


if POOL.path:
    SECOND[POOL_PLACE] = or_exit(
        lambda: SecondSource(POOL_PLACE, "pool.path", "unlabeled", POOL.path)
    )
    POOL_OWNER = or_exit(pool_owner)
    or_exit(check_pool)

POOL_METHODS = {
    name: pool_method(name, CONFIG.methods)
    for name in (POOL.methods if POOL.path else ())
}
POOL_FEATURES = f"{RESULTS}/{POOL_PLACE}/features/{POOL.space}.npy"
CHOICE = f"{RESULTS}/{LABEL_NEXT}/{{chooser}}-{{k}}"


def choices(file):
    """A file of the choice of each method."""
    folders = [CHOICE.format(chooser=name, k=POOL.images) for name in POOL_METHODS]
    return [f"{folder}/{file}" for folder in folders]


def of_labeled_part(**files):
    """Files of the labeled part; none if all images are without labels."""
    return files if POOL.labeled else {}


def of_embeddings(wanted):
    """The embeddings of the pool and of the labeled part, if they are wanted."""
    if not wanted:
        return {}
    pool = SECOND[POOL_PLACE].embeddings()
    labeled = all_embeddings() if POOL.labeled else {}
    return {
        **{f"pool_{kind}": paths for kind, paths in pool.items()},
        **labeled,
    }


def pool_feature_inputs(wildcards):
    return of_embeddings(wildcards.space == "backbone")


def uncertainty_inputs(wildcards):
    return of_embeddings(POOL_METHODS[wildcards.chooser].score)


def pool_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input, which is compared itself."""
    arguments = []
    for name in ("labeled", "split", "pool_embeddings", "embeddings"):
        if paths := named_inputs(input, name):
            arguments.append(shlex.join([f"--{name.replace('_', '-')}", *paths]))
    return " ".join(arguments)


def choice_arguments(wildcards, input):
    return f"{pool_arguments(wildcards, input)} {memory_limit(wildcards, input)}"


def choice_settings(wildcards):
    """All that decides what a method chooses from the pool."""
    found = POOL_METHODS[wildcards.chooser]
    probe = CONFIG.judges.probe or ProbeSettings()
    return as_param(
        {
            "method": found.method,
            "settings": found.settings,
            "uncertainty": found.score,
            "penalties": probe.penalties if found.score else None,
            "copies": POOL.copies,
            "seed": POOL.seed,
        }
    )


def choice_code(wildcards):
    return code("pool_choice", METHODS[POOL_METHODS[wildcards.chooser].method].module)


def page_settings(wildcards):
    return as_param(
        {
            "name": DATASET.name,
            "folder": Path(POOL.path).absolute().name,
            "method": wildcards.chooser,
            "backbone": BACKBONE.label,
        }
    )


def page_templates(name):
    """The templates of a page with a contact sheet."""
    shared = ("base.html", "style.css", "pool/sheet.html", "pool/sheet.css")
    return [
        outside(SCRIPTS / "petite/report/templates" / file) for file in (name, *shared)
    ]
