# Adjusts how often Snakemake's scheduler searches for jobs. No rules.

from operator import attrgetter

import snakemake
from snakemake.exceptions import WorkflowError

# What Petite uses of Snakemake's scheduler that is not part of its public interface.
INTERNALS = (
    "scheduling_settings.max_jobs_per_timespan",
    "scheduler.job_rate_limiter",
    "scheduler.exit_gracefully",  # stop.smk
)


def check_scheduler():
    """Raise WorkflowError unless Snakemake's scheduler has what Petite uses of it."""
    for name in INTERNALS:
        try:
            attrgetter(name)(workflow)
        except AttributeError as error:
            raise WorkflowError(
                f"Snakemake {snakemake.__version__} has no 'workflow.{name}', which Petite needs. "
                "Install the version of Snakemake that is in envs/requirements.txt."
            ) from error


def drop_default_rate_limit():
    """Take away the limit of 100 new jobs a second, unless another one was asked for.

    With a limit the scheduler of Snakemake 9 looks for jobs again a second after each time that
    it did so. Each finished job makes it look, and so adds one look a second until no job waits:
    after 300 jobs it took half a core, and as much from the trainings.
    """
    check_scheduler()
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
