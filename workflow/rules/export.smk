# From a subset to files for use without Petite: snakemake export --config export=METHOD:FRACTION[:SEED]
# Needs: the store and its source (data.smk), the subset (select.smk), encoded images (encode.smk) and soft
# labels (soft.smk); for the recommended subset, also the recommendation (evaluate.smk), which is known after
# all runs.
# Makes: export/<METHOD>-<FRACTION>-seed-<N>/, or export/best/.


include: "../lookups/export.smk"


rule export:
    input:
        recommendation=[] if EXPORTED else rules.summarize.output.recommendation,
        subsets=list(EXPORT_SUBSETS.values()),
        records=records_of(EXPORT_SUBSETS.values()),
        encoded=encoded_to_export(),
        soft_labels=soft_labels_to_export(),
        soft_labels_record=records_of(soft_labels_to_export()),
        manifest=rules.index.output.manifest,
        split=SELECTED,
        leaks=LEAKS,
        source=source_if_there(),
        code=code("export", SOURCE_MODULE),
    output:
        **{name: EXPORT_FILES[name] for name in CONFIG.export_formats},
        **(
            {"soft_labels": f"{EXPORT}/soft_labels.npz"}
            if soft_labels_to_export()
            else {}
        ),
        manifest=f"{EXPORT}/manifest.csv",
        record=f"{EXPORT}/manifest.json",
        card=f"{EXPORT}/README.md",
    log:
        f"{RESULTS}/logs/export/{EXPORT_NAME}.log",
    benchmark:
        f"{RESULTS}/benchmarks/export/{EXPORT_NAME}.tsv"
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory_of_export,
    params:
        python=python,
        settings=as_param(
            {
                "choice": EXPORTED._asdict() if EXPORTED else None,
                "subsets": {
                    case: placed(path) for case, path in EXPORT_SUBSETS.items()
                },
                "encodings": {
                    encoding: list(map(placed, of_encoding(ENCODED["rows"], encoding)))
                    for encoding in EXPORT_ENCODINGS
                },
                "formats": sorted(CONFIG.export_formats),
                "max_bytes": DATASET.max_bytes,
            }
        ),
        dataset=CONFIG.dataset.name,
        source=source_arguments,
        folder=lambda wildcards, output: str(Path(output.card).parent),
        soft=lambda wildcards, input: soft_labels_argument(input.soft_labels),
        recommendation=(
            ""
            if EXPORTED
            else f"--recommendation {shlex.quote(rules.summarize.output.recommendation)}"
        ),
    shell:
        "{params.python} {input.code[0]:q} --manifest {input.manifest:q} --split {input.split:q} "
        "--leaks {input.leaks:q} {params.source} {params.recommendation} {params.soft} --dataset {params.dataset} "
        "--output {params.folder:q} --settings {params.settings:q} --log {log:q}"
