# From everything a run made to the page that answers its question.
# Needs: the tables (report.smk), the store, the features, the subsets of seed 0, the predictions.
# Makes: report.html.


include: "../lookups/page.smk"


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
    conda:
        "../../envs/petite.yaml"
    params:
        settings=page_settings(),
        subsets=" ".join(
            shlex.quote(f"{case}={path}") for case, path in PAGE_SUBSETS.items()
        ),
        source=source_arguments,
    shell:
        "python {input.code[0]} --tables {input.tables:q} --manifest {input.manifest:q} "
        "--split {input.split:q} --features {input.features:q} --subsets {params.subsets} "
        "--predictions {input.predictions:q} {params.source} --output {output:q} "
        "--settings {params.settings:q} --log {log:q}"
