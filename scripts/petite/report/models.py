"""The trained models of each case: learning curves, calibration, mistakes and costs."""

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import pandas as pd
from markupsafe import Markup

from petite.evaluation.metrics import ACCURACY, METRICS
from petite.plots import style
from petite.plots.calibration import calibration_bins, calibration_picture
from petite.plots.curves import accuracy_curves_picture
from petite.report import classes, drawing
from petite.report.inputs import Case, Inputs, Predictions
from petite.report.words import name
from petite.util.formatting import (
    MINUS,
    NOTHING,
    byte_size,
    in_percent,
    measured_time,
    number,
    signed,
)

MOST_CELLS = 12  # classes of a confusion matrix; with more, lists are shown
MOST_PAIRS = 12
MOST_RANKED = 5  # classes in the list of the worst, and in that of the best


class Cell(TypedDict):
    """A cell of a confusion matrix: images, percent of the row, and whether it is the diagonal."""

    count: str
    share: str
    right: bool


class Row(TypedDict):
    """A row of a confusion matrix."""

    class_name: str
    cells: list[Cell]


class Pair(TypedDict):
    """Images of one class that are predicted as another."""

    true: str
    taken_for: str
    count: str


class Ranked(TypedDict):
    """A class with its accuracy."""

    class_name: str
    accuracy: str


class Mistakes(TypedDict, total=False):
    """A confusion matrix (classes, rows), or of many classes the pairs and the ends (the rest)."""

    classes: list[str]
    rows: list[Row]
    pairs: list[Pair]
    more_pairs: str
    worst: list[Ranked]
    best: list[Ranked]
    more_classes: str


class Panel(TypedDict):
    """What is shown of a case."""

    key: str
    name: str
    method: str
    numbers: list[tuple[str, str]]
    curves: Markup | None
    calibration: Markup | None
    mistakes: Mistakes | None


class Cost(TypedDict):
    """The costs of a case; the shares are the widths of its bars, in percent."""

    name: str
    method: str
    select: str
    train: str
    select_share: str
    train_share: str
    memory: str
    stored: str
    lost: str


class Models(TypedDict):
    """A panel for each case, and the costs of all."""

    panels: list[Panel]
    costs: list[Cost]


def models(inputs: Inputs) -> Models:
    """The section's values."""
    predictions = inputs.judged
    panels: list[Panel] = []
    for case in inputs.cases:
        found = [each for each in predictions if each.case == case]
        panels.append(
            {
                "key": case.key,
                "name": style.condition(*case),
                "method": case.method,
                "numbers": _numbers(inputs.runs, case),
                "curves": curves(inputs.history, case),
                "calibration": calibration(found),
                "mistakes": mistakes(found, inputs.store.classes),
            }
        )
    return {"panels": panels, "costs": costs(inputs)}


def _numbers(runs: pd.DataFrame, case: Case) -> list[tuple[str, str]]:
    """The metrics of a case, as means over the seeds."""
    chosen = runs[(runs["method"] == case.method) & (runs["fraction"] == case.fraction)]
    mean = chosen.mean(numeric_only=True)
    worst = name(str(chosen["worst_class"].mode().iloc[0]))
    return [
        ("accuracy on the test images", f"{in_percent(mean['accuracy'])}%"),
        *_on_training_images(mean["train_accuracy"]),
        *(
            (metric.words, f"{in_percent(mean[metric.name])}%")
            for metric in METRICS.values()
            if metric.name != ACCURACY
        ),
        (
            f"accuracy on the worst class (mostly {worst})",
            f"{in_percent(mean['worst_class_accuracy'])}%",
        ),
        ("log-loss", "–" if math.isnan(mean["loss"]) else f"{mean['loss']:.3f}"),
        ("calibration error", f"{100 * mean['calibration_error']:.1f} points"),
    ]


def _on_training_images(accuracy: float) -> list[tuple[str, str]]:
    """Nothing where only the user's program knows it."""
    if math.isnan(accuracy):
        return []
    return [("accuracy on the images it was trained on", f"{in_percent(accuracy)}%")]


def curves(history: pd.DataFrame, case: Case) -> Markup | None:
    """The learning curves of accuracy; None where the models have none."""
    if history.empty:
        return None
    chosen = history[(history["method"] == case.method) & (history["fraction"] == case.fraction)]
    return drawing.embedded(
        accuracy_curves_picture(history, chosen),
        f"curves-{case.key}",
        f"Accuracy by training steps of {style.condition(*case)}",
    )


def calibration(predictions: Sequence[Predictions]) -> Markup | None:
    """Accuracy by confidence over all seeds; None without predictions."""
    if not predictions:
        return None
    case = predictions[0].case
    confidence = np.concatenate([found.confidence.ravel() for found in predictions])
    right = np.concatenate([(found.answers == found.labels).ravel() for found in predictions])
    bins = calibration_bins(confidence, right)
    words = [
        f"confidence {100 * sure:.0f}%: {100 * share:.0f}% of {number(images)} correct"
        for sure, share, images in bins.to_numpy().tolist()
    ]
    return drawing.embedded(
        calibration_picture(bins, predictions[0].classes, style.method_color(case.method)),
        f"calibration-{case.key}",
        f"Calibration of {style.condition(*case)}: {'; '.join(words)}",
        words={"dots-all": words},
    )


def mistakes(predictions: Sequence[Predictions], class_names: Sequence[str]) -> Mistakes | None:
    """Confusions of classes as means over the seeds; None without predictions."""
    if not predictions:
        return None
    seeds = [len(found.answers) for found in predictions]
    mean = np.average([found.confusion for found in predictions], axis=0, weights=seeds)
    if len(class_names) <= MOST_CELLS:
        return {"classes": list(class_names), "rows": _matrix(mean, class_names)}
    return {"rows": [], **_pairs(mean, class_names), **_ranked(predictions, class_names)}


def _matrix(mean: np.ndarray, class_names: Sequence[str]) -> list[Row]:
    """The confusion matrix, row by row."""
    shares = mean / np.maximum(mean.sum(axis=1, keepdims=True), 1)
    return [
        {
            "class_name": class_name,
            "cells": [
                {
                    "count": f"{mean[row, column]:.1f}",
                    "share": f"{100 * shares[row, column]:.0f}",
                    "right": row == column,
                }
                for column in range(len(class_names))
            ],
        }
        for row, class_name in enumerate(class_names)
    ]


def _pairs(mean: np.ndarray, class_names: Sequence[str]) -> Mistakes:
    """The most frequent confusions, and how many others there are."""
    wrong = mean - np.diag(mean.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    pairs: list[Pair] = [
        {
            "true": class_names[row],
            "taken_for": class_names[column],
            "count": f"{wrong[row, column]:.1f}",
        }
        for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[row, column] > 0
    ]
    return {"pairs": pairs, "more_pairs": number(int(np.count_nonzero(wrong)) - len(pairs))}


def _ranked(predictions: Sequence[Predictions], class_names: Sequence[str]) -> Mistakes:
    """The classes with the lowest and the highest accuracy, and how many are left out."""
    found = classes.accuracy_by_class(predictions, len(class_names))
    each = min(MOST_RANKED, int(np.count_nonzero(~np.isnan(found))) // 2)
    ends = classes.worst_and_best(found, each)
    ranked: list[Ranked] = [
        {"class_name": class_names[label], "accuracy": f"{in_percent(found[label])}%"}
        for label in ends
    ]
    return {
        "worst": ranked[:each],
        "best": ranked[each:][::-1],
        "more_classes": number(len(class_names) - len(ends)),
    }


def costs(inputs: Inputs) -> list[Cost]:
    """The costs of each case, with bars on one scale for selection and training time."""
    table = inputs.costs
    by_case = {Case(row["method"], row["fraction"]): row for _, row in table.iterrows()}
    full = by_case.get(Case("full", 1.0))
    total = table["select_seconds"].fillna(0) + table["train_seconds"].fillna(0)
    rows: list[Cost] = []
    for case in inputs.cases:
        row = by_case[case]
        rows.append(
            {
                "name": style.condition(*case),
                "method": case.method,
                "select": measured_time(row["select_seconds"]),
                "train": measured_time(row["train_seconds"]),
                "select_share": _percent_of(row["select_seconds"], total.max()),
                "train_share": _percent_of(row["train_seconds"], total.max()),
                "memory": byte_size(row["peak_memory_bytes"]),
                "stored": byte_size(row["stored_bytes"]),
                "lost": NOTHING
                if full is None
                else signed(row["accuracy"] - full["accuracy"], MINUS),
            }
        )
    return rows


def _percent_of(part: float, whole: float) -> str:
    return "0" if math.isnan(part) or not whole else f"{100 * part / whole:.1f}"
