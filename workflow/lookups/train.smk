# What train.smk looks up.


def subsets_to_train(wildcards):
    seeds = range(int(wildcards.first), int(wildcards.last) + 1)
    paths = [subset_path(wildcards.method, wildcards.fraction, seed) for seed in seeds]
    return list(dict.fromkeys(paths))


def records_to_train(wildcards):
    return records_of(subsets_to_train(wildcards))


RUN = f"{{method}}/{{fraction}}/seeds-{{first}}-{{last}}"
