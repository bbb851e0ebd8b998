# From everything a run made to the page that answers its question.
# Needs: the tables (report.smk), the store, the features, the subsets of seed 0, the predictions.
# Makes: report.html.


# What changes no result of a run does not belong in how it was made.
NOT_ON_PAGE = ["max_memory", "seeds_per_job", "training_gpus", "training_threads"]
PAGE_SUBSETS = {
    f"{label}:{as_text(fraction)}": subset_path(label, fraction, 0)
    for label, fraction in CASES
}
PAGE_CODE = [
    "report/" + path.relative_to(SCRIPTS / "petite/report").with_suffix("").as_posix()
    for path in sorted((SCRIPTS / "petite/report").rglob("*.py"))
]
PAGE_TEMPLATES = [
    str(path)
    for path in sorted((SCRIPTS / "petite/report/templates").iterdir())
    if path.is_file()
]


def page_settings():
    settings = CONFIG.model_dump(mode="json")
    return as_param(
        {key: value for key, value in settings.items() if key not in NOT_ON_PAGE}
    )


def page_features():
    """The space that is compared by, where it is one for all seeds; the pixels otherwise."""
    space = CONFIG.features.space
    return feature_path("pixels" if space == "proxy" else space, 0)


rule report:
    input:
        tables=list(rules.summarize.output),
        manifest=rules.index.output.manifest,
        split=SPLIT,
        features=page_features(),
        subsets=list(PAGE_SUBSETS.values()),
        predictions=runs_paths(".predictions.npz"),
        templates=PAGE_TEMPLATES,
        code=code(
            "report",
            *PAGE_CODE,
            "figures/samples",
            "figures/style",
            "selection/tilings",
            "store",
            "training/metrics",
        ),
    output:
        report(f"{RESULTS}/report.html", caption="../report/page.rst", category="Page"),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    resources:
        mem_mb=memory(1000, 1000),
    params:
        settings=page_settings(),
        subsets=" ".join(
            shlex.quote(f"{case}={path}") for case, path in PAGE_SUBSETS.items()
        ),
    shell:
        "{PYTHON} {input.code[0]} --tables {input.tables:q} --manifest {input.manifest:q} "
        "--split {input.split:q} --features {input.features:q} --subsets {params.subsets} "
        "--predictions {input.predictions:q} {SOURCE_ARGUMENTS} --output {output:q} "
        "--settings {params.settings:q} --log {log:q}"
