# Functions of select.smk: files by feature space, method and seed.

from petite.features.registry import SPACES


def labels_where(condition):
    """A wildcard's pattern: the labels of the config that meet a condition."""
    names = [label for label in CONFIG.methods if condition(label)]
    return "|".join(map(re.escape, names)) or "no-such-method"


AUGMENTING = labels_where(lambda label: method_name(label) == AUGMENTATION)
OF_CROPS = labels_where(lambda label: method_name(label) == RDED)
LEARNING = labels_where(lambda label: method_name(label) == DM)
SELECTING = labels_where(lambda label: method_name(label) not in MAKING)
RANKING = labels_where(PLAN.ranks)
COMPUTED = "|".join(space.name for space in SPACES.values() if not space.is_of_proxy)

LIST_SETTINGS = {
    "keep": CONFIG.keep,
    "exclude": CONFIG.exclude,
    "without_class": bool(CONFIG.labels),
}


def list_settings(wildcards):
    """In a repeat, images of the lists may be in the test part."""
    return as_param(LIST_SETTINGS | ({"is_repeat": True} if wildcards.repeat else {}))


IS_LINEAR_PROXY = CONFIG.proxy.of == "embeddings"
FEATURES = {
    "features": f"{RESULTS}/{{repeat}}features/{{space}}.npy",
    "features_json": f"{RESULTS}/{{repeat}}features/{{space}}.json",
}
PROXY = {
    "scores": f"{RESULTS}/{{repeat}}proxies/seed-{{seed}}.parquet",
    "scores_json": f"{RESULTS}/{{repeat}}proxies/seed-{{seed}}.json",
    "features": f"{RESULTS}/{{repeat}}features/proxy/seed-{{seed}}.npy",
    "features_json": f"{RESULTS}/{{repeat}}features/proxy/seed-{{seed}}.json",
    "gradients": f"{RESULTS}/{{repeat}}features/gradients/seed-{{seed}}.npy",
    "gradients_json": f"{RESULTS}/{{repeat}}features/gradients/seed-{{seed}}.json",
}
# The network itself, which scores the crops of rded. Only then is it an output: Snakemake does not notice
# other settings of a job of which an output is missing that nothing needs.
if any(entry.method == RDED and entry.fractions for entry in CONFIG.methods.values()):
    PROXY["model"] = f"{RESULTS}/{{repeat}}proxies/seed-{{seed}}.keras"
PROXY_SETTINGS = (
    PLAN.linear_proxy_settings() if IS_LINEAR_PROXY else PLAN.proxy_settings()
)
PROXY_MEMORY = (
    memory(700, EMBEDDING_BYTES + 8000)
    if IS_LINEAR_PROXY
    else memory(1500, 4 * IMAGE_BYTES)
)
CANDIDATES = {
    "candidates": f"{RESULTS}/{{repeat}}candidates/{{method}}/{{fraction}}/seed-{{seed}}/{{part}}.parquet",
    "candidates_json": f"{RESULTS}/{{repeat}}candidates/{{method}}/{{fraction}}/seed-{{seed}}/{{part}}.json",
}
RANKED = {
    "ranking": f"{RESULTS}/{{repeat}}rankings/{{method}}/seeds-{{first}}-{{last}}.parquet",
    "ranking_json": f"{RESULTS}/{{repeat}}rankings/{{method}}/seeds-{{first}}-{{last}}.json",
}
CHOSEN = {
    "subset": f"{RESULTS}/{{repeat}}subsets/{RUN}.parquet",
    "subset_json": f"{RESULTS}/{{repeat}}subsets/{RUN}.json",
}


def records_of(paths):
    """The records next to subsets: how they were selected. Jobs that read them list them as input."""
    return [str(Path(path).with_suffix(".json")) for path in paths]


def proxy_files(seed, repeat):
    return {
        name: path.replace("{seed}", str(seed)).replace("{repeat}", repeat)
        for name, path in PROXY.items()
    }


def feature_path(space, seed, repeat=""):
    """The file of a feature space; those of the proxy depend on the seed."""
    if SPACES[space].is_of_proxy:
        return proxy_files(seed, repeat)["features" if space == "proxy" else space]
    path = FEATURES["features"].replace("{space}", space)
    return path.replace("{repeat}", repeat)


def selection_code(script):
    """The code of a selection script, with the modules of the methods of its entry only."""

    def of_entry(wildcards):
        steps = PLAN.steps(wildcards.method)
        names = {step["method"] for step in steps} - {*MAKING}
        return code(script, *sorted({METHODS[name].module for name in names}))

    return of_entry


# Without this check, Snakemake would silently use the features of an earlier file.
OWN = CONFIG.features.path
USES_OWN = "own" in USED_SPACES | {CONFIG.checks.label_errors}
if USES_OWN and not Path(OWN).is_file():
    sys.exit(f"Petite: features.path: {OWN} does not exist. Correct the path")


def seeds_of(wildcards):
    """The seeds of a job."""
    return range(int(wildcards.first), int(wildcards.last) + 1)


def files_of_selection(label, seed, repeat):
    """The features and scores that the methods of an entry need, by name."""
    files = {}
    for space in PLAN.spaces(label):
        path = feature_path(space, seed, repeat)
        files[f"features_{space}"] = path
        files[f"features_{space}_json"] = str(Path(path).with_suffix(".json"))
    if PLAN.needs_proxy_scores(label):
        proxy = proxy_files(seed, repeat)
        files["scores"] = proxy["scores"]
        files["scores_json"] = proxy["scores_json"]
    return files


def candidate_inputs(wildcards, size):
    """The candidates of all partitions, if the first stage of an entry runs as several jobs."""
    parts = PLAN.partitioned(wildcards.method)
    paths = [
        CANDIDATES["candidates"].format(
            repeat=wildcards.repeat,
            method=wildcards.method,
            fraction=as_text(size),
            seed=seed,
            part=part,
        )
        for seed in seeds_of(wildcards)
        for part in range(parts)
    ]
    return {"candidates": paths} if parts > 1 else {}


def selection_inputs(wildcards):
    """The features and scores that an entry's methods need for the seeds of a job."""
    files = {}
    for seed in seeds_of(wildcards):
        found = files_of_selection(wildcards.method, seed, wildcards.repeat)
        for name, path in found.items():
            files.setdefault(name, []).append(path)
    return {name: list(dict.fromkeys(paths)) for name, paths in files.items()}


def rank_inputs(wildcards):
    found = candidate_inputs(wildcards, PLAN.depth(wildcards.method))
    return {**selection_inputs(wildcards), **found}


def subset_inputs(wildcards):
    """A method that ranks is cut at each fraction; other methods select for each fraction."""
    if PLAN.ranks(wildcards.method):
        return RANKED
    found = candidate_inputs(wildcards, wildcards.fraction)
    return {**selection_inputs(wildcards), **found}


def teachers_of(wildcards):
    """The network of the proxy of each seed of a job, with its record."""
    files = [proxy_files(seed, wildcards.repeat) for seed in seeds_of(wildcards)]
    return {
        "teachers": [of_seed["model"] for of_seed in files],
        "records": [of_seed["scores_json"] for of_seed in files],
    }


def learning_memory(wildcards, attempt):
    """The mem_mb of `dm`: the training images, and the activations of a batch."""
    settings = PLAN.making_settings(wildcards.method)
    activations = settings["batch"] * settings["width"] * DATASET.image_size**2
    return memory(1200 + 50 * activations / 1e6, IMAGE_BYTES)(wildcards, attempt)


def named_inputs(input, name):
    """The paths of an input of a job; none if it has no such input."""
    paths = input[name] if name in input.keys() else []
    return [paths] if isinstance(paths, str) else list(paths)


def selection_arguments(wildcards, input):
    """Arguments of the selection scripts: their inputs, and options that do not change results.

    Snakemake does not compare params that depend on the input, so a change reruns nothing.
    """
    arguments = []
    named = [
        f"{space}={path}"
        for space in PLAN.spaces(wildcards.method)
        for path in named_inputs(input, f"features_{space}")
    ]
    if named:
        arguments.append(shlex.join(["--features", *named]))
    for name in ("scores", "ranking"):
        if paths := named_inputs(input, name):
            arguments.append(shlex.join([f"--{name}", *paths]))
    if "candidates" in input.keys():
        arguments.append(shlex.join(["--candidates", *input.candidates]))
    arguments.append(memory_limit(wildcards, input))
    return " ".join(arguments)


def selection_settings(wildcards):
    return as_param(PLAN.selection_settings(wildcards.method))


def settings_of_space(space):
    settings = CONFIG.features.model_dump(mode="json")
    return {"space": space} | {name: settings[name] for name in SPACES[space].settings}


def feature_settings(wildcards):
    return as_param(settings_of_space(wildcards.space))


# What `memory` takes for the jobs of `rank`: MB, and bytes for each image.
OF_RANKING = 800, 1500


def feature_memory(count):
    """The mem_mb of `features`: embeddings and their rotation are in memory as a whole."""

    def mem_mb(wildcards, attempt):
        image = 2 * EMBEDDING_BYTES if wildcards.space == "backbone" else IMAGE_BYTES
        return memory(800, image + 1000, count)(wildcards, attempt)

    return mem_mb


def feature_code(wildcards):
    return code("features", SPACES[wildcards.space].module)


def space_inputs(wildcards):
    """What a space is made of beside the store: the user's own features, or the embeddings."""
    space = SPACES[wildcards.space]
    if space.needs_embeddings:
        return all_embeddings()
    return {"own": outside(OWN)} if space.file else {}


def proxy_inputs(wildcards):
    """What a proxy is trained on beside the store."""
    return all_embeddings() if IS_LINEAR_PROXY else {}


def proxy_arguments(wildcards, input, output):
    """Snakemake does not compare params that depend on the input, which is compared itself."""
    if IS_LINEAR_PROXY:
        return shlex.join(["--embeddings", *input.embeddings])
    model = ["--output-model", output.model] if "model" in output.keys() else []
    return f"{shlex.join(model)} {memory_limit(wildcards, input)}"


def embeddings_argument(wildcards, input):
    """Snakemake does not compare params that depend on the input, which is compared itself."""
    if not SPACES[wildcards.space].needs_embeddings:
        return ""
    return shlex.join(["--embeddings", *input.embeddings])
