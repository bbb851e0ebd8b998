# Judges each subset with each seed: by a model that is trained on it, a probe, or a program of the
# user's.
# Needs: the store and the split (data.smk), the subsets (select.smk), and the network (embed.smk).
# Makes: runs/ (metrics, learning curves, predictions) and models/.


include: "../lookups/train.smk"


rule train:
    input:
        unpack(encoded_inputs),
        manifest=rules.index.output.manifest,
        split=split_of,
        subsets=subsets_to_train,
        records=records_to_train,
        code=code("train"),
    output:
        runs=f"{RESULTS}/{{repeat}}runs/{SCRATCH}/{RUN}.csv",
        history=f"{RESULTS}/{{repeat}}runs/{SCRATCH}/{RUN}.history.csv",
        predictions=f"{RESULTS}/{{repeat}}runs/{SCRATCH}/{RUN}.predictions.npz",
        models=directory(f"{RESULTS}/{{repeat}}models/{SCRATCH}/{RUN}"),
    log:
        f"{RESULTS}/{{repeat}}logs/train/{RUN}.log",
    benchmark:
        f"{RESULTS}/{{repeat}}benchmarks/train/{RUN}.tsv"
    conda:
        "../../envs/petite.yaml"
    threads: CONFIG.training_threads
    resources:
        mem_mb=memory(*OF_TRAINING),
        gpu=CONFIG.training_gpus,
    params:
        python=python,
        settings=as_param(CONFIG.training.model_dump(mode="json")),
        dataset=CONFIG.dataset.name,
        split_seed=split_seed,
        memory=memory_limit,
        encoded=encoded_arguments,
        judge=SCRATCH,
        seeing=seeing,
    shell:
        "{params.python} {input.code[0]:q} --manifest {input.manifest:q} "
        "--split {input.split:q} --split-seed {params.split_seed} --subset {input.subsets:q} "
        "--seeds $(seq {wildcards.first} {wildcards.last}) --dataset {params.dataset} "
        "--judge {params.judge} "
        "--method {wildcards.method} --fraction {wildcards.fraction} "
        "--output-runs {output.runs:q} --output-history {output.history:q} "
        "--output-predictions {output.predictions:q} --output-models {output.models:q} "
        "--settings {params.settings:q} --threads {threads} {params.memory} "
        "--seeing {params.seeing:q} {params.encoded} --log {log:q}"


rule fine_tune:
    input:
        unpack(backbone_files),
        unpack(encoded_inputs),
        manifest=rules.index.output.manifest,
        split=split_of,
        subsets=subsets_to_train,
        records=records_to_train,
        code=code("fine_tune"),
    output:
        runs=f"{RESULTS}/{{repeat}}runs/{FINE_TUNE}/{RUN}.csv",
        history=f"{RESULTS}/{{repeat}}runs/{FINE_TUNE}/{RUN}.history.csv",
        predictions=f"{RESULTS}/{{repeat}}runs/{FINE_TUNE}/{RUN}.predictions.npz",
        models=directory(f"{RESULTS}/{{repeat}}models/{FINE_TUNE}/{RUN}"),
    log:
        f"{RESULTS}/{{repeat}}logs/fine_tune/{RUN}.log",
    benchmark:
        f"{RESULTS}/{{repeat}}benchmarks/fine_tune/{RUN}.tsv"
    conda:
        "../../envs/petite.yaml"
    threads: CONFIG.training_threads
    resources:
        mem_mb=memory(*OF_FINE_TUNING),
        gpu=CONFIG.training_gpus,
    params:
        python=python,
        settings=fine_tune_settings(),
        dataset=CONFIG.dataset.name,
        split_seed=split_seed,
        memory=memory_limit,
        encoded=encoded_arguments,
        weights=weights_argument,
        seeing=seeing,
    shell:
        "{params.python} {input.code[0]:q} --manifest {input.manifest:q} "
        "--split {input.split:q} --split-seed {params.split_seed} --subset {input.subsets:q} "
        "--seeds $(seq {wildcards.first} {wildcards.last}) --dataset {params.dataset} "
        f"--judge {FINE_TUNE} "
        "--method {wildcards.method} --fraction {wildcards.fraction} {params.weights} "
        "--output-runs {output.runs:q} --output-history {output.history:q} "
        "--output-predictions {output.predictions:q} --output-models {output.models:q} "
        "--settings {params.settings:q} --threads {threads} {params.memory} "
        "--seeing {params.seeing:q} {params.encoded} --log {log:q}"


# Selects by itself, from another part of the training images for each seed.
rule probe:
    input:
        unpack(probe_inputs),
        manifest=rules.index.output.manifest,
        split=selected_of,
        code=selection_code("probe"),
    output:
        runs=f"{RESULTS}/{{repeat}}runs/{PROBE}/{RUN}.csv",
        history=f"{RESULTS}/{{repeat}}runs/{PROBE}/{RUN}.history.csv",
        predictions=f"{RESULTS}/{{repeat}}runs/{PROBE}/{RUN}.predictions.npz",
    log:
        f"{RESULTS}/{{repeat}}logs/probe/{RUN}.log",
    benchmark:
        f"{RESULTS}/{{repeat}}benchmarks/probe/{RUN}.tsv"
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(*OF_PROBE),
    params:
        python=python,
        settings=probe_settings,
        dataset=CONFIG.dataset.name,
        split_seed=split_seed,
        arguments=probe_arguments,
        judge=PROBE,
    shell:
        "{params.python} {input.code[0]:q} --manifest {input.manifest:q} --split {input.split:q} "
        "--split-seed {params.split_seed} --seeds $(seq {wildcards.first} {wildcards.last}) "
        "--judge {params.judge} "
        "--dataset {params.dataset} --method {wildcards.method} --fraction {wildcards.fraction} "
        "--output-runs {output.runs:q} --output-history {output.history:q} "
        "--output-predictions {output.predictions:q} {params.arguments} "
        "--settings {params.settings:q} --threads {threads} --log {log:q}"


if PROGRAMS:

    # One job for the seeds of a batch, as `train`. Its settings do not name its files, which are
    # inputs, so that a moved one reruns nothing.
    rule judge_program:
        input:
            manifest=rules.index.output.manifest,
            split=split_of,
            subsets=subsets_to_train,
            records=records_to_train,
            source=program_source,
            program=program_files,
            code=code("judge_program", SOURCE_MODULE),
        output:
            runs=f"{RESULTS}/{{repeat}}runs/{{judge}}/{RUN}.csv",
            history=f"{RESULTS}/{{repeat}}runs/{{judge}}/{RUN}.history.csv",
            predictions=f"{RESULTS}/{{repeat}}runs/{{judge}}/{RUN}.predictions.npz",
        log:
            f"{RESULTS}/{{repeat}}logs/judge_program/{{judge}}/{RUN}.log",
        benchmark:
            f"{RESULTS}/{{repeat}}benchmarks/judge_program/{{judge}}/{RUN}.tsv"
        wildcard_constraints:
            judge="|".join(map(re.escape, PROGRAMS)),
        conda:
            "../../envs/petite.yaml"
        threads: CONFIG.training_threads
        resources:
            mem_mb=memory(*OF_TRAINING),
            gpu=CONFIG.training_gpus,
        params:
            python=python,
            settings=program_settings,
            dataset=CONFIG.dataset.name,
            split_seed=split_seed,
            arguments=program_arguments,
        shell:
            "{params.python} {input.code[0]:q} --manifest {input.manifest:q} "
            "--split {input.split:q} --split-seed {params.split_seed} --subset {input.subsets:q} "
            "--seeds $(seq {wildcards.first} {wildcards.last}) --judge {wildcards.judge} "
            "--dataset {params.dataset} --method {wildcards.method} "
            "--fraction {wildcards.fraction} --output-runs {output.runs:q} "
            "--output-history {output.history:q} --output-predictions {output.predictions:q} "
            "--settings {params.settings:q} {params.arguments} --threads {threads} --log {log:q}"
