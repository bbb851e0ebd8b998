# Handles Ctrl-C and SIGTERM: ends the jobs and says how to resume. No rules.
# Needs: PROGRESS (progress.smk), SCRIPTS (common.smk). Makes: nothing.

import atexit
import signal
import sys
import threading

from petite.util import stopping
from petite_logger_plugin.failures import stopped_in_words
from snakemake.shell import shell

# A terminal sends Ctrl-C to the jobs too. They ignore it, and the run ends them: a job that is still
# loading Python's packages would print a traceback. (If the user has set a prefix, it stays.)
if shell._process_prefix is None:
    shell.prefix("set -euo pipefail; trap '' INT; ")


def stop(number, frame):
    """End the run at a signal; at a second one, kill its jobs."""
    if PROGRESS.stopped:
        PROGRESS.kills = True
        return
    PROGRESS.stopped = number
    atexit.register(say_stopped)
    if workflow.scheduler is not None:
        if workflow.local_exec:
            end_the_run()
            return
        # Snakemake cancels the jobs of a cluster; downloads run here.
        stopping.end_steps(SCRIPTS)
    sys.exit(stopping.status(number))


def end_the_run():
    """Let Snakemake start no more jobs, and end running ones; in threads, since it holds locks."""
    for work in (
        workflow.scheduler.exit_gracefully,
        lambda: stopping.end_jobs(lambda: PROGRESS.kills),
    ):
        threading.Thread(target=work, daemon=True).start()


def stop_on_signals():
    """Replace the handlers of Snakemake's scheduler, which waits for all jobs at SIGTERM."""
    for number in stopping.SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    if PROGRESS.stopped:  # earlier, when Snakemake did not handle it
        end_the_run()


def name_run_to_steps():
    """Name the run to its steps, which end with it; those on a cluster's nodes cannot see it."""
    os.environ.pop(stopping.RUN, None)
    if workflow.local_exec:
        os.environ[stopping.RUN] = stopping.this_run()


def say_stopped():
    # Python drops its own handlers as it ends, and a late second signal would change the status.
    for number in stopping.SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    PROGRESS.end()
    count = PROGRESS.count if PROGRESS.due else None
    message = stopped_in_words(PROGRESS.stopped, PROGRESS.failed.values(), count)
    print(message, file=sys.stderr, flush=True)


if IS_RUN:
    stop_on_signals()
