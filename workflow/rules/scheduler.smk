# Adjusts how often Snakemake's scheduler searches for jobs. No rules.


def drop_default_rate_limit():
    """Take away the limit of 100 new jobs a second, unless another one was asked for.

    With a limit the scheduler of Snakemake 9 looks for jobs again a second after each time that
    it did so. Each finished job makes it look, and so adds one look a second until no job waits:
    after 300 jobs it took half a core, and as much from the trainings.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
