"""What is said at the end of a run that failed or was stopped: which jobs, why, and what to do."""

import re
import signal
from collections.abc import Collection, Sequence

from petite.util import memory, stopping
from petite.util.formatting import counted
from petite_logger_plugin.logs import RECORD, TAIL_BYTES, Job, last_lines

LAST_LINES = 15
# Of so many the logs are shown; the others mostly failed for the same reason.
MOST_FAILURES = 5
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


def failed_in_words(failed: Collection[Job], count: str, run_log: str) -> str:
    """What failed, the last lines of its log, and what to do; `run_log` is that of the run."""
    heading = "Petite stopped before its end"
    if failed:
        heading = f"Petite stopped: {counted(len(failed), 'job')} failed, {count} are done"
    first, more = list(failed)[:MOST_FAILURES], list(failed)[MOST_FAILURES:]
    parts = [f"\n{heading}.\n", *map(_failure, first)]
    if more:
        parts.append("Failed as well:\n" + "".join(f"  {job.name}\n" for job in more))
    parts.append(
        "Mend the cause and start the same command again: what is done stays done.\n"
        f"The log of the whole run: {run_log}"
    )
    return "\n".join(parts)


def stopped_in_words(number: int, failed: Collection[Job], count: str | None) -> str:
    """That a signal stopped the run, how far it came, and how to go on."""
    done = f"{count} jobs are done" if count else "no job had begun"
    lines = [f"\nStopped by {stopping.in_words(number)}: {done}."]
    if failed:
        names = ", ".join(job.name for job in failed)
        lines.append(f"Failed before that: {names}. The same command tries again.")
    lines.append("Start the same command again to go on: what is done stays done.")
    return "\n".join(lines)


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


def signal_of(end: str) -> int | None:
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
    number = signal_of(end)
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
