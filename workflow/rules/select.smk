# From the split to subsets: tables of the images to train on.
# Needs: the store and the split (data.smk).
# Makes: features/, rankings/ and subsets/.


def labels_where(condition):
    """A wildcard's pattern: the labels of the config whose method meets a condition."""
    names = [label for label in CONFIG.methods if condition(method_name(label))]
    return "|".join(map(re.escape, names)) or "no-such-method"


AUGMENTING = labels_where(lambda name: name == petite_config.AUGMENTATION)
SELECTING = labels_where(lambda name: name != petite_config.AUGMENTATION)
RANKING = labels_where(lambda name: name in METHODS and METHODS[name].ranks)

FEATURES = {
    "features": f"{RESULTS}/features/pixels.npy",
    "features_json": f"{RESULTS}/features/pixels.json",
}
RANKED = {
    "ranking": f"{RESULTS}/rankings/{{method}}/seed-{{seed}}.parquet",
    "ranking_json": f"{RESULTS}/rankings/{{method}}/seed-{{seed}}.json",
}
SELECTION_CODE = [
    "selection/base",
    "selection/quota",
    "features",
    "seeds",
    "splits",
    "subsets",
]
CHOSEN = {
    "subset": f"{RESULTS}/subsets/{{method}}/{{fraction}}/seed-{{seed}}.parquet",
    "subset_json": f"{RESULTS}/subsets/{{method}}/{{fraction}}/seed-{{seed}}.json",
}


def method_module(wildcards):
    """The module of a method: an edit of it reruns this method alone."""
    name = METHODS[method_name(wildcards.method)].choose.__module__
    return code(name.replace(".", "/"))


def features_if_needed(wildcards):
    return FEATURES if METHODS[method_name(wildcards.method)].needs_features else {}


def ranking_or_features(wildcards):
    """A method that ranks is cut; another one chooses anew for each fraction."""
    if METHODS[method_name(wildcards.method)].ranks:
        return RANKED
    return features_if_needed(wildcards)


def method_settings(wildcards):
    return as_param(CONFIG.selection_settings(wildcards.method))


def method_argument(wildcards):
    return method_name(wildcards.method)


def optional(name, path):
    """`--name PATH` where the job has such an input."""
    return f"--{name} {shlex.quote(str(path))}" if path else ""


rule features:
    input:
        manifest=rules.index.output.manifest,
        split=SPLIT,
        code=code("features", "features", "seeds", "store", "splits"),
    output:
        **FEATURES,
    log:
        f"{RESULTS}/logs/features.log",
    benchmark:
        f"{RESULTS}/benchmarks/features.tsv"
    threads: 2
    params:
        settings=as_param(CONFIG.features.model_dump(mode="json")),
    shell:
        "{PYTHON} {input.code[0]} --manifest {input.manifest:q} --split {input.split:q} "
        "--output-features {output.features:q} --output-json {output.features_json:q} "
        "--settings {params.settings:q} --threads {threads} --log {log:q}"


# A method that gives an order is asked once for each seed; every fraction is a prefix of it.
rule rank:
    input:
        unpack(features_if_needed),
        method_code=method_module,
        split=SPLIT,
        code=code("rank", *SELECTION_CODE),
    output:
        **RANKED,
    log:
        f"{RESULTS}/logs/rank/{{method}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rank/{{method}}/seed-{{seed}}.tsv"
    wildcard_constraints:
        method=RANKING,
    params:
        settings=method_settings,
        method=method_argument,
        features=lambda wildcards, input: optional("features", input.get("features")),
    shell:
        "{PYTHON} {input.code[0]} --method {params.method} --seed {wildcards.seed} "
        "{params.features} --split {input.split:q} --output {output.ranking:q} "
        "--settings {params.settings:q} --log {log:q}"


rule subset:
    input:
        unpack(ranking_or_features),
        method_code=method_module,
        manifest=rules.index.output.manifest,
        split=SPLIT,
        code=code("subset", *SELECTION_CODE),
    output:
        **CHOSEN,
    log:
        f"{RESULTS}/logs/subset/{{method}}/{{fraction}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/subset/{{method}}/{{fraction}}/seed-{{seed}}.tsv"
    wildcard_constraints:
        method=SELECTING,
    params:
        settings=method_settings,
        method=method_argument,
        features=lambda wildcards, input: optional("features", input.get("features")),
        ranking=lambda wildcards, input: optional("ranking", input.get("ranking")),
    shell:
        "{PYTHON} {input.code[0]} --method {params.method} --fraction {wildcards.fraction} "
        "--seed {wildcards.seed} {params.ranking} {params.features} --split {input.split:q} "
        "--manifest {input.manifest:q} --output {output.subset:q} "
        "--settings {params.settings:q} --log {log:q}"


# The real part is what `random` keeps at the same fraction and seed, so that the two compare.
rule augment:
    input:
        subset=f"{RESULTS}/subsets/random/{{fraction}}/seed-{{seed}}.parquet",
        code=code("augment", "recipes", "subsets", "seeds"),
    output:
        **CHOSEN,
    log:
        f"{RESULTS}/logs/augment/{{method}}/{{fraction}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/augment/{{method}}/{{fraction}}/seed-{{seed}}.tsv"
    wildcard_constraints:
        method=AUGMENTING,
    params:
        settings=method_settings,
    shell:
        "{PYTHON} {input.code[0]} --subset {input.subset:q} --seed {wildcards.seed} "
        "--output {output.subset:q} --settings {params.settings:q} --log {log:q}"
