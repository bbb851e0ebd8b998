"""What every script of the workflow shares: arguments, logging, threads, and how an error ends."""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from threadpoolctl import threadpool_limits

from petite.errors import DamagedFiles, PetiteError

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"

# Read by libraries when they are first imported, which some steps do late.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with what all scripts take: --settings, --log and --threads."""
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    parser.add_argument(
        "--settings", type=json.loads, default={}, help="the settings of this step, as JSON"
    )
    parser.add_argument("--log", type=Path, help="a file that takes the log beside stderr")
    parser.add_argument("--threads", type=int, default=1, help="how many threads to use")
    return parser


def run(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Parse the arguments, set up logging and threads, and call `main`.

    Everything that `main` raises lands in the log; a PetiteError is shown as its message alone.
    What is damaged is removed, so that the workflow makes it anew. Ends the process with status 1
    after an error.
    """
    args = parser.parse_args()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if args.log:
        args.log.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(args.log, mode="w", encoding="utf-8"))
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, handlers=handlers, force=True)
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(args.threads)
    started = time.perf_counter()
    try:
        # For the libraries that are loaded already, NumPy's BLAS among them.
        with threadpool_limits(limits=args.threads):
            main(args)
        logging.info("done in %.1f s", time.perf_counter() - started)
    except PetiteError as error:
        logging.error("%s", error)
        if isinstance(error, DamagedFiles):
            _remove(error.paths)
        sys.exit(1)
    except Exception:
        logging.exception("unexpected error, please report it with this log")
        sys.exit(1)


def _remove(paths: Iterable[Path]) -> None:
    try:
        for path in paths:
            path.unlink(missing_ok=True)
    except OSError as error:
        logging.error("it cannot be removed (%s): remove it, then run again", error)
