# Functions of encode.smk: the files of encoded images, and what the judges read of them.

ENCODINGS = {
    one.name: one.model_dump(mode="json")
    for one in CONFIG.encodings
    if one.name != ORIGINAL
    and any(encoding_of(name) == one.name for name, _ in ENCODED_CASES)
}
ENCODED = {
    "images": f"{RESULTS}/encodings/{{encoding}}/{{shard}}.images",
    "rows": f"{RESULTS}/encodings/{{encoding}}/{{shard}}.parquet",
    "pixels": f"{RESULTS}/encodings/{{encoding}}/{{shard}}.npy",
}
ENCODED_EMBEDDINGS = {
    kind: path.replace("{shard}", "{encoding}/{shard}")
    for kind, path in EMBEDDINGS.items()
}


def of_encoding(path, encoding):
    """The files of all shards of an encoding."""
    return [path.format(encoding=encoding, shard=shard) for shard in SHARDS]


def encode_settings(wildcards):
    return as_param({**INGEST_SETTINGS, "encoding": ENCODINGS[wildcards.encoding]})


def encoded_inputs(wildcards):
    """The encoded images that a judge trains on; none for the originals."""
    encoding = encoding_of(wildcards.method)
    if encoding == ORIGINAL:
        return {}
    return {
        "encoded": of_encoding(ENCODED["rows"], encoding),
        "encoded_pixels": of_encoding(ENCODED["pixels"], encoding),
    }


def encoded_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input, which is compared itself."""
    if "encoded" not in input.keys():
        return ""
    encoding = encoding_of(wildcards.method)
    return shlex.join(["--encoding", encoding, "--encoded", *input.encoded])


def check_encoded_images():
    """Raise PetiteError where the originals are gone and were not encoded before."""
    missing = [
        path
        for encoding in ENCODINGS
        for kind in ENCODED.values()
        for path in of_encoding(kind, encoding)
        if not Path(placed(path)).exists()
    ]
    if GONE and missing:
        raise PetiteError(
            f"encodings: {DATASET.path} is gone, and {missing[0]} is missing. Put the originals "
            "back, or remove the encoding"
        )


or_exit(check_encoded_images)
