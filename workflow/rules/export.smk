# From a subset to files for use without Petite: snakemake export --config export=METHOD:FRACTION[:SEED]
# Needs: the store and its source (data.smk) and the subset (select.smk); for the recommended subset, also
# the recommendation (evaluate.smk), which is known after all runs.
# Makes: export/<METHOD>-<FRACTION>-seed-<N>/, or export/best/.


from petite.config.export import BEST

EXPORTED = PLAN.exported()
EXPORT_NAME = (
    f"{EXPORTED.method}-{as_text(EXPORTED.fraction)}-seed-{EXPORTED.seed}"
    if EXPORTED
    else BEST
)
EXPORT = f"{RESULTS}/export/{EXPORT_NAME}"
EXPORT_FILES = {
    "folder": directory(f"{EXPORT}/images"),
    "zip": f"{EXPORT}/images.zip",
    "npz": f"{EXPORT}/images.npz",
    "parquet": f"{EXPORT}/images.parquet",
}


def subset_to_export(label, fraction, seed):
    """The file with a subset; if there is none yet, one of its own: no other seed is selected."""
    folder, own = subset_folder(label, fraction), (seed, seed)
    done = batches_in(folder, ".parquet")
    ranked = batches_in(f"{RESULTS}/rankings/{label}", ".parquet")
    found = [batch for batch in [*done, *ranked] if overlap(batch, own)]
    first, last = own if own in done else next(iter(found), own)
    return f"{folder}/seeds-{first}-{last}.parquet"


if EXPORTED:
    EXPORT_SUBSETS = {
        f"{EXPORTED.method}:{as_text(EXPORTED.fraction)}": subset_to_export(*EXPORTED)
    }
else:  # any of these may be the recommended one
    EXPORT_SUBSETS = {
        f"{label}:{as_text(fraction)}": subset_paths(label, fraction, 0, 0)[0]
        for label, fraction in CASES
    }


rule export:
    input:
        recommendation=[] if EXPORTED else rules.summarize.output.recommendation,
        subsets=list(EXPORT_SUBSETS.values()),
        records=records_of(EXPORT_SUBSETS.values()),
        manifest=rules.index.output.manifest,
        split=SELECTED,
        source=source_if_there(),
        code=code("export", SOURCE_MODULE),
    output:
        **{name: EXPORT_FILES[name] for name in CONFIG.export_formats},
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
        mem_mb=memory(1000, 1000),
    params:
        python=python,
        settings=as_param(
            {
                "choice": EXPORTED._asdict() if EXPORTED else None,
                "subsets": {
                    case: placed(path) for case, path in EXPORT_SUBSETS.items()
                },
                "formats": sorted(CONFIG.export_formats),
                "max_bytes": DATASET.max_bytes,
            }
        ),
        dataset=CONFIG.dataset.name,
        source=source_arguments,
        folder=lambda wildcards, output: str(Path(output.card).parent),
        recommendation=(
            ""
            if EXPORTED
            else f"--recommendation {shlex.quote(rules.summarize.output.recommendation)}"
        ),
    shell:
        "{params.python} {input.code[0]:q} --manifest {input.manifest:q} --split {input.split:q} "
        "{params.source} {params.recommendation} --dataset {params.dataset} "
        "--output {params.folder:q} --settings {params.settings:q} --log {log:q}"
