# Removes the lock that a killed run leaves behind, and refuses a run that could not start or write anything. No rules.
# Needs: RESULTS (common.smk). Makes: .snakemake/petite/<process>.json during a run.

import atexit
import os
import shutil
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
from petite.util.files import FULL, read_json, write_json

LOCKS = Path(".snakemake/locks").resolve()
RUNS = Path(".snakemake/petite").resolve()
STATE = Path(".snakemake")


def state_to_write():
    """The folders and files in which Snakemake writes the state of this run.

    A dry run writes only what it found out about files, if there is a state of an earlier run.
    """
    if not STATE.is_dir():
        return [Path()]
    found = STATE / "iocache"
    if workflow.output_settings.dryrun:
        existing = [
            path for path in (found, found / "latest.pkl") if os.path.lexists(path)
        ]
        return existing or [STATE]
    is_open = os.access(STATE, os.R_OK | os.X_OK)
    return [STATE, *(filter(Path.is_dir, STATE.iterdir()) if is_open else [])]


def exit_where_state_cannot_be_written():
    """Snakemake would end with a traceback if it cannot write its state to the working folder."""
    for path in state_to_write():
        if not os.access(path, os.W_OK | os.X_OK if path.is_dir() else os.W_OK):
            sys.exit(
                f"Petite: cannot write to {path.resolve()}, where Snakemake keeps the state of a "
                "run. Use another working folder (--directory), or get write access to this one."
            )


def exit_where_nothing_temporary_can_be_written():
    """Snakemake would end with a traceback if the disk of temporary files is full."""
    folder = tempfile.gettempdir()
    if shutil.disk_usage(folder).free < FULL:
        sys.exit(
            f"Petite: no space is left for temporary files in {folder}. Free some space, or set "
            "TMPDIR to another folder."
        )


def exit_where_no_job_can_start():
    """Snakemake would wait forever."""
    limits = workflow.resource_settings
    count = limits.nodes if limits.cores is None else limits.cores
    if count is not None and count < 1:
        sys.exit(
            f"Petite: --cores or --jobs is {count}, so that no job can start. Use 1 or more, or `all`."
        )


def exit_where_results_cannot_be_made():
    """A folder on another disk may be gone, to which the place of the results is a link."""
    for folder in (Path("results"), Path(RESULTS)):
        if folder.is_dir() or not os.path.lexists(folder):
            continue
        if folder.is_symlink() and not folder.exists():
            sys.exit(
                f"Petite: {folder} is a link to {folder.readlink()}, which does not exist. Create that "
                "folder, or remove the link."
            )
        sys.exit(
            f"Petite: {folder} is not a folder, so no results can be written. Rename it, or use "
            "another working folder (--directory)."
        )


def run_record(process):
    """What identifies a run on this machine or another."""
    return {
        "host": socket.gethostname(),
        "began": psutil.Process(process).create_time(),
    }


def is_over(record_path):
    """Whether the run of a record has ended; None if that is unknown.

    It is unknown for a run on another machine, and for a record that is damaged or that this user
    may not read.
    """
    try:
        record = read_json(record_path)
        if record["host"] != socket.gethostname():
            return None
        return record != run_record(int(record_path.stem))
    except FileNotFoundError:  # it has just ended
        return True
    except psutil.NoSuchProcess:
        # It may be hidden: a machine can hide the processes of other users.
        return not psutil.pid_exists(int(record_path.stem))
    except (OSError, ValueError, TypeError, KeyError, psutil.Error):
        return None


def is_locked():
    """Whether Snakemake's lock exists; Snakemake itself reports a folder that is unreadable."""
    try:
        return any(LOCKS.iterdir())
    except OSError:
        return False


def remove_lock_of_killed_runs():
    """Remove the lock if every run that may have left it was on this machine and is over."""
    records = sorted(RUNS.glob("[0-9]*.json"))
    over = [path for path in records if is_over(path)]
    others = [path for path in records if path not in over]
    if is_locked():
        if others:
            say_that_others_run(others)
            return
        if over:
            remove_lock()
    for path in over:
        for record in (path, *RUNS.glob(f"*-{path.stem}.*")):
            with suppress(OSError):  # another user's
                record.unlink()


def say_that_others_run(records):
    active = [path.stem for path in records if is_over(path) is False]
    unknown = [os.path.relpath(path) for path in records if is_over(path) is None]
    if active:
        print(
            f"Petite: another run is active in this folder (process {', '.join(active)}). If "
            "Snakemake cannot lock the folder, wait for the end of that run.",
            file=sys.stderr,
        )
    if unknown:
        print(
            "Petite: another run may be active in this folder, by another user or on another "
            f"machine: {', '.join(unknown)}. If Snakemake cannot lock the folder, wait for the "
            "end of that run. If no run is active, delete that file and rerun with --unlock.",
            file=sys.stderr,
        )


def remove_lock():
    try:
        shutil.rmtree(LOCKS)
        message = "the last run was killed; its lock is removed."
    except OSError as error:
        message = f"the last run was killed; its lock cannot be removed: {error}"
    print(f"Petite: {message}", file=sys.stderr)


def record_this_run():
    path = RUNS / f"{os.getpid()}.json"
    with suppress(PetiteError):  # Snakemake reports a folder that is not writable
        write_json(path, run_record(os.getpid()))
        atexit.register(path.unlink, missing_ok=True)


# Not in jobs, which read this file too, also on other machines, nor beside a run.
if IS_RUN and not IS_WATCHING:
    exit_where_nothing_temporary_can_be_written()
    exit_where_state_cannot_be_written()
    exit_where_results_cannot_be_made()
    if not workflow.output_settings.dryrun:
        exit_where_no_job_can_start()
    remove_lock_of_killed_runs()
    record_this_run()
