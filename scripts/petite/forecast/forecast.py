"""The forecast of a run from those of its jobs: a table, a sentence, and cheaper ways."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from petite.forecast import slopes
from petite.forecast.facts import PlannedJob
from petite.forecast.jobs import Costs
from petite.util.encoded_names import method_of
from petite.util.formatting import byte_size, counted, listed, rounded_time
from petite.util.schedule import Task, schedule

# The stages of a run, in order, with their rules; a rule that no stage has is under OTHER.
STAGES = {
    "download": ("download", "download_weights"),
    "ingest, split": (
        *("listing", "check_settings", "ingest", "encode", "index", "split", "keep_lists"),
    ),
    "embedding": ("embed", "embed_altered"),
    "features, proxies": ("features", "proxy"),
    "selection": ("candidates", "rank", "subset", "augment", "rded", "dm"),
    "search within bytes": ("search_bytes",),
    "training": ("train",),
    "fine-tuning": ("fine_tune",),
    "probes": ("probe",),
    "your programs": ("judge_program",),
    "checks": ("cues", "label_errors", "near_duplicates"),
    "tables, figures, page": ("look", "summarize", "provenance", "figures", "report"),
    "images to label next": (
        *("pool_images", "pool_features", "pool_choice", "pool_page", "pool_export"),
        "label_next",
    ),
}
OTHER = "other"
OF_STAGE = {rule: stage for stage, rules in STAGES.items() for rule in rules}
# Jobs of a cluster that run at a time, as in the profile for Slurm.
SLURM_JOBS = 100
# Rules that only print something, or take what is done.
SAYING = {"config", "goals", "estimate"}
# A machine is busy if this many other processes run for each of its cores.
BUSY = 0.5
# A cheaper way is named for a run that takes longer (seconds), if it saves half of that.
LONG = 600
SAVES = 0.5
# The rules of long trainings, which a probe can replace.
SLOW = ("train", "fine_tune")


@dataclass(frozen=True)
class Stage:
    """A stage of a run: its jobs, their core seconds, the longest of them, and their bytes."""

    name: str
    jobs: int
    seconds: float
    longest: float
    disk: float


@dataclass(frozen=True)
class Forecast:
    """What jobs take on some cores.

    Attributes
    ----------
    seconds : float
        From the start to the end.
    core_seconds : float
        Of all jobs, one after the other.
    memory : float
        Bytes of the jobs that run at a time, at most.
    disk : float
        Bytes of all files.
    cores : int
    unknown : tuple of str
        Rules of jobs of unknown time, which are not in the seconds.
    """

    seconds: float
    core_seconds: float
    memory: float
    disk: float
    cores: int
    unknown: tuple[str, ...] = ()

    def in_words(self) -> str:
        """About as long as a line: time, memory and disk."""
        more = " and what your program takes" if self.unknown else ""
        memory, disk = byte_size(self.memory), byte_size(self.disk)
        cores = counted(self.cores, "core")
        return (
            f"about {rounded_time(self.seconds)}{more} on {cores}; "
            f"up to {memory} of memory, {disk} of disk"
        )


def forecast(jobs: Sequence[PlannedJob], costs: Costs, cores: int, each: float = 0.0) -> Forecast:
    """Forecast jobs that share some cores.

    Parameters
    ----------
    jobs : sequence of PlannedJob
    costs : Costs
    cores : int
    each : float
        See `tasks_of`.

    Returns
    -------
    Forecast
    """
    tasks = tasks_of(jobs, costs, each)
    planned = schedule(tasks, cores)
    return Forecast(
        seconds=planned.seconds,
        core_seconds=sum(task.seconds * job.threads for task, job in zip(tasks, jobs, strict=True)),
        memory=planned.memory,
        disk=sum(map(costs.disk, jobs)),
        cores=cores,
        unknown=tuple(sorted({job.rule for job in jobs if math.isnan(costs.seconds(job))})),
    )


def tasks_of(jobs: Iterable[PlannedJob], costs: Costs, each: float = 0.0) -> list[Task]:
    """The jobs with their seconds; those of unknown time take none.

    each: seconds that a job of a cluster takes beside its own. There, what is shared is the number
    of jobs, whatever their threads.
    """
    found = []
    for job in jobs:
        seconds = costs.seconds(job)
        known = 0.0 if math.isnan(seconds) else seconds + (each if seconds else 0.0)
        threads = 1 if each else job.threads
        found.append(Task(job.number, job.rule, known, threads, job.memory, job.needs))
    return found


def stages(jobs: Sequence[PlannedJob], costs: Costs) -> list[Stage]:
    """The stages that have jobs, in order."""
    found: dict[str, list[PlannedJob]] = {name: [] for name in [*STAGES, OTHER]}
    for job in jobs:
        if costs.seconds(job) != 0:
            found[OF_STAGE.get(job.rule, OTHER)].append(job)
    rows = []
    for name, own in found.items():
        if own:
            seconds = [costs.seconds(job) for job in own]
            disk = sum(map(costs.disk, own))
            rows.append(Stage(name, len(own), sum(seconds), max(seconds), disk))
    return rows


def as_table(rows: Sequence[Stage]) -> str:
    """Format the stages as a text table."""
    lines = [f"{'stage':<24} {'jobs':>6} {'core time':>12} {'longest job':>12} {'disk':>9}"]
    for row in rows:
        seconds, longest = (
            "unknown" if math.isnan(n) else rounded_time(n) for n in (row.seconds, row.longest)
        )
        disk = byte_size(row.disk) if row.disk else "-"
        lines.append(f"{row.name:<24} {row.jobs:>6,} {seconds:>12} {longest:>12} {disk:>9}")
    return "\n".join(lines) + "\n"


def in_words(
    whole: Forecast,
    jobs: Sequence[PlannedJob],
    later: Sequence[PlannedJob],
    costs: Costs,
    planning: float,
) -> str:
    """The forecast of a whole run in some sentences.

    Parameters
    ----------
    whole : Forecast
        Of all jobs, without planning.
    jobs : sequence of PlannedJob
        All that are known, also those that are done.
    later : sequence of PlannedJob
        Those that may follow, as later looks or a search decide.
    costs : Costs
    planning : float
        Seconds of Snakemake before the first job.
    """

    def time_of(some: Sequence[PlannedJob]) -> str:
        return rounded_time(forecast(some, costs, whole.cores).seconds + planning)

    words = replace(whole, seconds=whole.seconds + planning).in_words()
    sentences = [
        f"The whole run takes {words}. Planning takes {rounded_time(planning)} of that time."
    ]
    if later:
        until = (
            "to the end of the search. With the runs that judge what it finds"
            if any(job.rule == "search_bytes" and job.is_due for job in jobs)
            else "to the first look. If all looks are needed"
        )
        sentences.append(f"This is up {until}, it takes about {time_of([*jobs, *later])}.")
    due = [job for job in jobs if job.is_due]
    if len(due) < len(jobs):
        left = time_of(due) if due else "nothing"
        sentences.append(f"Some of its jobs are done: about {left} is left.")
    slurm = forecast(jobs, costs, SLURM_JOBS, slopes.SLURM_JOB)
    sentences.append(
        f"With {SLURM_JOBS} Slurm jobs at a time, it takes about "
        f"{rounded_time(slurm.seconds + planning)}, without the time in the queue."
    )
    if whole.unknown:
        sentences.append(
            f"The time of {listed(whole.unknown)} is unknown and not included, as it runs a "
            "program of yours."
        )
    return " ".join(sentences)


def cheaper_way(
    jobs: Sequence[PlannedJob], costs: Costs, cores: int, has_embeddings: bool
) -> str | None:
    """Another configuration that takes less than half of the time of a long run, or None.

    Parameters
    ----------
    jobs : sequence of PlannedJob
        Those that are due.
    costs : Costs
    cores : int
    has_embeddings : bool
        Whether the run embeds the images in any case.
    """
    seconds = forecast(jobs, costs, cores).seconds
    if seconds < LONG:
        return None
    rules = {job.rule for job in jobs}
    if rules.intersection(SLOW) and "probe" not in rules:
        left = [job for job in jobs if method_of(job.method) not in costs.facts.not_for_probes]
        probes = [replace(job, rule="probe") for job in left if job.rule in SLOW]
        others = [job for job in left if job.rule not in SLOW]
        embeddings = [
            PlannedJob(-1 - shard, "embed")
            for shard in range(0 if has_embeddings else costs.facts.shards)
        ]
        return _saving(
            "With `--config judges=probe`",
            [*others, *probes, *embeddings],
            seconds,
            costs,
            cores,
        )
    most = max(
        (job.fraction for job in jobs if job.rule == "probe" and job.fraction < 1), default=1
    )
    fewer = [job for job in jobs if job.rule != "probe" or job.fraction != most]
    if most < 1:
        return _saving(f"Without fraction {most:g}", fewer, seconds, costs, cores)
    return None


def _saving(
    what: str, jobs: Sequence[PlannedJob], seconds: float, costs: Costs, cores: int
) -> str | None:
    cheaper = forecast(jobs, costs, cores).seconds
    if cheaper > SAVES * seconds:
        return None
    return f"{what}, it takes about {rounded_time(cheaper)}"
