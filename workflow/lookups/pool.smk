# Functions of pool.smk: the pool of images without labels, and what is chosen from it.

from petite.config.pool import pool_method
from petite.training.judges import ProbeSettings

POOL = CONFIG.pool
POOL_PLACE = "pool"
LABEL_NEXT = "label_next"
# Rules that need no labels.
WITHOUT_LABELS = {LABEL_NEXT, "config"}


def check_pool():
    """Raise PetiteError for a pool that is too small, and for what needs labels without any."""
    if POOL.images > SECOND[POOL_PLACE].count:
        raise PetiteError(
            f"pool.images: {POOL.images} is more than the {SECOND[POOL_PLACE].count} files of the "
            f"pool {POOL.path}: choose fewer"
        )
    if not POOL.labeled and (wanted := sorted(TARGETS - WITHOUT_LABELS)):
        raise PetiteError(
            f"'{wanted[0]}' needs labels, and only a pool without labels is given: run "
            f"'{LABEL_NEXT}', or give the labeled images too (folder=LABELED)"
        )


# The rules that are asked for on the command line; files are not among them.
TARGETS = {
    target
    for target in (workflow.dag_settings.targets if workflow.dag_settings else ())
    if "/" not in target
}
if POOL.path:
    SECOND[POOL_PLACE] = or_exit(
        lambda: SecondSource(POOL_PLACE, "pool.path", "unlabeled", POOL.path)
    )
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


PAGE_TEMPLATES = [
    outside(SCRIPTS / "petite/report/templates" / name)
    for name in ("pool/page.html", "style.css")
]
