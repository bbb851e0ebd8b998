# Functions of bytes.smk: the settings of the search, and what it reads of the network.

from petite.training.byte_search import parse_budget
from petite.util.formatting import byte_size

BUDGET = CONFIG.bytes
# The first judge measures what an encoding is worth.
SEARCH_JUDGE = PLAN.judges[0].name
SEARCH_SETTINGS = {
    **READING_SETTINGS,
    "budget": BUDGET,
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
    "pool_share": CONFIG.judges.probe.pool_share if SEARCH_JUDGE == PROBE else 1.0,
    # What the run of the winner leaves out.
    "labels": [label for label, entry in CONFIG.methods.items() if entry.fractions],
    **(PLAN.selection_settings("random") if "random" in CONFIG.methods else {}),
}


def search_files(wildcards):
    """The network, and the embeddings of the validation images."""
    if SEARCH_JUDGE == PROBE:
        return {**backbone_files(wildcards), **all_embeddings()}
    return backbone_files(wildcards) if SEARCH_JUDGE == FINE_TUNE else {}


def search_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input, which is compared itself."""
    arguments = []
    if SEARCH_JUDGE == PROBE:
        arguments = ["--embeddings", *input.embeddings]
    weights = (
        weights_argument(wildcards, input) if SEARCH_JUDGE in (PROBE, FINE_TUNE) else ""
    )
    return f"{shlex.join(arguments)} {weights}"


def check_budget():
    """Raise PetiteError for more bytes than the originals have, as far as these are known already."""
    value, is_share = parse_budget(BUDGET) if BUDGET else (0, True)
    if not is_share and FOLDER_LISTING is not None:
        total = int(FOLDER_LISTING["bytes"].sum())
        if value >= total:
            raise PetiteError(
                f"bytes: {BUDGET} is not below the {byte_size(total)} of all originals: give a "
                "smaller budget, or run without one"
            )


or_exit(check_budget)


def said_of_search():
    """What a search found, and the command that judges it."""
    found = Path(f"{RESULTS}/bytes/search.txt").read_text("utf-8").rstrip()
    return [
        found,
        "",
        "To judge it on the test images, with new seeds, add to the command, without bytes:",
        f"    --configfile {RESULTS}/bytes/winner.yaml",
    ]
