# From all runs to the tables and figures.
# Needs: runs/ (train.smk), and for some figures the store, features and subsets.
# Makes: runs.*, history.*, summary.*, verdicts.*, costs.*, recommendation.*, provenance.json, figures/.


include: "../lookups/evaluate.smk"


if LOOKS:

    # Tests the comparisons with this number of seeds; which seeds are due next depends on it.
    checkpoint look:
        input:
            runs=look_files(".csv"),
            predictions=look_files(".predictions.npz"),
            split=SPLIT,
            code=code("look"),
        output:
            f"{RESULTS}/looks/{{seeds}}.json",
        log:
            f"{RESULTS}/logs/look/{{seeds}}.log",
        wildcard_constraints:
            seeds=r"\d+",
        conda:
            "../../envs/petite.yaml"
        resources:
            mem_mb=memory(700, 0),
        params:
            python=python,
            settings=as_param(
                {
                    "tolerance": CONFIG.evidence.tolerance,
                    "metric": CONFIG.evidence.metric,
                    **LOOKS_AS_PARAM,
                }
            ),
        shell:
            "{params.python} {input.code[0]:q} --runs {input.runs:q} --split {input.split:q} "
            "--seeds {wildcards.seeds} --output {output:q} --settings {params.settings:q} --log {log:q}"


if REPEATS:

    rule split_runs:
        input:
            runs=runs_of_split,
            code=code("split_runs"),
        output:
            f"{RESULTS}/{{repeat}}splits/{{split_seed}}.runs.csv",
        log:
            f"{RESULTS}/{{repeat}}logs/split_runs/{{split_seed}}.log",
        conda:
            "../../envs/petite.yaml"
        resources:
            mem_mb=memory(700, 0),
        params:
            python=python,
        shell:
            "{params.python} {input.code[0]:q} --runs {input.runs:q} --output {output:q} --log {log:q}"

    rule splits:
        input:
            runs=[runs_of_split_path(repeat) for repeat in ["", *REPEATS]],
            splits=[selected_path(repeat) for repeat in ["", *REPEATS]],
            code=code("splits"),
        output:
            csv=report(
                f"{RESULTS}/splits.csv",
                caption="../report/splits.rst",
                category="Table",
            ),
            parquet=f"{RESULTS}/splits.parquet",
        log:
            f"{RESULTS}/logs/splits.log",
        conda:
            "../../envs/petite.yaml"
        resources:
            mem_mb=memory(700, 0),
        params:
            python=python,
            settings=as_param(
                {
                    "tolerance": CONFIG.evidence.tolerance,
                    "metric": CONFIG.evidence.metric,
                }
            ),
        shell:
            "{params.python} {input.code[0]:q} --runs {input.runs:q} --splits {input.splits:q} "
            "--output {output.csv:q} --settings {params.settings:q} --log {log:q}"


rule summarize:
    input:
        splits=rules.splits.output.parquet if REPEATS else [],
        other_splits=[runs_of_split_path(repeat) for repeat in REPEATS],
        embeddings=EMBEDDINGS_OF_SEARCH,
        encoded_embeddings=ENCODED_EMBEDDINGS_OF_SEARCH,
        runs=runs_files(".csv"),
        histories=runs_files(".history.csv"),
        predictions=runs_files(".predictions.npz"),
        manifest=rules.index.output.manifest,
        split=SELECTED,
        code=code("summarize"),
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
        recommendation=f"{RESULTS}/recommendation.json",
        answer=f"{RESULTS}/recommendation.md",
        text=f"{RESULTS}/summary.txt",
        # Next to the CSV files; the script derives their names.
        parquet=expand(
            f"{RESULTS}/{{table}}.parquet",
            table=["runs", "history", "summary", "verdicts", "costs"],
        ),
    log:
        f"{RESULTS}/logs/summarize.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarize.tsv"
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(700, 0),
    params:
        python=python,
        settings=as_param(
            {
                "tolerance": CONFIG.evidence.tolerance,
                "metric": CONFIG.evidence.metric,
                "seen": {judge.name: PLAN.seen_by(judge) for judge in PLAN.judges},
                **LOOKS_AS_PARAM,
                **({"budget": CUTS} if CUTS else {}),
                **EMBEDDED_AS_PARAM,
            }
        ),
        gaps=as_param(GAPS),
        plans=declared_plans,
        splits=splits_argument,
        dataset=CONFIG.dataset.name,
    shell:
        "{params.python} {input.code[0]:q} --runs {input.runs:q} --manifest {input.manifest:q} "
        "--split {input.split:q} --dataset {params.dataset} --gaps {params.gaps:q} "
        "--output-runs {output.runs:q} --output-history {output.history:q} "
        "--output-summary {output.summary:q} --output-verdicts {output.verdicts:q} "
        "--output-costs {output.costs:q} --output-markdown {output.markdown:q} "
        "--output-recommendation {output.recommendation:q} "
        "--output-answer {output.answer:q} --output-text {output.text:q} "
        "--other-splits {input.other_splits:q} --embeddings {input.embeddings:q} "
        "--encoded-embeddings {input.encoded_embeddings:q} "
        "--plans {params.plans:q} {params.splits} --settings {params.settings:q} --log {log:q}"


# Reruns with the results only: Snakemake does not compare its configuration.
rule provenance:
    input:
        runs=rules.summarize.output.runs,
        manifest=rules.index.output.manifest,
        split=SPLIT,
        code=code("provenance"),
    output:
        f"{RESULTS}/provenance.json",
    log:
        f"{RESULTS}/logs/provenance.log",
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(1000, 1000),
    params:
        python=python,
        settings=whole_config,
        files=provenance_files,
        known=known_digests,
    shell:
        "{params.python} {input.code[0]:q} --runs {input.runs:q} --manifest {input.manifest:q} "
        "--split {input.split:q} --files {params.files} --known {params.known:q} "
        "--output {output:q} --settings {params.settings:q} --log {log:q}"


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
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(800, 1000),
    params:
        python=python,
        settings=figure_options,
        arguments=figure_arguments,
        caption=figure_caption,
    shell:
        "{params.python} {input.code[0]:q} {params.arguments} "
        "--output-png {output.png:q} --output-svg {output.svg:q} --settings {params.settings:q} "
        "--log {log:q}"
