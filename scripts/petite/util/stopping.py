"""How a run and its steps stop before their end: by Ctrl-C, a signal, or a limit on their time."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import psutil

# Signals that end a run or a step, which can still clean up. Ctrl-C is SIGINT.
SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A shell adds the signal's number to it for the exit status of a command that a signal ended.
SIGNALED = 128
# The clocks of Slurm's controller and its nodes may differ by this much.
CLOCK_SECONDS = 5
# A step has this long to leave a computation and remove half-written files.
SECONDS_TO_END = 5
SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_BETWEEN_LOOKS_AT_RUN = 1
# The variable that names the run of a step on the same machine: its process id and start time.
RUN = "PETITE_RUN"


class Stopped(BaseException):
    """A signal ends this process; `number` is the signal's.

    Not an Exception, so that no error handler continues after it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"stopped by {in_words(self.number)}"


def in_words(number: int) -> str:
    """Name what sent a signal, as far as it is known, or the signal."""
    if number == signal.SIGINT:
        return "Ctrl-C"
    if number == signal.SIGXCPU:
        return f"{name(number)}: the limit on its CPU time is over (ulimit -t)"
    if number == signal.SIGTERM and _slurm_time_is_over():
        return f"{name(number)}: the time of the Slurm job is over"
    return name(number)


def name(number: int) -> str:
    """Name a signal, such as SIGKILL for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def status(number: int) -> int:
    """Compute the exit status that shells give a process that a signal ended."""
    return SIGNALED + number


def signal_of(status: int) -> int | None:
    """Find the signal behind an exit status of a shell, or None."""
    number = status - SIGNALED
    return number if 0 < number < signal.NSIG else None


def _slurm_time_is_over() -> bool:
    # Set by Slurm 22.05 and later, in seconds since 1970.
    end = os.environ.get("SLURM_JOB_END_TIME", "")
    return end.isdigit() and time.time() > int(end) - CLOCK_SECONDS


def raise_on_signals() -> None:
    """Raise `Stopped` on signals that end this process, so that files are cleaned up."""
    for number in (*SIGNALS, signal.SIGXCPU):
        # Ctrl-C is ignored in the steps of a run, which ends them itself.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)
    _leave_time_to_log()


def _raise(number: int, frame: FrameType | None) -> None:
    # Once: a second signal must not interrupt the cleanup.
    signal.signal(number, signal.SIG_IGN)
    raise Stopped(number)


def cleaned_up(clean_up: Callable[[], None]) -> None:
    """Call what cleans up, and once more if a signal interrupts it; later signals are ignored."""
    try:
        clean_up()
    except Stopped:
        clean_up()
        raise


def this_run() -> str:
    """Identify this process among all of this machine, for the variable RUN."""
    process = psutil.Process()
    return f"{process.pid} {process.create_time()}"


def end_with_run() -> None:
    """End this process as SIGTERM does when the run that RUN names has ended.

    A step that outlives a killed run would overwrite the results of the next one.
    """
    run = os.environ.get(RUN, "")
    if run:
        threading.Thread(target=_watch, args=(run,), daemon=True).start()


def _watch(run: str) -> None:
    while _is_alive(run):
        time.sleep(SECONDS_BETWEEN_LOOKS_AT_RUN)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_END)
    os.kill(os.getpid(), signal.SIGKILL)


def _is_alive(run: str) -> bool:
    number, began = run.split()
    try:
        process = psutil.Process(int(number))
        return process.create_time() == float(began) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _leave_time_to_log() -> None:
    """Leave a second of CPU time between SIGXCPU and SIGKILL, which `ulimit -t` sends together."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard != resource.RLIM_INFINITY and soft >= hard > 1:
        resource.setrlimit(resource.RLIMIT_CPU, (hard - 1, hard))


def end_jobs(at_once: Callable[[], bool]) -> None:
    """End all descendants of this process, also those that start meanwhile; never returns.

    SIGTERM first, SIGKILL after some seconds.

    Parameters
    ----------
    at_once : callable
        Whether to send SIGKILL now.
    """
    began = time.monotonic()
    terminated: set[int] = set()
    while True:
        kills = at_once() or time.monotonic() - began > SECONDS_TO_END
        with suppress(psutil.Error):
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    _end(process, kills, terminated)
        time.sleep(SECONDS_BETWEEN_LOOKS)


def end_steps(folder: Path) -> None:
    """Send SIGTERM to the descendants of this process that run a script of a folder.

    On a cluster the others may be its own commands, which must not end halfway.
    """
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any(Path(word).parent == folder for word in process.cmdline()):
                process.terminate()


def _end(process: psutil.Process, kills: bool, terminated: set[int]) -> None:
    if kills:
        process.kill()
    # The shell around a step would end before it, and the run with the shell.
    elif process.pid not in terminated and not process.children():
        terminated.add(process.pid)
        process.terminate()
