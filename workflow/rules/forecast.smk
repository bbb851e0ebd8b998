# What a run takes: a sentence before its first job, and the time that is left while it runs. No rules; see
# also `estimate` in select.smk, and the functions in lookups/forecast.smk.
# Needs: what this machine took in earlier runs, in the user's cache. Makes: the same.

from snakemake.logging import logger


@cache
def costs():
    return Costs(facts(), read_history(HISTORY))


# The jobs that were due since the start of the run, by number.
PLANNED = {}


def plan_left():
    """The jobs that are left with their seconds, for the display of progress."""
    jobs = planned_jobs(workflow.dag.needrun_jobs())
    PLANNED.update((job.number, job) for job in jobs)
    return tasks_of(jobs, costs(), cores()[1])


def unless_it_fails(function):
    """A forecast that fails does not end a run: it is left out, with the reason in Snakemake's log."""
    try:
        function()
    except Exception as error:
        logger.debug(f"Forecast: {type(error).__name__}: {error}")


def say_forecast():
    """Print what the due jobs take, in one line, before the first of them."""
    PROGRESS.plan_left, (PROGRESS.cores, each) = plan_left, cores()
    PROGRESS.plan()
    jobs = list(PLANNED.values())
    names = {job.rule for job in jobs}
    if PARTIAL or workflow.touch or names & set(SAYING):
        return
    expected = forecast(jobs, costs(), PROGRESS.cores, each)
    words = expected.in_words()
    planned = planned_jobs(workflow.dag.jobs, workflow.dag.needrun)
    if later := jobs_of_later_looks(planned):
        most = forecast([*jobs, *later], costs(), PROGRESS.cores, each).seconds
        words += f"; up to {rounded_time(most)} if all looks are needed"
    if later := jobs_after_search(planned):
        most = forecast([*jobs, *later], costs(), PROGRESS.cores, each).seconds
        words += f"; about {rounded_time(most)} with the runs that judge what the search finds"
    if not images_are_counted():
        words += (
            f"; for {counted(MANY_IMAGES, 'image')}, as their number is not known yet"
        )
    print(
        f"Forecast: {words}; `snakemake --cores all estimate` for details",
        file=sys.stderr,
    )
    if cheaper := cheaper_way(jobs, costs(), PROGRESS.cores, USES_EMBEDDINGS):
        print(cheaper, file=sys.stderr)


def remember_what_jobs_took():
    """Compare the forecast of each kind of job with its finished jobs, for later forecasts."""
    # Jobs on other images than those of the data set have other costs.
    if workflow.touch or IS_CACHED or NEW.path or POOL.path:
        return
    on_cores, is_cluster = cores()
    others = os.getloadavg()[1] - on_cores
    # On a cluster the times contain those in its queue, and on a busy machine those of others.
    if is_cluster or others > BUSY * os.cpu_count():
        return
    known, sums = costs(), {}
    for number, seconds in PROGRESS.taken.items():
        job = PLANNED.get(number)
        if job and not resumes(job) and known.seconds(job) > 0:
            expected, took = sums.get(known.key(job), (0.0, 0.0))
            sums[known.key(job)] = expected + known.seconds(job), took + seconds
    ratios = {key: took / expected for key, (expected, took) in sums.items()}
    if ratios:
        write_history(HISTORY, read_history(HISTORY).with_run(ratios))


def network_that_is_there():
    """The backbone and its weights, to time some steps of it; None if a job downloads them."""
    weights = weights_file().get("weights")
    if BACKBONE.command or weights and not Path(weights).exists():
        return None
    return {**BACKBONE_SETTINGS, "weights": weights}


def write_jobs(path):
    """Write all jobs of the run, those that looks may add, and what decides their time."""
    jobs = planned_jobs(workflow.dag.jobs, workflow.dag.needrun)
    write_json(
        Path(path),
        {
            "jobs": [asdict(job) for job in jobs],
            "later": [
                asdict(job)
                for job in [*jobs_of_later_looks(jobs), *jobs_after_search(jobs)]
            ],
            "facts": asdict(facts()),
            "network": network_that_is_there(),
            "is_counted": images_are_counted(),
        },
    )


if IS_RUN and JOBS_VARIABLE in os.environ:
    # Looked up now, because at the exit the working folder may be another one.
    or_exit(facts)
    atexit.register(write_jobs, os.environ[JOBS_VARIABLE])
