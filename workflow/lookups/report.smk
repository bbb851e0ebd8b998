# Functions of report.smk: the inputs of the report.

from petite.report.inputs import MOST_SEEDS

# Settings that do not change results are not listed in the report.
NOT_IN_REPORT = ["max_memory", "seeds_per_job", "training_gpus", "training_threads"]
REPORT_TABLES = ["runs", "history", "summary", "verdicts", "costs", "recommendation"]
REPORT_SUBSETS = list(
    dict.fromkeys(
        path
        for label, fraction in sorted(CASES)
        for seed in subset_seeds(label, fraction)[:MOST_SEEDS]
        for path in subset_paths(label, fraction, seed, seed)
    )
)
REPORT_TEMPLATES = [
    outside(path)
    for path in sorted((SCRIPTS / "petite/report/templates").iterdir())
    if path.is_file()
]


def report_settings():
    settings = CONFIG.model_dump(mode="json")
    return as_param(
        {key: value for key, value in settings.items() if key not in NOT_IN_REPORT}
    )


def report_features():
    """The feature space of the config, or pixels if it differs between seeds."""
    space = CONFIG.features.space
    return feature_path("pixels" if SPACES[space].is_of_proxy else space, 0)


def report_embeddings():
    """The embeddings that pair dropped with kept images, unless the features are the same."""
    is_other = USES_EMBEDDINGS and CONFIG.features.space != "backbone"
    return all_embeddings()["embeddings"] if is_other else []
