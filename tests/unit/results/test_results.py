"""`petite.results.load`: the results of a run in Python."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from petite.evaluation.costs import cost_ledger
from petite.evaluation.decision import recommend
from petite.evaluation.recommendation import Answers
from petite.evaluation.summary import summarize
from petite.evaluation.verdicts import compare
from petite.results import Results, load
from petite.subsets.seed_tables import write_seed_tables
from petite.util.errors import PetiteError
from petite.util.files import write_csv_and_parquet, write_json

# "007" looks like a number. "random@8px-jpeg-q20" is random whose images are encoded.
CASES = [
    *(("full", 1.0), ("random", 0.25), ("random", 0.1), ("007", 0.1)),
    ("random@8px-jpeg-q20", 0.25),
]


def write_results(folder: Path) -> Path:
    """A run of two seeds; full and 007 select without chance."""
    rng = np.random.default_rng(0)
    runs = pd.DataFrame(
        [
            {
                "judge": "scratch", "dataset": "photos", "method": method, "fraction": fraction,
                "share": fraction, "images": round(100 * fraction), "rows": round(100 * fraction),
                "split_seed": 0, "selection_seed": seed if "random" in method else 0,
                "training_seed": seed, "model": "compact", "backend": "keras",
                "precision": "float32", "budget": "20 steps", "steps": 20, "epochs": 2.0,
                "batch_size": 16, "accuracy": rng.random(), "balanced_accuracy": rng.random(),
                "loss": 1.0, "calibration_error": 0.1, "worst_class": "cat",
                "worst_class_accuracy": 0.5, "validation_accuracy": 0.5, "validation_loss": 1.0,
                "train_accuracy": 0.9, "train_seconds": 1.0, "images_per_second": 100.0,
                "peak_memory_bytes": 10**8, "stored_bytes": 10**6, "select_seconds": 0.1,
                "proxy_seconds": 0.0, "parameters": 100, "threads": 1, "versions": "{}",
            }
            for method, fraction in CASES
            for seed in (0, 1)
        ]
    )  # fmt: skip
    history = runs[["judge", "method", "fraction", "accuracy"]].assign(
        seed=runs["training_seed"], step=20
    )
    plain = runs[runs["method"] != CASES[-1][0]]
    verdicts = compare(plain, 0.01)
    for name, table in {
        "runs": runs,
        "history": history,
        "summary": summarize(plain),
        "verdicts": verdicts,
        "costs": cost_ledger(plain),
    }.items():
        write_csv_and_parquet(folder / f"{name}.csv", table.assign(judge="scratch"))
    answers = Answers({"scratch": recommend(plain, verdicts, 0.01)})
    write_json(folder / "recommendation.json", answers.to_json())
    for method, fraction in CASES[:-1]:
        for seed in (0, 1) if method == "random" else (0,):
            ids = [f"{number:03}.png" for number in range(seed, round(100 * fraction) + seed)]
            table = pd.DataFrame({"image_id": ids, "class_name": "cat", "rank": range(len(ids))})
            path = folder / f"subsets/{method}/{fraction:g}/seed-{seed}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_seed_tables(path, [(table.assign(label=0, weight=1.0), {"seed": seed})])
    write_json(folder / "report.json", {"judges": [{"headline": "Keep.", "warnings": []}]})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results(tmp_path_factory.mktemp("work") / "results/photos")


@pytest.fixture
def results(folder: Path) -> Results:
    return load(folder)


def test_names_are_text_and_numbers_have_types(results: Results) -> None:
    for table in (results.summary, results.runs, results.verdicts, results.costs, results.history):
        assert "007" in set(table["method"])
        assert set(table["judge"]) == {"scratch"}
        assert table["fraction"].dtype == np.float64
    assert results.summary["images"].dtype == np.int64
    assert results.verdicts["look"].dtype == results.verdicts["full_look"].dtype == "Int64"
    assert results.runs["training_seed"].dtype == np.int64
    assert len(results.runs) == len(results.history) == 10


def test_the_recommendation_is_that_of_the_first_judge(results: Results) -> None:
    assert results.judges == ["scratch"]
    assert results.recommendation is results.recommendations["scratch"]
    assert results.recommendation.kind.startswith("keep_")


@pytest.mark.parametrize(
    ("method", "fraction", "seed", "first", "images"),
    [
        ("random", 0.25, 0, "000.png", 25),
        ("random", 0.1, 1, "001.png", 10),
        ("random", 1 - 0.9, 1, "001.png", 10),  # 0.09999999999999998
        ("007", 0.1, 1, "000.png", 10),  # without chance
        ("random", np.float32(0.1), 1, "001.png", 10),
        ("full", 1, 1, "000.png", 100),
        ("random@8px-jpeg-q20", 0.25, 1, "001.png", 25),
    ],
)
def test_a_subset_is_that_of_the_runs_seed(
    results: Results, method: str, fraction: float, seed: int, first: str, images: int
) -> None:
    subset = results.subset(method, fraction, seed)
    assert subset["image_id"].iloc[0] == first and len(subset) == images
    assert "seed" not in subset


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rondom", 0.1), "rondom.*random"),
        (("../subsets/random", 0.1), "subsets/random"),
        ((7, 0.1), "method .*7"),
        (("random", 0.2), r"0\.2.*0\.1, 0\.25"),
        (("random", 10), "10"),
        (("random", 0.1, 2), "seed 2.*0, 1"),
        (("007", 0.1, 2), "seed 2.*0, 1"),
        (("random", "0.1"), r"fraction .*'0\.1'"),
        (("random", None), "fraction .*None"),
        (("random", 0.1, "0"), "seed .*'0'"),
        (("random", 0.1, [0]), r"seed .*\[0\]"),
        ((["random"], 0.1), r"method .*\['random'\]"),
    ],
)
def test_an_unknown_subset_is_an_error(
    results: Results, arguments: tuple[Any, ...], words: str
) -> None:
    with pytest.raises(PetiteError, match=words):
        results.subset(*arguments)


def without(name: str) -> Callable[[Path], Path]:
    def change(folder: Path) -> Path:
        (folder / name).unlink()
        return folder

    return change


def begun(folder: Path) -> Path:
    (folder.parent / "begun/store").mkdir(parents=True)
    return folder.parent / "begun"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("summary.parquet"), "not finished.*summary.parquet"),
        (without("recommendation.json"), "not finished.*recommendation.json"),
        (begun, "not finished"),
        (lambda folder: folder / "nowhere", "no folder.*nowhere"),
        (lambda folder: folder / "runs.csv", r"no folder.*runs\.csv"),
        (lambda folder: folder / "subsets", "not a result"),
        (lambda folder: folder.parent, "not a result.*photos"),
    ],
)
def test_what_is_no_finished_result_is_an_error(
    folder: Path, tmp_path: Path, change: Callable[[Path], Path], words: str
) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "results/photos"))
    with pytest.raises(PetiteError, match=words):
        load(change(copied))


def test_a_deleted_subset_or_report_is_an_error(folder: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "photos"))
    shutil.rmtree(copied / "subsets/random")
    (copied / "report.json").unlink()
    results = load(str(copied))
    with pytest.raises(PetiteError, match=r"random.*missing"):
        results.subset("random", 0.1)
    with pytest.raises(PetiteError, match=r"report\.json.*missing"):
        _ = results.report


def read_all(results: Results) -> None:
    for name in ("summary", "runs", "verdicts", "costs", "history", "recommendation", "report"):
        getattr(results, name)
    results.subset("random", 0.1)


@pytest.mark.parametrize("content", [b"", b"{", b"3", b"\xff\xfe"])
@pytest.mark.parametrize(
    "name",
    [
        *("summary.parquet", "runs.parquet", "recommendation.json", "report.json"),
        *("subsets/random/0.1/seed-0.parquet", "subsets/random/0.1/seed-0.json"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(
    folder: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "photos"))
    (copied / name).write_bytes(content)
    with pytest.raises(PetiteError, match=re.escape(Path(name).name)):
        read_all(load(copied))


def test_a_file_that_is_gone_since_it_was_loaded_is_an_error(folder: Path, tmp_path: Path) -> None:
    results = load(shutil.copytree(folder, tmp_path / "photos"))
    (results.folder / "costs.parquet").unlink()
    with pytest.raises(PetiteError, match=r"costs\.parquet"):
        _ = results.costs


@pytest.mark.parametrize("lacks", ["method", "fraction", "judge", "selection_seed"])
def test_a_table_of_another_version_is_an_error(folder: Path, tmp_path: Path, lacks: str) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "photos"))
    runs = pd.read_parquet(copied / "runs.parquet").drop(columns=lacks)
    runs.to_parquet(copied / "runs.parquet")
    with pytest.raises(PetiteError, match=rf"runs\.parquet.*'{lacks}'"):
        load(copied).subset("random", 0.1)


def test_an_answer_without_judges_is_an_error(folder: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "photos"))
    write_json(copied / "recommendation.json", Answers({}).to_json())
    with pytest.raises(PetiteError, match=r"recommendation\.json"):
        _ = load(copied).recommendation


def test_a_folder_in_the_home_may_be_abbreviated(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert load(f"~/{folder.name}").judges == ["scratch"]


def test_the_examples_of_the_docs_hold(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parents[1])
    docs = Path(__file__).resolve().parents[3] / "docs/results-in-python.md"
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", docs.read_text("utf-8"), re.DOTALL):
        exec(example, names)
    assert len(names["subset"]) == 25


def test_reading_results_loads_no_network_library_and_no_snakemake() -> None:
    program = (
        "import sys, petite.results\n"
        "assert not {'keras', 'tensorflow', 'snakemake', 'matplotlib', 'bokeh'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("package", ["pandas", "pyarrow"])
def test_without_the_extra_the_error_gives_the_command_that_installs_it(package: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; import petite.results"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: ")
    assert package in last and "'.[results]'" in last
