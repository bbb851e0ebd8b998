# Checks of the labels and of the images themselves, which the report shows.
# Needs: the store (data.smk) and the split without the images that the user excludes (select.smk); but for
# the cues, the embeddings and the network (embed.smk), or for label errors a feature space instead.
# Makes: checks/.


include: "../lookups/checks.smk"


rule cues:
    input:
        manifest=rules.index.output.manifest,
        split=SELECTED,
        code=code("cues"),
    output:
        csv=f"{RESULTS}/checks/cues.csv",
        table=f"{RESULTS}/checks/cues.parquet",
    log:
        f"{RESULTS}/logs/cues.log",
    benchmark:
        f"{RESULTS}/benchmarks/cues.tsv"
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(1000, 1000),
    params:
        python=python,
    shell:
        "{params.python} {input.code[0]:q} --manifest {input.manifest:q} --split {input.split:q} "
        "--output {output.csv:q} --log {log:q}"


rule label_errors:
    input:
        **label_errors_inputs(),
        manifest=rules.index.output.manifest,
        split=SELECTED,
        code=code(
            "label_errors", *([SPACES[LABEL_SPACE].module] if LABEL_SPACE else [])
        ),
    output:
        csv=f"{RESULTS}/checks/label_errors.csv",
        table=f"{RESULTS}/checks/label_errors.parquet",
        record=f"{RESULTS}/checks/label_errors.json",
    log:
        f"{RESULTS}/logs/label_errors.log",
    benchmark:
        f"{RESULTS}/benchmarks/label_errors.tsv"
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(1000, 20_000),
    params:
        python=python,
        settings=as_param(settings_of_space(LABEL_SPACE) if LABEL_SPACE else {}),
        embeddings=label_errors_arguments,
    shell:
        "{params.python} {input.code[0]:q} --manifest {input.manifest:q} --split {input.split:q} "
        "{params.embeddings} --output {output.csv:q} --settings {params.settings:q} "
        "--threads {threads} --log {log:q}"


# How similar copies are, by altered copies of some training images. Those that the user excludes may be
# among them, and a change of the lists embeds none again: near_duplicates leaves them out.
rule embed_altered:
    input:
        unpack(backbone_files),
        source=SOURCE_FILES,
        manifest=rules.index.output.manifest,
        split=SPLIT,
        code=code("embed_altered", SOURCE_MODULE),
    output:
        embeddings=ALTERED,
        table=str(Path(ALTERED).with_suffix(".parquet")),
    log:
        f"{RESULTS}/logs/embed_altered.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed_altered.tsv"
    conda:
        "../../envs/petite.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000, 500),
        gpu=CONFIG.training_gpus if needs_keras(BACKBONE.name) else 0,
    params:
        python=python,
        settings=as_param(EMBED_SETTINGS),
        source=source_arguments,
        weights=weights_argument,
    shell:
        "{params.python} {input.code[0]:q} {params.source} --manifest {input.manifest:q} "
        "--split {input.split:q} {params.weights} --output {output.embeddings:q} "
        "--settings {params.settings:q} --threads {threads} --log {log:q}"


rule near_duplicates:
    input:
        **all_embeddings(),
        altered=rules.embed_altered.output.embeddings,
        table=rules.embed_altered.output.table,
        manifest=rules.index.output.manifest,
        split=SELECTED,
        code=code("near_duplicates"),
    output:
        csv=f"{RESULTS}/checks/near_duplicates.csv",
        table=f"{RESULTS}/checks/near_duplicates.parquet",
        record=f"{RESULTS}/checks/near_duplicates.json",
    log:
        f"{RESULTS}/logs/near_duplicates.log",
    benchmark:
        f"{RESULTS}/benchmarks/near_duplicates.tsv"
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(1000, 4 * EMBEDDING_BYTES),
    params:
        python=python,
        embeddings=embeddings_of_check,
    shell:
        "{params.python} {input.code[0]:q} --manifest {input.manifest:q} --split {input.split:q} "
        "{params.embeddings} --altered {input.altered:q} --output {output.csv:q} "
        "--threads {threads} --log {log:q}"
