"""The plugin, which shows the progress of a run instead of Snakemake's own messages."""

import json
import logging
import os
import signal
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text
from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.exceptions import RuleException
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from petite.util import memory
from petite.util.formatting import elapsed_time, rounded_time
from petite.util.schedule import Task
from petite_logger_plugin.failures import KERNEL_WAS_SHORT, signal_of
from petite_logger_plugin.logs import Job, newest_line, notices_in
from petite_logger_plugin.remaining import seconds_left, that_can_run

DRAWINGS_PER_SECOND = 2
BAR_CELLS = 12
NOTICE_COLUMNS = 100
# A run hears of a Ctrl-C that ended one of its jobs within these seconds.
SECONDS_FOR_A_SIGNAL = 1.0
# The time left is computed again after these seconds; in a run of many jobs it takes a while.
SECONDS_BETWEEN_FORECASTS = 2.0


class LogHandler(LogHandlerBase):
    """A progress bar on a terminal, otherwise a line per finished job; notices and failures.

    Of Snakemake's own messages only those that a user needs are shown. All of them are in
    .snakemake/log.
    """

    writes_to_stream = True
    writes_to_file = False
    has_filter = True  # so that Snakemake adds none: all events are needed
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        settings = self.common_settings
        # Rich itself would draw a bar into a file if FORCE_COLOR is set.
        is_terminal = sys.stderr.isatty()
        self.console = Console(
            file=sys.stderr,
            force_terminal=is_terminal,
            force_interactive=is_terminal and os.environ.get("TERM") != "dumb",
            no_color=settings.nocolor or None,
            soft_wrap=True,
            markup=False,
            emoji=False,
            highlight=False,
            # With options for more or less output, the user gets Snakemake's.
            quiet=bool(
                settings.verbose or settings.printshellcmds or settings.debug_dag or settings.quiet
            ),
        )
        self._started = time.monotonic()
        self._has_started = self._is_over = False
        # Number of jobs by rule.
        self.due: Counter[str] = Counter()
        # A checkpoint may change what is left, which this function counts by rule.
        self.count_left: Callable[[], Counter[str]] | None = None
        # The jobs that are left with their forecasts, and the cores that they share.
        self.plan_left: Callable[[], Sequence[Task]] | None = None
        self.cores = 1
        self.planned: dict[int, Task] = {}
        # Seconds of finished jobs, by number.
        self.taken: dict[int, float] = {}
        self._left: tuple[float, float] | None = None  # seconds, and since when
        # What the results say after a job, in a sentence; "" for nothing.
        self.said_after: Callable[[Job], str] | None = None
        # The file that says how far the run is.
        self.record: Path | None = None
        self._total = 0  # of all jobs, as Snakemake reports it
        self._has_changed = False
        self._done: Counter[str] = Counter()
        self._running: dict[int, Job] = {}
        self.failed: dict[int, Job] = {}
        self._noticed: set[str] = set()
        # The report of a command's end, by the thread that waited for it.
        self._ends: dict[int | None, str] = {}
        self._oom_kills = memory.oom_kills()
        # The signal that stopped the run, and whether its jobs are killed. Set by the signal
        # handler, which may not wait for a lock.
        self.stopped: int | None = None
        self.kills = False
        self._bar = Live(
            console=self.console,
            get_renderable=self._line,
            refresh_per_second=DRAWINGS_PER_SECOND,
            transient=True,
            redirect_stdout=False,  # it may be a file
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Record what Snakemake reports, and show it if the user needs it."""
        try:
            self._record(record)
            if self._is_shown(record):
                style = "red" if record.levelno >= logging.ERROR else "yellow"
                self.console.print(self.format(record), style=style)
        except (Exception, SystemExit):  # rich exits if the stream is closed
            self.handleError(record)

    def end(self) -> None:
        """Show nothing more: the hooks of the workflow report how the run ended."""
        self._is_over = True
        self._bar.stop()
        if self.record:
            self.record.unlink(missing_ok=True)
            self.record = None

    def plan(self) -> None:
        """Ask for the jobs that are left, with those that a checkpoint added."""
        if self.plan_left:
            self.planned |= {task.number: task for task in self.plan_left()}

    def close(self) -> None:
        """Called by Snakemake at the very end, however the run ended."""
        self.end()
        super().close()

    @property
    def left(self) -> int:
        """How many due jobs were not done."""
        return self.due.total() - self._done.total()

    @property
    def count(self) -> str:
        """How many jobs are done, as in "1 of 5"."""
        return f"{self._done.total()} of {self.due.total()}"

    def _record(self, record: logging.LogRecord) -> None:
        fields = vars(record)  # the fields of an event are attributes of the record
        match fields.get("event"):
            case LogEvent.WORKFLOW_STARTED:
                self._has_started = True
            case LogEvent.RUN_INFO:
                self.due = Counter(fields["stats"])
                del self.due["total"]
                self._total = self.due.total()
                if self.console.is_interactive and not self.console.quiet:
                    self._bar.start(refresh=True)
                    # So that a run that is killed does not leave the terminal without a cursor.
                    self.console.show_cursor(True)
            case LogEvent.PROGRESS:
                self._has_changed |= fields["total"] != self._total
                self._total = fields["total"]
            case LogEvent.JOB_INFO:
                # Only now does Snakemake count the checkpoint itself as finished.
                self._running[fields["jobid"]] = Job.of_event(fields)
                if self._has_changed and self.count_left:
                    self._has_changed = False
                    self.due = self._done + self.count_left()
                    self.plan()
                self._write_record()
            case LogEvent.JOB_FINISHED:
                self._finish(fields["job_id"])
            case LogEvent.ERROR:
                self._ends[record.thread] = record.getMessage()
            case LogEvent.JOB_ERROR:
                # How it ended, by its executor or by the report of its command.
                end = fields["rule_msg"] or self._ends.pop(record.thread, "")
                self._fail(fields["jobid"], replace(Job.of_event(fields), end=end))

    def _is_shown(self, record: logging.LogRecord) -> bool:
        if self._is_over or self.stopped:
            return False
        if not self._has_started:
            return True  # output of --list-rules, --unlock and so on
        match getattr(record, "event", None):
            case LogEvent.RUN_INFO:
                return True
            case LogEvent.JOB_ERROR | LogEvent.GROUP_ERROR:
                return False
            case LogEvent.ERROR:  # that of a job is shown with its log
                return vars(record).get("exception") != RuleException.__name__
        if record.msg == NOTHING_TO_BE_DONE_MSG or "snakemake_executor_plugin" in record.pathname:
            return True  # of a cluster: the ids of jobs and where their logs are
        # The scheduler repeats that jobs failed.
        is_known = self.failed and record.module == "job_scheduler"
        return record.levelno >= logging.WARNING and not is_known

    def _finish(self, number: int) -> None:
        job = self._running.pop(number, Job(""))
        self.failed.pop(number, None)  # of an earlier attempt
        self._done[job.rule] += 1
        seconds = time.monotonic() - job.started
        self.taken[number] = seconds
        if job.log is None:
            return
        for notice in notices_in(job.log):
            if notice not in self._noticed:
                self._noticed.add(notice)
                self.console.print(_wrapped(f"Note: {notice}"))
        if not self.console.is_interactive:
            progress = f"{self._progress()}{self._left_in_words()}"
            self.console.print(f"{progress}: {job.name} took {elapsed_time(seconds)}")
        if self.said_after and (said := self.said_after(job)):
            self.console.print(_wrapped(said))
        self._write_record()

    def _fail(self, number: int, job: Job) -> None:
        """Show a failed job now, and keep it for the end; not if the run is being stopped."""
        self._running.pop(number, None)
        if number in self.failed or self._is_being_stopped(job):
            return
        if signal_of(job.end) == signal.SIGKILL and memory.oom_kills() > self._oom_kills:
            job = replace(job, end=f"{job.end} {KERNEL_WAS_SHORT}")
        self.failed[number] = job
        self._left = None  # less than before
        self.console.print(f"Failed: {job.name}")

    def _is_being_stopped(self, job: Job) -> bool:
        """Whether the run is being stopped; Ctrl-C may reach a job a moment before the run."""
        if signal_of(job.end) == signal.SIGINT:
            until = time.monotonic() + SECONDS_FOR_A_SIGNAL
            while not self.stopped and time.monotonic() < until:
                time.sleep(0.02)
        return bool(self.stopped)

    def _write_record(self) -> None:
        """Write how far the run is, for `snakemake watch`."""
        if self.record is None:
            return
        said = f"{self._progress()}{self._left_in_words()}"
        running = sorted(job.name for job in list(self._running.values()))
        new = self.record.with_suffix(".new")
        with suppress(OSError):  # the disk may be full, which the jobs tell
            new.write_text(json.dumps({"said": said, "running": running}), "utf-8")
            new.replace(self.record)

    def _progress(self) -> str:
        return f"{self.count} jobs, {elapsed_time(time.monotonic() - self._started)}"

    def _left_in_words(self) -> str:
        """The time left, once a job is done; "" if nothing is forecast, or nothing is left."""
        if not self.planned or not self.taken or self.stopped:
            return ""
        now = time.monotonic()
        if self._left is None or now - self._left[1] > SECONDS_BETWEEN_FORECASTS:
            running = {n: now - job.started for n, job in list(self._running.items())}
            # One that is tried again runs.
            failed = set(self.failed) - set(running)
            planned = that_can_run(list(self.planned.values()), failed)
            self._left = (seconds_left(planned, dict(self.taken), running, self.cores), now)
        seconds, since = self._left
        left = seconds - (now - since)
        return f", about {rounded_time(left)} left" if left > 0 else ""

    def _line(self) -> Table:
        """The bar, the progress, and the newest line of the logs of running jobs."""
        running = list(self._running.values())
        status = (
            "stopping (press Ctrl-C again to end the jobs at once)"
            if self.stopped
            else newest_line(running)
        )
        line = Table.grid(Column(width=BAR_CELLS), Column(), padding=(0, 1))
        line.add_row(
            ProgressBar(self.due.total() or None, self._done.total(), BAR_CELLS),
            Text(
                f"{self._progress()}{self._left_in_words()}  {status}",
                no_wrap=True,
                overflow="ellipsis",
            ),
        )
        return line


def _wrapped(text: str) -> str:
    """A sentence wrapped into lines, indented from the second on."""
    return textwrap.fill(text, NOTICE_COLUMNS, subsequent_indent="  ", break_long_words=False)
