# Functions of soft.smk: the teacher, and what its labels depend on.

from petite.training.judges import SoftProbeSettings, SoftScratchSettings

SOFT = CONFIG.judges.scratch_soft or SoftScratchSettings()
SOFT_PROBE = CONFIG.judges.probe_soft or SoftProbeSettings()
# A network of a teacher, by its seed.
TEACHER = f"{RESULTS}/{{repeat}}teachers/{SCRATCH}/seed-{{network}}"
# The labels of a network: those of a block of the training images.
BLOCK_OF_LABELS = f"{RESULTS}/{{repeat}}soft_labels/{SCRATCH}/{{shard}}.npz"
LABELS_OF_PROBE = f"{RESULTS}/{{repeat}}soft_labels/{PROBE}.npz"
# All files of labels that the judges on soft labels train on.
SOFT_LABELS = {
    SCRATCH_SOFT: [BLOCK_OF_LABELS.replace("{shard}", shard) for shard in SHARDS],
    PROBE_SOFT: [LABELS_OF_PROBE],
}
# Those of images that a method makes: for each file of subsets, one of labels.
SUBSETS = f"{RESULTS}/{{repeat}}subsets/{RUN}.parquet"
MADE_SOFT_LABELS = f"{RESULTS}/{{repeat}}soft_labels/{SCRATCH}/{RUN}.npz"
MADE = labels_where(lambda label: method_name(label) in SYNTHETIC)


def bytes_of_labels():
    """Those of an image's soft labels in memory: eight for each class of what is known of it.

    That is a float16 with copies for each view, or a float64 for each network, their mean and a copy.
    """
    known = max(SOFT.views or 0, SOFT.teachers + 2)
    return 8 * known * classes_expected()


def memory_with_labels(wildcards, attempt):
    """The memory of a training on soft labels."""
    return memory(1500, 4 * IMAGE_BYTES + bytes_of_labels())(wildcards, attempt)


def memory_of_block(wildcards, attempt):
    """The memory of a job that asks for the soft labels of a block of the training images."""
    of_image = 4 * IMAGE_BYTES + bytes_of_labels()
    return memory(1500, of_image / len(SHARDS))(wildcards, attempt)


def block_to_label(wildcards, input):
    return f"--split {shlex.quote(input.split)} --block {wildcards.shard}"


def teacher_models(wildcards):
    return expand(
        f"{TEACHER}.keras", repeat=wildcards.repeat, network=SOFT.teacher_seeds
    )


def teacher_records(wildcards):
    return [f"{path.removesuffix('.keras')}.json" for path in teacher_models(wildcards)]


def soft_label_settings():
    """What soft labels depend on besides the teacher: the augmentation of their views."""
    own = {"views": SOFT.views, "temperature": SOFT.temperature}
    return as_param({**own, "training": CONFIG.training.model_dump(mode="json")})


def made_soft_labels(subsets):
    """The files with the soft labels of files of subsets whose images are made."""
    found = []
    for path in map(Path, subsets):
        _, _, folder = path.parents[:3]  # subsets/METHOD/FRACTION/seeds-0-9.parquet
        made = folder.parent / "soft_labels" / SCRATCH / path.relative_to(folder)
        found.append(str(made.with_suffix(".npz")))
    return found


def soft_labels_to_train(wildcards):
    """The soft labels that a training needs."""
    if method_name(wildcards.method) in SYNTHETIC:
        return made_soft_labels(subsets_to_train(wildcards))
    return expand(SOFT_LABELS[SCRATCH_SOFT], repeat=wildcards.repeat)


def soft_labels_records(wildcards):
    return records_of(soft_labels_to_train(wildcards))


def soft_labels_argument(paths):
    return shlex.join(["--soft-labels", *paths]) if paths else ""


def soft_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input, which is compared itself."""
    labels = soft_labels_argument(input.labels)
    return f"{encoded_arguments(wildcards, input)} {labels}"


def soft_probe_arguments(wildcards, input):
    """The same of the probe."""
    labels = soft_labels_argument([input.labels])
    return f"{probe_arguments(wildcards, input)} {labels}"


def probe_teacher_settings():
    return as_param(SOFT_PROBE.model_dump(mode="json", exclude={"seeds", "fractions"}))


def soft_probe_settings(wildcards):
    probe = SOFT_PROBE.model_dump(mode="json", exclude={"seeds", "fractions"})
    return as_param({**PLAN.selection_settings(wildcards.method), "probe": probe})
