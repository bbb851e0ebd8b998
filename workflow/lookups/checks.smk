# Functions of checks.smk: which checks run.


CHECKS = CONFIG.checks
ALTERED = f"{RESULTS}/checks/altered.npy"
CHECK_TABLES = {
    name: f"{RESULTS}/checks/{name}"
    for name, is_due in {
        "cues": CHECKS.cues,
        "label_errors": CHECKS.label_errors and USES_EMBEDDINGS,
        # Images that are gone cannot be altered any more.
        "near_duplicates": CHECKS.near_duplicates
        and USES_EMBEDDINGS
        and not (GONE and not Path(placed(ALTERED)).exists()),
    }.items()
    if is_due
}


def check_files():
    """What the report reads of the checks."""
    records = [f"{path}.json" for name, path in CHECK_TABLES.items() if name != "cues"]
    return [*(f"{path}.parquet" for path in CHECK_TABLES.values()), *records]


def embeddings_of_check(wildcards, input):
    """Snakemake does not compare params that depend on the input, which is compared itself."""
    return shlex.join(["--embeddings", *input.embeddings])
