"""Read, check, pair and sort the tables of runs, histories and predictions."""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from petite.evaluation.metrics import ACCURACY
from petite.util.encoded_names import ORIGINAL, encoding_of, in_encoding, method_of
from petite.util.errors import PetiteError

REFERENCE = "random"  # the method that all others are compared with
FULL = "full"  # the method that keeps all training images

CASE = ["method", "fraction"]
SEEN = "examples_seen"  # a column of runs, if some see fewer of the images that they keep
PAIR = ["split_seed", "training_seed"]  # paired runs agree in these
TEXT_COLUMNS = [
    *("judge", "dataset", "method", "model", "backend"),
    *("budget", "precision", "worst_class", "versions"),
]
# Runs that differ in one of these are not comparable.
ONE_VALUE_COLUMNS = ["dataset", "model", "backend", "budget", "precision"]

MOST_KEPT = 100_000_000  # predicted classes of 2 bytes each that stay in memory

ONE_KIND_OF_ANY = "Summarize each kind separately."
ONE_KIND = {
    "precision": "With training.precision: auto, it depends on the machine. Set it to float32 or "
    "bfloat16 and rerun."
}


def reference_of(method: str) -> str:
    """What a method is compared with: random in the same encoding.

    Examples
    --------
    >>> reference_of("herding"), reference_of("herding@64px-webp-q40")
    ('random', 'random@64px-webp-q40')
    """
    return in_encoding(REFERENCE, encoding_of(method))


def is_reference(method: str) -> bool:
    """Whether a method is random, in any encoding."""
    return method_of(method) == REFERENCE


def ordered(frame: pd.DataFrame, then: Iterable[str] = ()) -> pd.DataFrame:
    """Sort rows in reading order: full first, then larger fractions, the originals, then random.

    Methods of a fraction are sorted by encoding and name, and rows of a method and fraction by
    `then`.
    """
    keys = frame.assign(
        _full=frame["method"] != FULL,
        _smaller=-frame["fraction"],
        _encoded=frame["method"].map(encoding_of) != ORIGINAL,
        _encoding=frame["method"].map(encoding_of),
        _compared=~frame["method"].map(is_reference).astype(bool),
    )
    by = ["_full", "_smaller", "_encoded", "_encoding", "_compared", "method", *then]
    return frame.loc[keys.sort_values(by, kind="stable").index].reset_index(drop=True)


def check_runs(runs: pd.DataFrame) -> None:
    """Raise PetiteError if the runs cannot be summarized together."""
    if runs.empty:
        raise PetiteError("There are no runs to summarize. Train at least one model first.")
    for column in ONE_VALUE_COLUMNS:
        found = sorted(runs[column].unique())
        if len(found) > 1:
            raise PetiteError(
                f"The runs differ in '{column}': {', '.join(map(str, found))}. "
                f"Only runs of one kind can be compared. {ONE_KIND.get(column, ONE_KIND_OF_ANY)}"
            )
    repeated = runs[runs.duplicated(["method", "fraction", *PAIR])]
    if not repeated.empty:
        raise PetiteError(
            f"{_name(repeated.iloc[0])} appears more than once. "
            "Pass each file of runs once, and delete runs of an earlier configuration."
        )
    unknown = runs[runs["accuracy"].isna()]
    if not unknown.empty:
        raise PetiteError(f"{_name(unknown.iloc[0])} has no accuracy. Delete its file and rerun.")


def _name(run: pd.Series) -> str:
    return (
        f"The run of '{run['method']}' at fraction {run['fraction']:g} with split seed "
        f"{run['split_seed']} and training seed {run['training_seed']}"
    )


def measured(runs: pd.DataFrame, method: str, fraction: float, metric: str = ACCURACY) -> pd.Series:
    """A metric of a method's runs at a fraction, by split seed and training seed."""
    chosen = runs[(runs["method"] == method) & (runs["fraction"] == fraction)]
    return chosen.set_index(PAIR)[metric].sort_index()


def paired_differences(
    runs: pd.DataFrame,
    method: str,
    fraction: float,
    reference: str | None = None,
    metric: str = ACCURACY,
) -> np.ndarray:
    """The differences of the metric from `reference`, for paired runs.

    Paired runs have the same split seed and training seed. Runs without a partner are left out.

    Parameters
    ----------
    runs : DataFrame
        The table of runs.csv.
    method : str
    fraction : float
    reference : str, optional
        "full" for the full set. None: random at the same fraction and in the same encoding.
    metric : str
        A column of `runs`.

    Returns
    -------
    ndarray of float64, shape (pairs,)
        Empty if the reference has no run.
    """
    own = measured(runs, method, fraction, metric)
    reference = reference or reference_of(method)
    others = measured(runs, reference, 1.0 if reference == FULL else fraction, metric)
    return (own - others).dropna().to_numpy(dtype=np.float64)


def images_of_full(runs: pd.DataFrame) -> int | None:
    """How many images the full set has; None if it was not trained.

    Some judges take a part of the full set for each seed: `share` is that part.
    """
    full = runs[runs["method"] == FULL]
    if full.empty:
        return None
    return round((full["images"] / full.get("share", 1.0)).mean())


def that_see_fewer(runs: pd.DataFrame) -> list[str]:
    """The methods that keep all images and see a part of them; see `petite.training.seeing`."""
    if SEEN not in runs:
        return []
    return list(dict.fromkeys(runs.loc[runs[SEEN].notna(), "method"]))


def with_seen(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """A table of methods and fractions with `examples_seen`, if some runs see fewer.

    It is the mean over the runs of the share of the examples of a training that sees all images.
    """
    if SEEN not in runs or table.empty:
        return table
    mean = runs.groupby(CASE)[SEEN].mean().fillna(1.0)
    table = table.copy()
    found = mean.reindex(pd.MultiIndex.from_frame(table[CASE])).to_numpy()
    table.insert(list(table.columns).index("images") + 1, SEEN, found)
    return table


def with_bytes_of_originals(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with the bytes of the originals too, if some are of encoded images.

    The originals of a run are the images of an encoded one with the same method, fraction and
    seeds, which knows their bytes; those of a method that sees fewer are those of the full set. NaN
    where there is none.
    """
    if "encoding" not in runs:
        return runs
    runs = runs.assign(encoding=runs["encoding"].fillna(ORIGINAL))
    all_of_them = dict.fromkeys(that_see_fewer(runs), FULL)
    methods = runs["method"].map(method_of).replace(all_of_them)
    same_images = [methods, *(runs[name] for name in ["fraction", *PAIR])]
    of_originals = runs["original_bytes"].groupby(same_images).transform("first")
    return runs.assign(
        bytes=runs["bytes"].fillna(of_originals), original_bytes=of_originals.to_numpy()
    )


def network_bytes(table: pd.DataFrame) -> int | None:
    """The bytes of the pretrained network of a judge, if images are encoded.

    None if it has none, or if they are unknown. table: of runs, or made by `with_bytes`.
    """
    if "network_bytes" not in table or table["network_bytes"].isna().all():
        return None
    return int(table["network_bytes"].max())


def with_bytes(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """A table of methods and fractions with `encoding` and `bytes`, if some runs are encoded.

    Parameters
    ----------
    table : DataFrame
        With method, fraction and images.
    runs : DataFrame
        Made by `with_bytes_of_originals`.

    Returns
    -------
    DataFrame
        `bytes` is the mean over the runs, rounded: of the images, the index of their files and
        weights if they differ (see `petite.data.container`). `network_bytes` is of a pretrained
        network that they do not include; there is no such column without one.
    """
    if "encoding" not in runs or table.empty:
        return table
    mean = runs.groupby(CASE)["bytes"].mean().round()
    found = mean.reindex(pd.MultiIndex.from_frame(table[CASE])).to_numpy()
    table = table.copy()
    table.insert(2, "encoding", list(map(encoding_of, table["method"])))
    whole = found if np.isnan(found).any() else found.astype(np.int64)
    place = list(table.columns).index("images") + 1
    table.insert(place, "bytes", whole)
    if (network := network_bytes(runs)) is not None:
        table.insert(place + 1, "network_bytes", network)
    return table


def read_csv(path: Path) -> pd.DataFrame:
    """Read runs, histories or a summary; names that look like numbers stay text.

    Raises PetiteError if the file is missing or is not a table.
    """
    if not Path(path).is_file():
        raise PetiteError(f"The file '{path}' is missing. Run the training that makes it.")
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file), [])
        return pd.read_csv(
            path,
            dtype={column: str for column in TEXT_COLUMNS if column in header},
            keep_default_na=False,
            na_values={column: ["", "nan"] for column in header if column not in TEXT_COLUMNS},
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise PetiteError(
            f"'{path}' is not a complete table ({error}). Delete it and rerun."
        ) from error


# Of a field of these tables: a confusion of many classes is longer than Python's limit.
MOST_CHARACTERS = 2**31 - 1


def first_run(path: Path) -> dict[str, str]:
    """The first row of a file of runs as text: much faster than `read_csv`.

    Raises PetiteError if the file is missing or has no row.
    """
    if not Path(path).is_file():
        raise PetiteError(f"The file '{path}' is missing. Run the training that makes it.")
    csv.field_size_limit(MOST_CHARACTERS)
    with Path(path).open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file), None)
    if row is None:
        raise PetiteError(f"'{path}' is not a complete table. Delete it and rerun.")
    return row


def of_judge(table: pd.DataFrame, judge: str) -> pd.DataFrame:
    """The rows of one judge, numbered from 0."""
    return table[table["judge"] == judge].reset_index(drop=True)


def _check_seeds(path: Path, seeds: pd.Series) -> None:
    """Raise PetiteError if a file named seeds-{first}-{last} does not have exactly these seeds."""
    match = re.search(r"seeds-(\d+)-(\d+)", Path(path).name)
    if not match:
        return
    expected = set(range(int(match[1]), int(match[2]) + 1))
    if missing := sorted(expected - set(seeds)):
        raise PetiteError(
            f"'{path}' has no run of seed {', '.join(map(str, missing))}. Delete it and rerun."
        )
    if extra := sorted(set(seeds) - expected):
        raise PetiteError(
            f"'{path}' has runs of seed {', '.join(map(str, extra))}, which its name does not "
            "include. Delete it and rerun."
        )


def collect(runs: Sequence[Path], histories: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Combine the runs and the histories of all training jobs into two tables.

    Parameters
    ----------
    runs, histories : sequence of Path
        The CSV files of the training jobs, in any order.

    Returns
    -------
    tuple of DataFrame
        Runs and histories, sorted as by `ordered`; no histories where no file has rows.

    Raises
    ------
    PetiteError
        If a file is missing or cut or lacks a seed of its name, if a run appears twice, or if a
        run has no history though others have, or a history no run.
    """
    if not runs:
        raise PetiteError("There are no runs to summarize. Train at least one model first.")
    run_tables, history_tables = [], []
    for path in runs:
        table = read_csv(path)
        _check_seeds(path, table["training_seed"])
        run_tables.append(table)
    for path in histories:
        table = read_csv(path)
        if not table.empty:  # some judges have no learning curves
            _check_seeds(path, table["seed"])
        history_tables.append(table)
    all_runs = pd.concat(run_tables, ignore_index=True)
    check_runs(all_runs)
    all_histories = pd.concat(history_tables, ignore_index=True) if histories else pd.DataFrame()
    if all_histories.empty:
        return ordered(all_runs, [*PAIR, "selection_seed"]), all_histories
    trained = _run_names(all_runs, "training_seed")
    recorded = _run_names(all_histories, "seed")
    if unmatched := sorted(trained ^ recorded):
        method, fraction, seed = unmatched[0]
        raise PetiteError(
            f"'{method}' at fraction {fraction:g}, seed {seed}, has "
            + ("a run but no history. " if unmatched[0] in trained else "a history but no run. ")
            + "Pass both files of every training job."
        )
    repeated = all_histories[all_histories.duplicated(["method", "fraction", "seed", "step"])]
    if not repeated.empty:
        first = repeated.iloc[0]
        raise PetiteError(
            f"The history of '{first['method']}' at fraction {first['fraction']:g}, seed "
            f"{first['seed']}, has step {first['step']} twice. Pass each file once."
        )
    return (
        ordered(all_runs, [*PAIR, "selection_seed"]),
        ordered(all_histories, ["seed", "step"]),
    )


def _run_names(frame: pd.DataFrame, seed: str) -> set[tuple[str, float, int]]:
    return set(frame[["method", "fraction", seed]].itertuples(index=False, name=None))


# ----------------------------------------------------------------------- kept predictions


class Predictions:
    """The predicted class of each run for each test image.

    Files are read on access, and only the predicted classes are kept in memory, up to MOST_KEPT.

    Parameters
    ----------
    paths : iterable of Path
        The .predictions.npz files of training jobs, each with its .csv of runs next to it.

    Raises
    ------
    PetiteError
        If such a CSV is missing.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths: dict[tuple[str, float], list[tuple[int, Path]]] = {}
        self._below: int | None = None
        # What was read, up to MOST_KEPT bytes: looks read the same files again.
        self._read: dict[Path, tuple[pd.DataFrame, np.ndarray]] = {}
        for path in sorted(map(Path, paths)):
            name = path.name.removesuffix(".predictions.npz")
            first = first_run(path.with_name(f"{name}.csv"))
            key = first["method"], float(first["fraction"])
            self._paths.setdefault(key, []).append((int(first["split_seed"]), path))

    def of_seeds_below(self, seeds: int) -> "Predictions":
        """The predictions of the runs whose training seed is below `seeds`."""
        part = Predictions([])
        part._paths, part._below, part._read = self._paths, seeds, self._read
        return part

    def answers(self, method: str, fraction: float) -> tuple[pd.DataFrame, np.ndarray]:
        """The predicted classes of a method at a fraction, and the labels.

        Returns
        -------
        DataFrame of int16, shape (runs, n)
            The most probable class (ties: the first). Rows are runs by split seed and training
            seed, columns are test images. Empty if there are no predictions.
        ndarray of int64, shape (n,)
            The true classes, in the order of the columns.

        Raises
        ------
        PetiteError
            If a file is missing or cut, or has other images.
        """
        frames, labels = [], np.empty(0, np.int64)
        for split, path in self._paths.get((method, fraction), []):
            answers, labels = self._of(path)
            if self._below is not None:
                answers = answers[answers.index < self._below]
            frames.append(pd.concat({split: answers}, names=PAIR))
            _check_images(frames[0], frames[-1], path)
        return (pd.concat(frames).sort_index() if frames else pd.DataFrame()), labels

    def right(self, method: str, fraction: float) -> pd.DataFrame:
        """Whether each prediction (see `answers`) is right."""
        answers, labels = self.answers(method, fraction)
        return answers if answers.empty else answers == labels

    def image_ids(self) -> np.ndarray:
        """The ids of the test images, str (n,); empty without predictions."""
        for (_, path), *_ in self._paths.values():
            return self._of(path)[0].columns.to_numpy(dtype=object)
        return np.empty(0, object)

    def labels(self) -> np.ndarray:
        """The true classes of the test images, int64 (n,); empty without predictions."""
        for (_, path), *_ in self._paths.values():
            return self._of(path)[1]
        return np.empty(0, np.int64)

    def _of(self, path: Path) -> tuple[pd.DataFrame, np.ndarray]:
        """The predictions of a file."""
        if path in self._read:
            return self._read[path]
        found = _kept(path)
        if (len(self._read) + 1) * found[0].size <= MOST_KEPT:
            self._read[path] = found
        return found


def _kept(path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """The predicted class for each training seed and test image of a job, and the labels."""
    try:
        with np.load(path) as kept:
            answers = kept["probabilities"].argmax(axis=-1).astype(np.int16)
            seeds = pd.Index(kept["seeds"].tolist(), name=PAIR[1])
            return pd.DataFrame(answers, seeds, kept["image_ids"]), kept["labels"].astype(np.int64)
    except FileNotFoundError as error:
        raise PetiteError(
            f"The file '{path}' is missing. Run the training that makes it."
        ) from error
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise PetiteError(
            f"'{path}' does not have complete predictions ({error}). Delete it and rerun."
        ) from error


def _check_images(one: pd.DataFrame, other: pd.DataFrame, path: Path) -> None:
    """Raise PetiteError if two tables of `Predictions.answers` have different images."""
    if not one.columns.equals(other.columns):
        raise PetiteError(
            f"'{path}' was evaluated on other test images than the runs it is compared with. "
            "Delete the runs of an earlier split and rerun."
        )


def paired_predictions(own: pd.DataFrame, reference: pd.DataFrame) -> np.ndarray:
    """The differences of a method's runs from those of a reference, image by image.

    Parameters
    ----------
    own, reference : DataFrame of bool
        As `Predictions.right` gives them.

    Returns
    -------
    ndarray of int8, shape (pairs, images)
        1 if only the method is right, -1 if only the reference is, otherwise 0. Pairs are those of
        `paired_differences`. Empty if there are none.

    Raises
    ------
    PetiteError
        If the two have different images.
    """
    if own.empty or reference.empty:
        return np.empty((0, 0), np.int8)
    if not own.columns.equals(reference.columns):
        raise PetiteError(
            "Some runs were evaluated on other test images than those they are compared with. "
            "Delete the runs of an earlier split and rerun."
        )
    pairs = own.index.intersection(reference.index)
    return own.loc[pairs].to_numpy(np.int8) - reference.loc[pairs].to_numpy(np.int8)
