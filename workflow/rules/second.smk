# From another folder of images to its store and its embeddings, by the rules of data.smk and embed.smk.
# Needs: an entry in SECOND, made by the rules file that uses the folder; the network (embed.smk).
# Makes: <place>/store/ (listing, shards, index, manifest) and <place>/embeddings/.


include: "../lookups/second.smk"


wildcard_constraints:
    second=r"[\w.-]+",


use rule listing as second_listing with:
    input:
        code=second_code("listing"),
    output:
        table=f"{RESULTS}/{{second}}/store/listing.parquet",
        notices=f"{RESULTS}/{{second}}/store/listing.json",
    log:
        f"{RESULTS}/logs/{{second}}/listing.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{second}}/listing.tsv"
    resources:
        mem_mb=memory(700, 2000, number_of_second_images),
    params:
        settings=second_listing_settings,
        folder=second_fingerprints,
        labels="null",
        source=second_arguments,
        kept="null",


use rule ingest as second_ingest with:
    input:
        listing=[],
        code=second_code("ingest"),
    output:
        pixels=f"{RESULTS}/{{second}}/store/shards/{{shard}}.npy",
        rows=f"{RESULTS}/{{second}}/store/shards/{{shard}}.parquet",
    log:
        f"{RESULTS}/logs/{{second}}/ingest/{{shard}}.log",
    resources:
        mem_mb=memory(1000, 500, number_of_second_images),
    params:
        settings=second_reading(INGEST_SETTINGS),
        files=second_fingerprint,
        source=second_arguments,


use rule index as second_index with:
    input:
        listing=rules.second_listing.output.table,
        rows=[f"{RESULTS}/{{second}}/store/shards/{shard}.parquet" for shard in SHARDS],
        pixels=[f"{RESULTS}/{{second}}/store/shards/{shard}.npy" for shard in SHARDS],
        code=code("index"),
    output:
        index=f"{RESULTS}/{{second}}/store/index.parquet",
        manifest=f"{RESULTS}/{{second}}/store/manifest.json",
        notices=f"{RESULTS}/{{second}}/store/index.json",
    log:
        f"{RESULTS}/logs/{{second}}/index.log",
    resources:
        mem_mb=memory(700, 4000, number_of_second_images),
    params:
        settings=second_index_settings,


use rule embed as second_embed with:
    input:
        unpack(backbone_files),
        listing=[],
        code=second_code(EMBED_SCRIPT),
    output:
        embeddings=f"{RESULTS}/{{second}}/embeddings/{EMBEDDINGS_FOLDER}/{{shard}}.npy",
        embeddings_json=f"{RESULTS}/{{second}}/embeddings/{EMBEDDINGS_FOLDER}/{{shard}}.json",
    log:
        f"{RESULTS}/logs/{{second}}/embed/{{shard}}.log",
    resources:
        mem_mb=memory(2000, 500, number_of_second_images),
        gpu=CONFIG.training_gpus if needs_keras(BACKBONE.name) else 0,
    params:
        settings=second_reading(EMBED_SETTINGS),
        files=second_fingerprint,
        source=second_arguments,
