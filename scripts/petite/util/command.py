"""A program of the user's: its command with placeholders, and a run with a limit on its time."""

import hashlib
import logging
import os
import re
import shlex
import shutil
import signal
import string
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

import psutil

from petite.util import environment, memory, stopping
from petite.util.errors import PetiteError
from petite.util.files import sha256_of
from petite.util.hints import unknown
from petite.util.job import THREAD_VARIABLES

logger = logging.getLogger(__name__)

# What a shell would act on; here these would be arguments of the program.
OF_A_SHELL = re.compile(r"[|&;<>]+|\d?>+(&\d|\S*)|<\S*")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
# Between SIGTERM and SIGKILL. The job itself has stopping.SECONDS_TO_END.
SECONDS_TO_END = 2.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
# The end of a program's output that a message shows.
TAIL_BYTES = 16_384
LAST_LINES = 12
LONGEST_LINE = 300
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def words_of(template: str, known: Collection[str], needed: Collection[str] = ()) -> list[str]:
    """Split a command into its words, as a shell does, and check its placeholders.

    Parameters
    ----------
    template : str
        Such as "python train.py --seed {seed}". `{{` and `}}` stand for braces.
    known : collection of str
        The placeholders that are filled in.
    needed : collection of str
        Those that must be there.

    Returns
    -------
    list of str
        The words, with their placeholders.

    Raises
    ------
    ValueError
        When the command is empty, has an unknown placeholder or lacks one, or needs a shell.

    Examples
    --------
    >>> words_of("python 'my train.py' --seed {seed}", ["seed"])
    ['python', 'my train.py', '--seed', '{seed}']
    """
    try:
        words = shlex.split(template)
    except ValueError as error:
        raise ValueError(f"{template!r} cannot be split into words ({error})") from None
    if not words:
        raise ValueError("must name a program")
    used = {name for word in words for name in _placeholders(word)}
    for name in sorted(used - {*known}):
        raise ValueError(f"{unknown(name, known, 'placeholder')} Write {{{{ and }}}} for braces.")
    if missing := [name for name in needed if name not in used]:
        raise ValueError(f"lacks {', '.join(f'{{{name}}}' for name in missing)}")
    if shells := [word for word in words if OF_A_SHELL.fullmatch(word)]:
        raise ValueError(
            f"{shells[0]!r} needs a shell, and the command runs without one: write a script, or "
            "bash -c '...'"
        )
    if ASSIGNMENT.match(words[0]):
        raise ValueError(f"{words[0]!r} sets a variable: begin with env, as in env {words[0]}")
    return words


def filled(words: Sequence[str], values: Mapping[str, object]) -> list[str]:
    """Replace the placeholders of a command, and the paths in it by absolute ones.

    The program runs in another folder, so a word (or the value in `--option=value`) that is an
    existing file or folder, seen from the current folder, gets its absolute path. A word without a
    dot and a slash stays as it is, and so does the name of a program on PATH.

    Parameters
    ----------
    words : sequence of str
        From `words_of`.
    values : mapping of str to object
        The value of each placeholder.
    """
    return [
        "".join(
            literal + ("" if name is None else str(values[name]))
            for literal, name, _, _ in string.Formatter().parse(_absolute(word, number == 0))
        )
        for number, word in enumerate(words)
    ]


def files_of(words: Sequence[str]) -> list[str]:
    """List the files that a command names, as they are written: the program, if it is a script.

    An interpreter such as `/usr/bin/python3` is not listed.
    """
    files = []
    for number, word in enumerate(words):
        path = _path_in(word, number == 0)
        if path and Path(path).is_file() and (number > 0 or _is_script(Path(path))):
            files.append(path)
    return list(dict.fromkeys(files))


def name_of(words: Sequence[str]) -> str:
    """The name of the program's file, such as train.py."""
    return Path(next(iter(files_of(words)), words[0])).name


def digest_of(words: Sequence[str]) -> str:
    """The SHA-256 of a command and the files that it names, as 64 hexadecimal digits."""
    parts = [*words, *(sha256_of(Path(path).expanduser()) for path in files_of(words))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder below $TMPDIR that is removed, also where a signal interrupts its removal."""
    place = tempfile.TemporaryDirectory(prefix="petite-")
    try:
        yield Path(place.name)
    finally:
        stopping.cleaned_up(place.cleanup)


def _placeholders(word: str) -> list[str]:
    """The names in braces of a word; ValueError for a brace without its partner."""
    try:
        parts = list(string.Formatter().parse(word))
    except ValueError as error:
        raise ValueError(f"{word!r}: {error}; write {{{{ and }}}} for braces") from None
    names = []
    for _, name, form, conversion in parts:
        if name is not None:
            end = f"!{conversion}" if conversion else ""
            names.append(name + end + (f":{form}" if form else ""))
    return names


def _path_in(word: str, is_program: bool) -> str | None:
    """The path that a word is or holds, with `~` expanded; None for any other word."""
    text = word.partition("=")[2] if word.startswith("-") else word
    if not text or "{" in text or "}" in text:
        return None
    if "/" not in text and (is_program or "." not in text):
        return None
    path = os.path.expanduser(text)  # noqa: PTH111 - keeps "./train.py"
    with suppress(OSError, ValueError):  # a text that is too long for a path
        return path if is_program or Path(path).exists() else None
    return None


def _absolute(word: str, is_program: bool) -> str:
    path = _path_in(word, is_program)
    if path is None:
        return word
    # Links stay: the Python of a virtual environment is one.
    absolute = os.path.abspath(path).replace("{", "{{").replace("}", "}}")  # noqa: PTH100
    option = word.partition("=")[0] if word.startswith("-") else ""
    return f"{option}={absolute}" if option else absolute


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!"


class Finished(NamedTuple):
    """What a program that succeeded took.

    Attributes
    ----------
    seconds : float
    peak_memory_bytes : int
        Of all its processes together, sampled up to once a second.
    """

    seconds: float
    peak_memory_bytes: int


class ProgramError(PetiteError):
    """A user's program failed; the message ends with the end of its output."""


def run(command: Sequence[str], folder: Path, threads: int, max_seconds: float) -> Finished:
    """Run a program without a shell, with its output in the log (stderr).

    Nothing of it outlives this call, also where a signal ends it: its process group and all
    processes below it get SIGTERM, and after two seconds SIGKILL.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    folder : Path
        The folder in which it runs.
    threads : int
        The value of OMP_NUM_THREADS and its like.
    max_seconds : float
        After which it is ended.

    Raises
    ------
    ProgramError
        When it cannot be started, runs for too long, or ends with another status than 0.
    """
    logger.info("runs %s", shlex.join(command))
    began = time.perf_counter()
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=users_environment(threads),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise ProgramError(_why_not_started(command[0], error)) from None
    try:
        assert process.stdout is not None
        output = _Output(process.stdout)
        peak = _wait(process, began + max_seconds)
    finally:
        stopping.cleaned_up(lambda: _end(process))
    output.close()
    seconds = time.perf_counter() - began
    if peak is None:
        raise ProgramError(
            f"the program was still running after {max_seconds:g} s, and was ended{output.end()}"
        )
    if process.returncode:
        raise ProgramError(f"the program {_status(process.returncode)}{output.end()}")
    output.finished()
    return Finished(seconds, peak)


def users_environment(threads: int) -> dict[str, str]:
    """The environment of a program: the user's, and the number of threads.

    What Petite sets for its own libraries is left out. The programs next to Petite's Python come
    last on PATH, where Snakemake puts them first: `python` is that of the user's shell.
    """
    variables = {name: text for name, text in os.environ.items() if name not in environment.SET}
    variables.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    first, *others = variables.get("PATH", os.defpath).split(os.pathsep)
    if first == str(Path(sys.executable).parent):
        variables["PATH"] = os.pathsep.join([*others, first])
    return variables


def _why_not_started(program: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError) and "/" not in program:
        return f"there is no program '{program}' on PATH: install it, or give its path"
    if isinstance(error, FileNotFoundError) and not Path(program).exists():
        return f"there is no program {program}: correct its path"
    return (
        f"the program {shutil.which(program) or program} cannot be started ({error.strerror}): it "
        "must be executable, and a script must begin with the line of its interpreter (#!)"
    )


def _wait(process: "subprocess.Popen[bytes]", deadline: float) -> int | None:
    """Wait for the end; the peak memory in bytes, or None if the time is over."""
    peak, pause = 0, FIRST_PAUSE
    while True:
        peak = max(peak, _memory(process.pid))
        left = deadline - time.perf_counter()
        if left <= 0:
            return None
        with suppress(subprocess.TimeoutExpired):
            process.wait(min(pause, left))
            return peak
        pause = min(2 * pause, LONGEST_PAUSE)


def _memory(pid: int) -> int:
    """The memory of a process and all below it, in bytes."""
    total = 0
    for process in _family(pid):
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def _family(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End what still runs of a program: its group, and what has left the group."""
    family = _family(process.pid) if process.poll() is None else []
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        for member in family:
            with suppress(psutil.Error):
                member.send_signal(number)
        if _has_ended(process, family):
            return


def _has_ended(process: "subprocess.Popen[bytes]", family: list[psutil.Process]) -> bool:
    """Whether all processes of a program end within SECONDS_TO_END."""
    deadline = time.monotonic() + SECONDS_TO_END
    while process.poll() is None or _group_runs(process.pid) or any(map(_runs, family)):
        if time.monotonic() > deadline:
            return False
        time.sleep(FIRST_PAUSE)
    return True


def _group_runs(group: int) -> bool:
    try:
        os.killpg(group, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says this of a group of zombies
        return False
    return True


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _status(code: int) -> str:
    if code > 0:
        return f"ended with exit status {code}"
    if -code == signal.SIGKILL:
        return "was killed (SIGKILL), as the system does where memory runs out"
    return f"was ended by {stopping.name(-code)}"


class _Output:
    """Copies the output of a program to the log while it runs, and keeps the end of it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._tail = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(ValueError):  # the pipe is closed here at last
            while part := os.read(self._pipe.fileno(), 65_536):
                self._tail = (self._tail + part)[-TAIL_BYTES:]
                # A full disk must not stop the program.
                with suppress(OSError, ValueError):
                    os.write(sys.stderr.fileno(), part)

    def close(self) -> None:
        """Wait for the end of the output, which a process that was left behind may hold open."""
        self._reader.join(SECONDS_TO_END)
        if not self._reader.is_alive():
            self._pipe.close()

    def finished(self) -> None:
        """Begin a new line in the log, as the output may not end with one."""
        if self._tail and not self._tail.endswith(b"\n"):
            with suppress(OSError, ValueError):
                os.write(sys.stderr.fileno(), b"\n")

    def end(self) -> str:
        """The end of a message: the last lines of the output, and what they may mean."""
        self.finished()
        text = ANSI.sub("", self._tail.decode("utf-8", errors="replace"))
        lines = [_printable(line) for line in re.split(r"[\r\n]+", text) if line.strip()]
        if not lines:
            return "; it printed nothing."
        advice = " Memory ran out." if memory.is_shortage(text) else ""
        return f".{advice} The end of its output:\n" + "\n".join(lines[-LAST_LINES:])


def _printable(line: str) -> str:
    text = "".join(letter if letter.isprintable() else " " for letter in line.rstrip())
    return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1] + "…"
