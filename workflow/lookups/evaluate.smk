# What evaluate.smk looks up: which figures there are, and what each is drawn from.


# The first variant of the paper's method, at its largest fraction, is the one that is drawn.
GRIDS = [case for case in CASES if method_name(case[0]) == "pca_grid"]
AUGMENTED = [
    case for case in CASES if method_name(case[0]) == petite_config.AUGMENTATION
]


# A figure for each method and fraction is more than anyone looks at where there are many, and a
# panel for each more than a page holds.
MOST_SINGLE_CURVES = 12
MOST_CURVES = 36


# What is shown side by side on the plane: all methods at the smallest fraction, random first and
# the others by name, whatever their order in the config.
SMALLEST = min(fraction for _, fraction in CASES)
PICKED = sorted(
    (label for label, fraction in CASES if fraction == SMALLEST),
    key=lambda label: (label != "random", label),
)


def figure_names():
    names = ["accuracy_by_fraction", "samples", "stored", "set_aside"]
    names += ["differences"] if COMPARED else []
    names += ["picks"] if len(PICKED) > 1 else []
    names += ["curves"] if len(CASES) <= MOST_CURVES else []
    if len(CASES) <= MOST_SINGLE_CURVES:
        names += [f"curves_{label}-{as_text(fraction)}" for label, fraction in CASES]
    names += ["plane_clusters", "plane_cells", "plane_chosen"] if GRIDS else []
    names += ["augmented"] if AUGMENTED else []
    return names


FIGURES = [
    f"{RESULTS}/figures/{name}.{kind}"
    for name in figure_names()
    for kind in ("png", "svg")
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


def example(cases):
    """The subset that a picture shows: of the first method, the largest fraction, seed 0."""
    label = cases[0][0]
    return subset_path(
        label, max(fraction for name, fraction in cases if name == label), 0
    )


def figure_inputs(wildcards):
    """The files that a figure is drawn from, by the names of the arguments of figures.py."""
    tables, store = rules.summarize.output, rules.index.output.manifest
    if wildcards.figure == "accuracy_by_fraction":
        return {"runs": tables.runs, "summary": tables.summary}
    if wildcards.figure == "differences":
        return {"summary": tables.summary}
    if wildcards.figure == "picks":
        return {
            "features": feature_path("pixels", 0),
            "split": SPLIT,
            **{f"subset_{label}": subset_path(label, SMALLEST, 0) for label in PICKED},
        }
    if wildcards.figure.startswith("curves"):
        return {"history": tables.history}
    if wildcards.figure == "samples":
        return {"store": store, "split": SPLIT}
    if wildcards.figure in ("stored", "set_aside"):
        return {"store": store}
    if wildcards.figure == "augmented":
        return {"store": store, "subset": example(AUGMENTED)}
    subset = example(GRIDS)
    return {
        "features": feature_path(spaces(GRIDS[0][0])[0], 0),
        "split": SPLIT,
        "subset": subset,
        "details": str(Path(subset).with_suffix(".json")),
    }


def figure_arguments(wildcards, input):
    """What figures.py is told: the inputs by name, and what is no file of the workflow."""
    files = {key: input[key] for key in figure_inputs(wildcards)}
    name = wildcards.figure
    if name == "picks":
        subsets = [
            shlex.quote(f"{label}={files.pop(f'subset_{label}')}") for label in PICKED
        ]
        files["subsets"] = " ".join(subsets)
        files["fraction"] = SMALLEST
    arguments = [
        f"--{key} {path if key == 'subsets' else shlex.quote(str(path))}"
        for key, path in files.items()
    ]
    if name in ("stored", "set_aside"):
        arguments.append(SOURCE_ARGUMENTS)
    if name.startswith("curves_"):
        name, _, case = name.partition("_")
        label, _, fraction = case.rpartition("-")
        arguments.append(f"--method {label} --fraction {fraction}")
    return f"--figure {name} " + " ".join(arguments)


def figure_code(wildcards):
    kind = wildcards.figure.split("_")[0]
    return code("figures", f"petite.plots.{FIGURE_MODULES[kind]}", SOURCE_MODULE)


def own_features_file():
    """The matrix that the user gave, where one is used."""
    is_used = any("own" in spaces(label) for label, _ in CASES)
    return [CONFIG.features.path] if is_used else []


def provenance_files(wildcards, input):
    """What the user gave, if need be by the name of what is gone.

    It is no input: what is made of it is, and a finished run can do without.
    """
    given = (
        GONE["files"]
        if GONE
        else [placed(path) if DATASET.is_remote else path for path in SOURCE_FILES]
    )
    return " ".join(shlex.quote(str(path)) for path in [*given, *own_features_file()])


def known_digests(wildcards, input):
    """The digests of the last provenance, for files that are gone."""
    return KNOWN_DIGESTS


def digests_so_far():
    path = Path(placed(f"{RESULTS}/provenance.json"))
    return as_param(read_json(path)["inputs"] if GONE and path.exists() else {})


# Read now: the job's own output is removed before it runs.
KNOWN_DIGESTS = or_exit(digests_so_far)


def whole_config(wildcards, input):
    """Snakemake does not compare params that depend on the input: threads rerun nothing."""
    return as_param(CONFIG.model_dump(mode="json"))
