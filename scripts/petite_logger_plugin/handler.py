"""The plugin: shows the progress of a run in place of Snakemake's own messages."""

import logging
import signal
import sys
import textwrap
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

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
from petite_logger_plugin.failures import (
    KERNEL_WAS_SHORT,
    failed_in_words,
    signal_of,
    stopped_in_words,
)
from petite_logger_plugin.logs import Job, newest_line, notices_in

DRAWINGS_PER_SECOND = 2
BAR_CELLS = 12
NOTICE_COLUMNS = 100


class Terminal(Console):
    """Where all is written to, with a bar or without one."""

    def __init__(self, draws: bool, nocolor: bool) -> None:
        """On stderr; silent without `draws`."""
        is_terminal = sys.stderr.isatty()  # whatever FORCE_COLOR says, which rich asks first
        super().__init__(
            file=sys.stderr, force_terminal=is_terminal, no_color=nocolor or None, quiet=not draws
        )

    @property
    def has_bar(self) -> bool:
        """Whether there is a bar, in place of a line for each job."""
        return self.is_terminal and not self.is_dumb_terminal and not self.quiet

    def say(self, text: str, style: str = "") -> None:
        """Lines as they are: a bar goes below them."""
        self.print(Text(text, style), soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Nobody reads any more: the run goes on, where rich would end it."""
        self.quiet = True


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
        # Who asks Snakemake for more, or for less, gets what Snakemake says.
        asks = settings.verbose or settings.printshellcmds or settings.debug_dag or settings.quiet
        self.terminal = Terminal(draws=not asks, nocolor=settings.nocolor)
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
            console=self.terminal,
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
                self.terminal.say(self.format(record), style)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Called by Snakemake at the very end."""
        self.end()
        super().close()

    def end(self) -> None:
        """What follows is no news: how the run ended is told by the workflow's own hooks."""
        self._is_over = True
        self._bar.stop()

    @property
    def left(self) -> int:
        """How many of the jobs that are due were not done."""
        return self.due.total() - self._done.total()

    def failed_in_words(self, run_log: str) -> str:
        """What failed, the last lines of its log, and what to do; `run_log` is that of the run."""
        return failed_in_words(self.failed.values(), self._count(), run_log)

    def stopped_in_words(self) -> str:
        """That the run was stopped, how far it came, and how to go on."""
        assert self.stopped is not None
        done = f"{self._count()} jobs are done" if self.due else "no job had begun"
        return stopped_in_words(self.stopped, self.failed.values(), done)

    def _take_in(self, record: logging.LogRecord) -> None:
        said = vars(record)  # the fields of an event are its record's attributes
        match said.get("event"):
            case LogEvent.WORKFLOW_STARTED:
                self._has_begun = True
            case LogEvent.RUN_INFO:
                self.due = Counter(said["stats"])
                del self.due["total"]
                if self.terminal.has_bar:
                    self._bar.start(refresh=True)
                    # A run that is killed shall not leave the terminal without a cursor.
                    self.terminal.show_cursor(True)
            case LogEvent.JOB_INFO:
                self._running[said["jobid"]] = _job(said)
            case LogEvent.JOB_FINISHED:
                self._finish(said["job_id"])
            case LogEvent.ERROR:
                self._ends[record.thread] = record.getMessage()
            case LogEvent.JOB_ERROR:
                # Its executor tells how it ended, or what was said of its command.
                end = said["rule_msg"] or self._ends.pop(record.thread, "")
                self._fail(said["jobid"], replace(_job(said), end=end))

    def _is_news(self, record: logging.LogRecord) -> bool:
        event = getattr(record, "event", None)
        if self._is_over or self.stopped:
            return False
        if not self._has_begun:
            return True  # the answers to --list-rules, --unlock and so on
        match event:
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
                self.terminal.say(_wrapped(f"Note: {notice}"))
        seconds = time.monotonic() - job.started
        self._seconds[job.rule].append(seconds)
        if not self.terminal.has_bar:
            self.terminal.say(f"{self._so_far()}: {job.name} took {in_words(seconds)}")

    def _fail(self, number: int, job: Job) -> None:
        """Tell it at once, and again at the end; not that it ends because the run is stopped."""
        self._running.pop(number, None)
        if number in self.failed or self.stopped:
            return
        if signal_of(job.end) == signal.SIGKILL and memory.oom_kills() > self._oom_kills:
            job = replace(job, end=f"{job.end} {KERNEL_WAS_SHORT}")
        self.failed[number] = job
        self.terminal.say(f"Failed: {job.name}")

    def _count(self) -> str:
        return f"{self._done.total()} of {self.due.total()}"

    def _so_far(self) -> str:
        return f"{self._count()} jobs, {in_words(time.monotonic() - self._began)}"

    def _left(self) -> str:
        left = seconds_left(self.due - self._done, self._seconds, len(self._running))
        return "" if left is None else f", about {in_words(left)} left"

    def _line(self) -> Table:
        """The bar, how far the run is, and the newest line of the logs of the jobs at work."""
        if self.stopped:
            does = "stopping (Ctrl-C again: at once)"
        else:
            does = newest_line(list(self._running.values()))
        line = Table.grid(Column(width=BAR_CELLS), Column(), padding=(0, 1))
        line.add_row(
            ProgressBar(self.due.total() or None, self._done.total(), BAR_CELLS),
            Text(f"{self._so_far()}{self._left()}  {does}", no_wrap=True, overflow="ellipsis"),
        )
        return line


def _job(said: Mapping[str, Any]) -> Job:
    """A job by the name of its log: that is its rule's, and its own below that."""
    rule = said["rule_name"]
    if not said["log"]:
        return Job(rule, rule=rule)
    log = Path(said["log"][0])
    _, _, own = str(log.with_suffix("")).partition(f"/logs/{rule}")
    return Job(rule + own, log, rule=rule)


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


def in_words(seconds: float) -> str:
    """A time as 8 s, 3 min 20 s or 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
