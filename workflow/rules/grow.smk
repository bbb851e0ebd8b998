# Which new labeled images to add to a subset, in which order, and what that gains:
#   snakemake grow --config folder=OLD new=NEW kept=METHOD:FRACTION
# Needs: the new images (second.smk); the store (data.smk), the split and the subset (select.smk), and the
# embeddings and judges of the run (embed.smk, train.smk).
# Makes: new-<NEW>/ (store and embeddings) and grow/<NEW>/<METHOD>-on-<SUBSET>/ (list, gains, page, images).


include: "../lookups/grow.smk"


wildcard_constraints:
    place=f"{re.escape(GROWN_PLACE)}|{re.escape(KEPT_PLACE)}",


rule grow:
    input:
        # Without new images, `record_new` ends the run.
        [f"{GROWN}/{file}" for file in ANSWER_FILES] if NEW.path else [],
    localrule: True


rule grow_kept:
    input:
        subset=KEPT_FILE,
        record=records_of([KEPT_FILE]),
        split=SELECTED,
        code=code("grow_kept"),
    output:
        split=KEPT_SPLIT,
        subset=KEPT_TABLE,
        record=records_of([KEPT_TABLE]),
    log:
        f"{RESULTS}/grow/{KEPT_PLACE}/logs/kept.log",
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(700, 1000),
    params:
        python=python,
        seed=KEPT_SUBSET.seed if NEW.path else 0,
    shell:
        "{params.python} {input.code[0]:q} --subset {input.subset:q} --seed {params.seed} "
        "--split {input.split:q} --output-split {output.split:q} "
        "--output-subset {output.subset:q} --log {log:q}"


rule grow_images:
    input:
        new=NEW_MANIFEST,
        manifest=rules.index.output.manifest,
        split=SELECTED,
        kept=KEPT_SPLIT,
        code=code("grow_images"),
    output:
        images=f"{GROWN}/images.parquet",
        notices=f"{GROWN}/images.json",
        split=GROWN_SPLIT,
        manifest=GROWN_STORE,
        index=f"{GROWN}/store/index.parquet",
    log:
        f"{GROWN}/logs/images.log",
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(700, 4000, number_of_grown_images),
    params:
        python=python,
        settings=as_param(
            {
                "near_copy_distance": DATASET.near_copy_distance,
                "depth": DATASET.depth,
                "groups": CONFIG.split.groups,
            }
        ),
        folder=lambda wildcards, input: shlex.quote(str(NEW.path)),
    shell:
        "{params.python} {input.code[0]:q} --new {input.new:q} --folder {params.folder} "
        "--manifest {input.manifest:q} --split {input.split:q} --kept {input.kept:q} "
        "--output-images {output.images:q} --output-split {output.split:q} "
        "--output-manifest {output.manifest:q} --settings {params.settings:q} --log {log:q}"


use rule features as grow_features with:
    input:
        unpack(grown_space_inputs),
        manifest=GROWN_STORE,
        split=GROWN_SPLIT,
        code=feature_code,
    output:
        features=f"{GROWN}/features/{{space}}.npy",
        features_json=f"{GROWN}/features/{{space}}.json",
    log:
        f"{GROWN}/logs/features/{{space}}.log",
    resources:
        mem_mb=feature_memory(number_of_grown_images),


# The kept images, and then the new ones: by the method once, and at random for each seed.
use rule rank as grow_rank with:
    input:
        unpack(order_inputs),
        split=GROWN_SPLIT,
        code=order_code("rank"),
    output:
        ranking=f"{GROWN}/rankings/{{method}}/seeds-{{first}}-{{last}}.parquet",
        ranking_json=f"{GROWN}/rankings/{{method}}/seeds-{{first}}-{{last}}.json",
    log:
        f"{GROWN}/logs/rank/{{method}}/seeds-{{first}}-{{last}}.log",
    benchmark:
        f"{GROWN}/benchmarks/rank/{{method}}/seeds-{{first}}-{{last}}.tsv"
    wildcard_constraints:
        method=f"{ORDER}|{RANDOM}",
    resources:
        mem_mb=memory(*OF_RANKING, number_of_grown_images),
    params:
        settings=order_settings,
        depth="1",
        arguments=features_arguments,


rule grow_subset:
    input:
        ranking=grown_ranking,
        split=GROWN_SPLIT,
        manifest=GROWN_STORE,
        code=code("grow_subset"),
    output:
        subset=f"{GROWN}/subsets/{{case}}/{{fraction}}/seeds-{{first}}-{{last}}.parquet",
        record=f"{GROWN}/subsets/{{case}}/{{fraction}}/seeds-{{first}}-{{last}}.json",
    log:
        f"{GROWN}/logs/subset/{{case}}/{{fraction}}/seeds-{{first}}-{{last}}.log",
    wildcard_constraints:
        case=f"{ORDER}|{RANDOM}|{ALL}",
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(700, 1000, number_of_grown_images),
    params:
        python=python,
    shell:
        "{params.python} {input.code[0]:q} --ranking {input.ranking:q} "
        "--size {wildcards.fraction} --split {input.split:q} --manifest {input.manifest:q} "
        "--output {output.subset:q} --log {log:q}"


use rule train as grow_train with:
    input:
        manifest=judged_manifest,
        split=judged_split,
        subsets=judged_subsets,
        records=judged_records,
        code=code("train"),
    output:
        runs=f"{RESULTS}/grow/{{place}}/runs/{SCRATCH}/{RUN}.csv",
        history=f"{RESULTS}/grow/{{place}}/runs/{SCRATCH}/{RUN}.history.csv",
        predictions=f"{RESULTS}/grow/{{place}}/runs/{SCRATCH}/{RUN}.predictions.npz",
        models=temp(directory(f"{RESULTS}/grow/{{place}}/models/{SCRATCH}/{RUN}")),
    log:
        f"{RESULTS}/grow/{{place}}/logs/train/{RUN}.log",
    benchmark:
        f"{RESULTS}/grow/{{place}}/benchmarks/train/{RUN}.tsv"
    resources:
        mem_mb=memory(*OF_TRAINING, number_of_grown_images),
        gpu=CONFIG.training_gpus,
    params:
        seeing="null",


use rule fine_tune as grow_fine_tune with:
    input:
        unpack(backbone_files),
        manifest=judged_manifest,
        split=judged_split,
        subsets=judged_subsets,
        records=judged_records,
        code=code("fine_tune"),
    output:
        runs=f"{RESULTS}/grow/{{place}}/runs/{FINE_TUNE}/{RUN}.csv",
        history=f"{RESULTS}/grow/{{place}}/runs/{FINE_TUNE}/{RUN}.history.csv",
        predictions=f"{RESULTS}/grow/{{place}}/runs/{FINE_TUNE}/{RUN}.predictions.npz",
        models=temp(directory(f"{RESULTS}/grow/{{place}}/models/{FINE_TUNE}/{RUN}")),
    log:
        f"{RESULTS}/grow/{{place}}/logs/fine_tune/{RUN}.log",
    benchmark:
        f"{RESULTS}/grow/{{place}}/benchmarks/fine_tune/{RUN}.tsv"
    resources:
        mem_mb=memory(*OF_FINE_TUNING, number_of_grown_images),
        gpu=CONFIG.training_gpus,
    params:
        seeing="null",


# Keeps the kept images, and selects from another part of the new ones for each seed.
use rule probe as grow_probe with:
    input:
        unpack(judged_by_probe),
        manifest=judged_manifest,
        split=judged_split,
        code=order_code("grow_probe"),
    output:
        runs=f"{RESULTS}/grow/{{place}}/runs/{PROBE}/{RUN}.csv",
        history=f"{RESULTS}/grow/{{place}}/runs/{PROBE}/{RUN}.history.csv",
        predictions=f"{RESULTS}/grow/{{place}}/runs/{PROBE}/{RUN}.predictions.npz",
    log:
        f"{RESULTS}/grow/{{place}}/logs/probe/{RUN}.log",
    benchmark:
        f"{RESULTS}/grow/{{place}}/benchmarks/probe/{RUN}.tsv"
    resources:
        mem_mb=memory(*OF_PROBE, number_of_grown_images),
    params:
        settings=grown_probe_settings,
        arguments=lambda wildcards, input: (
            f"{shlex.join(['--embeddings', *input.embeddings])} "
            f"{features_arguments(wildcards, input)}"
        ),


if PROGRAMS:

    use rule judge_program as grow_judge_program with:
        input:
            manifest=judged_manifest,
            split=judged_split,
            subsets=judged_subsets,
            records=judged_records,
            program=program_files,
            code=code("judge_program", SOURCE_MODULE),
        output:
            runs=f"{RESULTS}/grow/{{place}}/runs/{{judge}}/{RUN}.csv",
            history=f"{RESULTS}/grow/{{place}}/runs/{{judge}}/{RUN}.history.csv",
            predictions=f"{RESULTS}/grow/{{place}}/runs/{{judge}}/{RUN}.predictions.npz",
        log:
            f"{RESULTS}/grow/{{place}}/logs/judge_program/{{judge}}/{RUN}.log",
        benchmark:
            f"{RESULTS}/grow/{{place}}/benchmarks/judge_program/{{judge}}/{RUN}.tsv"
        resources:
            mem_mb=memory(*OF_TRAINING, number_of_grown_images),
            gpu=CONFIG.training_gpus,


rule grow_gains:
    input:
        runs=new_runs(),
        predictions=[path.replace(".csv", ".predictions.npz") for path in new_runs()],
        images=rules.grow_images.output.images,
        split=SELECTED,
        code=code("grow_gains"),
    output:
        table=f"{GROWN}/gains.csv",
        parquet=f"{GROWN}/gains.parquet",
        text=f"{GROWN}/answer.txt",
    log:
        f"{GROWN}/logs/gains.log",
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(700, 0),
    params:
        python=python,
        settings=as_param({"metric": CONFIG.evidence.metric}),
    shell:
        "{params.python} {input.code[0]:q} --runs {input.runs:q} --images {input.images:q} "
        "--split {input.split:q} --output {output.table:q} --output-text {output.text:q} "
        "--settings {params.settings:q} --log {log:q}"


rule grow_list:
    input:
        images=rules.grow_images.output.images,
        split=GROWN_SPLIT,
        ranking=ORDER_RANKING,
        ranking_json=records_of([ORDER_RANKING]),
        features=NEW_FEATURES,
        features_json=records_of([NEW_FEATURES]),
        code=code("grow_list"),
    output:
        list=f"{GROWN}/list.csv",
        table=f"{GROWN}/list.parquet",
        record=f"{GROWN}/list.json",
    log:
        f"{GROWN}/logs/list.log",
    conda:
        "../../envs/petite.yaml"
    resources:
        mem_mb=memory(1000, 1500, number_of_grown_images),
    params:
        python=python,
    shell:
        "{params.python} {input.code[0]:q} --images {input.images:q} --split {input.split:q} "
        "--ranking {input.ranking:q} --features {input.features:q} --output {output.list:q} "
        "--log {log:q}"


rule grow_page:
    input:
        list=rules.grow_list.output.table,
        record=rules.grow_list.output.record,
        gains=rules.grow_gains.output.parquet,
        answer=rules.grow_gains.output.text,
        manifest=GROWN_STORE,
        notices=[
            f"{RESULTS}/{NEW_PLACE}/store/listing.json",
            f"{RESULTS}/{NEW_PLACE}/store/index.json",
            rules.grow_images.output.notices,
        ],
        templates=page_templates("grow/page.html"),
        code=code("grow_page"),
    output:
        f"{GROWN}/page.html",
    log:
        f"{GROWN}/logs/page.log",
    conda:
        "../../envs/petite.yaml"
    params:
        python=python,
        settings=grown_page_settings,
    shell:
        "{params.python} {input.code[0]:q} --list {input.list:q} --gains {input.gains:q} "
        "--answer {input.answer:q} --manifest {input.manifest:q} --notices {input.notices:q} "
        "--output {output:q} --settings {params.settings:q} --log {log:q}"


rule grow_export:
    input:
        list=rules.grow_list.output.table,
        code=code("grow_export"),
    output:
        directory(f"{GROWN}/images"),
    log:
        f"{GROWN}/logs/export.log",
    conda:
        "../../envs/petite.yaml"
    params:
        python=python,
        settings=as_param({"links": NEW.links}),
        folder=lambda wildcards, input: shlex.quote(str(NEW.path)),
    shell:
        "{params.python} {input.code[0]:q} --list {input.list:q} --folder {params.folder} "
        "--output {output:q} --settings {params.settings:q} --log {log:q}"
