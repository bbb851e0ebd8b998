# Functions of evaluate.smk: the figures of the run and their inputs, and the files of the provenance.


from petite.plots.registry import FigurePlan, drawings

FIGURE_PLANS = [
    FigurePlan(
        cases=tuple(CASES_OF[judge.name]),
        methods={label: method_name(label) for label in CONFIG.methods},
        has_comparisons=bool(compared(judge.name)),
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


def example(method):
    """The file with the subset of a method that figures show, that of seed 0."""
    return subset_paths(*FIGURE_PLAN.example(method), 0, 0)[0]


# The files of each kind of input of a figure; see petite.plots.registry.
FIGURE_FILES = {
    "runs": lambda: rules.summarize.output.runs,
    "summary": lambda: rules.summarize.output.summary,
    "history": lambda: rules.summarize.output.history,
    "store": lambda: rules.index.output.manifest,
    "split": lambda: SPLIT,
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
    given = (
        GONE["files"]
        if GONE
        else [placed(path) if DATASET.is_remote else path for path in SOURCE_FILES]
    )
    return " ".join(shlex.quote(str(path)) for path in [*given, *files_of_spaces()])


def known_digests(wildcards, input):
    """The digests of the last provenance, for files that are gone."""
    return KNOWN_DIGESTS


def digests_so_far():
    path = Path(placed(f"{RESULTS}/provenance.json"))
    return as_param(read_json(path)["inputs"] if GONE and path.exists() else {})


# Read now, because Snakemake removes the output of a job before it runs.
KNOWN_DIGESTS = or_exit(digests_so_far)


def whole_config(wildcards, input):
    """Snakemake does not compare params that depend on the input, so threads rerun nothing."""
    return as_param(CONFIG.model_dump(mode="json"))
