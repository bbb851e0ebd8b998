"""What every script of the workflow shares: arguments, logging, threads, and error handling."""

import argparse
import errno
import json
import logging
import os
import re
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from threadpoolctl import threadpool_limits

from petite.util import memory, stopping
from petite.util.errors import DamagedFiles, PetiteError
from petite.util.files import CANNOT_WRITE

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"

UNEXPECTED = "unexpected error, please report it with this log"

# Read by libraries when they are first imported, which some steps do late.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """Make a parser with the arguments of all scripts: --settings, --log and --threads.

    Parameters
    ----------
    description : str or None
        The docstring of the script, of which the first line is used.
    """
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    parser.add_argument(
        "--settings", type=json.loads, default={}, help="the settings of this step, as JSON"
    )
    parser.add_argument("--log", type=Path, help="a file for the log; default: stderr")
    parser.add_argument("--threads", type=int, default=1, help="how many threads to use")
    return parser


def block_number(text: str) -> tuple[int, int]:
    """Read "1-of-2" as (1, 2), for an argument."""
    match = re.fullmatch(r"(\d+)-of-(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 1-of-2")
    return int(match[1]), int(match[2])


def run(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Parse the arguments, set up logging and threads, and call `main`.

    Everything that `main` raises is logged; of a PetiteError only the message. Damaged files are
    removed, so that the workflow makes them again. After an error the exit status is 1; after a
    signal it is 128 plus the signal's number, as in a shell.

    Parameters
    ----------
    main : callable
        Takes the parsed arguments.
    parser : ArgumentParser
        Made by `argument_parser`.
    """
    args = parser.parse_args()
    log = _Log(args.log)
    stopping.raise_on_signals()
    stopping.end_with_run()
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr, force=True)
    # A full disk cannot hold the log; errors are then shown on the terminal.
    logging.raiseExceptions = False
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(args.threads)
    started = time.perf_counter()
    try:
        # For the libraries that are loaded already, NumPy's BLAS among them.
        with threadpool_limits(limits=args.threads):
            main(args)
        seconds = time.perf_counter() - started
        megabytes = peak_memory_bytes() / 1e6
        logging.info("done in %.1f s, with %.0f MB of memory at most", seconds, megabytes)
    except PetiteError as error:
        log.error(str(error))
        if isinstance(error, DamagedFiles):
            _remove(error.paths)
        sys.exit(1)
    except stopping.Stopped as stopped:
        log.error(str(stopped))
        sys.exit(stopping.status(stopped.number))
    except BrokenPipeError:
        # The reader of what a step prints has closed the pipe, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if isinstance(error, OSError) and error.errno in CANNOT_WRITE:
            log.error(
                f"cannot write {error.filename}: {error}. Free some space or give write access"
            )
        elif isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            log.error(f"{error}. Raise the limit on open files (ulimit -n)")
        elif memory.is_shortage(_in_words(error)):
            logging.info("%s", traceback.format_exc().rstrip())
            log.error(f"memory ran out: {_first_line(error)}.{_more_memory()}")
        else:
            # A library that ran out of memory may fail with any error.
            limit = memory.limit_in_words()
            log.error(f"{UNEXPECTED}{limit and '.' + limit}\n{traceback.format_exc().rstrip()}")
        sys.exit(1)


def _in_words(error: BaseException | None) -> str:
    """An error and its causes, without the traceback."""
    words = []
    while error is not None:
        words.append(f"{type(error).__name__}: {error}")
        error = error.__cause__ or error.__context__
    return "\n".join(words)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _more_memory() -> str:
    """A sentence on what to do after memory ran out."""
    remedy = " Give the job more, or let fewer jobs run at a time (--cores 1)."
    return memory.limit_in_words() or remedy


class _Log:
    """The log of a step: a file, or stderr without one."""

    def __init__(self, path: Path | None) -> None:
        """Redirect stderr of this process and its children to `path`.

        TensorFlow's C++ code and a crash of the interpreter do not use `logging`.
        """
        self._path = path
        self._terminal = os.dup(sys.stderr.fileno())
        if path:
            with suppress(OSError):  # a folder that cannot be written: stderr stays
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    os.dup2(file.fileno(), sys.stderr.fileno())

    def error(self, message: str) -> None:
        """Log why the step ends, and show it on the terminal if the file could not be written."""
        logging.error("%s", message)
        if self._path and not self._holds(message):
            os.write(self._terminal, f"{message}\n".encode())

    def _holds(self, message: str) -> bool:
        assert self._path is not None
        try:
            return message.encode() in self._path.read_bytes()
        except OSError:
            return False


def _remove(paths: Iterable[Path]) -> None:
    try:
        for path in paths:
            path.unlink(missing_ok=True)
    except OSError as error:
        logging.error("the damaged file cannot be removed (%s): remove it, then run again", error)


def peak_memory_bytes() -> int:
    """Measure the peak memory of this process, in bytes."""
    with suppress(OSError):
        # Only of this program; getrusage begins with the peak of the one that started it.
        status = Path("/proc/self/status").read_text("ascii", errors="replace")
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB
