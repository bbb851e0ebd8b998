# What the run has found so far: a sentence on the terminal after each look or fraction, and a page in a browser
# with `snakemake --cores 1 watch`, which must not lock the folder of the run that it shows. No rules.
# Needs: lock.smk; runs/ and looks/ of a run at work. Makes: .snakemake/petite/progress-<process>.json and
# start-<process>.json during a run.

import signal
import time

from snakemake.cli import parse_args
from snakemake.logging import logger

WATCH = "watch"
IS_WATCHING = (
    IS_RUN and WATCH in sys.argv and WATCH in parse_args(sys.argv[1:])[1].targets
)
# Each sentence once.
SAID = {""}


def progress_file(process):
    return RUNS / f"progress-{process}.json"


def start_file(process):
    return RUNS / f"start-{process}.json"


@cache
def so_far():
    # Here and below: pandas and the report take time to load, which the start of a run need not wait for.
    from petite.watch.so_far import Case, SoFar

    return SoFar(
        [
            Case(
                judge,
                label,
                fraction,
                LOOK_SEEDS[-1] if judge in LOOKS else CONFIG.runs_at(fraction, judge),
                Path(run_path(judge, label, fraction, 0, 0)).parent,
            )
            for judge, cases in CASES_OF.items()
            for label, fraction in cases
        ],
        CONFIG.evidence.metric,
    )


def record_start():
    """Record when this run began, and which files of earlier runs it does not make again."""
    from petite.watch.so_far import Start

    due = {str(path) for job in workflow.dag.needrun_jobs() for path in job.output}
    paths = [f"{run_path(*judging)}.csv" for judging in JUDGINGS]
    kept = [path for path in paths if path not in due and Path(path).exists()]
    so_far().start = Start(time.time(), frozenset(map(Path, kept)))
    process = os.getpid()
    write_json(start_file(process), {"since": so_far().start.since, "kept": kept})
    atexit.register(start_file(process).unlink, missing_ok=True)
    PROGRESS.record, PROGRESS.said_after = progress_file(process), said_after


def run_at_work():
    """The start and the progress of the run in this folder, on this machine; two None if there is none."""
    from petite.watch.so_far import Start

    for record in RUNS.glob("[0-9]*.json"):
        with suppress(OSError, ValueError, KeyError):
            if is_over(record) is False:
                begun = read_json(start_file(record.stem))
                start = Start(begun["since"], frozenset(map(Path, begun["kept"])))
                return start, read_json(progress_file(record.stem))
    return None, None


def watch_page():
    from petite.watch.page import page

    so_far().start, progress = run_at_work()
    return page(CONFIG.dataset.name, Path(RESULTS), so_far().table(), progress)


def watch():
    """Serve the page until the user presses Ctrl-C."""
    from petite.watch.server import Server

    server = Server(Path(RESULTS), watch_page)
    print(
        f"Watch {server.address} in a browser; Ctrl-C ends it, and not the run.",
        flush=True,
    )
    signal.signal(signal.SIGINT, signal.default_int_handler)  # not that of a run
    with suppress(KeyboardInterrupt):
        server.serve_forever()
    sys.exit()


def said_after(job):
    """What there is to say after a job; nothing if its results cannot be read, which ends no run."""
    try:
        return sentence_after(job)
    except Exception as error:
        logger.debug(f"Live look: {type(error).__name__}: {error}")
        return ""


def sentence_after(job):
    """The comparisons that a look left open, or the means of a fraction that is done."""
    # The name of a job starts with its rule and ends in METHOD/FRACTION/seeds-FIRST-LAST.
    name, *place = job.name.split("/")
    if name == "look":
        from petite.watch.so_far import open_in_words

        found = read_json(Path(RESULTS) / f"looks/{place[0]}.json")["open"]
        return open_in_words(int(place[0]), found)
    judges = [judge.name for judge in PLAN.judges if judge.rule == name]
    said = {
        so_far().at(judge, float(place[-2])) for judge in judges if judge not in LOOKS
    }
    new = sorted(said - SAID)
    SAID.update(new)
    return "\n".join(new)
