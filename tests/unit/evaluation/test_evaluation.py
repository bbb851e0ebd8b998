"""The summary is right, by hand and by SciPy, and refuses what cannot be summed up."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loaded_python import LoadedPython
from scipy import stats

from petite.evaluation.costs import COST_COLUMNS
from petite.evaluation.recommendation import Answers, Kept
from petite.evaluation.rendering import as_markdown, as_text
from petite.evaluation.runs import collect, read_csv
from petite.evaluation.statistics import mean_interval
from petite.evaluation.summary import SUMMARY_COLUMNS, summarize
from petite.evaluation.tables import markdown_table, terminal_table
from petite.evaluation.verdicts import VERDICT_COLUMNS
from petite.util.errors import PetiteError
from petite.util.files import read_json, write_csv, write_csv_and_parquet, write_json, write_table

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


def run_row(method: str, fraction: float, seed: int, accuracy: float, **other: object) -> dict:
    return {
        "judge": "scratch",
        "dataset": "pets",
        "method": method,
        "fraction": fraction,
        "images": round(1000 * fraction),
        "rows": round(1000 * fraction),
        "split_seed": 0,
        "selection_seed": seed,
        "training_seed": seed,
        "model": "compact",
        "backend": "tensorflow",
        "precision": "float32",
        "budget": "100 steps",
        "accuracy": accuracy,
        "loss": 2 * (1 - accuracy),
        "worst_class": "Cat",
        "steps": 100,
        "train_accuracy": 0.99,
        "peak_memory_bytes": 10**9 + seed,
        "train_seconds": 10.0 + seed,
        "stored_bytes": 1000 * round(1000 * fraction),
        "select_seconds": 0.5,
        "proxy_seconds": 0.0,
        "versions": '{"keras": "3"}',
    } | other


def runs_of(accuracies: dict[tuple[str, float], list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        run_row(method, fraction, seed, accuracy)
        for (method, fraction), values in accuracies.items()
        for seed, accuracy in enumerate(values)
    )


RUNS = runs_of(
    {
        ("pca_grid", 0.1): [0.82, 0.85, 0.84],
        ("random", 0.1): [0.80, 0.81, 0.85],
        ("full", 1.0): [0.94, 0.95, 0.96],
        ("augmentation", 0.1): [0.90, 0.70, 0.80],
        ("random", 0.5): [0.91, 0.92, 0.93],
        ("el2n", 0.05): [0.60, 0.61, 0.62],
    }
)


def row_of(summary: pd.DataFrame, method: str, fraction: float) -> pd.Series:
    chosen = summary[(summary["method"] == method) & (summary["fraction"] == fraction)]
    assert len(chosen) == 1
    return chosen.iloc[0]


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30).filter(lambda v: np.ptp(v) > 1e-6))
def test_the_interval_is_students(values: list[float]) -> None:
    expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert mean_interval(values) == pytest.approx(expected, abs=1e-9)


def test_the_interval_of_three_numbers_agrees_with_a_table_of_t() -> None:
    # mean 2, standard error 1/sqrt(3), t(0.975, 2) = 4.302653
    low, high = mean_interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5), abs=1e-6)


def test_one_value_has_no_interval() -> None:
    assert np.isnan(mean_interval([0.5])).all()


def test_the_summary_has_its_columns_and_reads_from_full_down_with_random_first() -> None:
    summary = summarize(RUNS)
    assert list(summary.columns) == SUMMARY_COLUMNS
    assert list(zip(summary["method"], summary["fraction"], strict=True)) == [
        ("full", 1.0),
        ("random", 0.5),
        ("random", 0.1),
        ("augmentation", 0.1),
        ("pca_grid", 0.1),
        ("el2n", 0.05),
    ]


def test_a_row_agrees_with_the_numbers_worked_out_by_hand() -> None:
    row = row_of(summarize(RUNS), "pca_grid", 0.1)
    assert row["runs"] == 3
    assert row["images"] == 100
    assert row["stored_bytes"] == 100_000
    assert row["accuracy_mean"] == pytest.approx(0.836667, abs=1e-6)
    assert row["accuracy_sd"] == pytest.approx(0.0152753, abs=1e-6)
    # 4.302653 * 0.0152753 / sqrt(3)
    assert row["accuracy_low"] == pytest.approx(0.836667 - 0.037946, abs=1e-5)
    assert row["accuracy_high"] == pytest.approx(0.836667 + 0.037946, abs=1e-5)
    # Differences +0.02, +0.04, -0.01: mean 1/60, sd 0.0251661.
    assert row["difference_mean"] == pytest.approx(1 / 60)
    assert row["difference_low"] == pytest.approx(1 / 60 - 0.062516, abs=1e-5)
    assert row["difference_high"] == pytest.approx(1 / 60 + 0.062516, abs=1e-5)
    assert row["loss_mean"] == pytest.approx(2 * (1 - 0.836667), abs=1e-5)
    assert row["select_seconds_mean"] == 0.5
    assert row["train_seconds_mean"] == 11.0


def test_the_difference_interval_is_that_of_a_paired_t_test() -> None:
    row = row_of(summarize(RUNS), "augmentation", 0.1)
    paired = stats.ttest_rel([0.90, 0.70, 0.80], [0.80, 0.81, 0.85]).confidence_interval(0.95)
    assert (row["difference_low"], row["difference_high"]) == pytest.approx(paired)


def test_pairs_are_found_by_seeds_and_not_by_the_order_of_rows() -> None:
    shuffled = RUNS.sample(frac=1, random_state=3)
    assert not shuffled.index.equals(RUNS.index)
    pd.testing.assert_frame_equal(summarize(shuffled), summarize(RUNS))


def test_runs_of_another_split_are_no_partners() -> None:
    runs = RUNS[RUNS["method"].isin(["random", "pca_grid"]) & (RUNS["fraction"] == 0.1)].copy()
    runs.loc[runs["method"] == "random", "split_seed"] = 1
    row = row_of(summarize(runs), "pca_grid", 0.1)
    assert np.isnan(
        row[["difference_mean", "difference_low", "difference_high"]].astype(float)
    ).all()


def test_a_run_without_a_partner_is_left_out_of_the_difference_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs = RUNS[~((RUNS["method"] == "random") & (RUNS["training_seed"] == 2))]
    row = row_of(summarize(runs), "pca_grid", 0.1)
    assert row["runs"] == 3
    assert row["difference_mean"] == pytest.approx(0.03)  # +0.02 and +0.04
    assert "1 of 3 runs have no run of random" in caplog.text


@pytest.mark.parametrize(("method", "fraction"), [("random", 0.1), ("full", 1.0), ("el2n", 0.05)])
def test_there_is_no_difference_for_random_or_where_random_was_not_run(
    method: str, fraction: float
) -> None:
    row = row_of(summarize(RUNS), method, fraction)
    assert np.isnan(
        row[["difference_mean", "difference_low", "difference_high"]].astype(float)
    ).all()


def test_one_run_gives_a_mean_and_a_difference_but_no_interval() -> None:
    row = row_of(summarize(RUNS[RUNS["training_seed"] == 0]), "pca_grid", 0.1)
    assert (row["accuracy_mean"], row["difference_mean"]) == pytest.approx((0.82, 0.02))
    bounds = ["accuracy_sd", "accuracy_low", "accuracy_high", "difference_low", "difference_high"]
    assert np.isnan(row[bounds].astype(float)).all()


def test_bounds_stay_within_what_is_possible() -> None:
    runs = runs_of({("random", 0.1): [0.1, 0.9], ("pca_grid", 0.1): [0.99, 1.0]})
    summary = summarize(runs)
    random, grid = row_of(summary, "random", 0.1), row_of(summary, "pca_grid", 0.1)
    assert (random["accuracy_low"], random["accuracy_high"]) == (0, 1)
    assert grid["accuracy_high"] == 1
    assert grid["accuracy_low"] == pytest.approx(0.995 - 12.7062 * 0.005, abs=1e-5)
    assert (grid["difference_low"], grid["difference_high"]) == (-1, 1)


def test_a_loss_that_is_no_number_shows() -> None:
    runs = RUNS.copy()
    runs.loc[0, "loss"] = np.nan
    assert np.isnan(row_of(summarize(runs), "pca_grid", 0.1)["loss_mean"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: runs.iloc[:0], "no runs"),
        (lambda runs: pd.concat([runs, runs.iloc[[4]]]), "random.* at fraction 0.1.*seed 1.*once"),
        (lambda runs: runs.assign(accuracy=runs["accuracy"].where(runs.index != 0)), "no accuracy"),
        (lambda runs: runs.assign(dataset=["a"] + ["b"] * (len(runs) - 1)), "'dataset': a, b"),
        (lambda runs: runs.assign(model=["a"] + ["b"] * (len(runs) - 1)), "'model': a, b"),
        (
            lambda runs: runs.assign(precision=["mixed_bfloat16"] + ["float32"] * (len(runs) - 1)),
            "'precision': float32, mixed_bfloat16.*training.precision.*float32 or bfloat16",
        ),
    ],
)
def test_runs_that_make_no_table_are_refused(change, message: str) -> None:
    with pytest.raises(PetiteError, match=message):
        summarize(change(RUNS))


# ------------------------------------------------------------------------------- files


def write_predictions(path: Path, job: pd.DataFrame) -> None:
    """Two classes, a hundred images; each run is right on the first images, by its accuracy."""
    labels = np.arange(100) % 2
    right = np.arange(100) < 100 * job["accuracy"].to_numpy()[:, None]
    chosen = np.where(right, labels, 1 - labels)
    np.savez(
        path,
        image_ids=np.array([f"{number}.png" for number in range(100)]),
        labels=labels.astype(np.int16),
        probabilities=np.eye(2, dtype=np.float32)[chosen],
        seeds=job["training_seed"].to_numpy(),
    )


@pytest.fixture
def job_files(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    """The files of training jobs, two seeds in each job at most, as training writes them."""
    runs, histories = [], []
    for (method, fraction), group in RUNS.groupby(["method", "fraction"]):
        folder = tmp_path / method / format(fraction, "g")
        folder.mkdir(parents=True)
        for first, last in [(0, 1), (2, 2)]:
            job = group[group["training_seed"].between(first, last)]
            runs.append(folder / f"seeds-{first}-{last}.csv")
            job.to_csv(runs[-1], index=False)
            histories.append(folder / f"seeds-{first}-{last}.history.csv")
            write_predictions(runs[-1].with_suffix(".predictions.npz"), job)
            pd.DataFrame(
                {
                    "method": method,
                    "fraction": fraction,
                    "seed": seed,
                    "epoch": step / 10.0,
                    "step": step,
                    "accuracy": 0.5,
                    "loss": 0.7,
                    "validation_accuracy": np.nan,
                    "validation_loss": np.nan,
                    "learning_rate": 0.1,
                }
                for seed in job["training_seed"]
                for step in (50, 100)
            ).to_csv(histories[-1], index=False)
    return runs, histories


def about_images(folder: Path) -> list[str | Path]:
    """The arguments of a store of two classes with 1,000 training images."""
    write_json(folder / "manifest.json", {"classes": ["Cat", "Dog"], "image_size": 28})
    labels = np.arange(1000) % 2
    ids = [f"train/{number}.png" for number in range(1000)]
    split = pd.DataFrame({"image_id": ids, "label": labels, "split": "train"})
    write_table(folder / "split.parquet", split)
    return ["--manifest", folder / "manifest.json", "--split", folder / "split.parquet"]


def summarize_script(
    runs: list[Path], out: Path, python: Sequence[str] = (sys.executable,)
) -> subprocess.CompletedProcess:
    judges = ("probe", "fine_tune", "scratch")
    seen = {judge: {"image_size": 28, "flips": "random"} for judge in judges}
    settings = {"tolerance": 0.01, "metric": "auto", "seen": seen}
    return subprocess.run(
        [*python, SCRIPTS / "summarize.py", "--runs", *runs, *about_images(out.parent),
         "--dataset", "pets", "--output-runs", out / "runs.csv",
         "--output-history", out / "history.csv", "--output-summary", out / "summary.csv",
         "--output-verdicts", out / "verdicts.csv", "--output-costs", out / "costs.csv",
         "--output-markdown", out / "summary.md", "--output-text", out / "summary.txt",
         "--output-recommendation", out / "recommendation.json",
         "--output-answer", out / "recommendation.md",
         "--settings", json.dumps(settings)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_first_judge_in_the_order_of_the_documentation_counts(
    job_files: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    paths = []
    for judge in ("scratch", "fine_tune", "probe"):
        for run in job_files[0]:
            folder = tmp_path / judge / run.parent.relative_to(tmp_path)
            folder.mkdir(parents=True, exist_ok=True)
            for suffix in (".csv", ".history.csv"):
                table = read_csv(run.with_suffix(suffix))
                write_csv(folder / run.with_suffix(suffix).name, table.assign(judge=judge))
            predictions = run.with_suffix(".predictions.npz")
            shutil.copy(predictions, folder)
            paths.append(folder / run.name)
    done = summarize_script(paths, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    answers = Answers.from_json(read_json(tmp_path / "out/recommendation.json"))
    assert list(answers.judges) == ["probe", "fine_tune", "scratch"]


def test_the_script_writes_the_same_bytes_whatever_the_order_of_its_inputs(
    job_files: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    runs, _ = job_files
    first, second = tmp_path / "first", tmp_path / "second"
    for out, some in {first: runs, second: runs[::-1]}.items():
        done = summarize_script(some, out)
        assert done.returncode == 0, done.stderr
    names = ["runs.csv", "history.csv", "summary.csv", "summary.md", "summary.txt"]
    names += ["verdicts.csv", "costs.csv", "recommendation.md", "recommendation.json"]
    names += [f"{Path(name).stem}.parquet" for name in names if name.endswith(".csv")]
    assert sorted(path.name for path in first.iterdir()) == sorted(names)
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()
    written = read_csv(first / "summary.csv")
    assert set(written.pop("judge")) == {"scratch"}
    pd.testing.assert_frame_equal(written, summarize(RUNS), check_exact=True)
    assert written["share"].tolist() == pytest.approx(written["fraction"].tolist())
    assert len(read_csv(first / "runs.csv")) == len(RUNS)
    assert len(read_csv(first / "history.csv")) == 2 * len(RUNS)
    verdicts = read_csv(first / "verdicts.csv")
    assert list(verdicts.columns) == ["judge", *VERDICT_COLUMNS]
    assert verdicts["new_images_low"].notna().sum() == 2  # pca_grid and augmentation
    assert list(read_csv(first / "costs.csv").columns) == ["judge", *COST_COLUMNS]
    # The run prints this file at its end, and ends with the answer.
    found = Answers.from_json(read_json(first / "recommendation.json")).first
    assert found.kept == Kept("full", 1.0, seed=0, images=1000)
    assert found.ledger is not None and found.ledger.trainings == len(RUNS)
    assert found.uncertainty is not None and found.uncertainty.against == "full"
    assert (first / "summary.txt").read_text().endswith(f"\n\n{as_text(found)}")
    assert (first / "recommendation.md").read_text() == as_markdown(found)


# What a plain reader of CSV takes for a number, for true or for nothing.
ODD_NAMES = ["nan", "NA", "None", "null", "1e3", "007", "true", "inf", "N-A", "-1"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_that_look_like_something_else_survive_a_plain_reader_of_parquet(
    name: str, tmp_path: Path, loaded_steps: LoadedPython
) -> None:
    odd = RUNS.replace({"method": {"pca_grid": name}}).assign(dataset=name, worst_class=name)
    runs = []
    for (method, fraction), group in odd.groupby(["method", "fraction"]):
        runs.append(tmp_path / f"{method}-{fraction:g}.csv")
        group.to_csv(runs[-1], index=False)
        write_predictions(runs[-1].with_suffix(".predictions.npz"), group)
        step = group[["method", "fraction"]].assign(seed=group["training_seed"], step=1)
        step.to_csv(runs[-1].with_suffix(".history.csv"), index=False)
    out = tmp_path / "out"
    done = summarize_script(runs, out, loaded_steps.command)
    assert done.returncode == 0, done.stderr
    for table in ("runs", "history", "summary", "verdicts", "costs"):
        read = pd.read_parquet(out / f"{table}.parquet")
        assert name in read["method"].tolist(), table
        back = read_csv(out / f"{table}.csv")
        assert (read.columns.tolist(), len(read)) == (back.columns.tolist(), len(back))
        assert read["method"].tolist() == back["method"].tolist()
        assert (read["fraction"] == back["fraction"]).all()
    kept = pd.read_parquet(out / "runs.parquet")
    assert set(kept["dataset"]) == set(kept["worst_class"]) == {name}
    # As docs/evidence.md says for the CSV files.
    text = pd.read_csv(out / "runs.csv", dtype=str, keep_default_na=False)
    assert set(text["dataset"]) == set(text["worst_class"]) == {name}


@pytest.mark.parametrize(
    "name", ["", " ", "a,b", 'say "so"', "two\nlines", "a\rb", "é ", "'", "#1"]
)
def test_class_names_of_any_characters_survive_in_both(name: str, tmp_path: Path) -> None:
    frame = RUNS.assign(worst_class=name)
    write_csv_and_parquet(tmp_path / "runs.csv", frame)
    for back in (read_csv(tmp_path / "runs.csv"), pd.read_parquet(tmp_path / "runs.parquet")):
        assert set(back["worst_class"]) == {name}


def test_the_script_ends_with_a_message_and_no_traceback(
    job_files: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    runs, _ = job_files
    done = summarize_script([*runs, runs[0]], tmp_path / "out")
    assert done.returncode == 1
    assert "more than once" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(job_files: tuple[list[Path], list[Path]]) -> None:
    runs, histories = job_files
    runs[0].unlink()
    with pytest.raises(PetiteError, match=r"seeds-0-1\.csv.*missing"):
        collect(runs, histories)


def test_a_file_without_a_seed_that_its_name_promises_is_refused(
    job_files: tuple[list[Path], list[Path]],
) -> None:
    runs, histories = job_files
    lines = runs[0].read_text().splitlines(keepends=True)
    runs[0].write_text("".join(lines[:-1]))
    with pytest.raises(PetiteError, match=r"seed 1\b"):
        collect(runs, histories)


def test_a_run_without_history_and_a_history_without_run_are_refused(
    job_files: tuple[list[Path], list[Path]],
) -> None:
    runs, histories = job_files
    with pytest.raises(PetiteError, match="a run but no history"):
        collect(runs, histories[1:])
    with pytest.raises(PetiteError, match="a history but no run"):
        collect(runs[1:], histories)


def test_a_history_given_twice_is_refused(job_files: tuple[list[Path], list[Path]]) -> None:
    runs, histories = job_files
    with pytest.raises(PetiteError, match="step 50 twice"):
        collect(runs, [*histories, histories[3]])


@pytest.mark.parametrize("content", ["", 'method,worst_class\n"random,Cat\n'])
def test_a_cut_file_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(content)
    with pytest.raises(PetiteError, match=r"runs\.csv"):
        read_csv(tmp_path / "runs.csv")


def test_class_names_that_look_like_numbers_or_nothing_survive(tmp_path: Path) -> None:
    names = ["NA", "007", "None", "1e3"]
    frame = pd.DataFrame(
        run_row("random", 0.1, seed, 0.1 + 1 / 3, worst_class=name)
        for seed, name in enumerate(names)
    )
    frame.to_csv(tmp_path / "runs.csv", index=False)
    back = read_csv(tmp_path / "runs.csv")
    assert list(back["worst_class"]) == names
    assert (back["accuracy"] == frame["accuracy"]).all()  # to the last bit


# ------------------------------------------------------------------------------- for people


def test_the_markdown_table_says_what_a_person_wants_to_know() -> None:
    text = markdown_table(summarize(RUNS), "pets")
    lines = text.splitlines()
    assert lines[0].startswith("# pets")
    [grid] = [line for line in lines if "pca_grid" in line and line.startswith("|")]
    cells = [cell.strip() for cell in grid.strip("|").split("|")]
    assert cells == [
        "pca_grid", "10%", "100", "3", "83.7 [79.9, 87.5]", "–", "–", "+1.7 [-4.6, +7.9]",
        "0.327", "0.10", "0.50", "11",
    ]  # fmt: skip
    tables = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in tables}) == 1
    assert len(tables) == 2 + 6
    assert "95% intervals" in text


def test_the_warning_of_few_runs_is_there_when_it_is_due_and_only_then() -> None:
    enough = runs_of({("random", 0.1): [0.8, 0.81, 0.82, 0.83, 0.84, 0.85]})
    few = runs_of({("pca_grid", 0.1): [0.8, 0.81, 0.82, 0.83, 0.84]})
    assert "Too few" not in markdown_table(summarize(enough), "pets")
    assert "too few" not in terminal_table(summarize(enough))
    both = summarize(pd.concat([enough, few]))
    assert "Too few runs for a claim: pca_grid at 10% (5)." in markdown_table(both, "pets")
    assert "1 of 2 rows" in terminal_table(both)


def test_the_terminal_table_is_aligned_and_fits_whatever_the_names() -> None:
    accuracies = {
        ("full", 1.0): [1.0, 0.0],
        ("random", 0.125): [0.001, 0.999],
        ("a_method_with_quite_a_long_name_of_many_letters", 0.125): [0.999, 0.001],
    }
    runs = runs_of(accuracies)
    runs["images"] = round(12_345_678 * runs["fraction"]).astype(int)
    runs["stored_bytes"] = 987_654_321_000
    runs["train_seconds"] = 123_456.0
    lines = terminal_table(summarize(runs)).splitlines()
    assert max(map(len, lines)) <= 100
    assert len({len(line) for line in lines[:5]}) == 1
    assert lines[4].startswith("a_method_")


def test_nought_has_no_sign() -> None:
    runs = runs_of({("random", 0.1): [0.8, 0.8], ("pca_grid", 0.1): [0.79999, 0.8]})
    assert "0.0 [-0.0" not in markdown_table(summarize(runs), "pets")
    assert "-0.0" not in markdown_table(summarize(runs), "pets")
