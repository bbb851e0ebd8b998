# Which images of a pool without labels to label next: snakemake label_next --config pool=FOLDER images=500
# Needs: the pool (second.smk); with a labeled part, its store (data.smk), split (select.smk) and embeddings
# (embed.smk).
# Makes: pool/ (store, embeddings, features) and label_next/<METHOD>-<K>/ (list, page, images to label).


include: "../lookups/pool.smk"


wildcard_constraints:
    chooser="[A-Za-z0-9_-]+",
    k=r"\d+",


rule label_next:
    input:
        choices("list.csv"),
        choices("page.html"),
        choices("images"),
    localrule: True


rule pool_images:
    input:
        **of_labeled_part(labeled=rules.index.output.manifest),
        pool=f"{RESULTS}/{POOL_PLACE}/store/manifest.json",
        code=code("pool_images"),
    output:
        f"{RESULTS}/{POOL_PLACE}/images.parquet",
    log:
        f"{RESULTS}/logs/{POOL_PLACE}/images.log",
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(700, 4000, number_of_all_images),
    params:
        python=python,
        settings=as_param({"near_copy_distance": DATASET.near_copy_distance}),
        arguments=pool_arguments,
    shell:
        "{params.python} {input.code[0]:q} --pool {input.pool:q} {params.arguments} "
        "--output {output:q} --settings {params.settings:q} --log {log:q}"


rule pool_features:
    input:
        unpack(pool_feature_inputs),
        **of_labeled_part(labeled=rules.index.output.manifest, split=SELECTED),
        pool=f"{RESULTS}/{POOL_PLACE}/store/manifest.json",
        images=rules.pool_images.output,
        code=code("pool_features"),
    output:
        features=f"{RESULTS}/{POOL_PLACE}/features/{{space}}.npy",
        features_json=f"{RESULTS}/{POOL_PLACE}/features/{{space}}.json",
    log:
        f"{RESULTS}/logs/{POOL_PLACE}/features/{{space}}.log",
    wildcard_constraints:
        space="backbone|pixels",
    conda:
        "../../envs/petite.yaml"
    threads: 2
    resources:
        mem_mb=memory(1000, 4 * POOL.dimensions + 1000, number_of_all_images),
    params:
        python=python,
        settings=lambda wildcards: as_param(
            {
                "space": wildcards.space,
                "dimensions": POOL.dimensions,
                "seed": POOL.seed,
            }
        ),
        arguments=pool_arguments,
    shell:
        "{params.python} {input.code[0]:q} --pool {input.pool:q} --images {input.images:q} "
        "{params.arguments} --output-features {output.features:q} "
        "--output-json {output.features_json:q} --settings {params.settings:q} "
        "--threads {threads} --log {log:q}"


rule pool_choice:
    input:
        unpack(uncertainty_inputs),
        **of_labeled_part(labeled=rules.index.output.manifest, split=SELECTED),
        pool=f"{RESULTS}/{POOL_PLACE}/store/manifest.json",
        images=rules.pool_images.output,
        features=POOL_FEATURES,
        features_json=POOL_FEATURES.replace(".npy", ".json"),
        code=choice_code,
    output:
        list=f"{CHOICE}/list.csv",
        table=f"{CHOICE}/list.parquet",
        record=f"{CHOICE}/list.json",
    log:
        f"{RESULTS}/logs/{LABEL_NEXT}/{{chooser}}-{{k}}/choice.log",
    benchmark:
        f"{RESULTS}/benchmarks/{LABEL_NEXT}/{{chooser}}-{{k}}/choice.tsv"
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(1000, 16 * POOL.dimensions + 1500, number_of_all_images),
    params:
        python=python,
        settings=choice_settings,
        arguments=choice_arguments,
    shell:
        "{params.python} {input.code[0]:q} --pool {input.pool:q} --images {input.images:q} "
        "--features {input.features:q} -k {wildcards.k} {params.arguments} "
        "--output {output.list:q} --settings {params.settings:q} --log {log:q}"


rule pool_page:
    input:
        **of_labeled_part(labeled=rules.index.output.manifest),
        list=rules.pool_choice.output.table,
        record=rules.pool_choice.output.record,
        pool=f"{RESULTS}/{POOL_PLACE}/store/manifest.json",
        notices=[
            f"{RESULTS}/{POOL_PLACE}/store/listing.json",
            f"{RESULTS}/{POOL_PLACE}/store/index.json",
        ],
        templates=page_templates("pool/page.html"),
        code=code("pool_page"),
    output:
        f"{CHOICE}/page.html",
    log:
        f"{RESULTS}/logs/{LABEL_NEXT}/{{chooser}}-{{k}}/page.log",
    conda:
        "../../envs/petite.yaml"
    params:
        python=python,
        settings=page_settings,
        arguments=pool_arguments,
    shell:
        "{params.python} {input.code[0]:q} --list {input.list:q} --pool {input.pool:q} "
        "--notices {input.notices:q} {params.arguments} --output {output:q} "
        "--settings {params.settings:q} --log {log:q}"


# labels.csv is not an output, because Snakemake would delete the labels in it.
rule pool_export:
    input:
        list=rules.pool_choice.output.table,
        code=code("pool_export"),
    output:
        images=directory(f"{CHOICE}/images"),
    log:
        f"{RESULTS}/logs/{LABEL_NEXT}/{{chooser}}-{{k}}/export.log",
    conda:
        "../../envs/petite.yaml"
    params:
        python=python,
        settings=as_param({"links": POOL.links}),
        folder=lambda wildcards, input: shlex.quote(POOL.path),
        labels=lambda wildcards, output: str(Path(output.images).parent / "labels.csv"),
    shell:
        "{params.python} {input.code[0]:q} --list {input.list:q} --folder {params.folder} "
        "--images {output.images:q} --labels {params.labels:q} "
        "--settings {params.settings:q} --log {log:q}"
