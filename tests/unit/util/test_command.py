"""A user's command: its words and placeholders, and a run that leaves nothing behind."""

import json
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from petite.util import command
from petite.util.command import ProgramError, files_of, filled, run, words_of

KNOWN = ("train", "seed", "out")


def test_a_command_is_split_as_a_shell_does() -> None:
    assert words_of("python 'my train.py' --seed={seed}", KNOWN) == [
        "python",
        "my train.py",
        "--seed={seed}",
    ]


def test_a_path_with_spaces_stays_one_word(tmp_path: Path) -> None:
    words = words_of("python -c pass --train {train} -o{out}", KNOWN)
    assert filled(words, {"train": tmp_path / "a b.csv", "out": "c d"}) == [
        *("python", "-c", "pass", "--train"),
        str(tmp_path / "a b.csv"),
        "-oc d",
    ]


def test_doubled_braces_are_braces() -> None:
    assert filled(words_of('run --json {{"a":1}}', KNOWN), {}) == ["run", "--json", "{a:1}"]


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("", "program"),
        ("python 'train.py", "train.py"),
        ("python {tain}", "Did you mean 'train'"),
        ("python {seed:03d}", "seed:03d"),
        ("python {seed!r}", "seed!r"),
        ("python {seed.real}", "seed.real"),
        ("python {}", "Unknown placeholder ''"),
        ("python {seed", "{seed"),
        ("python train.py > log.txt", "'>'"),
        ("python train.py 2>&1", "'2>&1'"),
        ("cd there && python train.py", "'&&'"),
        ("OMP_NUM_THREADS=1 python train.py", "OMP_NUM_THREADS"),
    ],
)
def test_a_wrong_command_is_refused_by_its_part(template: str, wrong: str) -> None:
    with pytest.raises(ValueError) as error:
        words_of(template, KNOWN)
    assert wrong in str(error.value)


def test_a_placeholder_that_must_be_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"\{out\}"):
        words_of("python train.py {train}", KNOWN, needed=("train", "out"))


def test_files_of_the_current_folder_get_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf {x}").mkdir()
    for name in ("train.py", "conf {x}/a.yaml", "run.sh", "python"):
        (tmp_path / name).write_text("#!/bin/sh\n")
    # A file named as the program on PATH is not meant, nor one without a dot or slash.
    words = words_of(
        "python train.py --conf='conf {{x}}/a.yaml' python resnet.v2 --a=./missing.py", KNOWN
    )
    assert filled(words, {}) == [
        "python",
        str(tmp_path / "train.py"),
        "--conf=conf {x}/a.yaml",
        "python",
        "resnet.v2",
        "--a=./missing.py",
    ]
    assert filled(words_of("./run.sh {seed}", KNOWN), {"seed": 3}) == [
        str(tmp_path / "run.sh"),
        "3",
    ]
    assert files_of(words) == ["train.py"]
    assert files_of(["./run.sh", "{seed}", "--conf=train.py"]) == ["./run.sh", "train.py"]


def test_an_interpreter_is_not_a_file_of_the_command() -> None:
    assert files_of([sys.executable, "{train}", "-c", "print(1.5) or './x/y.z'" * 200]) == []


def python(body: str) -> list[str]:
    return [sys.executable, "-c", body]


def test_output_goes_to_the_log_and_what_it_took_is_measured(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    body = "import time; a = bytearray(10**8); time.sleep(.3); print('out', end='')"
    finished = run(python(body), tmp_path, 1, 60)
    assert finished.peak_memory_bytes > 10**8
    assert capfd.readouterr().err == "out\n"


def test_the_environment_is_the_users_with_the_threads_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", "/dev/null/keras")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    own = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", os.pathsep.join([own, "/users/bin", "/bin"]))
    body = "import os, json; json.dump(dict(os.environ), open('environment.json', 'w'))"
    run(python(body), tmp_path, 3, 60)
    found = json.loads((tmp_path / "environment.json").read_text())
    assert found["OMP_NUM_THREADS"] == found["OPENBLAS_NUM_THREADS"] == "3"
    assert "KERAS_HOME" not in found
    assert found["PATH"] == os.pathsep.join(["/users/bin", "/bin", own])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import sys; print('so far'); sys.exit('no data')", ["status 1", "so far", "no data"]),
        ("raise SystemExit(3)", ["status 3", "nothing"]),
        ("import os; os.abort()", ["SIGABRT"]),
        ("import os; os.kill(os.getpid(), 9)", ["SIGKILL", "memory"]),
        ("raise MemoryError", ["Memory ran out"]),
        (r"print('\x1b[31mred\x1b[0m\r50%\r99%'); raise SystemExit(1)", ["\nred\n50%\n99%"]),
    ],
)
def test_a_failure_is_said_with_the_end_of_the_output(
    tmp_path: Path, body: str, said: list[str]
) -> None:
    with pytest.raises(ProgramError) as error:
        run(python(body), tmp_path, 1, 60)
    assert [text for text in said if text not in str(error.value)] == []


def test_only_the_end_of_a_long_output_is_said(tmp_path: Path) -> None:
    body = "for n in range(100_000): print('line', n)\nprint('x' * 10**6); raise SystemExit(1)"
    with pytest.raises(ProgramError) as error:
        run(python(body), tmp_path, 1, 60)
    assert len(str(error.value)) < 5000
    body = "for n in range(100_000): print('line', n)\nraise SystemExit(1)"
    with pytest.raises(ProgramError) as error:
        run(python(body), tmp_path, 1, 60)
    lines = str(error.value).splitlines()
    assert lines[1:] == [f"line {n}" for n in range(100_000 - command.LAST_LINES, 100_000)]


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program", "no-rights"])
def test_a_program_that_cannot_be_started_is_named(tmp_path: Path, program: str) -> None:
    (tmp_path / "no-rights").write_text("text")
    path = str(tmp_path / program) if program == "no-rights" else program
    with pytest.raises(ProgramError, match=path):
        run([path, "--help"], tmp_path, 1, 60)


# Starts a child in a group of its own, both ignore SIGTERM, and writes their ids.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
code = [sys.executable, "-c", code + "; time.sleep(600)"]
child = subprocess.Popen(code, stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
open("pids.tmp", "w").write(f"{os.getpid()} {child.pid}")
os.rename("pids.tmp", "pids")
print("waits", flush=True)
"""


def still_runs(pids: list[int]) -> list[int]:
    """Those that are not dead after some time."""
    for _ in range(100):
        alive = [pid for pid in pids if _is_alive(pid)]
        if not alive:
            return []
        time.sleep(0.05)
    return alive


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_program_that_hangs_is_ended_with_all_its_processes(tmp_path: Path) -> None:
    with pytest.raises(ProgramError) as error:
        run(python(STUBBORN + "time.sleep(600)"), tmp_path, 1, 6)
    assert "after 6 s" in str(error.value)
    assert str(error.value).endswith("\nwaits")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert still_runs(pids) == []


def test_what_a_program_leaves_running_is_ended(tmp_path: Path) -> None:
    body = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('pid', 'w').write(str(child.pid))"
    )
    run(python(body), tmp_path, 1, 60)
    assert still_runs([int((tmp_path / "pid").read_text())]) == []


def test_a_program_waits_for_no_input(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="EOFError"):
        run(python("input('name? ')"), tmp_path, 1, 60)
