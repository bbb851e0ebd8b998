# Functions of train.smk.

from petite.training.judges import FineTuneSettings
from petite.util.command import files_of


def subsets_to_train(wildcards):
    own = seeds_of(wildcards)
    case = wildcards.method, wildcards.fraction
    return subset_paths(*case, own[0], own[-1], wildcards.repeat)


def records_to_train(wildcards):
    return records_of(subsets_to_train(wildcards))


def seeing(wildcards):
    """What a training skips of its images."""
    return as_param(PLAN.seeing(wildcards.method))


FINE_TUNING = CONFIG.judges.fine_tune or FineTuneSettings()


def fine_tune_settings():
    """The network's size is that of the judge."""
    backbone = {"name": BACKBONE.name, "scaling": BACKBONE.scaling}
    own = FINE_TUNING.model_dump(mode="json", exclude={"seeds", "fractions"})
    return as_param({"backbone": backbone, "fine_tune": own})


# MB for the activations of a batch: efficientnet_lite0 takes 1,750 for 64 images of 128 pixels.
# Small batches count as 32, because evaluation takes 128 images at a time.
BATCH = max(32, FINE_TUNING.batch_size)
ACTIVATIONS = 1750 * BATCH / 64 * (FINE_TUNING.image_size / 128) ** 2
# What `memory` takes for the jobs of a judge: MB, and bytes for each image.
OF_TRAINING = 1500, 4 * IMAGE_BYTES
OF_FINE_TUNING = 1300 + 1.2 * ACTIVATIONS, 4 * IMAGE_BYTES
OF_PROBE = 1000, 20_000


def probe_inputs(wildcards):
    """The embeddings of all images, and what the methods of an entry need for each seed."""
    encoded = encoded_inputs(wildcards)
    if encoded:
        encoded["encoded_embeddings"] = of_encoding(
            ENCODED_EMBEDDINGS["embeddings"], encoding_of(wildcards.method)
        )
        encoded["encoded_records"] = of_encoding(
            ENCODED_EMBEDDINGS["embeddings_json"], encoding_of(wildcards.method)
        )
    return {**all_embeddings(), **selection_inputs(wildcards), **encoded}


def probe_settings(wildcards):
    probe = CONFIG.judges.probe.model_dump(mode="json", exclude={"seeds", "fractions"})
    return as_param({**PLAN.selection_settings(wildcards.method), "probe": probe})


def probe_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input, which is compared itself."""
    embeddings = ["--embeddings", *input.embeddings]
    if "encoded" in input.keys():
        embeddings += ["--encoded-embeddings", *input.encoded_embeddings]
    return (
        f"{shlex.join(embeddings)} {encoded_arguments(wildcards, input)} "
        f"{selection_arguments(wildcards, input)}"
    )


PROGRAMS = CONFIG.judges.programs
# What only the rule of the user's programs needs, or what changes no result.
OF_THE_RULE = {"seeds", "fractions", "files", "max_seconds"}


def program_files(wildcards):
    """The files of a program that its command names or its settings list; an edit reruns it."""
    program = PROGRAMS[wildcards.judge]
    return [outside(path) for path in [*files_of(program.words()), *program.files]]


def program_source(wildcards):
    """The originals, if the program is given images of another size than the stored ones."""
    return SOURCE_FILES if PROGRAMS[wildcards.judge].image_size else []


def program_settings(wildcards):
    program = PROGRAMS[wildcards.judge]
    settings = {"program": program.model_dump(mode="json", exclude=OF_THE_RULE)}
    if program.image_size:
        settings["reading"] = {**READING_SETTINGS, "listing": None}
    return as_param(settings)


def program_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input: a time limit reruns nothing."""
    program = PROGRAMS[wildcards.judge]
    source = source_arguments(wildcards, input) if program.image_size else ""
    return f"--max-seconds {program.max_seconds:g} {source}"


def check_programs():
    """Raise PetiteError for a file of a program that is not there."""
    for name, program in PROGRAMS.items():
        for path in program.files:
            if not Path(path).is_file() and IS_MAIN:
                raise PetiteError(
                    f"judges.{name}.files: there is no file {path}: correct the path"
                )


or_exit(check_programs)


def models_folder(judge, label, fraction, first, last, repeat=""):
    folder = f"{RESULTS}/{repeat}models/{judge}/{label}/{as_text(fraction)}"
    return f"{folder}/seeds-{first}-{last}"


# The jobs whose models are kept.
TRAININGS = [
    (*judging, repeat)
    for repeat in ["", *REPEATS]
    for judging in judgings_of(repeat)
    if judge_named(judging[0]).has_models
]


def kept_files(wildcards):
    """Files of a complete run besides its tables. As inputs of `all`, they are made again if deleted."""
    return [
        path
        for repeat in ["", *REPEATS]
        for path in kept_files_of(repeat, judgings_of(repeat) if repeat else judgings())
    ]


def kept_files_of(repeat, due):
    """Those of one split, with the jobs of the judges that are due."""
    subsets = dict.fromkeys(
        path
        for label, fraction in CASES
        for seed in subset_seeds(label, fraction, due)
        for path in subset_paths(label, fraction, seed, seed, repeat)
    )
    return [
        *subsets,
        *records_of(subsets),
        *(
            f"{run_path(*job, repeat)}{suffix}"
            for job in due
            for suffix in (".csv", ".history.csv", ".predictions.npz")
        ),
        *(models_folder(*job, repeat) for job in due if judge_named(job[0]).has_models),
    ]


def say_which_models_are_gone():
    """Snakemake sees a folder of models, but not the models that are missing in it."""
    for training in TRAININGS:
        folder, runs = Path(models_folder(*training)), f"{run_path(*training)}.csv"
        *_, first, last, _ = training
        names = [f"seed-{seed}.keras" for seed in range(first, last + 1)]
        gone = [name for name in names if not (folder / name).exists()]
        if gone and folder.is_dir() and Path(runs).exists():
            print(
                f"Petite: {folder} lacks {', '.join(gone)}. To train again, delete that folder.",
                file=sys.stderr,
            )


if IS_RUN:
    say_which_models_are_gone()
