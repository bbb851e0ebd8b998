# Functions of forecast.smk and of `estimate`: what is known of a run before it begins.

from collections import Counter
from contextlib import suppress
from dataclasses import replace

from petite.data.split_names import TEST, TRAIN, VALIDATION
from petite.data.sources.base import Limits
from petite.forecast.archives import QUICK_ENTRIES, entries_of_zip, names_are_quick
from petite.forecast.facts import Facts, PlannedJob, rules_due
from petite.forecast.forecast import (
    BUSY,
    SAYING,
    cheaper_way,
    forecast,
    tasks_of,
)
from petite.forecast.history import default_path, read_history, write_history
from petite.forecast.jobs import Costs, resumes
from petite.forecast.slopes import ORIGINAL as ORIGINAL_BYTES
from petite.training.byte_search import coarse_grid
from petite.training.judges import JUDGES
from petite.training.scores import gradient_width
from petite.training.seeing import expected_share
from petite.util.formatting import counted, rounded_time
from petite.util.files import write_json

HISTORY = default_path()
# Memory of the two Snakemake processes in `memory`, and its reserve.
OF_SNAKEMAKE_MB, RESERVE = 360, 1.2
# What a share of the split that is `auto` is for most sources.
USUAL_SHARES = {"test": 0.1, "validation": 0.05}
# Assumed where nothing is known of the images yet.
MANY_CLASSES = 10


@cache
def known_listing():
    """The images of a folder, or of an archive that is listed or quick to list; otherwise None."""
    if DATASET.source != "archive":
        return FOLDER_LISTING
    made = Path(placed(f"{RESULTS}/store/listing.parquet"))
    # An archive that is damaged is reported by the job that lists it.
    with suppress(OSError, ValueError, PetiteError):
        if made.exists():
            return read_table(made)
        path = Path(SOURCE_PATH)
        if names_are_quick(path):
            limits = Limits(max_entries=QUICK_ENTRIES)
            with open_source(DATASET.source, path, limits, labels=LABELS) as source:
                return listing(source, **LISTING_SETTINGS)
    return None


def classes_expected():
    known = known_listing()
    if known is not None:
        return known["class_name"].nunique()
    return len(DATASET.classes or range(MANY_CLASSES))


def source_size():
    """The images of the source and their bytes before they are listed; None if unknown."""
    known = known_listing()
    if known is not None:
        return len(known), int(known["bytes"].sum())
    path = None if SOURCE_PATH is None else Path(SOURCE_PATH)
    if path and path.suffix == ".zip" and path.is_file() and not SOURCE.wheel:
        # As photographs are hardly compressed, it has as many bytes as they have.
        entries = entries_of_zip(path)
        return entries and (entries, path.stat().st_size)
    if SOURCE.images_per_class:
        images = SOURCE.images_per_class * classes_expected()
        return images, images * IMAGE_BYTES
    return None


def sizes_of_parts():
    """Training images of each class, and the number of test and validation images."""
    # A split that is damaged is reported by the job that reads it.
    with suppress(OSError, ValueError, KeyError):
        parts = read_table(Path(placed(SELECTED)))
        counts = parts.loc[parts["split"] == TRAIN, "label"].value_counts()
        others = parts["split"].value_counts()
        return (
            tuple(map(int, counts.sort_index())),
            int(others.get(TEST, 0)),
            int(others.get(VALIDATION, 0)),
        )
    images = images_expected()
    known = known_listing()
    if known is not None:
        of_classes = list(known["class_name"].value_counts().sort_index() / len(known))
    else:
        of_classes = [1 / classes_expected()] * classes_expected()
    shares = {
        part: (
            usual
            if getattr(CONFIG.split, part) == "auto"
            else getattr(CONFIG.split, part)
        )
        for part, usual in USUAL_SHARES.items()
    }
    training = images * (1 - sum(shares.values()))
    return (
        tuple(max(1, round(training * share)) for share in of_classes),
        round(images * shares["test"]),
        round(images * shares["validation"]),
    )


def images_expected():
    """The number of images: in the store, the listing or the source; or MANY_IMAGES."""
    known = number_of_images()
    if counted_images() is None and (size := source_size()):
        known = size[0]
    if DATASET.limit_per_class:
        known = min(known, DATASET.limit_per_class * classes_expected())
    return known


def images_are_counted():
    return counted_images() is not None or source_size() is not None


def original_bytes(images):
    """The bytes of the originals of some images; 0 if unknown."""
    size = source_size()
    return size[1] * images / max(1, size[0]) if size else 0


def entries_to_select():
    """The methods with their fractions and seeds, as `estimate_entries` takes them."""
    return {
        label: {
            "steps": PLAN.steps(label),
            "fractions": entry.fractions,
            "seeds": [
                CONFIG.subsets.get((label, share), 1) for share in entry.fractions
            ],
            "depth": PLAN.depth(label) if PLAN.ranks(label) else None,
            "seeded": PLAN.is_seeded(label),
        }
        for label, entry in CONFIG.methods.items()
        if entry.fractions and entry.method not in MAKING
    }


def growth(label):
    """How many images an entry adds to its fraction for each image, by augmentation.

    In a chain the fraction counts the images that augmentation adds, so it has no ratio.
    """
    steps = [step for step in PLAN.steps(label) if step["method"] == AUGMENTATION]
    return sum(step["settings"].get("ratio", 0.0) for step in steps)


@cache
def facts():
    """What decides the time of jobs, for `petite.forecast`."""
    images = images_expected()
    class_sizes, tests, validations = sizes_of_parts()
    training = CONFIG.training.model_dump(mode="json")
    fine_tune = CONFIG.judges.fine_tune
    width = CONFIG.training.feature_width()
    probe = CONFIG.judges.probe or CONFIG.judges.probe_soft
    entries = entries_to_select()
    if NEW.path:
        step = {**step_of_case(ORDER), "share": 1.0}
        entries[ORDER] = {
            **{"steps": [step], "fractions": [1.0], "seeds": [1]},
            **{"depth": None, "seeded": False},
        }
    # A probe selects in each encoding.
    encoded = {name for name, _ in ENCODED_CASES if method_of(name) in entries}
    return Facts(
        images=images,
        original_bytes=original_bytes(images),
        class_sizes=class_sizes,
        tests=tests,
        validations=validations,
        side=DATASET.image_size,
        channels=DATASET.channels,
        shards=len(SHARDS),
        embedding=assumed_dimensions(BACKBONE.label),
        backbone=BACKBONE.label,
        backbone_side=BACKBONE.image_size,
        backbone_is_program=bool(BACKBONE.command),
        dimensions=CONFIG.features.dimensions,
        training=training,
        fine_tune=fine_tune and fine_tune.model_dump(mode="json"),
        proxy=CONFIG.proxy.model_dump(mode="json"),
        proxy_is_linear=IS_LINEAR_PROXY,
        pool_share=probe.pool_share if probe else 1.0,
        entries=entries | {name: entries[method_of(name)] for name in encoded},
        making={
            label: PLAN.making_settings(label)
            for label, entry in CONFIG.methods.items()
            if entry.fractions and entry.method in SYNTHETIC
        },
        growth={
            label: growth(label)
            for label, entry in CONFIG.methods.items()
            if entry.fractions
        },
        widths={
            "pixels": CONFIG.features.dimensions,
            "random_conv": CONFIG.features.dimensions,
            "backbone": assumed_dimensions(BACKBONE.label),
            "proxy": len(class_sizes) if IS_LINEAR_PROXY else width,
            "gradients": gradient_width(width, len(class_sizes)),
        },
        partitions=CONFIG.partitions,
        threads=CONFIG.training_threads,
        seen={
            label: expected_share(seeing)
            for label, entry in CONFIG.methods.items()
            if entry.fractions and (seeing := PLAN.seeing(label))
        },
        soft_predictions=SOFT.teachers * (SOFT.views or 1),
        **search_facts(images, sum(class_sizes)),
    )


def search_facts(images, training):
    """What decides the time of the search within a budget of bytes."""
    if not BYTES:
        return {}
    value, is_share = parse_budget(BYTES)
    known = original_bytes(images) or ORIGINAL_BYTES * images
    return {
        "byte_budget": value * known * training / images if is_share else value,
        "search_judge": SEARCH_JUDGE,
        "search_side": (
            BACKBONE.image_size if SEARCH_JUDGE == PROBE else DATASET.image_size
        ),
    }


def planned_jobs(jobs, is_due=lambda job: True):
    """Jobs of Snakemake as `petite.forecast` takes them."""
    jobs = list(jobs)
    return [
        PlannedJob(
            job.jobid,
            SAME_WORK.get(job.rule.name, job.rule.name.removeprefix("second_")),
            judge=JUDGE_OF.get(job.rule.name) or job.wildcards.get("judge", ""),
            method=job.wildcards.get("method", ""),
            fraction=share_of_job(job),
            seeds=seeds_of_job(job.wildcards),
            first=int(job.wildcards.get("first", job.wildcards.get("seed", 0))),
            space=next(
                filter(None, map(job.wildcards.get, ("space", "encoding", "figure"))),
                "",
            ),
            threads=job.threads,
            memory=memory_of_job(job.resources.get("mem_mb", 0)),
            needs=tuple(needed.jobid for needed in workflow.dag.dependencies[job]),
            is_due=is_due(job),
            images=images_of_job(job),
        )
        for job in jobs
    ]


# The rules that take as long as another one.
SAME_WORK = {
    "embed_encoded": "embed",
    "pool_features": "features",
    "train_soft": "train",
    "teacher": "train",
    "probe_soft": "probe",
    "probe_teacher": "probe",
    **{
        f"grow_{rule}": rule
        for rule in (
            *("train", "fine_tune", "probe", "judge_program", "features", "rank"),
        )
    },
}


# The judge of a rule that has one; a rule of programs has a wildcard for it.
JUDGE_OF = {judge.rule: judge.name for judge in JUDGES.values()}


def images_of_job(job):
    """The images that a job reads, if they are not those of the data set alone; otherwise 0."""
    if place := job.wildcards.get("second"):
        return SECOND[place].count
    if job.rule.name.startswith("grow_"):
        kept = KEPT_SUBSET.fraction * sum(facts().class_sizes)
        return round(kept) + SECOND[NEW_PLACE].count
    if job.rule.name.startswith("pool_"):
        return SECOND[POOL_PLACE].count + POOL.labeled * images_expected()
    return 0


def share_of_job(job):
    """The images of a job as a share of the training images; above 1 with many new ones."""
    share = float(job.wildcards.get("fraction", 1))
    if not job.rule.name.startswith("grow_"):
        return share
    added = share * SECOND[NEW_PLACE].count / sum(facts().class_sizes)
    return KEPT_SUBSET.fraction + added


def seeds_of_job(wildcards):
    first, last = wildcards.get("first"), wildcards.get("last")
    return 1 if first is None else int(last) - int(first) + 1


def memory_of_job(megabytes):
    """The bytes of a job alone, by what its rule requests."""
    if not isinstance(megabytes, (int, float)):
        return 0.0
    return max(0.0, megabytes - OF_SNAKEMAKE_MB) / RESERVE * 1e6


def jobs_of_later_looks(jobs):
    """The jobs of the judges that the next looks may add to all jobs of the run, done or not."""
    due = rules_due(jobs)
    if "look" not in due:
        return []
    planned = Counter()
    for job in jobs:
        planned[job.judge, job.method, as_text(job.fraction)] += job.seeds
    examples = {job.judge: job for job in jobs}
    found = []
    for judge, label, fraction, first, last in JUDGINGS:
        done = Path(placed(f"{run_path(judge, label, fraction, first, last)}.csv"))
        if judge not in LOOKS or judge not in examples or done.exists():
            continue
        if first >= planned[judge, label, as_text(fraction)]:
            found.append(
                replace(
                    examples[judge],
                    number=-1 - len(found),
                    method=label,
                    fraction=float(fraction),
                    seeds=last - first + 1,
                    needs=(),
                    is_due=True,
                )
            )
    return found


def jobs_after_search(jobs):
    """About the jobs that judge what a search that is due will find, in the middle of its coarse grid."""
    if not {"search_bytes", "all"} <= rules_due(jobs):
        return []
    grid = coarse_grid(facts().search_side)
    point = grid[len(grid) // 2]
    share = costs().images_within(point) / facts().training_images
    fraction = min(facts().pool_share, float(f"{max(share, 1e-4):g}"))
    config = config_of_winner(ASKED, Winner(*point, fraction))
    encoding = next(one.name for one in config.encodings if one.name != ORIGINAL)
    found = [("encode", {"space": encoding})] * len(SHARDS)
    if any(judge_named(judge).reads_embeddings for judge in config.judges.used):
        found += [("embed", {})] * len(SHARDS)
    for judge in config.judges.used:
        for (label, kept), seeds in config.runs_of(judge).items():
            case = {"judge": judge, "method": label, "fraction": kept, "seeds": seeds}
            found.append((judge_named(judge).rule, case))
    found += [(rule, {}) for rule in ("summarize", "report", "provenance")]
    return [
        PlannedJob(-1 - place, rule, threads=CONFIG.training_threads, **values)
        for place, (rule, values) in enumerate(found)
    ]


def forecast_settings():
    """What `estimate` needs to forecast the whole run."""
    return {
        "command": command_of_whole_run(has_budget=IS_PLANNED),
        "variable": JOBS_VARIABLE,
        "cores": cores()[0],
        "history": str(HISTORY),
    }
