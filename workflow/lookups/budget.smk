# Functions of common.smk: the plan of a run within a budget of time, and the dry run that it is made from.

import subprocess

from petite.config.budget import (
    BudgetPlan,
    best_cut,
    cut_config,
    cuts_of_judges,
    in_words,
    plan_path,
    read_plan,
    write_plan,
)
from petite.forecast.cut import NOTHING, Forecaster
from petite.forecast.forecast import SLURM_JOBS
from petite.forecast.history import default_path, read_history
from petite.forecast.jobs import Costs, trained_networks
from petite.forecast.planning import planned_run
from petite.forecast.slopes import SLURM_JOB
from petite.util.formatting import counted

# If set, the jobs of the whole run are written to this file, by the dry run that `estimate` and a budget start.
JOBS_VARIABLE = "PETITE_JOBS"
# If set, the dry run is of all seeds, whatever the budget, as if no look decided anything.
ALL_SEEDS_VARIABLE = "PETITE_ALL_SEEDS"
ALL_SEEDS = IS_MAIN and ALL_SEEDS_VARIABLE in os.environ


def cores():
    """The cores of this run, or how many jobs a cluster runs at a time; and seconds beside each."""
    limits = workflow.resource_settings
    # While Snakemake reads the rules, it does not know its executor, but only a cluster has no cores.
    if workflow.non_local_exec or limits.cores is None and limits.nodes:
        return limits.nodes or SLURM_JOBS, SLURM_JOB
    if (
        workflow.output_settings.dryrun and limits.nodes
    ):  # of --jobs, an alias of --cores
        return limits.nodes, 0.0
    return limits.cores or 1, 0.0


def command_of_whole_run():
    """The command that plans the whole run with the settings of this one.

    None in another workflow, whose jobs are not known here.
    """
    if not IS_MAIN:
        return None
    files = list(map(str, workflow.overwrite_configfiles))
    given = workflow.config_settings.config_args or []
    return [
        *(sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "--cores", "1"),
        *("--snakefile", str(workflow.main_snakefile)),
        *(["--configfile", *files] if files else []),
        *(["--config", *given] if given else []),
    ]


# The plan of this configuration, if it has a budget.
BUDGET_FILE = plan_path(Path(f"results/{WRITTEN.dataset.name}"), WRITTEN)


def budget_plan():
    """What the budget leaves of the run, as planned before or now; None without a budget."""
    if WRITTEN.budget is None or PARTIAL or ALL_SEEDS:
        return None
    if not IS_MAIN:
        raise PetiteError(
            f"budget: '{WRITTEN.budget}' cannot be planned in another workflow, whose jobs are "
            "unknown: set it to null"
        )
    if plan := read_plan(BUDGET_FILE):
        return plan
    if not IS_RUN:
        raise PetiteError(
            f"'{BUDGET_FILE}', the plan of this run, is gone: rerun the same command"
        )
    return new_budget_plan()


def new_budget_plan():
    """Plan the run within its budget, from the jobs of the whole run and from timed steps."""
    print(
        f"Planning the run for the budget of {WRITTEN.budget} (some 20 s, once)",
        file=sys.stderr,
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        whole, _ = planned_run(
            command_of_whole_run(), JOBS_VARIABLE, file, {ALL_SEEDS_VARIABLE: "1"}
        )
        networks = trained_networks(whole.facts, {job.rule for job in whole.jobs})
        if not networks <= read_history(default_path()).timings.keys():
            # A network that cannot be timed counts as on another machine.
            subprocess.run(
                [sys.executable, SCRIPTS / "time_steps.py", "--run", file]
                + ["--history", default_path(), "--log", Path(folder) / "log"],
                check=False,
            )
    on_cores, each = cores()
    looks = next(filter(None, map(WRITTEN.looks_of, WRITTEN.judges.used)), None)
    seconds_of = Forecaster(
        whole.jobs,
        Costs(whole.facts, read_history(default_path())),
        on_cores,
        each,
        looks=len(looks.seeds) if looks else 0,
    )
    if seconds_of.unknown:
        raise PetiteError(
            f"budget: '{WRITTEN.budget}' cannot be planned, as {', '.join(seconds_of.unknown)} "
            "runs a program of yours, whose time is unknown: set it to null"
        )
    cut = best_cut(WRITTEN, seconds_of)
    place = (
        f"with {on_cores} jobs of a cluster"
        if each
        else f"on {counted(on_cores, 'core')}"
    )
    return BudgetPlan(place, seconds_of(cut), seconds_of(NOTHING), cut)


BUDGETED = or_exit(budget_plan)
if BUDGETED and IS_RUN and workflow.output_settings.dryrun:
    print(in_words(WRITTEN, BUDGETED), file=sys.stderr)


def config_of_run():
    """The configuration without what the budget leaves out."""
    if BUDGETED is None:
        return WRITTEN
    try:
        return cut_config(WRITTEN, BUDGETED.cut)
    except PetiteError as error:
        raise PetiteError(
            f"{error}\nThe budget left out a part of the run. To plan it again, delete {BUDGET_FILE}"
        ) from None


def cuts_by_judge():
    """What the budget left out of each judge, for the answer."""
    if PARTIAL:
        return PARTIAL["cuts"]
    if BUDGETED is None:
        return {}
    return {
        judge: asdict(cut) for judge, cut in cuts_of_judges(WRITTEN, BUDGETED).items()
    }


def keep_budget_plan():
    """Print what the budget leaves out, and keep the plan, so that a rerun is the same run."""
    if BUDGETED is None or not set(PROGRESS.due) - {"config", "goals"}:
        return
    print(in_words(WRITTEN, BUDGETED), file=sys.stderr)
    if not BUDGET_FILE.exists():
        or_exit(lambda: write_plan(BUDGET_FILE, BUDGETED))
