# From the split to subsets: tables of the images to train on.
# Needs: the store and the split (data.smk).
# Makes: features/, proxies/, candidates/, rankings/ and subsets/.


include: "../lookups/select.smk"
include: "../lookups/forecast.smk"


# The images that every subset contains, and those that none does.
rule keep_lists:
    input:
        split=rules.split.output.table,
        index=rules.index.output.index,
        files=LIST_FILES,
        code=code("keep_lists"),
    output:
        table=f"{RESULTS}/{{repeat}}splits/{{split_seed}}-lists.parquet",
        notices=f"{RESULTS}/{{repeat}}splits/{{split_seed}}-lists.json",
    log:
        f"{RESULTS}/{{repeat}}logs/keep_lists/{{split_seed}}.log",
    # Before hours of work, as it may find mistakes.
    priority: 100
    localrule: True
    conda:
        "../../envs/petite.yaml"
    params:
        python=python,
        settings=list_settings,
        sizes=sizes_argument,
    shell:
        "{params.python} {input.code[0]:q} --split {input.split:q} --index {input.index:q} "
        "--output {output.table:q} {params.sizes} --settings {params.settings:q} --log {log:q}"


rule features:
    input:
        unpack(space_inputs),
        manifest=rules.index.output.manifest,
        split=split_of,
        code=feature_code,
    output:
        **FEATURES,
    log:
        f"{RESULTS}/{{repeat}}logs/features/{{space}}.log",
    wildcard_constraints:
        space=COMPUTED,
    cache: IS_CACHED
    conda:
        "../../envs/petite.yaml"
    threads: 2
    resources:
        mem_mb=feature_memory(number_of_images),
    params:
        python=python,
        settings=feature_settings,
        embeddings=embeddings_argument,
    shell:
        "{params.python} {input.code[0]:q} --manifest {input.manifest:q} --split {input.split:q} "
        "{params.embeddings} --output-features {output.features:q} "
        "--output-json {output.features_json:q} --settings {params.settings:q} "
        "--threads {threads} --log {log:q}"


# One cheap training per seed, which gives all training scores: of a network on the images, or of a linear
# classifier on their embeddings.
rule proxy:
    input:
        unpack(proxy_inputs),
        manifest=rules.index.output.manifest,
        split=split_of,
        code=code("linear_proxy" if IS_LINEAR_PROXY else "proxy"),
    output:
        **PROXY,
    log:
        f"{RESULTS}/{{repeat}}logs/proxy/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/{{repeat}}benchmarks/proxy/seed-{{seed}}.tsv"
    conda:
        "../../envs/petite.yaml"
    threads: CONFIG.training_threads
    resources:
        mem_mb=PROXY_MEMORY,
        gpu=0 if IS_LINEAR_PROXY else CONFIG.training_gpus,
    params:
        python=python,
        settings=as_param(PROXY_SETTINGS),
        arguments=proxy_arguments,
    shell:
        "{params.python} {input.code[0]:q} --manifest {input.manifest:q} --split {input.split:q} "
        "--seed {wildcards.seed} --output-scores {output.scores:q} "
        "--output-features {output.features:q} --output-gradients {output.gradients:q} "
        "{params.arguments} --settings {params.settings:q} --threads {threads} --log {log:q}"


# If `partitions` is set: the first stage of a selection, one job per part.
rule candidates:
    input:
        unpack(
            lambda wildcards: files_of_selection(
                wildcards.method, wildcards.seed, wildcards.repeat
            )
        ),
        split=selected_of,
        code=selection_code("candidates"),
    output:
        **CANDIDATES,
    log:
        f"{RESULTS}/{{repeat}}logs/candidates/{{method}}/{{fraction}}/seed-{{seed}}/{{part}}.log",
    wildcard_constraints:
        method=SELECTING,
        part=r"\d+",
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(800, 1500),
    params:
        python=python,
        settings=selection_settings,
        arguments=selection_arguments,
    shell:
        "{params.python} {input.code[0]:q} --fraction {wildcards.fraction} --seed {wildcards.seed} "
        "--part {wildcards.part} --split {input.split:q} --output {output.candidates:q} "
        "{params.arguments} --settings {params.settings:q} --log {log:q}"


# A method that ranks runs once per seed; every fraction is a prefix of its ranking. Here and below, a job
# selects for several seeds, as most selections are faster than the start of a job.
rule rank:
    input:
        unpack(rank_inputs),
        split=selected_of,
        code=selection_code("rank"),
    output:
        **RANKED,
    log:
        f"{RESULTS}/{{repeat}}logs/rank/{{method}}/seeds-{{first}}-{{last}}.log",
    benchmark:
        f"{RESULTS}/{{repeat}}benchmarks/rank/{{method}}/seeds-{{first}}-{{last}}.tsv"
    wildcard_constraints:
        method=RANKING,
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(*OF_RANKING),
    params:
        python=python,
        settings=selection_settings,
        depth=lambda wildcards: as_text(PLAN.depth(wildcards.method)),
        arguments=selection_arguments,
    shell:
        "{params.python} {input.code[0]:q} --fraction {params.depth} "
        "--seeds $(seq {wildcards.first} {wildcards.last}) --split {input.split:q} "
        "--output {output.ranking:q} {params.arguments} "
        "--settings {params.settings:q} --log {log:q}"


rule subset:
    input:
        unpack(subset_inputs),
        manifest=rules.index.output.manifest,
        split=selected_of,
        code=selection_code("subset"),
    output:
        **CHOSEN,
    log:
        f"{RESULTS}/{{repeat}}logs/subset/{RUN}.log",
    benchmark:
        f"{RESULTS}/{{repeat}}benchmarks/subset/{RUN}.tsv"
    wildcard_constraints:
        method=SELECTING,
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(800, 1500),
    params:
        python=python,
        settings=selection_settings,
        arguments=selection_arguments,
    shell:
        "{params.python} {input.code[0]:q} --fraction {wildcards.fraction} "
        "--seeds $(seq {wildcards.first} {wildcards.last}) "
        "--split {input.split:q} --manifest {input.manifest:q} --output {output.subset:q} "
        "{params.arguments} --settings {params.settings:q} --log {log:q}"


# The real images are those of `random` at the same fraction and seeds, so that the two are comparable.
rule augment:
    input:
        subset=f"{RESULTS}/{{repeat}}subsets/random/{{fraction}}/seeds-{{first}}-{{last}}.parquet",
        record=f"{RESULTS}/{{repeat}}subsets/random/{{fraction}}/seeds-{{first}}-{{last}}.json",
        code=code("augment"),
    output:
        **CHOSEN,
    log:
        f"{RESULTS}/{{repeat}}logs/augment/{RUN}.log",
    benchmark:
        f"{RESULTS}/{{repeat}}benchmarks/augment/{RUN}.tsv"
    wildcard_constraints:
        method=AUGMENTING,
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(700, 1000),
    params:
        python=python,
        settings=lambda wildcards: as_param(PLAN.making_settings(wildcards.method)),
    shell:
        "{params.python} {input.code[0]:q} --subset {input.subset:q} "
        "--seeds $(seq {wildcards.first} {wildcards.last}) "
        "--output {output.subset:q} --settings {params.settings:q} --log {log:q}"


# Mosaics of crops of training images. The proxy is the teacher: the crops are scored by its loss.
rule rded:
    input:
        unpack(teachers_of),
        manifest=rules.index.output.manifest,
        split=selected_of,
        code=code("rded"),
    output:
        **CHOSEN,
    log:
        f"{RESULTS}/{{repeat}}logs/rded/{RUN}.log",
    benchmark:
        f"{RESULTS}/{{repeat}}benchmarks/rded/{RUN}.tsv"
    wildcard_constraints:
        method=OF_CROPS,
    conda:
        "../../envs/petite.yaml"
    threads: CONFIG.training_threads
    resources:
        mem_mb=memory(1500, 500),
        gpu=CONFIG.training_gpus,
    params:
        python=python,
        settings=lambda wildcards: as_param(
            {
                "method": PLAN.making_settings(wildcards.method),
                "backend": CONFIG.training.backend,
            }
        ),
    shell:
        "{params.python} {input.code[0]:q} --fraction {wildcards.fraction} "
        "--seeds $(seq {wildcards.first} {wildcards.last}) --manifest {input.manifest:q} "
        "--split {input.split:q} --teachers {input.teachers:q} --output {output.subset:q} "
        "--settings {params.settings:q} --threads {threads} --log {log:q}"


# Images that are learned, which takes minutes or hours: one job for each seed.
rule dm:
    input:
        manifest=rules.index.output.manifest,
        split=selected_of,
        code=code("dm"),
    output:
        **CHOSEN,
    log:
        f"{RESULTS}/{{repeat}}logs/dm/{RUN}.log",
    benchmark:
        f"{RESULTS}/{{repeat}}benchmarks/dm/{RUN}.tsv"
    wildcard_constraints:
        method=LEARNING,
    conda:
        "../../envs/petite.yaml"
    threads: CONFIG.training_threads
    resources:
        mem_mb=learning_memory,
        gpu=CONFIG.training_gpus,
    params:
        python=python,
        settings=lambda wildcards: as_param(
            {
                "method": PLAN.making_settings(wildcards.method),
                "flips": CONFIG.training.flips != "none",
            }
        ),
        memory=memory_limit,
    shell:
        "{params.python} {input.code[0]:q} --fraction {wildcards.fraction} "
        "--seeds $(seq {wildcards.first} {wildcards.last}) --manifest {input.manifest:q} "
        "--split {input.split:q} --output {output.subset:q} {params.memory} "
        "--settings {params.settings:q} --threads {threads} --log {log:q}"


# Predicts the time, memory and disk space of the whole run on this machine, in detail those of each entry of
# the config, and what the seeds can show, before anything is selected.
rule estimate:
    input:
        unpack(embedding_to_estimate),
        split=SELECTED,
        code=code("estimate", SOURCE_MODULE),
    log:
        f"{RESULTS}/logs/estimate.log",
    localrule: True
    conda:
        "../../envs/petite.yaml"
    params:
        python=python,
        embedding=estimate_arguments,
        settings=lambda wildcards: as_param(
            {
                "dimensions": CONFIG.features.dimensions,
                "embedding": assumed_dimensions(BACKBONE.label),
                "embed": {**EMBED_SETTINGS, "jobs": len(SHARDS)},
                "own": OWN if USES_OWN else None,
                "training": PLAN.proxy_settings()["training"],
                "proxy_of": CONFIG.proxy.of,
                "partitions": CONFIG.partitions,
                "entries": entries_to_select(),
                "forecast": forecast_settings(),
                "design": {
                    "seeds": [
                        CONFIG.runs_of(PLAN.judges[0].name)[case]
                        for case in with_random(CASES_OF[PLAN.judges[0].name])
                    ],
                    "pilot_sd": CONFIG.evidence.pilot_sd,
                    "looks": looks_param(PLAN.judges[0].name),
                },
                "tests": {
                    "subsets": len(with_full(CASES_OF[PLAN.judges[0].name])),
                    "tolerance": CONFIG.evidence.tolerance,
                    "setting": CONFIG.evidence.metric,
                },
            }
        ),
    shell:
        "{params.python} {input.code[0]:q} --split {input.split:q} {params.embedding} "
        "--settings {params.settings:q} --log {log:q}"
