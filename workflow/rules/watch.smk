# What the run has found so far: a sentence on the terminal after each look or fraction, and a page in a browser
# with `snakemake --cores 1 watch`, which must not lock the folder of the run that it shows. No rules.
# Needs: runs/ and looks/ of a run at work. Makes: .snakemake/petite/progress.json during a run.

import signal

import psutil
from snakemake.cli import parse_args

WATCH = "watch"
PROGRESS_RECORD = Path(".snakemake/petite/progress.json")
# Each sentence once.
SAID = {""}


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


def recorded_progress():
    """How far the run in this folder is; None if there is none on this machine."""
    try:
        record = read_json(PROGRESS_RECORD)
        return record if psutil.pid_exists(record["process"]) else None
    except (OSError, ValueError, KeyError):
        return None


def watch():
    """Serve the page until the user presses Ctrl-C."""
    from petite.watch.page import page
    from petite.watch.server import Server

    results = Path(RESULTS)
    table = so_far().table
    server = Server(
        results,
        lambda: page(CONFIG.dataset.name, results, table(), recorded_progress()),
    )
    print(f"Watch {server.address} in a browser; Ctrl-C ends it, and not the run.")
    sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # not that of a run
    with suppress(KeyboardInterrupt):
        server.serve_forever()
    sys.exit()


def said_after(job):
    """What there is to say after a job, the comparisons that a look left open, or a fraction that is done."""
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


if IS_RUN:
    if WATCH in sys.argv and WATCH in parse_args(sys.argv[1:])[1].targets:
        watch()
    PROGRESS.said_after = said_after
    PROGRESS.record = PROGRESS_RECORD
