# Functions of train.smk.


def subsets_to_train(wildcards):
    seeds = range(int(wildcards.first), int(wildcards.last) + 1)
    paths = [subset_path(wildcards.method, wildcards.fraction, seed) for seed in seeds]
    return list(dict.fromkeys(paths))


def records_to_train(wildcards):
    return records_of(subsets_to_train(wildcards))


RUN = f"{{method}}/{{fraction}}/seeds-{{first}}-{{last}}"


def models_folder(label, fraction, first, last):
    return f"{RESULTS}/models/{label}/{as_text(fraction)}/seeds-{first}-{last}"


TRAININGS = [
    (label, fraction, first, last)
    for label, fraction in CASES
    for first, last in batches(label, fraction)
]
MODELS = [models_folder(*training) for training in TRAININGS]
SUBSETS = [
    subset_path(label, fraction, seed)
    for label, fraction in CASES
    for seed in seeds_of(label, fraction)
]
# Files of a complete run besides its tables. As inputs of `all`, they are made again if deleted.
KEPT = [
    *dict.fromkeys(SUBSETS),
    *records_of(dict.fromkeys(SUBSETS)),
    *runs_paths(".csv"),
    *runs_paths(".history.csv"),
    *runs_paths(".predictions.npz"),
    *MODELS,
]


def say_which_models_are_gone():
    """Snakemake sees a folder of models, but not the models that are missing in it."""
    for training, runs in zip(TRAININGS, runs_paths(".csv")):
        folder, (_, _, first, last) = Path(models_folder(*training)), training
        names = [f"seed-{seed}.keras" for seed in range(first, last + 1)]
        gone = [name for name in names if not (folder / name).exists()]
        if gone and folder.is_dir() and Path(runs).exists():
            print(
                f"Petite: {folder} lacks {', '.join(gone)}. To train again, delete that folder.",
                file=sys.stderr,
            )


if IS_RUN:
    say_which_models_are_gone()
