# Judges on soft labels: a teacher that is trained on all training images, its labels, and the runs on them.
# Needs: what the judges on hard labels need (train.smk).
# Makes: teachers/, soft_labels/, and for their judges runs/ and models/.


include: "../lookups/soft.smk"


if SCRATCH_SOFT in CASES_OF:

    rule teacher:
        input:
            manifest=rules.index.output.manifest,
            split=selected_of,
            code=code("teacher"),
        output:
            model=f"{TEACHER}.keras",
            record=f"{TEACHER}.json",
        log:
            f"{RESULTS}/{{repeat}}logs/teacher/seed-{{network}}.log",
        benchmark:
            f"{RESULTS}/{{repeat}}benchmarks/teacher/seed-{{network}}.tsv"
        wildcard_constraints:
            network=r"\d+",
        conda:
            "../../envs/petite.yaml"
        threads: CONFIG.training_threads
        resources:
            mem_mb=memory(*OF_TRAINING),
            gpu=CONFIG.training_gpus,
        params:
            python=python,
            settings=as_param(CONFIG.training.model_dump(mode="json")),
            memory=memory_limit,
        shell:
            "{params.python} {input.code[0]:q} --manifest {input.manifest:q} "
            "--split {input.split:q} --seed {wildcards.network} "
            "--output-model {output.model:q} --output-record {output.record:q} "
            "--settings {params.settings:q} --threads {threads} {params.memory} --log {log:q}"

    # Of as many blocks of the training images as the store has shards: they are labeled side by side,
    # and a stop loses one of them.
    rule soft_labels:
        input:
            manifest=rules.index.output.manifest,
            split=selected_of,
            models=teacher_models,
            records=teacher_records,
            code=code("soft_labels"),
        output:
            labels=BLOCK_OF_LABELS,
            record=BLOCK_OF_LABELS.removesuffix(".npz") + ".json",
        log:
            f"{RESULTS}/{{repeat}}logs/soft_labels/{SCRATCH}/{{shard}}.log",
        conda:
            "../../envs/petite.yaml"
        threads: CONFIG.training_threads
        resources:
            mem_mb=memory_of_block,
            gpu=CONFIG.training_gpus,
        params:
            python=python,
            settings=soft_label_settings(),
            images=block_to_label,
        shell:
            "{params.python} {input.code[0]:q} --manifest {input.manifest:q} "
            "{params.images} --models {input.models:q} --records {input.records:q} "
            "--output {output.labels:q} --settings {params.settings:q} --threads {threads} "
            "--log {log:q}"

    # Images that a method makes are asked about as they are: a mosaic shows several images.
    use rule soft_labels as made_soft_labels with:
        input:
            manifest=rules.index.output.manifest,
            subset=SUBSETS,
            subset_json=SUBSETS.removesuffix(".parquet") + ".json",
            models=teacher_models,
            records=teacher_records,
            code=code("soft_labels"),
        output:
            labels=MADE_SOFT_LABELS,
            record=MADE_SOFT_LABELS.removesuffix(".npz") + ".json",
        log:
            f"{RESULTS}/{{repeat}}logs/made_soft_labels/{RUN}.log",
        wildcard_constraints:
            method=MADE,
        resources:
            mem_mb=memory_with_labels,
            gpu=CONFIG.training_gpus,
        params:
            images=lambda wildcards, input: f"--subset {shlex.quote(input.subset)}",

    use rule train as train_soft with:
        input:
            unpack(encoded_inputs),
            manifest=rules.index.output.manifest,
            split=split_of,
            subsets=subsets_to_train,
            records=records_to_train,
            labels=soft_labels_to_train,
            labels_record=soft_labels_records,
            code=code("train"),
        output:
            runs=f"{RESULTS}/{{repeat}}runs/{SCRATCH_SOFT}/{RUN}.csv",
            history=f"{RESULTS}/{{repeat}}runs/{SCRATCH_SOFT}/{RUN}.history.csv",
            predictions=f"{RESULTS}/{{repeat}}runs/{SCRATCH_SOFT}/{RUN}.predictions.npz",
            models=directory(f"{RESULTS}/{{repeat}}models/{SCRATCH_SOFT}/{RUN}"),
        log:
            f"{RESULTS}/{{repeat}}logs/train_soft/{RUN}.log",
        benchmark:
            f"{RESULTS}/{{repeat}}benchmarks/train_soft/{RUN}.tsv"
        resources:
            mem_mb=memory_with_labels,
            gpu=CONFIG.training_gpus,
        params:
            encoded=soft_arguments,
            judge=SCRATCH_SOFT,


if PROBE_SOFT in CASES_OF:

    rule probe_teacher:
        input:
            **all_embeddings(),
            manifest=rules.index.output.manifest,
            split=selected_of,
            code=code("probe_teacher"),
        output:
            labels=LABELS_OF_PROBE,
            record=LABELS_OF_PROBE.removesuffix(".npz") + ".json",
        log:
            f"{RESULTS}/{{repeat}}logs/probe_teacher.log",
        conda:
            "../../envs/petite.yaml"
        resources:
            mem_mb=memory(*OF_PROBE),
        params:
            python=python,
            settings=probe_teacher_settings(),
        shell:
            "{params.python} {input.code[0]:q} --manifest {input.manifest:q} "
            "--split {input.split:q} --embeddings {input.embeddings:q} --output {output.labels:q} "
            "--settings {params.settings:q} --threads {threads} --log {log:q}"

    use rule probe as probe_soft with:
        input:
            unpack(probe_inputs),
            manifest=rules.index.output.manifest,
            split=selected_of,
            labels=rules.probe_teacher.output.labels,
            labels_record=rules.probe_teacher.output.record,
            code=selection_code("probe"),
        output:
            runs=f"{RESULTS}/{{repeat}}runs/{PROBE_SOFT}/{RUN}.csv",
            history=f"{RESULTS}/{{repeat}}runs/{PROBE_SOFT}/{RUN}.history.csv",
            predictions=f"{RESULTS}/{{repeat}}runs/{PROBE_SOFT}/{RUN}.predictions.npz",
        log:
            f"{RESULTS}/{{repeat}}logs/probe_soft/{RUN}.log",
        benchmark:
            f"{RESULTS}/{{repeat}}benchmarks/probe_soft/{RUN}.tsv"
        params:
            settings=soft_probe_settings,
            arguments=soft_probe_arguments,
            judge=PROBE_SOFT,
