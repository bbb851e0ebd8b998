"""Subsets as tables: which images to train on, never a copy of their pixels.

Where these functions take `train`, it is the table of the training images in the order of the
split, with the columns image_id and label.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from petite.features.io import read_features
from petite.features.registry import SPACES
from petite.selection import Choice, Question, Ranking, question
from petite.selection.engine import answer, first_stage, second_stage
from petite.selection.quota import with_every_group
from petite.subsets import augmentation as recipes
from petite.util.errors import PetiteError
from petite.util.files import read_json, read_table

PROXY_SPACES = {space.name for space in SPACES.values() if space.is_of_proxy}
COLUMNS = ["image_id", "rank", "class_name", "label", "weight", "origin", "recipe"]


def subset_size(fraction: float, train: pd.DataFrame) -> int:
    """How many images the fraction (0 < fraction <= 1) of the training images is.

    The nearest whole number, but one for each class at least.
    """
    return max(train["label"].nunique(), round(fraction * len(train)))


@dataclass(frozen=True)
class Step:
    """One selection of a chain; a method by itself is a chain of one.

    space: the feature space it compares images in, or None. share: images after this step, as a
    share of the images asked for.
    """

    method: str
    settings: dict[str, Any]
    quota: str = "proportional"
    space: str | None = None
    share: float = 1.0


@dataclass(frozen=True)
class Resources:
    """What selections draw on.

    features: the file of each feature space that is needed.
    scores: the table of a proxy run, its record beside it, or None.
    partitions, max_memory: as `petite.selection.select` takes them.
    """

    features: dict[str, Path]
    scores: Path | None = None
    partitions: int | None = None
    max_memory: int | None = None


def choose(
    train: pd.DataFrame,
    k: int,
    steps: Sequence[Step],
    seed: int,
    resources: Resources,
    candidates: Sequence[Path] = (),
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Choose k of the training images, by one method or by several one after the other.

    candidates: the files of `candidates_of` for all partitions, where they were made beforehand.

    Returns the ranking table of the last step and its record: method, settings, seed, the
    method's details, `steps` (method and images of each), and `seconds`, those of all steps, their
    features and the proxy included, with `proxy_seconds`, the proxy's part.
    """
    left = train.reset_index(drop=True)
    proxy_seconds, done = _proxy_seconds(steps, resources), []
    seconds = _features_seconds(steps, resources) + proxy_seconds
    for step in steps:
        wanted = min(len(left), max(left["label"].nunique(), round(step.share * k)))
        asking = asked(left, train, wanted, step, seed, resources)
        if candidates:
            ranking = second_stage(asking, *_read_candidates(candidates, left))
        else:
            ranking = answer(asking)
        table = ranking_table(ranking, left)
        seconds += ranking.seconds
        done.append({"method": step.method, "images": len(table)})
        left = left.iloc[np.sort(ranking.indices)].reset_index(drop=True)
    record = ranking_record(ranking, seconds) | {"proxy_seconds": proxy_seconds, "steps": done}
    return table, record


def candidates_of(
    train: pd.DataFrame, k: int, step: Step, seed: int, resources: Resources, part: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The first stage for one partition (from 0): candidates, and its record with its seconds."""
    started = time.perf_counter()
    choice = first_stage(asked(train, train, k, step, seed, resources), part)
    table = pd.DataFrame(
        {"image_id": train["image_id"].to_numpy()[choice.indices], "mass": choice.weights}
    )
    return table, {"part": part, "seconds": time.perf_counter() - started}


def _read_candidates(paths: Sequence[Path], train: pd.DataFrame) -> tuple[list[Choice], float]:
    """What `candidates_of` gave for each partition, and the seconds of all together."""
    ids = pd.Index(train["image_id"])
    tables = [read_table(path) for path in paths]
    choices = [
        Choice(ids.get_indexer(pd.Index(table["image_id"])), table["mass"].to_numpy())
        for table in tables
    ]
    return choices, sum(_seconds(path) for path in paths)


def ranking_record(ranking: Ranking, seconds: float) -> dict[str, Any]:
    """What is told of a selection beside its table."""
    return {
        **ranking.details,
        "method": ranking.method,
        "settings": ranking.settings,
        "quota": ranking.quota,
        "partitions": ranking.partitions,
        "seed": ranking.seed,
        "memory_forecast": ranking.memory,
        "seconds": seconds,
    }


def asked(
    left: pd.DataFrame, train: pd.DataFrame, k: int, step: Step, seed: int, resources: Resources
) -> Question:
    """The question to a step's method: which k of the images that are `left` of `train`?"""
    rows = pd.Index(train["image_id"]).get_indexer(pd.Index(left["image_id"]))
    features = scores = errors = None
    if step.space:
        if step.space not in resources.features:
            raise PetiteError(
                f"'{step.method}' compares images in the space {step.space}: "
                f"give --features {step.space}=PATH"
            )
        features, _ = read_features(resources.features[step.space], train["image_id"].tolist())
        features = features if len(left) == len(train) else features[rows]
    if resources.scores:
        scores, errors = _proxy_scores(resources.scores, train, rows)
    return question(
        features,
        left["label"].to_numpy(),
        k,
        step.method,
        seed,
        scores,
        step.quota,
        class_errors=errors,
        partitions=resources.partitions,
        max_memory=resources.max_memory,
        **step.settings,
    )


def _features_seconds(steps: Sequence[Step], resources: Resources) -> float:
    """How long the features of these steps took, each space counted once; not the proxy's."""
    spaces = {step.space for step in steps if step.space} & set(resources.features)
    return sum(_seconds(resources.features[space]) for space in spaces - PROXY_SPACES)


def _proxy_seconds(steps: Sequence[Step], resources: Resources) -> float:
    """How long the run of the proxy took; 0 where these steps do without."""
    spaces = {step.space for step in steps if step.space} & set(resources.features)
    # One run makes the scores, the features and the gradients.
    made = [resources.features[space] for space in spaces & PROXY_SPACES]
    made += [resources.scores] if resources.scores else []
    return max(map(_seconds, made), default=0.0)


def _seconds(path: Path) -> float:
    return float(read_json(path.with_suffix(".json"))["seconds"])


def _proxy_scores(
    path: Path, train: pd.DataFrame, rows: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[int, float]]:
    """Some images' scores by name, and the error of each label."""
    table = read_table(path)
    if table["image_id"].tolist() != train["image_id"].tolist():
        raise PetiteError(
            f"{path} holds scores of other images than the training split's: "
            "delete it and run again"
        )
    scores = {name: table[name].to_numpy()[rows] for name in table.columns if name != "image_id"}
    errors = read_json(path.with_suffix(".json"))["class_errors"]
    return scores, dict(enumerate(errors))


def ranking_table(ranking: Ranking, train: pd.DataFrame) -> pd.DataFrame:
    """A ranking as a table: rank (int64, from 0), image_id, weight (float64), extra columns."""
    return pd.DataFrame(
        {
            "rank": np.arange(len(ranking.indices), dtype=np.int64),
            "image_id": train["image_id"].to_numpy()[ranking.indices],
            "weight": ranking.weights,
            **ranking.extra,
        }
    )


def cut(ranked: pd.DataFrame, train: pd.DataFrame, k: int) -> pd.DataFrame:
    """The first k rows of a ranking table, and every class among them.

    k: from the number of classes to the number of rows.
    The best image of each class is always in; the others fill up in their order. So a class is
    missing from no subset, smaller ones lie within larger ones, and wherever the first k rows have
    every class it is they.
    """
    labels = ranked["image_id"].map(train.set_index("image_id")["label"])
    return ranked.iloc[with_every_group(labels.to_numpy(), k)]


def subset_table(ranked: pd.DataFrame, train: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """The table of a subset: `COLUMNS`, then the extra columns of the ranking table.

    classes: the name of each label. `origin` is the image itself and `recipe` is empty.
    """
    table = ranked.merge(train[["image_id", "label"]], on="image_id", validate="one_to_one")
    table["class_name"] = table["label"].map(dict(enumerate(classes)))
    table["origin"] = table["image_id"]
    table["recipe"] = ""
    extras = [column for column in ranked.columns if column not in COLUMNS]
    return table[COLUMNS + extras]


def augmented(subset: pd.DataFrame, seed: int, settings: recipes.Settings) -> pd.DataFrame:
    """The subset and, below it, rows of new images with their recipes.

    A new row is its origin's with another image_id, `origin~1`, `origin~2` and so on.
    """
    drawn = recipes.draw(subset["image_id"].tolist(), seed, settings)
    origins = pd.DataFrame({"image_id": [origin for origin, _ in drawn]})
    new = origins.merge(subset, on="image_id", how="left", validate="many_to_one")[subset.columns]
    number = origins.groupby("image_id").cumcount() + 1
    new["image_id"] = origins["image_id"] + "~" + number.astype(str)
    new["recipe"] = [recipe for _, recipe in drawn]
    return pd.concat([subset, new], ignore_index=True)


def stored_bytes(images: int, image_shape: tuple[int, int, int]) -> int:
    """What so many images of this shape (height, width, channels) take in the store, as uint8."""
    return images * int(np.prod(image_shape))


def recipe_bytes(subset: pd.DataFrame) -> int:
    """What the text of a subset's recipes takes."""
    return sum(len(recipe.encode("utf-8")) for recipe in subset["recipe"])
