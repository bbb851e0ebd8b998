# What train.smk looks up.


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
# What a whole run leaves beside its tables. Otherwise Snakemake would not miss what was deleted of it.
KEPT = [
    *dict.fromkeys(SUBSETS),
    *records_of(dict.fromkeys(SUBSETS)),
    *runs_paths(".csv"),
    *runs_paths(".history.csv"),
    *runs_paths(".predictions.npz"),
    *MODELS,
]


def ask_for_deleted_models():
    """Have the trainings done again of which a model was deleted, and its folder was left."""
    for training in TRAININGS:
        folder, (_, _, first, last) = models_folder(*training), training
        seeds = range(first, last + 1)
        if Path(folder).is_dir() and not all(
            Path(folder, f"seed-{seed}.keras").exists() for seed in seeds
        ):
            workflow.dag_settings.forcerun = {*workflow.dag_settings.forcerun, folder}


if IS_MAIN and workflow.exec_mode == ExecMode.DEFAULT:
    ask_for_deleted_models()
