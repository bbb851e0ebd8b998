# One model for each subset and seed.
# Needs: the store, the split, and the subsets (data.smk, select.smk).
# Makes: runs/ (metrics, learning curves, predictions) and models/.


def subsets_to_train(wildcards):
    seeds = range(int(wildcards.first), int(wildcards.last) + 1)
    paths = [subset_path(wildcards.method, wildcards.fraction, seed) for seed in seeds]
    return list(dict.fromkeys(paths))


RUN = f"{{method}}/{{fraction}}/seeds-{{first}}-{{last}}"


rule train:
    input:
        manifest=rules.index.output.manifest,
        split=SPLIT,
        subsets=subsets_to_train,
        code=code("train", *TRAINING_CODE, "recipes", "training/run"),
    output:
        runs=f"{RESULTS}/runs/{RUN}.csv",
        history=f"{RESULTS}/runs/{RUN}.history.csv",
        predictions=f"{RESULTS}/runs/{RUN}.predictions.npz",
        models=directory(f"{RESULTS}/models/{RUN}"),
    log:
        f"{RESULTS}/logs/train/{RUN}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{RUN}.tsv"
    threads: CONFIG.training_threads
    resources:
        mem_mb=memory(1500, 4 * IMAGE_BYTES),
        gpu=CONFIG.training_gpus,
    params:
        settings=as_param(CONFIG.training.model_dump(mode="json")),
    shell:
        "{PYTHON} {input.code[0]} --manifest {input.manifest:q} "
        "--split {input.split:q} --split-seed {CONFIG.split.seed} --subset {input.subsets:q} "
        "--seeds $(seq {wildcards.first} {wildcards.last}) --dataset {CONFIG.dataset.name} "
        "--method {wildcards.method} --fraction {wildcards.fraction} "
        "--output-runs {output.runs:q} --output-history {output.history:q} "
        "--output-predictions {output.predictions:q} --output-models {output.models:q} "
        "--settings {params.settings:q} --threads {threads} --log {log:q}"
