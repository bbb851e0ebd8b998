# Handles Ctrl-C and SIGTERM: ends the jobs and says how to resume. No rules.
# Needs: PROGRESS (progress.smk), SCRIPTS (common.smk).

import atexit
import signal
import sys
import threading

from petite.util import stopping
from petite_logger_plugin.failures import stopped_in_words
from snakemake.shell import shell
from snakemake.settings.types import ExecMode

# A terminal sends Ctrl-C to the jobs too. They leave it to the run, which ends them: one that still
# loads Python's packages would fill the terminal. (With a prefix of one's own they do not.)
if shell._process_prefix is None:
    shell.prefix("set -euo pipefail; trap '' INT; ")


def stop(number, frame):
    """At a signal: end the run, at the second one its jobs without delay."""
    if PROGRESS.stopped:
        PROGRESS.kills = True
        return
    PROGRESS.stopped = number
    atexit.register(say_stopped)
    if workflow.scheduler is not None:
        if workflow.local_exec:
            end_the_run()
            return
        # Snakemake cancels a cluster's jobs; downloads are done here.
        stopping.end_steps(SCRIPTS)
    sys.exit(stopping.status(number))


def end_the_run():
    """Let Snakemake start no more jobs, and end those at work; in threads, for it holds locks."""
    for work in (
        workflow.scheduler.exit_gracefully,
        lambda: stopping.end_jobs(lambda: PROGRESS.kills),
    ):
        threading.Thread(target=work, daemon=True).start()


def stop_on_signals():
    """Snakemake's scheduler has its own for SIGTERM: it waits for the end of all jobs."""
    for number in stopping.SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    if PROGRESS.stopped:  # before, and Snakemake took it for something else
        end_the_run()


def name_run_to_steps():
    """Steps end with their run; those on a cluster's nodes cannot see whether it is there."""
    os.environ.pop(stopping.RUN, None)
    if workflow.local_exec:
        os.environ[stopping.RUN] = stopping.this_run()


def say_stopped():
    PROGRESS.end()
    count = PROGRESS.count if PROGRESS.due else None
    said = stopped_in_words(PROGRESS.stopped, PROGRESS.failed.values(), count)
    print(said, file=sys.stderr, flush=True)


if workflow.exec_mode == ExecMode.DEFAULT:
    stop_on_signals()
