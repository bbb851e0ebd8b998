# Terminal output: progress during a run, and at its end the paths of the results or what failed. No rules.
# Needs: nothing. Makes: nothing.

import atexit
import logging
import os
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path


from petite.util import memory as memory_of_process
from petite.util import stopping
from petite_logger_plugin.failures import failed_in_words
from petite_logger_plugin.handler import LogHandler

# Replace characters that the locale lacks, so that the rest of a summary is printed.
for stream in (sys.stdout, sys.stderr):
    # Another program may have replaced the stream.
    with suppress(AttributeError, OSError):
        stream.reconfigure(errors="replace")

PROGRESS = LogHandler(workflow.output_settings, None)


def count_left():
    """The number of jobs that are left by rule, with those that a checkpoint added."""
    return Counter(job.rule.name for job in workflow.dag.needrun_jobs())


PROGRESS.count_left = count_left


def show_progress(logger):
    """Replace the handler that writes Snakemake's messages to the terminal by PROGRESS.

    `--logger` would do this only for an installed plugin. If the user names another logger that
    writes to the terminal, that one is used, and PROGRESS only records what failed.
    """
    default = [
        handler
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler)
        and not isinstance(handler, logging.FileHandler)
    ]
    if not default:
        PROGRESS.console.quiet = True
    if not PROGRESS.console.quiet:
        for handler in default:
            PROGRESS.setFormatter(handler.formatter)
            logger.removeHandler(handler)
    logger.addHandler(PROGRESS)


if IS_RUN and not workflow.output_settings.dryrun:
    show_progress(workflow.logger_manager.logger)
    if limit := memory_of_process.small_limit():
        print(f"Petite: {limit}", file=sys.stderr)


def say_where_things_are():
    """At the very end of the run, after Snakemake's last lines."""
    PROGRESS.end()
    if BYTES and "search_bytes" in PROGRESS.due and "all" not in PROGRESS.due:
        atexit.register(print, f"\n{said_of_search()}", flush=True)
    elif BYTES and "all" in PROGRESS.due and winner_is_new():
        if not workflow.touch:
            # At the exit, the working folder may be another one.
            atexit.register(go_on_with_winner, said_of_search())
        return
    if PROGRESS.left and not PROGRESS.console.quiet:
        # Snakemake does not continue from one rule of --until to another.
        print(
            f"{PROGRESS.left} jobs are left: --until names a rule that depends on another one, and "
            "Snakemake stops after the first. Rerun the same command.",
            file=sys.stderr,
        )
    if "export" in PROGRESS.due:
        atexit.register(print, f"\nExport   {EXPORT}/", flush=True)
    if is_choosing():
        said = [f"Page     {page}" for page in choices("page.html")]
        said += [f"Label    {table}" for table in choices("labels.csv")]
        atexit.register(print, "\n".join(["", *said]), flush=True)
    if is_growing():
        atexit.register(print, "\n".join(["", *said_of_new()]), flush=True)
    if "all" not in PROGRESS.due or not POOL.labeled:
        return
    summary = Path(RESULTS) / "summary.txt"
    lines = [
        "",
        f"Report   {RESULTS}/report.html  (open this first: everything below in one file)",
        f"Answer   {RESULTS}/recommendation.md  (its numbers: {RESULTS}/verdicts.csv)",
        f"Table    {RESULTS}/summary.md  (all runs: {RESULTS}/runs.csv)",
        f"Figures  {RESULTS}/figures/  (start with accuracy_by_fraction.png)",
        "",
        summary.read_text("utf-8").rstrip(),
    ]
    atexit.register(print, "\n".join(lines), flush=True)


def say_what_failed(log):
    if PROGRESS.stopped:
        sys.exit(stopping.status(PROGRESS.stopped))
    run_log = os.path.relpath(log[0]) if log else ".snakemake/log"
    message = failed_in_words(PROGRESS.failed.values(), PROGRESS.count, run_log)
    atexit.register(print, message, file=sys.stderr, flush=True)
