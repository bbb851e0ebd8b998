"""Reads the logs of jobs: newest line, notices, last lines."""

import logging
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from petite.util import notices

# A record of a log as petite.util.job writes it: date, time, level, message.
RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (?P<level>[A-Z]+) (?P<message>.*)")
# The level of a notice as the log has it.
NOTICE = logging.getLevelName(notices.NOTICE)
# Enough for the last lines of a long log.
TAIL_BYTES = 16_384


@dataclass(frozen=True)
class Job:
    """A job that was started; if it failed, `end` is Snakemake's report of its end."""

    name: str
    log: Path | None = None
    end: str = ""
    rule: str = ""
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def of_event(cls, fields: Mapping[str, Any]) -> "Job":
        """The job of an event, named by its log: logs/RULE.log or logs/RULE/NAME.log."""
        rule = fields["rule_name"]
        if not fields["log"]:
            return cls(rule, rule=rule)
        log = Path(fields["log"][0])
        own = str(log.with_suffix("")).partition(f"/logs/{rule}")[2]
        return cls(rule + own, log, rule=rule)


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


def newest_line(jobs: Iterable[Job]) -> str:
    """The job whose log changed last, with the last line of the log; "" without jobs."""
    logs = [(_changed(job.log), job.name, job.log) for job in jobs if job.log]
    if not logs:
        return ""
    _, name, log = max(logs)
    line = last_lines(log, 1)
    record = RECORD.fullmatch(line[0]) if line else None
    return f"{name}: {record['message']}" if record else name


def notices_in(log: Path) -> list[str]:
    """The notices in the log of a job; see `petite.util.notices`."""
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            records = [RECORD.fullmatch(line.rstrip("\n")) for line in lines if NOTICE in line]
    except OSError:
        return []
    return [found["message"] for found in records if found and found["level"] == NOTICE]


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
