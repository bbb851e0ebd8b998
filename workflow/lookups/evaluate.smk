# Functions of evaluate.smk: the figures of the run and their inputs, and the files of the provenance.


import hashlib

from petite.plots.registry import FigurePlan, drawings

FIGURE_PLANS = [
    FigurePlan(
        cases=tuple(CASES_OF[judge.name]),
        methods={
            label: method_name(label)
            for label in [*CONFIG.methods, *(name for name, _ in ENCODED_CASES)]
        },
        has_comparisons=bool(with_random(CASES_OF[judge.name])),
        judge=judge.name,
        has_curves=judge.has_models,
        is_first=place == 0,
    )
    for place, judge in enumerate(PLAN.judges)
    if CASES_OF[judge.name]
]
# Figures of subsets show those of the first judge.
FIGURE_PLAN = FIGURE_PLANS[0]
DRAWINGS = {
    name: drawing for plan in FIGURE_PLANS for name, drawing in drawings(plan).items()
}
FIGURES = [
    f"{RESULTS}/figures/{name}.{kind}" for name in DRAWINGS for kind in ("png", "svg")
]
FIGURE = {
    "png": report(
        f"{RESULTS}/figures/{{figure}}.png",
        caption="../report/figure.rst",
        category="Figures",
        labels={"figure": "{figure}"},
    ),
    "svg": f"{RESULTS}/figures/{{figure}}.svg",
}


# A param of the steps that test; none without looks.
LOOKS_AS_PARAM = (
    {"looks": {judge: looks_param(judge) for judge in LOOKS}} if LOOKS else {}
)


def look_files(suffix):
    """The files of the runs that are due at a look, of judges that have looks."""

    def files(wildcards):
        return [
            f"{run_path(*judging)}{suffix}"
            for judging in judgings(before=int(wildcards.seeds))
            if judging[0] in LOOKS
        ]

    return files


def runs_of_split_path(repeat):
    """The table of the runs of a split."""
    return split_path(repeat).removesuffix(".parquet") + ".runs.csv"


# The embeddings that the judges or the selections need, by their records, for the cost of the search: the
# selection of these methods contains their seconds. If some methods failed, they may be missing.
EMBEDDED_METHODS = sorted(
    {
        method_of(label)
        for label, _ in CASES
        if any(SPACES[space].needs_embeddings for space in PLAN.spaces(label))
        and not (PLAN.needs_proxy(label) and IS_LINEAR_PROXY)
    }
)
IS_SEARCH_EMBEDDED = not PARTIAL and (
    bool(JUDGES_OF_EMBEDDINGS) or bool(EMBEDDED_METHODS) or PLAN.proxy_uses_embeddings
)
EMBEDDINGS_OF_SEARCH = all_embeddings()["embeddings_json"] if IS_SEARCH_EMBEDDED else []
ENCODED_EMBEDDINGS_OF_SEARCH = [
    path
    for encoding in ENCODINGS
    if not PARTIAL
    and any(
        encoding_of(name) == encoding
        for judge in JUDGES_OF_EMBEDDINGS
        for name, _ in CASES_OF[judge]
    )
    for path in of_encoding(ENCODED_EMBEDDINGS["embeddings_json"], encoding)
]
EMBEDDED_AS_PARAM = (
    {
        "embedded": {
            "methods": EMBEDDED_METHODS,
            "of_proxy": PLAN.proxy_uses_embeddings,
        }
    }
    if IS_SEARCH_EMBEDDED
    else {}
)


def runs_of_split(wildcards):
    """The files of all runs of a split."""
    jobs = judgings_of(wildcards.repeat)
    return [f"{run_path(*job, wildcards.repeat)}.csv" for job in jobs]


def splits_argument(wildcards, input):
    """Snakemake does not compare params that depend on the input, which is compared itself."""
    return f"--splits {shlex.quote(input.splits)}" if REPEATS else ""


def example(method):
    """The file with the subset of a method that figures show, that of seed 0."""
    return subset_paths(*FIGURE_PLAN.example(method), 0, 0)[0]


# The files of each kind of input of a figure; see petite.plots.registry.
FIGURE_FILES = {
    "runs": lambda: rules.summarize.output.runs,
    "summary": lambda: rules.summarize.output.summary,
    "history": lambda: rules.summarize.output.history,
    "store": lambda: rules.index.output.manifest,
    "split": lambda: SELECTED,
    "pixels": lambda: feature_path("pixels", 0),
    "smallest_subsets": lambda: [
        path
        for label in FIGURE_PLAN.smallest
        for path in subset_paths(label, FIGURE_PLAN.smallest_fraction, 0, 0)
    ],
    "grid_features": lambda: feature_path(
        PLAN.spaces(FIGURE_PLAN.example("pca_grid")[0])[0], 0
    ),
    "grid_subset": lambda: example("pca_grid"),
    "grid_details": lambda: records_of([example("pca_grid")])[0],
    "augmented_subset": lambda: example("augmentation"),
}


def figure_inputs(wildcards):
    """The input files of a figure, by parameter of its function."""
    inputs = DRAWINGS[wildcards.figure].figure.inputs
    return {name: FIGURE_FILES[kind]() for name, kind in inputs.items()}


def figure_arguments(wildcards, input):
    """The arguments of figures.py, which Snakemake does not compare, unlike the inputs."""
    drawing = DRAWINGS[wildcards.figure]
    arguments = ["--figure", drawing.kind, "--judge", drawing.judge]
    for name in drawing.figure.inputs:
        files = input[name]
        arguments += ["--input", name] + ([files] if isinstance(files, str) else files)
    command = shlex.join(map(str, arguments))
    return f"{command} {SOURCE_ARGUMENTS}" if drawing.figure.takes_source else command


def figure_options(wildcards):
    return as_param(DRAWINGS[wildcards.figure].options)


def figure_caption(wildcards, input):
    """Snakemake does not compare params that depend on the input, so a new caption reruns nothing."""
    return DRAWINGS[wildcards.figure].figure.caption


def figure_code(wildcards):
    figure = DRAWINGS[wildcards.figure].figure
    return code("figures", figure.module, *[SOURCE_MODULE] * figure.takes_source)


def files_of_spaces():
    """The matrix and the network or program that the user gave, where they are used."""
    given = [OWN] if USES_OWN else []
    if USES_BACKBONE:
        given += [BACKBONE.file, BACKBONE.weights, *BACKBONE.program_files]
    return [path for path in given if path]


def provenance_files(wildcards, input):
    """The user's files, including those that are gone.

    They are not inputs, because a finished run does not need them; the files made from them are.
    """
    given = [*files_of_source(), *files_of_spaces()]
    return " ".join(shlex.quote(str(path)) for path in given)


def files_of_source():
    """The files of the source on disk, which may be gone."""
    if GONE:
        return GONE["files"]
    return [placed(path) if DATASET.is_remote else path for path in SOURCE_FILES]


def known_digests(wildcards, input):
    """The digests of the last provenance, for files that are gone."""
    return KNOWN_DIGESTS


def last_provenance():
    """That of the last finished run; empty if there is none."""
    path = Path(placed(f"{RESULTS}/provenance.json"))
    try:
        return read_json(path) if path.exists() else {}
    except ValueError as error:
        raise PetiteError(
            f"'{path}' is damaged. Delete it, and rerun the workflow"
        ) from error


# Read now, because Snakemake removes the output of a job before it runs.
LAST_PROVENANCE = or_exit(last_provenance)
KNOWN_DIGESTS = as_param(LAST_PROVENANCE["inputs"] if GONE and LAST_PROVENANCE else {})


def digest_of_text(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def declared_plans(wildcards, input):
    """What the run declares, by judge. Snakemake does not compare params that depend on the input.

    A table of what is done when some methods failed is one of the same plan.
    """
    return as_param(
        {
            judge.name: {
                "seeds": max(runs.values()),
                "cases": list(runs),
                "settings": {
                    label: digest_of_text(as_param(PLAN.selection_settings(label)))
                    for label in {label for label, _ in runs}
                },
                "splits": CONFIG.split.repeats,
            }
            for judge in PLAN.judges
            if (runs := CONFIG.runs_of(judge.name))
        }
    )


def whole_config(wildcards, input):
    """Snakemake does not compare params that depend on the input, so threads rerun nothing."""
    return as_param(CONFIG.model_dump(mode="json"))
