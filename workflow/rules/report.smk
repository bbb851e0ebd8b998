# From all results of a run to the report.
# Needs: the tables (evaluate.smk), the store and split (data.smk), features and subsets (select.smk), the
# predictions (train.smk), and the checks (checks.smk).
# Makes: report.html, report.json.


include: "../lookups/report.smk"


rule report:
    input:
        tables=[rules.summarize.output[table] for table in REPORT_TABLES],
        manifest=rules.index.output.manifest,
        split=SELECTED,
        leaks=LEAKS,
        features=report_features(),
        subsets=REPORT_SUBSETS,
        records=records_of(REPORT_SUBSETS),
        predictions=runs_files(".predictions.npz"),
        notices=[
            rules.listing.output.notices,
            rules.index.output.notices,
            SPLIT_NOTICES,
            *([LISTED_NOTICES] if HAS_LISTS else []),
        ],
        checks=check_files(),
        embeddings=report_embeddings(),
        templates=REPORT_TEMPLATES,
        code=code("report", SOURCE_MODULE),
    output:
        page=report(
            f"{RESULTS}/report.html",
            caption="../report/page.rst",
            category="Answer",
            labels={"report": "The whole answer"},
        ),
        data=f"{RESULTS}/report.json",
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(1000, 1000 + (3 * EMBEDDING_BYTES if USES_EMBEDDINGS else 0)),
    params:
        python=python,
        settings=report_settings(),
        source=source_arguments,
    shell:
        "{params.python} {input.code[0]:q} --tables {input.tables:q} --manifest {input.manifest:q} "
        "--split {input.split:q} --leaks {input.leaks:q} --features {input.features:q} "
        "--subsets {input.subsets:q} "
        "--predictions {input.predictions:q} --notices {input.notices:q} "
        "--checks {input.checks:q} --embeddings {input.embeddings:q} "
        "{params.source} --output {output.page:q} --data {output.data:q} "
        "--settings {params.settings:q} --log {log:q}"
