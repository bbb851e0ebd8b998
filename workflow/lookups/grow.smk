# Functions of grow.smk: new labeled images, the subset that they may be added to, and what is judged.

import numpy as np

from petite.config.grow import grow_method, kept_subset
from petite.config.layers import name_from
from petite.config.plan import batches_of_seeds
from petite.data.grown import classes_of
from petite.subsets.growing import ALL, KEPT, ORDER, RANDOM, cases_of
from petite.training.judges import ProbeSettings as GrowProbeSettings

NEW = CONFIG.grow
# Their store and embeddings: new images of another folder have another place.
NEW_NAME = name_from(NEW.path or "none")
NEW_PLACE = f"new-{NEW_NAME}"


def number_of_grown_images():
    """The number of images of the data set and of the new ones."""
    return number_of_images() + number_of_second_images()


def new_owner():
    """The new images, so that their results are not overwritten by those of other ones."""
    source, path = SECOND[NEW_PLACE], os.path.abspath(NEW.path)
    contents = digest_of_listing(source.listing["image_id"], source.listing["bytes"])
    return Owner(source.kind.name, NEW.path, path, contents)


def known_classes():
    """The classes of the run as far as they are known before its first job; [] if not."""
    store = Path(placed(RESULTS)) / "store"
    if is_current(store):
        return read_json(store / "manifest.json")["classes"]
    if FOLDER_LISTING is not None:
        return sorted(set(FOLDER_LISTING["class_name"]))
    return DATASET.classes or []


def is_current(store):
    """Whether the store, which may leave out small classes, is of these images and settings."""
    manifest, listing = store / "manifest.json", store / "listing.parquet"
    if not (manifest.exists() and listing.exists()):
        return False
    if read_json(manifest)["settings"] != json.loads(json.dumps(INDEX_SETTINGS)):
        return False
    if FOLDER_LISTING is not None:
        keys = ["image_id", "class_name"]
        before = read_table(listing)[keys].to_numpy()
        return np.array_equal(before, FOLDER_LISTING[keys].to_numpy())
    files = [*files_of_source(), *([LABELS_FILE] if LABELS_FILE else [])]
    made = manifest.stat().st_mtime
    return all(
        path.stat().st_mtime <= made for path in map(Path, files) if path.exists()
    )


def check_new():
    """Raise PetiteError for classes that the run does not have, and for results of other images."""
    try:
        if IS_RUN:
            check_owner(Path(RESULTS) / NEW_PLACE, NEW_OWNER)
    except PetiteError:
        raise PetiteError(
            f"grow.path: {RESULTS}/{NEW_PLACE} holds the results of another folder of this name: "
            f"rename {NEW.path}, or remove {RESULTS}/{NEW_PLACE}"
        ) from None
    if known := known_classes():
        files = SECOND[NEW_PLACE].listing["image_id"].str.split("/", n=1).str[1]
        try:
            classes_of(files, known, Path(NEW.path))
        except PetiteError as error:
            raise PetiteError(f"grow.path: {error}") from None


def is_growing():
    return bool(NEW.path) and "grow" in PROGRESS.due


def record_new():
    """Record the new images, and print what is read; end the run if there are none."""
    if "grow" in PROGRESS.due and NEW.path is None:
        sys.exit(
            "Petite: 'grow' needs new images and the subset that is kept: give new=FOLDER "
            "kept=METHOD:FRACTION"
        )
    if not is_growing():
        return
    record_owner(Path(RESULTS) / NEW_PLACE, NEW_OWNER)
    print(f"{SECOND[NEW_PLACE].count:,} new files in {NEW.path}", file=sys.stderr)
    for name in sorted({judge.name for judge in PLAN.judges} - set(NEW_JUDGES)):
        why = (
            "whose teacher has not seen the new images"
            if judge_named(name).has_soft_labels
            else "which reads originals of one source only"
        )
        print(f"Not judged by {name}, {why}", file=sys.stderr)


def said_of_new():
    """What to print at the end: the answer, and where everything is."""
    answer = Path(placed(f"{GROWN}/answer.txt")).read_text("utf-8").rstrip()
    return [
        f"Page     {GROWN}/page.html",
        f"List     {GROWN}/list.csv  (what is gained: {GROWN}/gains.csv)",
        f"Images   {GROWN}/images/  (those to add, by class and in order)",
        "",
        answer,
    ]


if NEW.path:
    SECOND[NEW_PLACE] = or_exit(
        lambda: SecondSource(NEW_PLACE, "grow.path", "unlabeled", NEW.path)
    )
    NEW_OWNER = or_exit(new_owner)
    or_exit(check_new)
    KEPT_SUBSET = PLAN.named_subset(kept_subset(NEW.kept, CONFIG.subsets))
    NEW_METHOD = grow_method(NEW, CONFIG.methods, CONFIG.features.space)
    KEPT_NAME = (
        f"{KEPT_SUBSET.method}-{as_text(KEPT_SUBSET.fraction)}-seed-{KEPT_SUBSET.seed}"
    )
    KEPT_FILE = subset_to_export(*KEPT_SUBSET)
else:
    NEW_METHOD, KEPT_NAME, KEPT_FILE = None, "none", f"{RESULTS}/grow/none.parquet"

# Below grow/: what the new images gain, and the kept images alone, which do not depend on them.
GROWN_PLACE = f"{NEW_NAME}/{NEW.method}-on-{KEPT_NAME}"
KEPT_PLACE = f"{KEPT}/{KEPT_NAME}"
GROWN = f"{RESULTS}/grow/{GROWN_PLACE}"
NEW_FEATURES = f"{GROWN}/features/{NEW_METHOD.space if NEW_METHOD else 'none'}.npy"

# Judges that read the stored images or the embeddings; the originals are in two places. A teacher has not
# seen the new images.
NEW_JUDGES = [
    judge.name
    for judge in PLAN.judges
    if not judge.has_soft_labels
    and (judge.name not in PROGRAMS or not PROGRAMS[judge.name].image_size)
]
NEW_PROBE = CONFIG.judges.probe or GrowProbeSettings()
NEW_MANIFEST = f"{RESULTS}/{NEW_PLACE}/store/manifest.json"
# The images that can be added and those kept: their store and their split.
GROWN_STORE = f"{GROWN}/store/manifest.json"
GROWN_SPLIT = f"{GROWN}/split.parquet"
# Those kept alone.
KEPT_SPLIT = f"{RESULTS}/grow/{KEPT_PLACE}/split.parquet"
KEPT_TABLE = f"{RESULTS}/grow/{KEPT_PLACE}/subset.parquet"
NEW_CASES = cases_of(NEW.sizes)
ANSWER_FILES = ("list.csv", "gains.csv", "page.html", "images")


def seeds_of_new(judge):
    """The number of seeds of a judge: those of the run at the fraction that is kept."""
    looks = CONFIG.looks_of(judge)
    return looks.seeds[0] if looks else CONFIG.runs_at(KEPT_SUBSET.fraction, judge)


def new_runs():
    """The files of runs that judge the new images; finished jobs keep their seeds."""
    found = []
    for judge in NEW_JUDGES if NEW.path else ():
        count = seeds_of_new(judge)
        step = count if judge_named(judge).selects else CONFIG.seeds_per_job
        for case, size in NEW_CASES:
            place = KEPT_PLACE if case == KEPT else GROWN_PLACE
            folder = f"{RESULTS}/grow/{place}/runs/{judge}/{case}/{as_text(size)}"
            done = [batch for batch in batches_in(folder, ".csv") if batch[1] < count]
            found += [
                f"{folder}/seeds-{first}-{last}.csv"
                for first, last in batches_of_seeds(count, step, done)
            ]
    return found


def random_batches():
    """(first, last) seed of each file of random orders; finished files keep their seeds.

    There is one order for each seed of a judge that reads subsets.
    """
    reading = [judge for judge in NEW_JUDGES if not judge_named(judge).selects]
    count = max(map(seeds_of_new, reading), default=1)
    done = batches_in(f"{GROWN}/rankings/{RANDOM}", ".parquet")
    return batches_of_seeds(count, count, done)


ORDER_RANKING = f"{GROWN}/rankings/{ORDER}/seeds-0-0.parquet"


def grown_ranking(wildcards):
    """The ranking that subsets are cut from."""
    case = RANDOM if wildcards.case == RANDOM else ORDER
    return f"{GROWN}/rankings/{case}/seeds-{wildcards.first}-{wildcards.last}.parquet"


def grown_embeddings():
    """The embeddings of the old and the new images, in the order of the shards of their store."""
    old, new = all_embeddings(), SECOND[NEW_PLACE].embeddings()
    return {name: [*old[name], *new[name]] for name in old}


def grown_space_inputs(wildcards):
    return grown_embeddings() if SPACES[wildcards.space].needs_embeddings else {}


def order_inputs(wildcards):
    """The features in which the order compares images; chance needs none."""
    return {"features": NEW_FEATURES} if wildcards.method == ORDER else {}


def step_of_case(case):
    """The step of a selection that chooses the new images of a case."""
    step = {"method": RANDOM, "settings": {}, "quota": "proportional", "space": None}
    if case == ORDER:
        return NEW_METHOD._asdict()
    if case == ALL:
        return {**step, "method": "full"}
    return {**step, "quota": NEW_METHOD.quota}


def order_settings(wildcards):
    steps = [{**step_of_case(wildcards.method), "share": 1.0}]
    partitions = CONFIG.partitions if wildcards.method == ORDER else None
    return as_param({"steps": steps, "partitions": partitions})


def grown_probe_settings(wildcards):
    probe = NEW_PROBE.model_dump(mode="json", exclude={"seeds", "fractions"})
    return as_param({"step": step_of_case(wildcards.method), "probe": probe})


def features_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input, which is compared itself."""
    found = [f"{NEW_METHOD.space}={path}" for path in named_inputs(input, "features")]
    arguments = shlex.join(["--features", *found]) if found else ""
    return f"{arguments} {memory_limit(wildcards, input)}"


def order_code(script):
    def of_case(wildcards):
        return code(script, METHODS[step_of_case(wildcards.method)["method"]].module)

    return of_case


def judged_manifest(wildcards):
    """The store that a case is judged on: kept images alone do not depend on the new ones."""
    if wildcards.method == KEPT:
        return rules.index.output.manifest
    return GROWN_STORE


def judged_split(wildcards):
    return KEPT_SPLIT if wildcards.method == KEPT else GROWN_SPLIT


def judged_subsets(wildcards):
    """The files with the subsets of the seeds of a job."""
    if wildcards.method == KEPT:
        return [KEPT_TABLE]
    own = int(wildcards.first), int(wildcards.last)
    batches = [(0, 0)]
    if wildcards.method == RANDOM:
        batches = [batch for batch in random_batches() if overlap(batch, own)]
    folder = f"{GROWN}/subsets/{wildcards.method}/{wildcards.fraction}"
    return [f"{folder}/seeds-{first}-{last}.parquet" for first, last in batches]


def judged_records(wildcards):
    return records_of(judged_subsets(wildcards))


def judged_by_probe(wildcards):
    """The embeddings of the images of a case, and the features of the order."""
    if wildcards.method == KEPT:
        return all_embeddings()
    return {**grown_embeddings(), **order_inputs(wildcards)}


def grown_page_settings(wildcards):
    space = NEW_METHOD.space
    compared = f"the embeddings of {BACKBONE.label}" if space == "backbone" else space
    return as_param(
        {
            "name": DATASET.name,
            "folder": Path(NEW.path).absolute().name,
            "kept": NEW.kept,
            "method": NEW.method,
            "compared": compared if space != "pixels" else "their pixels",
            "pool_share": NEW_PROBE.pool_share,
        }
    )
