"""What a run of many jobs says on the terminal: how far it is, what failed, and what to do then."""

import logging
import math
import os
import re
import signal
import textwrap
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from petite.util import memory, notices, stopping

SECONDS_BETWEEN_DRAWINGS = 0.5
BAR_CELLS = 12
CELLS = "█░"
ASCII_CELLS = "#."  # where the locale has no others
USUAL_COLUMNS = 80
NOTICE_COLUMNS = 100
# As it stands in a log.
NOTICE = logging.getLevelName(notices.NOTICE)
LAST_LINES = 15
# Of so many the logs are shown; the others mostly failed for the same reason.
MOST_FAILURES = 5
# Enough for the last lines of a log, however long it is.
TAIL_BYTES = 16_384
# A record of a log as petite.util.job writes it: date, time, level, message.
RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (?P<level>[A-Z]+) (?P<message>.*)")
CLEAR_LINE = "\r\x1b[K"
# How Snakemake reports the end of a job's command, and the Slurm plugin that of a Slurm job.
STATUS = re.compile(
    r"died with (?:<Signals\.\w+: |unknown signal )(?P<signal>\d+)|exit status (?P<status>\d+)"
)
SLURM_STATUS = re.compile(r"SLURM status is: '(?P<status>[A-Z_]+)")
GIVE_MEMORY = "Give it more memory, or let fewer jobs run at a time (--cores 1)."
# Added to the end of a job.
KERNEL_WAS_SHORT = "while the kernel ended processes for lack of memory"
SLURM_REASONS = {
    "OUT_OF_MEMORY": "its memory ran out. Raise mem_mb in the profile.",
    "TIMEOUT": "its time ran out. Raise runtime in the profile.",
    "DEADLINE": "its deadline is over.",
    "CANCELLED": "it was canceled (scancel).",
    "PREEMPTED": "it made room for another.",
    "NODE_FAIL": "its node failed.",
}


@dataclass(frozen=True)
class Job:
    """A job that was started.

    Args:
        name: what it is called.
        log: the file that it writes its log to, if any.
        end: what Snakemake reports of the end of one that failed.
    """

    name: str
    log: Path | None = None
    end: str = ""
    started: float = field(default_factory=time.monotonic)


class Progress:
    """How far a run is: a bar on a terminal, else a line for each job that is done.

    The bar shows the newest line of the logs of the jobs at work. Whoever else writes to the same
    terminal calls `clear` first; the bar comes back by itself.
    """

    def __init__(self, stream: TextIO, draws: bool = True) -> None:
        """Draw on `stream`; without `draws` only remember what failed."""
        self._stream = stream
        self._draws = draws
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._total = 0
        self._done = 0
        self._running: dict[int, Job] = {}
        self._failed: dict[int, Job] = {}
        self._noticed: set[str] = set()
        self._oom_kills = memory.oom_kills()
        # The signal that stops the run before its end, and whether its jobs are killed for it. Set
        # by the handler of signals, which may not wait for a lock.
        self.stopped: int | None = None
        self.kills = False
        self._ended = threading.Event()
        self._is_terminal = draws and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._cells = _cells_of(stream)

    def plan(self, total: int) -> None:
        """So many jobs are due; on a terminal the bar begins."""
        self._total = total
        if self._is_terminal:
            threading.Thread(target=self._draw_until_the_end, daemon=True).start()

    def start(self, number: int, job: Job) -> None:
        """A job begins; `number` tells it from the others."""
        with self._lock:
            self._running[number] = job

    def finish(self, number: int) -> None:
        """A job is done."""
        with self._lock:
            self._done += 1
            job = self._running.pop(number, None)
            if job is None or job.log is None or not self._draws:
                return
            self._show_notices(job.log)
            if self._is_terminal:
                return
            took = in_words(time.monotonic() - job.started)
            print(f"{self._count()}: {job.name} took {took}", file=self._stream, flush=True)

    def _show_notices(self, log: Path) -> None:
        """What a job has found out for its user, each thing once."""
        for notice in notices_in(log):
            if notice not in self._noticed:
                self._noticed.add(notice)
                clear = CLEAR_LINE if self._is_terminal else ""
                print(f"{clear}{wrapped(f'Note: {notice}')}", file=self._stream, flush=True)

    def fail(self, number: int, job: Job) -> None:
        """A job has failed; it is told at once, and again by `failures` at the end.

        Not so one that ends because the run is stopped.
        """
        with self._lock:
            self._running.pop(number, None)
            if number in self._failed or self.stopped:
                return
            if _signal_of(job.end) == signal.SIGKILL and memory.oom_kills() > self._oom_kills:
                job = replace(job, end=f"{job.end} {KERNEL_WAS_SHORT}")
            self._failed[number] = job
            if not self._draws:
                return
            clear = CLEAR_LINE if self._is_terminal else ""
            print(f"{clear}Failed: {job.name}", file=self._stream, flush=True)

    def clear(self) -> None:
        """Take the bar off the line, for something else to be written there."""
        if self._is_terminal:
            with self._lock:
                self._stream.write(CLEAR_LINE)
                self._stream.flush()

    def end(self) -> None:
        """No more is drawn."""
        if not self._ended.is_set():
            self._ended.set()
            self.clear()

    @property
    def failed(self) -> dict[int, Job]:
        """The jobs that failed, by their numbers."""
        return dict(self._failed)

    @property
    def left(self) -> int:
        """How many of the jobs that are due were not done."""
        return self._total - self._done

    def failures(self, run_log: str) -> str:
        """What failed, the last lines of its log, and what to do; `run_log` is that of the run."""
        heading = "Petite stopped before its end"
        if self._failed:
            count = "1 job" if len(self._failed) == 1 else f"{len(self._failed)} jobs"
            heading = f"Petite stopped: {count} failed, {self._done} of {self._total} are done"
        jobs = list(self._failed.values())
        parts = [f"\n{heading}.\n", *map(_failure, jobs[:MOST_FAILURES])]
        if more := jobs[MOST_FAILURES:]:
            parts.append("Failed as well:\n" + "".join(f"  {job.name}\n" for job in more))
        parts.append(
            "Mend the cause and start the same command again: what is done stays done.\n"
            f"The log of the whole run: {run_log}"
        )
        return "\n".join(parts)

    def stopped_in_words(self) -> str:
        """That the run was stopped, how far it came, and how to go on."""
        assert self.stopped is not None
        done = f"{self._done} of {self._total} jobs are done" if self._total else "no job had begun"
        lines = [f"\nStopped by {stopping.in_words(self.stopped)}: {done}."]
        if self._failed:
            names = ", ".join(job.name for job in self._failed.values())
            lines.append(f"Failed before that: {names}. The same command tries again.")
        lines.append("Start the same command again to go on: what is done stays done.")
        return "\n".join(lines)

    def _count(self) -> str:
        elapsed = in_words(time.monotonic() - self._began)
        return f"{self._done} of {self._total} jobs, {elapsed}"

    def _draw_until_the_end(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_DRAWINGS):
            with self._lock:
                # A terminal may not know its width.
                width = os.get_terminal_size(self._stream.fileno()).columns or USUAL_COLUMNS
                self._stream.write(CLEAR_LINE + self._line()[: width - 1])
                self._stream.flush()

    def _line(self) -> str:
        full = math.floor(BAR_CELLS * self._done / max(self._total, 1))
        bar = self._cells[0] * full + self._cells[1] * (BAR_CELLS - full)
        if self.stopped:
            return f"{bar} {self._count()}  stopping (Ctrl-C again: at once)"
        return f"{bar} {self._count()}  {newest_line(list(self._running.values()))}"


def _cells_of(stream: TextIO) -> str:
    """What a bar is drawn with: a cell that is done, and one that is not."""
    try:
        CELLS.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return ASCII_CELLS
    return CELLS


def newest_line(jobs: Sequence[Job]) -> str:
    """What the job that wrote to its log last wrote, or its name before that; "" without jobs."""
    lines = [(_changed(job.log), job.name, last_lines(job.log, 1)) for job in jobs if job.log]
    if not lines:
        return ""
    _, name, line = max(lines)
    record = RECORD.fullmatch(line[0]) if line else None
    return record["message"] if record else name


def notices_in(log: Path) -> list[str]:
    """The notices in the log of a job; see `petite.util.notices`."""
    records = map(RECORD.fullmatch, last_lines(log, TAIL_BYTES))
    return [found["message"] for found in records if found and found["level"] == NOTICE]


def wrapped(text: str) -> str:
    """A sentence on as many lines as it takes, the further ones indented."""
    return textwrap.fill(text, NOTICE_COLUMNS, subsequent_indent="  ", break_long_words=False)


def _changed(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a text file that may be long, empty or missing."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return text.splitlines()[-count:]


def _failure(job: Job) -> str:
    """What is told of a job that failed: its log's last record, or its last lines."""
    records = last_lines(job.log, TAIL_BYTES) if job.log else []
    if not records:
        reason = _reason(job.end, [])
        return f"{job.name} failed before it wrote to its log (see the lines above): {reason}\n"
    levels = [record["level"] if record else "" for record in map(RECORD.fullmatch, records)]
    if "ERROR" in levels:
        place = levels.index("ERROR")
        message, *rest = records[place:]
        found = RECORD.fullmatch(message)
        assert found is not None
        if len(rest) > LAST_LINES:
            rest = ["...", *rest[1 - LAST_LINES :]]
        lines = [found["message"], *rest]
        advice = ""
    else:
        lines = records[-LAST_LINES:]
        advice = f"  No error is in its log: {_reason(job.end, records)}\n"
    shown = "".join(f"    {line}\n" for line in lines)
    return f"{job.name} failed. The end of its log, {job.log}:\n{shown}{advice}"


def _signal_of(end: str) -> int | None:
    """The number of the signal that ended a job, or None."""
    found = STATUS.search(end)
    if not found:
        return None
    if found["signal"]:
        return int(found["signal"])
    return stopping.signal_of(int(found["status"]))


def _reason(end: str, lines: Sequence[str]) -> str:
    """Why a job ended whose log has no error, by Snakemake's report and the end of its log."""
    if slurm := SLURM_STATUS.search(end):
        status = slurm["status"]
        return f"Slurm ended it ({status}): {SLURM_REASONS.get(status, 'see its log.')}"
    number = _signal_of(end)
    if KERNEL_WAS_SHORT in end:
        return f"it was killed (SIGKILL) {KERNEL_WAS_SHORT}. {GIVE_MEMORY}"
    if memory.is_shortage("\n".join(lines)):
        return f"its memory ran out. {GIVE_MEMORY}"
    if number == signal.SIGKILL:
        return (
            "it was killed from outside (SIGKILL), and nothing here tells by whom: a person, "
            "a limit on memory or time, or the system. Its own log (dmesg) may tell."
        )
    if number is not None:
        return f"it was ended by {stopping.in_words(number)}.{memory.limit_in_words()}"
    status = STATUS.search(end)
    return f"it ended with status {status['status']}." if status else "nothing tells why it ended."


def in_words(seconds: float) -> str:
    """A time as 8 s, 3 min 20 s or 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
