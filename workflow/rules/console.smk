# Terminal output: progress during a run, and at its end the paths of the results or what failed. No rules.

import atexit
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

from snakemake_interface_executor_plugins.settings import ExecMode
from snakemake_interface_logger_plugins.common import LogEvent

from petite.util import memory as memory_of_process
from petite.util import stopping
from petite.util.console import Job, Progress


class Watcher(logging.Handler):
    """Tells a Progress what Snakemake reports of its jobs."""

    def __init__(self, progress):
        super().__init__()
        self.progress = progress
        self.has_begun = False
        self.is_whole = False  # whether the run goes on to the table and the page
        self.exports = False
        # What was said last of the end of a command, by the thread that says it.
        self.ends = {}

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            self.is_whole = "all" in record.stats
            self.exports = "export" in record.stats
            self.progress.plan(record.stats["total"])
        elif event == LogEvent.JOB_INFO:
            self.progress.start(record.jobid, job_of(record))
        elif event == LogEvent.JOB_FINISHED:
            self.progress.finish(record.job_id)
        elif event == LogEvent.JOB_ERROR:
            self.progress.fail(record.jobid, job_of(record, self.end_of(record)))
        elif event == LogEvent.ERROR:
            self.ends[record.thread] = str(record.msg)

    def end_of(self, record):
        """How a job that failed ended: its executor tells, or what was said of its command."""
        of_command = self.ends.pop(record.thread, "")
        return record.rule_msg or of_command


def job_of(record, end=""):
    """A job by the name of its log: that is its rule's, and its own below that."""
    if not record.log:
        return Job(record.rule_name, end=end)
    log = Path(record.log[0])
    name = os.path.relpath(log, f"{RESULTS}/logs").removesuffix(log.suffix)
    return Job(name, log, end)


# That a job failed, with the whole command that it was, and that therefore the run did.
SUMMARIZED = (
    "CalledProcessError in file",
    "Exiting because a job execution failed",
    "At least one job did not complete successfully",
)


def is_shown(record):
    """Whether the terminal shows what Snakemake says; all of it is in .snakemake/log."""
    event = getattr(record, "event", None)
    text = str(record.msg)
    if event == LogEvent.WORKFLOW_STARTED:
        WATCHER.has_begun = True
    if PROGRESS.stopped:
        return False
    if not WATCHER.has_begun:
        return True  # the answers to --list-rules, --unlock and so on
    if event in (LogEvent.JOB_ERROR, LogEvent.GROUP_ERROR):
        shown = False
    elif event == LogEvent.RUN_INFO or "Nothing to be done" in text:
        shown = True
    elif "snakemake_executor_plugin" in record.pathname:
        shown = True  # which of a cluster's jobs is whose, and where its log is
    else:
        is_repeated = any(words in text for words in SUMMARIZED)
        shown = record.levelno >= logging.WARNING and not is_repeated
    if shown:
        PROGRESS.clear()
    return shown


# Replaces characters that the locale does not have, so that the rest of a summary is printed.
for stream in (sys.stdout, sys.stderr):
    # Another program may have replaced the stream.
    with suppress(AttributeError, OSError):
        stream.reconfigure(errors="replace")

# Who asks Snakemake for more, or for less, gets what Snakemake says and no bar.
AS_USUAL = not (
    workflow.output_settings.verbose
    or workflow.output_settings.printshellcmds
    or workflow.output_settings.quiet
)
PROGRESS = Progress(sys.stderr, draws=AS_USUAL)
WATCHER = Watcher(PROGRESS)
SAYS = logging.getLogger("snakemake.logging")
if workflow.exec_mode == ExecMode.DEFAULT and not workflow.output_settings.dryrun:
    SAYS.addHandler(WATCHER)
    for handler in SAYS.handlers:
        if AS_USUAL and handler.name == "DefaultStreamHandler":
            handler.addFilter(is_shown)
    if limit := memory_of_process.small_limit():
        print(f"Petite: {limit}", file=sys.stderr)


def say_where_things_are():
    """At the very end of the run, after Snakemake's own last lines."""
    PROGRESS.end()
    if PROGRESS.left and AS_USUAL:
        # Snakemake's: it does not go on from a rule of --until to another of them.
        print(
            f"Left undone: {PROGRESS.left} of the jobs. --until names one rule above another, and "
            "Snakemake ends with the upper one. Start the same command again.",
            file=sys.stderr,
        )
    if WATCHER.exports:
        atexit.register(print, f"\nExport   {EXPORT}/", flush=True)
    if not WATCHER.is_whole:
        return
    summary = Path(RESULTS) / "summary.txt"
    lines = [
        "",
        f"Page     {RESULTS}/report.html  (open it: all that follows, in one file)",
        f"Answer   {RESULTS}/recommendation.md  (its numbers: {RESULTS}/verdicts.csv)",
        f"Table    {RESULTS}/summary.md  (all runs: {RESULTS}/runs.csv)",
        f"Figures  {RESULTS}/figures/  (begin with accuracy_by_fraction.png)",
        "",
        summary.read_text("utf-8").rstrip(),
    ]
    atexit.register(print, "\n".join(lines), flush=True)


def say_what_failed(log):
    PROGRESS.end()
    if PROGRESS.stopped:
        sys.exit(stopping.status(PROGRESS.stopped))
    run_log = os.path.relpath(log[0]) if log else ".snakemake/log"
    atexit.register(print, PROGRESS.failures(run_log), file=sys.stderr, flush=True)
