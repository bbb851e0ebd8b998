# From a source of images to the store and its split.
# Needs: the network for a source that is downloaded.
# Makes: store/ (listing, shards, index, manifest) and splits/.

import shlex

from petite.download import archive_name
from petite.sources import fingerprint
from petite.sources.silhouettes import WHEEL_NAME


def source_path():
    """Where the source's file or folder is, or will be once it is downloaded."""
    if DATASET.source == "silhouettes":
        return f"results/downloads/{WHEEL_NAME}"
    if DATASET.is_remote:
        return f"results/downloads/{archive_name(DATASET.path)}"
    return DATASET.path


def folder_fingerprint():
    """A folder's own time says little: any file in it that changes is a reason to look anew."""
    return fingerprint(Path(DATASET.path)) if DATASET.source == "folder" else None


DATASET = CONFIG.dataset
SOURCE_PATH = or_exit(source_path)
SOURCE_CODE = ["sources/__init__", "sources/base", f"sources/{DATASET.source}"]


SOURCE_FILE = [SOURCE_PATH] if SOURCE_PATH and DATASET.source != "folder" else []
SOURCE_ARGUMENTS = f"--source {DATASET.source}"
if SOURCE_PATH:
    SOURCE_ARGUMENTS += f" --path {shlex.quote(SOURCE_PATH)}"


scattergather:
    shards=DATASET.shards,


if DATASET.is_remote:

    # Where the workflow was started: other nodes of a cluster may have no network.
    rule download:
        input:
            code=code("download", "download", "sources/silhouettes"),
        output:
            file=SOURCE_PATH,
            record=f"{SOURCE_PATH}.json",
        log:
            f"{RESULTS}/logs/download.log",
        localrule: True
        params:
            settings=as_param(
                {
                    "source": DATASET.source,
                    "url": DATASET.path,
                    "sha256": DATASET.sha256,
                }
            ),
        shell:
            "{PYTHON} {input.code[0]} --settings {params.settings:q} "
            "--output {output.file:q} --log {log:q}"


rule listing:
    input:
        source=SOURCE_FILE,
        code=code("listing", *SOURCE_CODE),
    output:
        f"{RESULTS}/store/listing.parquet",
    log:
        f"{RESULTS}/logs/listing.log",
    benchmark:
        f"{RESULTS}/benchmarks/listing.tsv"
    resources:
        mem_mb=memory(700, 2000),
    params:
        settings=as_param(
            {
                "classes": DATASET.classes,
                "limit_per_class": DATASET.limit_per_class,
                "max_bad_share": DATASET.max_bad_share,
            }
        ),
        folder=or_exit(folder_fingerprint),
    shell:
        "{PYTHON} {input.code[0]} {SOURCE_ARGUMENTS} --output {output:q} "
        "--settings {params.settings:q} --log {log:q}"


rule ingest:
    input:
        source=SOURCE_FILE,
        listing=rules.listing.output[0],
        code=code("ingest", "ingest", "images", "store", "copies", *SOURCE_CODE),
    output:
        pixels=f"{RESULTS}/store/shards/{{scatteritem}}.npy",
        rows=f"{RESULTS}/store/shards/{{scatteritem}}.parquet",
    log:
        f"{RESULTS}/logs/ingest/{{scatteritem}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/ingest/{{scatteritem}}.tsv"
    resources:
        mem_mb=memory(1000, 500),
    params:
        settings=as_param(
            {
                "image_size": DATASET.image_size,
                "channels": DATASET.channels,
                "min_side": DATASET.min_side,
                "max_pixels": DATASET.max_pixels,
            }
        ),
    shell:
        "{PYTHON} {input.code[0]} {SOURCE_ARGUMENTS} --listing {input.listing:q} "
        "--shard {wildcards.scatteritem} --output-pixels {output.pixels:q} "
        "--output-rows {output.rows:q} --settings {params.settings:q} --log {log:q}"


rule index:
    input:
        listing=rules.listing.output[0],
        rows=gather.shards(f"{RESULTS}/store/shards/{{scatteritem}}.parquet"),
        pixels=gather.shards(f"{RESULTS}/store/shards/{{scatteritem}}.npy"),
        code=code("index", "ingest", "images", "copies", "store"),
    output:
        index=f"{RESULTS}/store/index.parquet",
        manifest=f"{RESULTS}/store/manifest.json",
    log:
        f"{RESULTS}/logs/index.log",
    benchmark:
        f"{RESULTS}/benchmarks/index.tsv"
    resources:
        mem_mb=memory(700, 4000),
    params:
        settings=as_param(
            {
                "classes": DATASET.classes,
                "limit_per_class": DATASET.limit_per_class,
                "max_bad_share": DATASET.max_bad_share,
                "near_copy_distance": DATASET.near_copy_distance,
                "image_size": DATASET.image_size,
                "channels": DATASET.channels,
            }
        ),
    shell:
        "{PYTHON} {input.code[0]} --listing {input.listing:q} --rows {input.rows:q} "
        "--index {output.index:q} --manifest {output.manifest:q} "
        "--settings {params.settings:q} --log {log:q}"


rule split:
    input:
        index=rules.index.output.index,
        code=code("split", "splits", "seeds"),
    output:
        SPLIT,
    log:
        f"{RESULTS}/logs/split.log",
    benchmark:
        f"{RESULTS}/benchmarks/split.tsv"
    resources:
        mem_mb=memory(700, 2000),
    params:
        settings=as_param(
            {"test": CONFIG.split.test, "validation": CONFIG.split.validation}
        ),
    shell:
        "{PYTHON} {input.code[0]} --index {input.index:q} --output {output:q} "
        "--seed {CONFIG.split.seed} --settings {params.settings:q} --log {log:q}"
