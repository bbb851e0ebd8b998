# Functions of checks.smk: which checks run.


CHECKS = CONFIG.checks
# The space in which labels are checked; None for the embeddings.
LABEL_SPACE = None if CHECKS.label_errors in (True, False) else CHECKS.label_errors
ALTERED = f"{RESULTS}/checks/altered.npy"
CHECK_TABLES = {
    name: f"{RESULTS}/checks/{name}"
    for name, is_due in {
        "cues": CHECKS.cues,
        "label_errors": CHECKS.label_errors and (LABEL_SPACE or USES_EMBEDDINGS),
        # Images that are gone cannot be altered any more, and a program of the user's gets no altered ones.
        "near_duplicates": CHECKS.near_duplicates
        and USES_EMBEDDINGS
        and not BACKBONE.command
        and not (GONE and not Path(placed(ALTERED)).exists()),
    }.items()
    if is_due
}


def check_files():
    """What the report reads of the checks."""
    records = [f"{path}.json" for name, path in CHECK_TABLES.items() if name != "cues"]
    return [*(f"{path}.parquet" for path in CHECK_TABLES.values()), *records]


def label_errors_inputs():
    """What labels are checked by, beside the store."""
    if LABEL_SPACE is None:
        return all_embeddings()
    return {"own": outside(OWN)} if SPACES[LABEL_SPACE].file else {}


def label_errors_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input, which is compared itself."""
    return embeddings_of_check(wildcards, input) if LABEL_SPACE is None else ""


def embeddings_of_check(wildcards, input):
    """Snakemake does not compare params that depend on the input, which is compared itself."""
    return shlex.join(["--embeddings", *input.embeddings])
