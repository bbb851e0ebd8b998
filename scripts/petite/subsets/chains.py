"""Select training images by one method, or by a chain of methods, one after the other."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from petite.features.io import FeatureRecord, ProxyOf, read_features
from petite.features.registry import SPACES
from petite.selection import Choice, Ranking, Request, checked_settings, named
from petite.selection.engine import first_stage, run, second_stage
from petite.selection.request import checked_request
from petite.subsets.records import CandidatesRecord, ProxyRecord, SelectionRecord, StepRecord
from petite.subsets.tables import ranking_table
from petite.util.errors import PetiteError
from petite.util.files import read_json, read_table

PROXY_SPACES = {space.name for space in SPACES.values() if space.is_of_proxy}


@dataclass(frozen=True)
class Step:
    """One selection of a chain; a method by itself is a chain of one.

    Attributes
    ----------
    method : str
    settings : dict
        The method's own, as in config.yaml.
    quota : str
        How the images are divided among the classes.
    space : str, optional
        The feature space in which it compares images.
    share : float
        Images kept by this step, as a multiple of the images of the subset.
    """

    method: str
    settings: dict[str, Any]
    quota: str = "proportional"
    space: str | None = None
    share: float = 1.0


@dataclass(frozen=True)
class SelectionJob:
    """A selection of k training images: the methods and the files they need.

    Attributes
    ----------
    train : DataFrame
        image_id and label of the training images, in the order of the split.
    k : int
        How many images to choose.
    steps : sequence of Step
        The methods, one after the other.
    seed : int
        The selection seed.
    features : dict from str to Path
        The file of each feature space that is needed, with its record next to it.
    scores : Path, optional
        The table of a proxy run, with its record next to it.
    partitions, max_memory : int, optional
        As `petite.selection.select` takes them.
    pool : DataFrame, optional
        The rows of `train` to choose from; None: all.
    described : DataFrame, optional
        The images that features and scores are of, if there are more than `train`: also those that
        are excluded from training.
    kept : sequence of str
        The ids of images that are chosen in any case, at every step.
    """

    train: pd.DataFrame
    k: int
    steps: Sequence[Step]
    seed: int
    features: dict[str, Path]
    scores: Path | None = None
    partitions: int | None = None
    max_memory: int | None = None
    pool: pd.DataFrame | None = None
    described: pd.DataFrame | None = None
    kept: Sequence[str] = ()


def choose(
    job: SelectionJob, candidates: Sequence[Path] = ()
) -> tuple[pd.DataFrame, SelectionRecord]:
    """Choose images step by step.

    Parameters
    ----------
    job : SelectionJob
    candidates : sequence of Path
        The files of `candidates_of` for all partitions, if they were made beforehand.

    Returns
    -------
    DataFrame
        The ranking table of the last step, see `petite.subsets.tables.ranking_table`.
    SelectionRecord
        Of the last step, with the steps and seconds of all.
    """
    left = (job.train if job.pool is None else job.pool).reset_index(drop=True)
    done: list[StepRecord] = []
    features, proxy = _records(job)
    proxy_seconds = _most("seconds", proxy)
    seconds = sum(record["seconds"] for record in features) + proxy_seconds
    # Both may count the embeddings.
    seconds -= min(_most("embedding_seconds", features), _most("embedding_seconds", proxy))
    for step in job.steps:
        wanted = min(len(left), max(left["label"].nunique(), round(step.share * job.k)))
        request = _request(job, step, left, wanted)
        if candidates:
            ranking = second_stage(request, *_read_candidates(candidates, left))
        else:
            ranking = run(request)
        table = ranking_table(ranking, left)
        seconds += ranking.seconds
        done.append({"method": step.method, "images": len(table)})
        left = left.iloc[np.sort(ranking.indices)].reset_index(drop=True)
    proxy_of = next((record.get("proxy_of") for record in proxy), None)
    return table, _record(ranking, seconds, proxy_seconds, proxy_of, done)


def candidates_of(job: SelectionJob, part: int) -> tuple[pd.DataFrame, CandidatesRecord]:
    """The candidates of one partition: the first stage of the only step of a job.

    Parameters
    ----------
    job : SelectionJob
        With one step.
    part : int
        Which partition, from 0.

    Returns
    -------
    DataFrame
        image_id, and mass (float64), the number of images that each candidate represents.
    CandidatesRecord
    """
    started = time.perf_counter()
    choice = first_stage(_request(job, job.steps[0], job.train, job.k), part)
    table = pd.DataFrame(
        {"image_id": job.train["image_id"].to_numpy()[choice.indices], "mass": choice.weights}
    )
    return table, {"part": part, "seconds": time.perf_counter() - started}


def _request(job: SelectionJob, step: Step, left: pd.DataFrame, k: int) -> Request:
    """The request for k of the remaining images, by the method of a step."""
    described = job.train if job.described is None else job.described
    ids = described["image_id"]
    rows = pd.Index(ids).get_indexer(pd.Index(left["image_id"]))
    features = scores = errors = None
    if step.space:
        if step.space not in job.features:
            raise PetiteError(
                f"Method '{step.method}' needs the features '{step.space}'. "
                f"Pass --features {step.space}=PATH."
            )
        features, _ = read_features(job.features[step.space], ids.tolist())
        features = features if len(left) == len(ids) else features[rows]
    if job.scores:
        scores, errors = _proxy_scores(job.scores, ids, rows)
    method = named(step.method)
    return checked_request(
        method,
        checked_settings(method, step.settings),
        features,
        left["label"].to_numpy(),
        k,
        job.seed,
        scores,
        step.quota,
        errors,
        job.partitions,
        job.max_memory,
        np.flatnonzero(left["image_id"].isin(job.kept)),
    )


def _proxy_scores(
    path: Path, image_ids: pd.Series, rows: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[int, float]]:
    """The scores of some images by name, and the error of each label."""
    table = read_table(path)
    if table["image_id"].tolist() != image_ids.tolist():
        raise PetiteError(
            f"'{path}' has scores of other images than the training split. Delete it and rerun."
        )
    scores = {name: table[name].to_numpy()[rows] for name in table.columns if name != "image_id"}
    record: ProxyRecord = read_json(path.with_suffix(".json"))
    return scores, dict(enumerate(record["class_errors"]))


def _read_candidates(paths: Sequence[Path], train: pd.DataFrame) -> tuple[list[Choice], float]:
    """The candidates of each partition, and the seconds of all together."""
    ids = pd.Index(train["image_id"])
    tables = [read_table(path) for path in paths]
    choices = [
        Choice(ids.get_indexer(pd.Index(table["image_id"])), table["mass"].to_numpy())
        for table in tables
    ]
    return choices, sum(_seconds(path) for path in paths)


def _record(
    ranking: Ranking,
    seconds: float,
    proxy_seconds: float,
    proxy_of: ProxyOf | None,
    steps: list[StepRecord],
) -> SelectionRecord:
    record: SelectionRecord = {
        "method": ranking.method,
        "settings": ranking.settings,
        "quota": ranking.quota,
        "partitions": ranking.partitions,
        "seed": ranking.seed,
        "memory_forecast": ranking.memory,
        "seconds": seconds,
        "proxy_seconds": proxy_seconds,
        "proxy_of": proxy_of,
        "steps": steps,
    }
    return cast("SelectionRecord", ranking.details | record)


def _records(job: SelectionJob) -> tuple[list[FeatureRecord], list[FeatureRecord]]:
    """The records of the feature spaces that the steps use, and of what the proxy made for them."""
    spaces = _spaces(job)
    # A single run of the proxy makes the scores, the features and the gradients.
    of_proxy = [job.features[space] for space in sorted(spaces & PROXY_SPACES)]
    of_proxy += [job.scores] if job.scores else []
    others = [job.features[space] for space in sorted(spaces - PROXY_SPACES)]
    return _read(others), _read(of_proxy)


def _read(paths: Sequence[Path]) -> list[FeatureRecord]:
    """The records next to some files."""
    return [read_json(path.with_suffix(".json")) for path in paths]


def _most(key: Literal["seconds", "embedding_seconds"], records: list[FeatureRecord]) -> float:
    """The largest number of seconds in records; 0 if there are none."""
    return max((record.get(key, 0.0) for record in records), default=0.0)


def _spaces(job: SelectionJob) -> set[str]:
    """The feature spaces that the steps of a job use."""
    return {step.space for step in job.steps if step.space} & set(job.features)


def _seconds(path: Path) -> float:
    return float(read_json(path.with_suffix(".json"))["seconds"])
