"""Messages at the end of a run that failed or was stopped: which jobs, why, and what to do."""

import re
import signal
from collections.abc import Collection, Sequence

from petite.util import memory, stopping
from petite.util.formatting import counted
from petite_logger_plugin.logs import RECORD, TAIL_BYTES, Job, last_lines

LAST_LINES = 15
# Jobs whose logs are shown; others mostly failed for the same reason.
MOST_FAILURES = 5
# Snakemake's report of the end of a job's command, and the Slurm plugin's of a Slurm job.
STATUS = re.compile(
    r"died with (?:<Signals\.\w+: |unknown signal )(?P<signal>\d+)|exit status (?P<status>\d+)"
)
SLURM_STATUS = re.compile(r"SLURM status is: '(?P<status>[A-Z_]+)")
GIVE_MEMORY = "Give it more memory, or run fewer jobs at a time (--cores 1)."
# Added to the report of a job's end.
KERNEL_WAS_SHORT = "while the kernel killed processes for lack of memory"
SLURM_REASONS = {
    "OUT_OF_MEMORY": "it ran out of memory. Raise mem_mb in the profile.",
    "TIMEOUT": "it ran out of time. Raise runtime in the profile.",
    "DEADLINE": "it missed its deadline.",
    "CANCELLED": "it was canceled (scancel).",
    "PREEMPTED": "another job preempted it.",
    "NODE_FAIL": "its node failed.",
}


def failed_in_words(failed: Collection[Job], count: str, run_log: str) -> str:
    """Which jobs failed, the end of their logs, and what to do.

    Parameters
    ----------
    failed : collection of Job
    count : str
        How many jobs are done, as in "1 of 5".
    run_log : str
        The path of Snakemake's log of the run.
    """
    heading = "Petite stopped before the end"
    if failed:
        heading = f"Petite stopped: {counted(len(failed), 'job')} failed, {count} are done"
    first, more = list(failed)[:MOST_FAILURES], list(failed)[MOST_FAILURES:]
    parts = [f"\n{heading}.\n", *map(_failure, first)]
    if more:
        parts.append("More failed jobs:\n" + "".join(f"  {job.name}\n" for job in more))
    parts.append(
        "Fix the cause and rerun the same command; finished jobs are kept.\n"
        f"The log of the whole run: {run_log}"
    )
    return "\n".join(parts)


def stopped_in_words(number: int, failed: Collection[Job], count: str | None) -> str:
    """The signal that stopped the run, how many jobs are done, and how to resume."""
    done = f"{count} jobs are done" if count else "no job had started"
    lines = [f"\nStopped by {stopping.in_words(number)}: {done}."]
    if failed:
        names = ", ".join(job.name for job in failed)
        lines.append(f"Failed before that: {names}. The same command tries these again.")
    lines.append("Rerun the same command to resume; finished jobs are kept.")
    return "\n".join(lines)


def _failure(job: Job) -> str:
    """A failed job with the last record of its log, or the last lines."""
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


def signal_of(end: str) -> int | None:
    """The signal that ended a job, or None."""
    found = STATUS.search(end)
    if not found:
        return None
    if found["signal"]:
        return int(found["signal"])
    return stopping.signal_of(int(found["status"]))


def _reason(end: str, lines: Sequence[str]) -> str:
    """Why a job without an error in its log ended, by Snakemake's report and its last lines."""
    if slurm := SLURM_STATUS.search(end):
        status = slurm["status"]
        return f"Slurm ended it ({status}): {SLURM_REASONS.get(status, 'see its log.')}"
    number = signal_of(end)
    if KERNEL_WAS_SHORT in end:
        return f"it was killed (SIGKILL) {KERNEL_WAS_SHORT}. {GIVE_MEMORY}"
    if memory.is_shortage("\n".join(lines)):
        return f"it ran out of memory. {GIVE_MEMORY}"
    if number == signal.SIGKILL:
        return (
            "it was killed (SIGKILL), and the cause is unknown: a person, a limit on memory or "
            "time, or the system, whose log (dmesg) may name it."
        )
    if number is not None:
        return f"it was ended by {stopping.in_words(number)}.{memory.limit_in_words()}"
    status = STATUS.search(end)
    return (
        f"it ended with status {status['status']}." if status else "it ended for an unknown reason."
    )
