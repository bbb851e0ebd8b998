# Adjusts how often Snakemake's scheduler looks for jobs. No rules.
# Needs: nothing. Makes: nothing.

from operator import attrgetter

import snakemake
from snakemake.exceptions import WorkflowError

# Internals of Snakemake's scheduler that Petite uses.
INTERNALS = (
    "scheduling_settings.max_jobs_per_timespan",
    "scheduler.job_rate_limiter",
    "scheduler.exit_gracefully",  # stop.smk
)


def check_scheduler():
    """Raise WorkflowError if Snakemake's scheduler lacks an internal that Petite uses."""
    for name in INTERNALS:
        try:
            attrgetter(name)(workflow)
        except AttributeError as error:
            raise WorkflowError(
                f"Snakemake {snakemake.__version__} has no 'workflow.{name}', which Petite needs. "
                "Install the version of Snakemake in envs/requirements.txt."
            ) from error


def drop_default_rate_limit():
    """Remove the default limit of 100 new jobs per second; a limit of the user stays.

    With a limit, the scheduler of Snakemake 9 looks for jobs again one second after each look. Each
    finished job adds a look, which is then repeated every second until no job waits. After 300 jobs
    this took half a core, which slowed down the trainings.
    """
    check_scheduler()
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
