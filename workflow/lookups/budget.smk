# Functions of common.smk: the plan of a run within a budget of time, and the dry run that it is made from.

import os
import subprocess
import sys
from dataclasses import replace

from snakemake.cli import parse_args

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
from petite.forecast.facts import rules_due
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
# More than the threads of any job, as Snakemake plans no job with more threads than cores.
CORES_OF_CLUSTER = 1_000_000
# Targets that judge nothing, and options with which Snakemake runs no job: neither waits for a plan.
JUDGE_NOTHING = {"config", "goals", "estimate", "watch", "label_next"}
RUN_NOTHING = {
    *("--unlock", "--lint", "--summary", "-S", "--detailed-summary", "-D"),
    *("--list-rules", "--list", "-l", "--list-target-rules", "--lt"),
    *("--list-changes", "--lc", "--list-input-changes", "--li"),
    *("--list-params-changes", "--lp", "--list-untracked", "--lu"),
}
# In place of a plan, for a run that judges nothing.
UNPLANNED = BudgetPlan("", 0.0, 0.0, NOTHING, settled=False)


def cores():
    """The cores of this run, or how many jobs a cluster runs at a time; and seconds beside each.

    Without a limit (--jobs unlimited), the cores of this machine, or the usual jobs of a cluster.
    """
    limits = workflow.resource_settings
    # While Snakemake reads the rules, it does not know its executor, but only a cluster has no cores.
    if workflow.non_local_exec or limits.cores is None and limits.nodes:
        return limited(limits.nodes, SLURM_JOBS), SLURM_JOB
    if (
        workflow.output_settings.dryrun and limits.nodes
    ):  # of --jobs, an alias of --cores
        return limited(limits.nodes, os.cpu_count()), 0.0
    return limited(limits.cores or 1, os.cpu_count()), 0.0


def limited(count, otherwise):
    """A number of cores or jobs, or another one if it is not given or not limited."""
    return otherwise if count in (None, 0, sys.maxsize) else count


def command_of_whole_run(has_budget):
    """The command that plans the whole run with the settings and cores of this one, or without its budget.

    None in another workflow, whose jobs are not known here.
    """
    if not IS_MAIN:
        return None
    files = list(map(str, workflow.overwrite_configfiles))
    given = list(workflow.config_settings.config_args or [])
    if not has_budget:
        others = [one for one in given if one.partition("=")[0].strip() != "budget"]
        given = [*others, "budget=null"]
    on_cores, is_cluster = cores()
    return [
        *(sys.executable, "-m", "snakemake", "--dry-run", "--quiet"),
        *("--cores", str(CORES_OF_CLUSTER if is_cluster else on_cores)),
        *("--snakefile", str(workflow.main_snakefile)),
        *(["--configfile", *files] if files else []),
        *(["--config", *given] if given else []),
    ]


# The plan of this configuration, if it has a budget.
BUDGET_FILE = plan_path(Path(f"results/{WRITTEN.dataset.name}"), WRITTEN)


def budget_plan():
    """What the budget leaves of the run, as planned before or now; None without a budget."""
    if WRITTEN.budget is None or PARTIAL:
        return None
    if not IS_MAIN:
        raise PetiteError(
            f"budget: '{WRITTEN.budget}' cannot be planned in another workflow, whose jobs are "
            "unknown: set it to null"
        )
    # Before a search within a budget of bytes there is nothing to judge.
    if BYTES and WINNER is None:
        return None
    plan = read_plan(BUDGET_FILE)
    if plan and (plan.settled or not IS_RUN):
        return plan
    if not IS_RUN:
        raise PetiteError(
            f"'{BUDGET_FILE}', the plan of this run, is gone: rerun the same command"
        )
    return UNPLANNED if judges_nothing() else new_budget_plan()


def judges_nothing():
    """Whether this command judges nothing, as far as its targets and options say."""
    words = set(sys.argv[1:])
    if words & RUN_NOTHING:
        return True
    if not words & JUDGE_NOTHING:
        return False
    targets = set(parse_args(sys.argv[1:])[1].targets)
    return bool(targets) and targets <= JUDGE_NOTHING


def new_budget_plan():
    """Plan the run within its budget, from the jobs of the whole run and from timed steps."""
    print(
        f"Planning the run for the budget of {WRITTEN.budget} (some 20 s, once)",
        file=sys.stderr,
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        command = command_of_whole_run(has_budget=False)
        whole, _ = planned_run(command, JOBS_VARIABLE, file, {ALL_SEEDS_VARIABLE: "1"})
        if "search_bytes" in rules_due(whole.jobs):
            return UNPLANNED  # until it is known what is judged
        if not whole.is_counted:
            raise cannot_be_planned(
                "the images are not counted yet: first run `snakemake --cores all estimate` with "
                "the same settings, which lists them"
            )
        time_unknown_networks(whole, file)
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
        raise cannot_be_planned(
            f"{', '.join(seconds_of.unknown)} runs a program of yours, whose time is unknown: set "
            "it to null"
        )
    cut = best_cut(WRITTEN, seconds_of)
    place = (
        f"with {on_cores} jobs of a cluster"
        if each
        else f"on {counted(on_cores, 'core')}"
    )
    return BudgetPlan(place, seconds_of(cut), seconds_of(NOTHING), cut, settled=False)


def cannot_be_planned(why):
    return PetiteError(f"budget: '{WRITTEN.budget}' cannot be planned, as {why}")


def time_unknown_networks(run, file):
    """Time some steps of the networks that a run trains, unless it was done before on this machine.

    One that cannot be timed counts as on another machine.
    """
    networks = trained_networks(run.facts, {job.rule for job in run.jobs})
    if networks <= read_history(default_path()).timings.keys():
        return
    subprocess.run(
        [sys.executable, SCRIPTS / "time_steps.py", "--run", file]
        + ["--history", default_path(), "--log", f"{file}.log"],
        check=False,
    )


BUDGETED = or_exit(budget_plan)
IS_PLANNED = BUDGETED not in (None, UNPLANNED)
if IS_PLANNED and IS_RUN and workflow.output_settings.dryrun:
    print(in_words(WRITTEN, BUDGETED), file=sys.stderr)


def config_of_run():
    """The configuration without what the budget leaves out."""
    if not IS_PLANNED:
        return WRITTEN
    try:
        return cut_config(WRITTEN, BUDGETED.cut)
    except PetiteError as error:
        if not BUDGET_FILE.exists():
            raise
        raise PetiteError(
            f"{error}\nThe budget left out a part of the run. To plan it again, delete {BUDGET_FILE}"
        ) from None


def cuts_by_judge():
    """What the budget left out of each judge, for the answer."""
    if PARTIAL:
        return PARTIAL["cuts"]
    if not IS_PLANNED:
        return {}
    return {
        judge: asdict(cut) for judge, cut in cuts_of_judges(WRITTEN, BUDGETED).items()
    }


def keep_budget_plan():
    """Print what the budget leaves out, and keep the plan, so that a rerun is the same run."""
    if BUDGETED is None or not set(PROGRESS.due) - {"config", "goals"}:
        return
    if IS_PLANNED:
        print(in_words(WRITTEN, BUDGETED), file=sys.stderr)
    or_exit(lambda: write_new_plan(BUDGET_FILE))


def write_new_plan(path):
    """Write a plan that is not kept yet: settled if the run judges, otherwise for the jobs of a cluster."""
    judges = any(job.rule.name in JUDGE_OF for job in workflow.dag.jobs)
    if not BUDGETED.settled and (judges or workflow.non_local_exec):
        write_plan(path, replace(BUDGETED, settled=judges))


def keep_plan_of_finished_run(path):
    """Keep the plan of a run of which nothing is due, for which Snakemake calls no onstart."""
    # It has a scheduler once all jobs are known.
    if workflow.scheduler and not PROGRESS.due:
        with suppress(PetiteError):
            write_new_plan(path)


if IS_PLANNED and IS_RUN and not workflow.output_settings.dryrun:
    # At the exit, the working folder may be another one.
    atexit.register(keep_plan_of_finished_run, BUDGET_FILE.absolute())
