"""The plugin: shows the progress of a run in place of Snakemake's own messages."""

import logging
import os
import signal
import sys
import textwrap
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean

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
from petite.util.formatting import elapsed_time
from petite_logger_plugin.failures import KERNEL_WAS_SHORT, signal_of
from petite_logger_plugin.logs import Job, newest_line, notices_in

DRAWINGS_PER_SECOND = 2
BAR_CELLS = 12
NOTICE_COLUMNS = 100


class LogHandler(LogHandlerBase):
    """A bar on a terminal, else a line for each job that is done; notices, and what failed.

    Snakemake's own messages are shown where they are news. All of them are in .snakemake/log.
    """

    writes_to_stream = True
    writes_to_file = False
    has_filter = True  # none: it needs all events
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        settings = self.common_settings
        # Rich would ask variables first, and draw a bar into a file where FORCE_COLOR is set.
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
            # Who asks Snakemake for more, or for less, gets what Snakemake says.
            quiet=bool(
                settings.verbose or settings.printshellcmds or settings.debug_dag or settings.quiet
            ),
        )
        self._began = time.monotonic()
        self._has_begun = self._is_over = False
        # The jobs that are due and those that are done, by their rules.
        self.due: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._running: dict[int, Job] = {}
        self.failed: dict[int, Job] = {}
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._noticed: set[str] = set()
        # How a job's command ended, by the thread that waited for it.
        self._ends: dict[int | None, str] = {}
        self._oom_kills = memory.oom_kills()
        # The signal that stops the run before its end, and whether its jobs are killed for it. Set
        # by the handler of signals, which may not wait for a lock.
        self.stopped: int | None = None
        self.kills = False
        self._bar = Live(
            console=self.console,
            get_renderable=self._line,
            refresh_per_second=DRAWINGS_PER_SECOND,
            transient=True,
            redirect_stdout=False,  # which may go elsewhere
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Take in what Snakemake reports, and show it where it is news."""
        try:
            self._take_in(record)
            if self._is_news(record):
                style = "red" if record.levelno >= logging.ERROR else "yellow"
                self.console.print(self.format(record), style=style)
        except (Exception, SystemExit):  # rich exits where nobody reads any more
            self.handleError(record)

    def end(self) -> None:
        """What follows is no news: how the run ended is told by the workflow's own hooks."""
        self._is_over = True
        self._bar.stop()

    def close(self) -> None:
        """Called by Snakemake at the very end, whatever ended the run."""
        self.end()
        super().close()

    @property
    def left(self) -> int:
        """How many of the jobs that are due were not done."""
        return self.due.total() - self._done.total()

    @property
    def count(self) -> str:
        """How many jobs are done, of how many."""
        return f"{self._done.total()} of {self.due.total()}"

    def _take_in(self, record: logging.LogRecord) -> None:
        said = vars(record)  # the fields of an event are its record's attributes
        match said.get("event"):
            case LogEvent.WORKFLOW_STARTED:
                self._has_begun = True
            case LogEvent.RUN_INFO:
                self.due = Counter(said["stats"])
                del self.due["total"]
                if self.console.is_interactive and not self.console.quiet:
                    self._bar.start(refresh=True)
                    # A run that is killed shall not leave the terminal without a cursor.
                    self.console.show_cursor(True)
            case LogEvent.JOB_INFO:
                self._running[said["jobid"]] = Job.of_event(said)
            case LogEvent.JOB_FINISHED:
                self._finish(said["job_id"])
            case LogEvent.ERROR:
                self._ends[record.thread] = record.getMessage()
            case LogEvent.JOB_ERROR:
                # Its executor tells how it ended, or what was said of its command.
                end = said["rule_msg"] or self._ends.pop(record.thread, "")
                self._fail(said["jobid"], replace(Job.of_event(said), end=end))

    def _is_news(self, record: logging.LogRecord) -> bool:
        if self._is_over or self.stopped:
            return False
        if not self._has_begun:
            return True  # the answers to --list-rules, --unlock and so on
        match getattr(record, "event", None):
            case LogEvent.RUN_INFO:
                return True
            case LogEvent.JOB_ERROR | LogEvent.GROUP_ERROR:
                return False
            case LogEvent.ERROR:  # that of a job is told with its log
                return vars(record).get("exception") != RuleException.__name__
        if record.msg == NOTHING_TO_BE_DONE_MSG or "snakemake_executor_plugin" in record.pathname:
            return True  # a cluster's: which of its jobs is whose, and where its log is
        # Of failed jobs the scheduler says again that there were some.
        is_known = self.failed and record.module == "job_scheduler"
        return record.levelno >= logging.WARNING and not is_known

    def _finish(self, number: int) -> None:
        job = self._running.pop(number, Job(""))
        self.failed.pop(number, None)  # that of an earlier attempt
        self._done[job.rule] += 1
        if job.log is None:
            return
        for notice in notices_in(job.log):
            if notice not in self._noticed:
                self._noticed.add(notice)
                self.console.print(_wrapped(f"Note: {notice}"))
        seconds = time.monotonic() - job.started
        self._seconds[job.rule].append(seconds)
        if not self.console.is_interactive:
            self.console.print(f"{self._so_far()}: {job.name} took {elapsed_time(seconds)}")

    def _fail(self, number: int, job: Job) -> None:
        """Tell it at once, and again at the end; not that it ends because the run is stopped."""
        self._running.pop(number, None)
        if number in self.failed or self.stopped:
            return
        if signal_of(job.end) == signal.SIGKILL and memory.oom_kills() > self._oom_kills:
            job = replace(job, end=f"{job.end} {KERNEL_WAS_SHORT}")
        self.failed[number] = job
        self.console.print(f"Failed: {job.name}")

    def _so_far(self) -> str:
        return f"{self.count} jobs, {elapsed_time(time.monotonic() - self._began)}"

    def _line(self) -> Table:
        """The bar, how far the run is, and the newest line of the logs of the jobs at work."""
        running = list(self._running.values())
        left = seconds_left(self.due - self._done, self._seconds, len(running))
        left_in_words = "" if left is None else f", about {elapsed_time(left)} left"
        does = "stopping (Ctrl-C again: at once)" if self.stopped else newest_line(running)
        line = Table.grid(Column(width=BAR_CELLS), Column(), padding=(0, 1))
        line.add_row(
            ProgressBar(self.due.total() or None, self._done.total(), BAR_CELLS),
            Text(f"{self._so_far()}{left_in_words}  {does}", no_wrap=True, overflow="ellipsis"),
        )
        return line


def seconds_left(
    due: Counter[str], taken: Mapping[str, Sequence[float]], at_a_time: int
) -> float | None:
    """By how long the done jobs of the same rules took; None until most of the jobs have such."""
    known = {rule: due[rule] * mean(seconds) for rule, seconds in taken.items()}
    if 2 * sum(due[rule] for rule in known) <= due.total():
        return None
    return sum(known.values()) / max(at_a_time, 1)


def _wrapped(text: str) -> str:
    """A sentence on as many lines as it takes, the further ones indented."""
    return textwrap.fill(text, NOTICE_COLUMNS, subsequent_indent="  ", break_long_words=False)
