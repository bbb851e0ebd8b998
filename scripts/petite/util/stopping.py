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

# What ends a run or a step that can still clear up. Ctrl-C is SIGINT.
SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A shell's status of a command that a signal ended, less the signal's number.
SIGNALED = 128
# Slurm's and the clocks of its nodes differ by little.
CLOCK_SECONDS = 5
# For a step to leave a long computation and remove what it has half written.
SECONDS_TO_END = 5
SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_BETWEEN_LOOKS_AT_RUN = 1
# Names the run that a step belongs to, where both are on one machine: process and its beginning.
RUN = "PETITE_RUN"


class Stopped(BaseException):
    """A signal has ended this process; `number` is the signal's.

    No Exception, so that nothing that handles errors goes on after it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"stopped by {in_words(self.number)}"


def in_words(number: int) -> str:
    """What sent a signal, as far as it can be known, or the signal's name."""
    if number == signal.SIGINT:
        return "Ctrl-C"
    if number == signal.SIGXCPU:
        return f"{name(number)}: the limit on its CPU time is over (ulimit -t)"
    if number == signal.SIGTERM and _slurm_time_is_over():
        return f"{name(number)}: the time of the Slurm job is over"
    return name(number)


def name(number: int) -> str:
    """SIGKILL for 9, and so on."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def status(number: int) -> int:
    """The exit status of a process that a signal has ended, as shells give it."""
    return SIGNALED + number


def signal_of(status: int) -> int | None:
    """The signal behind an exit status of a shell, or None."""
    number = status - SIGNALED
    return number if 0 < number < signal.NSIG else None


def _slurm_time_is_over() -> bool:
    # Slurm 22.05 and later tell it, in seconds since 1970.
    end = os.environ.get("SLURM_JOB_END_TIME", "")
    return end.isdigit() and time.time() > int(end) - CLOCK_SECONDS


def raise_on_signals() -> None:
    """From now on what ends this process is a `Stopped`, so that files are cleared up."""
    for number in (*SIGNALS, signal.SIGXCPU):
        # Ctrl-C is ignored in the steps of a run, which ends them itself.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)
    _leave_time_to_tell()


def _raise(number: int, frame: FrameType | None) -> None:
    # Once: a second one shall not disturb the clearing up.
    signal.signal(number, signal.SIG_IGN)
    raise Stopped(number)


def this_run() -> str:
    """What tells this process from any other of this machine, for the variable RUN."""
    process = psutil.Process()
    return f"{process.pid} {process.create_time()}"


def end_with_run() -> None:
    """End this process, as by SIGTERM, once the run that RUN names is gone.

    A step that lives on after its run was killed would write over the results of the next one.
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


def _leave_time_to_tell() -> None:
    """A second of CPU time between SIGXCPU and SIGKILL, which `ulimit -t` sets to the same."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard != resource.RLIM_INFINITY and soft >= hard > 1:
        resource.setrlimit(resource.RLIMIT_CPU, (hard - 1, hard))


def end_jobs(at_once: Callable[[], bool]) -> None:
    """End all processes below this one, and those that begin meanwhile, for as long as it lives.

    SIGTERM first; SIGKILL after some seconds, or as soon as `at_once` says so.
    """
    began = time.monotonic()
    told: set[int] = set()
    while True:
        kills = at_once() or time.monotonic() - began > SECONDS_TO_END
        with suppress(psutil.Error):
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    _end(process, kills, told)
        time.sleep(SECONDS_BETWEEN_LOOKS)


def end_steps(folder: Path) -> None:
    """SIGTERM to the processes below this one that run a script of a folder, and to no others.

    Where jobs are a cluster's, the others may be its commands, which shall not end halfway.
    """
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any(Path(word).parent == folder for word in process.cmdline()):
                process.terminate()


def _end(process: psutil.Process, kills: bool, told: set[int]) -> None:
    if kills:
        process.kill()
    # The shell around a step would end before it, and the run with the shell.
    elif process.pid not in told and not process.children():
        told.add(process.pid)
        process.terminate()
