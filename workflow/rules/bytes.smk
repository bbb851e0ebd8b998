# With a budget of bytes: searches for the encoding and the count of random images that learn most within it,
# by validation images. What it finds is judged, see docs/bytes.md.
# Needs: the store, its source and the split (data.smk), and the network (embed.smk).
# Makes: bytes/.


include: "../lookups/bytes.smk"


if BYTES:

    # What is judged depends on it.
    checkpoint search_bytes:
        input:
            unpack(search_files),
            manifest=rules.index.output.manifest,
            split=SELECTED,
            source=SOURCE_FILES,
            code=code("search_bytes", SOURCE_MODULE, METHODS["random"].module),
        output:
            record=f"{RESULTS}/bytes/search.json",
            text=f"{RESULTS}/bytes/search.txt",
        log:
            f"{RESULTS}/logs/search_bytes.log",
        benchmark:
            f"{RESULTS}/benchmarks/search_bytes.tsv"
        conda:
            "../../envs/petite.yaml"
        threads: CONFIG.training_threads
        resources:
            mem_mb=memory(2500, 4 * IMAGE_BYTES),
            gpu=CONFIG.training_gpus,
        params:
            python=python,
            settings=as_param(SEARCH_SETTINGS),
            source=source_arguments,
            arguments=search_arguments,
        shell:
            "{params.python} {input.code[0]:q} --manifest {input.manifest:q} --split {input.split:q} "
            "--fraction 1 {params.source} {params.arguments} --output {output.record:q} "
            "--output-text {output.text:q} --code {input.code:q} "
            "--settings {params.settings:q} --threads {threads} --log {log:q}"
