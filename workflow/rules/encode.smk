# From the originals to images of fewer bytes, and these decoded again.
# Needs: the source and its listing (data.smk); the network (embed.smk).
# Makes: encodings/, and embeddings/<network>/<encoding>/.


include: "../lookups/encode.smk"


if ENCODINGS:

    wildcard_constraints:
        encoding="|".join(map(re.escape, ENCODINGS)),

    # As `ingest`. Every image of a shard is encoded once, so that any subset is a selection of rows.
    rule encode:
        input:
            source=SOURCE_FILES,
            listing=listing_of_shards(),
            code=code("encode", SOURCE_MODULE),
        output:
            **ENCODED,
        log:
            f"{RESULTS}/logs/encode/{{encoding}}/{{shard}}.log",
        cache: IS_CACHED
        conda:
            "../../envs/petite.yaml"
        resources:
            mem_mb=memory(1000, 500),
        params:
            python=python,
            settings=encode_settings,
            files=changes_of_shard,
            # The cache key includes params, but not wildcards.
            shard=lambda wildcards: wildcards.shard,
            source=source_arguments,
        shell:
            "{params.python} {input.code[0]:q} {params.source} --listing {input.listing:q} "
            "--shard {params.shard} --output-images {output.images:q} "
            "--output-rows {output.rows:q} --output-pixels {output.pixels:q} "
            "--settings {params.settings:q} --log {log:q}"

    # As `embed`, of the images that a network sees when it is trained on encoded ones.
    rule embed_encoded:
        input:
            unpack(backbone_files),
            images=ENCODED["images"],
            rows=ENCODED["rows"],
            code=code(EMBED_SCRIPT, SOURCE_MODULE),
        output:
            **ENCODED_EMBEDDINGS,
        log:
            f"{RESULTS}/logs/embed_encoded/{{encoding}}/{{shard}}.log",
        cache: IS_CACHED
        conda:
            "../../envs/petite.yaml"
        threads: CONFIG.training_threads if BACKBONE.command else 1
        resources:
            mem_mb=memory(2000, 500),
            gpu=CONFIG.training_gpus if needs_keras(BACKBONE.name) else 0,
        params:
            python=python,
            settings=as_param({"backbone": BACKBONE_SETTINGS}),
            arguments=embed_arguments,
        shell:
            "{params.python} {input.code[0]:q} --encoded {input.rows:q} {params.arguments} "
            "--output-embeddings {output.embeddings:q} --output-json {output.embeddings_json:q} "
            "--settings {params.settings:q} --threads {threads} --log {log:q}"
