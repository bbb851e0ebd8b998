# From all runs to the table and the figures.
# Needs: runs/ (train.smk), and for the pictures the store, features and subsets.
# Makes: runs.csv, history.csv, summary.*, verdicts.csv, costs.csv, recommendation.md, figures/.


EVIDENCE_CODE = [
    "evidence/costs",
    "evidence/learning_curve",
    "evidence/recommendation",
    "evidence/runs",
    "evidence/statistics",
    "evidence/summary",
    "evidence/verdicts",
]


rule summarize:
    input:
        runs=runs_paths(".csv"),
        histories=runs_paths(".history.csv"),
        predictions=runs_paths(".predictions.npz"),
        code=code("summarize", *EVIDENCE_CODE),
    output:
        runs=report(
            f"{RESULTS}/runs.csv", caption="../report/runs.rst", category="Table"
        ),
        history=f"{RESULTS}/history.csv",
        summary=report(
            f"{RESULTS}/summary.csv", caption="../report/summary.rst", category="Table"
        ),
        verdicts=report(
            f"{RESULTS}/verdicts.csv",
            caption="../report/verdicts.rst",
            category="Table",
        ),
        costs=report(
            f"{RESULTS}/costs.csv", caption="../report/costs.rst", category="Table"
        ),
        markdown=f"{RESULTS}/summary.md",
        recommendation=f"{RESULTS}/recommendation.md",
        text=f"{RESULTS}/summary.txt",
    log:
        f"{RESULTS}/logs/summarize.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarize.tsv"
    resources:
        mem_mb=memory(700, 0),
    params:
        settings=as_param({"tolerance": CONFIG.evidence.tolerance}),
    shell:
        "{PYTHON} {input.code[0]} --runs {input.runs:q} --histories {input.histories:q} "
        "--predictions {input.predictions:q} --dataset {CONFIG.dataset.name} "
        "--output-runs {output.runs:q} --output-history {output.history:q} "
        "--output-summary {output.summary:q} --output-verdicts {output.verdicts:q} "
        "--output-costs {output.costs:q} --output-markdown {output.markdown:q} "
        "--output-recommendation {output.recommendation:q} --output-text {output.text:q} "
        "--settings {params.settings:q} --log {log:q}"


# The first variant of the paper's method, at its largest fraction, is the one that is drawn.
GRIDS = [case for case in CASES if method_name(case[0]) == "pca_grid"]
AUGMENTED = [
    case for case in CASES if method_name(case[0]) == petite_config.AUGMENTATION
]


# A figure for each method and fraction is more than anyone looks at where there are many, and a
# panel for each more than a page holds.
MOST_SINGLE_CURVES = 12
MOST_CURVES = 36


# What is shown side by side on the plane: all methods at the smallest fraction.
SMALLEST = min(fraction for _, fraction in CASES)
PICKED = [label for label, fraction in CASES if fraction == SMALLEST]


def figure_names():
    names = ["accuracy_by_fraction", "samples", "set_aside"]
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
    if wildcards.figure == "set_aside":
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


def figure_arguments(wildcards):
    """What figures.py is told: the inputs by name, and what is no file of the workflow."""
    files = figure_inputs(wildcards)
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
    if name == "set_aside":
        arguments.append(SOURCE_ARGUMENTS)
    if name.startswith("curves_"):
        name, _, case = name.partition("_")
        label, _, fraction = case.rpartition("-")
        arguments.append(f"--method {label} --fraction {fraction}")
    return f"--figure {name} " + " ".join(arguments)


# The module of each family of figures, by the first word of their names, and what it draws on.
FIGURE_CODE = {
    "accuracy": [
        "figures/accuracy",
        "evidence/runs",
        "evidence/statistics",
        "evidence/summary",
    ],
    "curves": ["figures/curves", "evidence/runs", "evidence/summary"],
    "differences": [
        "figures/differences",
        "evidence/statistics",
        "evidence/summary",
    ],
    "picks": ["figures/picks", "evidence/summary", "splits"],
    "plane": ["figures/plane", "selection/pca_grid", "selection/tilings"],
    "samples": ["figures/samples", "store"],
    "augmented": ["figures/samples", "store", "recipes"],
    "set": ["figures/samples", "store", "images"],
}


def figure_code(wildcards):
    return code(
        "figures", "figures/style", *FIGURE_CODE[wildcards.figure.split("_")[0]]
    )


rule figures:
    input:
        unpack(figure_inputs),
        code=figure_code,
    output:
        **FIGURE,
    log:
        f"{RESULTS}/logs/figures/{{figure}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/{{figure}}.tsv"
    resources:
        mem_mb=memory(800, 1000),
    params:
        arguments=figure_arguments,
    shell:
        "{PYTHON} {input.code[0]} {params.arguments} --output-png {output.png:q} "
        "--output-svg {output.svg:q} --log {log:q}"
