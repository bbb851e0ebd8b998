# After a kill: Snakemake's lock stays behind and would refuse the next run. No rules.
# Needs: nothing. Makes: .snakemake/petite/<process>.json while a run is at work.

import atexit
import os
import shutil
import socket
import sys
from contextlib import suppress
from pathlib import Path

import psutil
from petite.files import read_json, write_json
from snakemake.settings.types import ExecMode

LOCKS = Path(".snakemake/locks").resolve()
RUNS = Path(".snakemake/petite").resolve()


def run_record(process):
    """What tells a run from any other, on this machine and elsewhere."""
    return {
        "host": socket.gethostname(),
        "began": psutil.Process(process).create_time(),
    }


def is_over(record_path):
    """Whether the run of a record has ended; of a run on another machine nobody knows."""
    try:
        record = read_json(record_path)
        if record["host"] != socket.gethostname():
            return False
        return record != run_record(int(record_path.stem))
    except (psutil.NoSuchProcess, FileNotFoundError):
        return True


def remove_lock_of_killed_runs():
    """Remove the lock where every run that can have left it was on this machine and is over."""
    records = list(RUNS.glob("[0-9]*.json"))
    over = [path for path in records if is_over(path)]
    if LOCKS.is_dir() and any(LOCKS.iterdir()):
        if over == records != []:
            print(
                "Petite: the last run was killed; its lock is removed.", file=sys.stderr
            )
            shutil.rmtree(LOCKS)
        elif others := [path.stem for path in records if path not in over]:
            print(
                f"Petite: another run is at work in this folder (process {', '.join(others)}). If "
                "Snakemake cannot lock the folder, wait for the end of that run.",
                file=sys.stderr,
            )
            return
    for path in over:
        path.unlink(missing_ok=True)


def record_this_run():
    path = RUNS / f"{os.getpid()}.json"
    with suppress(PetiteError):  # a folder that cannot be written is told by Snakemake
        write_json(path, run_record(os.getpid()))
        atexit.register(path.unlink, missing_ok=True)


# Jobs read this file as well, on other machines too.
if workflow.exec_mode == ExecMode.DEFAULT:
    remove_lock_of_killed_runs()
    record_this_run()
