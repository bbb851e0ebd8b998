# Terminal output: progress during a run, and at its end the paths of the results or what failed. No rules.

import atexit
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

from snakemake_interface_executor_plugins.settings import ExecMode

from petite.util import memory as memory_of_process
from petite.util import stopping
from petite_logger_plugin.failures import failed_in_words
from petite_logger_plugin.handler import LogHandler

# Replaces characters that the locale does not have, so that the rest of a summary is printed.
for stream in (sys.stdout, sys.stderr):
    # Another program may have replaced the stream.
    with suppress(AttributeError, OSError):
        stream.reconfigure(errors="replace")

PROGRESS = LogHandler(workflow.output_settings, None)


def show_progress(logger):
    """Put PROGRESS in the place of the handler that writes Snakemake's messages to the terminal.

    `--logger` would do it for a plugin that is installed, in this checkout's version. Who names
    one that writes to the terminal gets that one; PROGRESS then only remembers what failed.
    """
    usual = [
        handler
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler)
        and not isinstance(handler, logging.FileHandler)
    ]
    if not usual:
        PROGRESS.console.quiet = True
    if not PROGRESS.console.quiet:
        for handler in usual:
            PROGRESS.setFormatter(handler.formatter)
            logger.removeHandler(handler)
    logger.addHandler(PROGRESS)


if workflow.exec_mode == ExecMode.DEFAULT and not workflow.output_settings.dryrun:
    show_progress(workflow.logger_manager.logger)
    if limit := memory_of_process.small_limit():
        print(f"Petite: {limit}", file=sys.stderr)


def say_where_things_are():
    """At the very end of the run, after Snakemake's own last lines."""
    PROGRESS.end()
    if PROGRESS.left and not PROGRESS.console.quiet:
        # Snakemake's: it does not go on from a rule of --until to another of them.
        print(
            f"Left undone: {PROGRESS.left} of the jobs. --until names one rule above another, and "
            "Snakemake ends with the upper one. Start the same command again.",
            file=sys.stderr,
        )
    if "export" in PROGRESS.due:
        atexit.register(print, f"\nExport   {EXPORT}/", flush=True)
    if "all" not in PROGRESS.due:
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
    if PROGRESS.stopped:
        sys.exit(stopping.status(PROGRESS.stopped))
    run_log = os.path.relpath(log[0]) if log else ".snakemake/log"
    said = failed_in_words(PROGRESS.failed.values(), PROGRESS.count, run_log)
    atexit.register(print, said, file=sys.stderr, flush=True)
