# Functions of bytes.smk: the settings of the search, what it reads of the network, and how the run goes on.

from petite.training.byte_search import least_bytes, parse_budget
from petite.util.formatting import byte_size

# The first judge measures what an encoding is worth.
SEARCH_JUDGE = PLAN.judges[0].name
SEARCH_SETTINGS = {
    **READING_SETTINGS,
    "budget": BYTES,
    "judge": SEARCH_JUDGE,
    "own": {
        PROBE: lambda: CONFIG.judges.probe.model_dump(
            mode="json", exclude={"seeds", "fractions"}
        ),
        FINE_TUNE: lambda: FINE_TUNING.model_dump(
            mode="json", exclude={"seeds", "fractions"}
        ),
    }.get(SEARCH_JUDGE, lambda: CONFIG.training.model_dump(mode="json"))(),
    "backbone": {name: BACKBONE_SETTINGS.get(name) for name in ("name", "scaling")}
    | {"image_size": BACKBONE.image_size},
    # A probe selects from this part of the training images.
    "pool_share": min(
        getattr(judge, "pool_share", 1.0) for judge in CONFIG.judges.used.values()
    ),
    **(PLAN.selection_settings("random") if "random" in CONFIG.methods else {}),
}


def search_files(wildcards):
    """The network, and the embeddings of the validation images."""
    if SEARCH_JUDGE == PROBE:
        return {**backbone_files(wildcards), **all_embeddings()}
    return backbone_files(wildcards) if SEARCH_JUDGE == FINE_TUNE else {}


def search_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input, which is compared itself."""
    # A search that was stopped goes on from these.
    arguments = ["--trainings", placed(f"{RESULTS}/bytes/trainings.json")]
    if SEARCH_JUDGE == PROBE:
        arguments += ["--embeddings", *input.embeddings]
    weights = (
        weights_argument(wildcards, input) if SEARCH_JUDGE in (PROBE, FINE_TUNE) else ""
    )
    return f"{shlex.join(arguments)} {weights}"


def check_budget():
    """Raise PetiteError for a budget that cannot fit the originals, as far as these are known already."""
    if not BYTES or FOLDER_LISTING is None:
        return
    value, is_share = parse_budget(BYTES)
    total = int(FOLDER_LISTING["bytes"].sum())
    budget = value * total if is_share else value
    if budget >= total:
        raise PetiteError(
            f"bytes: {BYTES} is not below the {byte_size(total)} of all originals: give a "
            "smaller budget, or run without one"
        )
    classes = FOLDER_LISTING["class_name"].unique()
    if budget < (least := least_bytes(classes)):
        raise PetiteError(
            f"bytes: {BYTES} of {byte_size(total)} has no room for an image of each of "
            f"{len(classes)} classes, which take at least {byte_size(least)}: give a larger budget"
        )


or_exit(check_budget)


def wanted_after_search(wildcards):
    """The files of the default target: those of a search within a budget of bytes, until it is over."""
    if not IS_MAIN:
        check_search_is_over()
    elif BYTES and winner_is_new():
        return rules.search_bytes.output
    return [*WANTED, *kept_files(wildcards)]


# Set by a run that judges what its search found, so that it cannot do so again and again.
GOES_ON_VARIABLE = "PETITE_GOES_ON"
HAS_GONE_ON = os.environ.pop(GOES_ON_VARIABLE, None)


def said_of_search():
    """What a search found, in words."""
    return Path(f"{RESULTS}/bytes/search.txt").read_text("utf-8").rstrip()


def go_on_with_winner(found):
    """Judge what the search found: the same command again, in place of this process.

    The rules of a run are made for one winner. Snakemake has released its lock.
    """
    print(f"\n{found}\n", flush=True)
    program = Path(sys.argv[0])
    is_snakemake = program.stem == "snakemake" or program.parent.name == "snakemake"
    if HAS_GONE_ON or not is_snakemake:
        print("To judge it on the test images, rerun the same command.", flush=True)
        return
    sys.stderr.flush()
    if (
        workflow.sourcecache.runtime_cache
    ):  # which Python deletes at its exit, that never comes
        workflow.sourcecache.runtime_cache.cleanup()
    os.environ[GOES_ON_VARIABLE] = "1"
    os.execv(sys.executable, [sys.executable, "-m", "snakemake", *sys.argv[1:]])
