# From a source of images to the store and its split.
# Needs: the network for a source that is downloaded.
# Makes: store/ (listing, shards, index, manifest) and splits/.


include: "../lookups/data.smk"


wildcard_constraints:
    shard=r"\d+-of-\d+",


if DATASET.is_remote:

    # Runs where the workflow was started: other nodes of a cluster may have no network.
    rule download:
        input:
            code=code("download"),
        output:
            **downloaded(),
        log:
            f"{RESULTS}/logs/download.log",
        localrule: True
        conda:
            "../../envs/petite.yaml"
        params:
            python=python,
            settings=as_param(download_settings()),
            place=lambda wildcards, output: output.record.removesuffix(".json"),
        shell:
            "{params.python} {input.code[0]:q} --settings {params.settings:q} "
            "--output {params.place:q} --log {log:q}"


rule listing:
    input:
        source=SOURCE_FILES,
        labels=LABELS_FILE,
        code=code("listing", SOURCE_MODULE),
    output:
        **({"labels": f"{RESULTS}/store/labels.csv"} if LABELS else {}),
        table=f"{RESULTS}/store/listing.parquet",
        notices=f"{RESULTS}/store/listing.json",
    log:
        f"{RESULTS}/logs/listing.log",
    benchmark:
        f"{RESULTS}/benchmarks/listing.tsv"
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(700, 2000),
    params:
        python=python,
        settings=as_param(LISTING_SETTINGS),
        folder=as_param(FOLDER),
        labels=as_param(LABELS_SETTINGS),
        columns=as_param(COLUMNS),
        source=source_arguments,
        kept=source_kept,
    shell:
        "{params.python} {input.code[0]:q} {params.source} --output {output.table:q} "
        "--kept {params.kept:q} --settings {params.settings:q} --log {log:q}"


if HAS_CHECK:

    # What the listing contradicts is said before the images are read.
    rule check_settings:
        input:
            listing=rules.listing.output.table,
            files=LIST_FILES,
            code=code("check_settings"),
        output:
            f"{RESULTS}/store/checked_settings.txt",
        log:
            f"{RESULTS}/logs/check_settings.log",
        localrule: True
        conda:
            "../../envs/petite.yaml"
        params:
            python=python,
            settings=as_param(
                settings_to_check() | {"keep": CONFIG.keep, "exclude": CONFIG.exclude}
            ),
            sizes=sizes_argument,
        shell:
            "{params.python} {input.code[0]:q} --listing {input.listing:q} --output {output:q} "
            "{params.sizes} --settings {params.settings:q} --log {log:q}"


# Each job lists the folder itself. With the listing as its input, adding or removing one file would
# recompute every shard. params.files detects changes in a shard's own files.
rule ingest:
    input:
        source=SOURCE_FILES,
        listing=listing_of_shards(),
        checked=checked_settings,
        code=code("ingest", SOURCE_MODULE),
    output:
        pixels=f"{RESULTS}/store/shards/{{shard}}.npy",
        rows=f"{RESULTS}/store/shards/{{shard}}.parquet",
    log:
        f"{RESULTS}/logs/ingest/{{shard}}.log",
    cache: IS_CACHED
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(1000, 500),
    params:
        python=python,
        settings=as_param(INGEST_SETTINGS),
        files=changes_of_shard,
        # The cache key includes params, but not wildcards.
        shard=lambda wildcards: wildcards.shard,
        source=source_arguments,
    shell:
        "{params.python} {input.code[0]:q} {params.source} --listing {input.listing:q} "
        "--shard {params.shard} --output-pixels {output.pixels:q} "
        "--output-rows {output.rows:q} --settings {params.settings:q} --log {log:q}"


rule index:
    input:
        listing=rules.listing.output.table,
        rows=[f"{RESULTS}/store/shards/{shard}.parquet" for shard in SHARDS],
        pixels=[f"{RESULTS}/store/shards/{shard}.npy" for shard in SHARDS],
        code=code("index"),
    output:
        index=f"{RESULTS}/store/index.parquet",
        manifest=f"{RESULTS}/store/manifest.json",
        notices=f"{RESULTS}/store/index.json",
    log:
        f"{RESULTS}/logs/index.log",
    cache: IS_CACHED
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(700, 4000),
    params:
        python=python,
        settings=as_param(INDEX_SETTINGS),
    shell:
        "{params.python} {input.code[0]:q} --listing {input.listing:q} --rows {input.rows:q} "
        "--index {output.index:q} --manifest {output.manifest:q} "
        "--settings {params.settings:q} --log {log:q}"


rule split:
    input:
        index=rules.index.output.index,
        listing=rules.listing.output.table,
        code=code("split"),
    output:
        table=f"{RESULTS}/{{repeat}}splits/{{split_seed}}.parquet",
        leaks=f"{RESULTS}/{{repeat}}splits/{{split_seed}}.leaks.csv",
        notices=f"{RESULTS}/{{repeat}}splits/{{split_seed}}.json",
    log:
        f"{RESULTS}/{{repeat}}logs/split/{{split_seed}}.log",
    benchmark:
        f"{RESULTS}/{{repeat}}benchmarks/split/{{split_seed}}.tsv"
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(700, 2000),
    params:
        python=python,
        settings=split_settings,
        seed=lambda wildcards: int(wildcards.split_seed),
    shell:
        "{params.python} {input.code[0]:q} --index {input.index:q} --listing {input.listing:q} "
        "--output {output.table:q} --leaks {output.leaks:q} --seed {params.seed} "
        "--settings {params.settings:q} --log {log:q}"
