"""The trained models, case by case: learning curves, calibration, mistakes, and what they cost."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from petite.plots import style
from petite.report import classes
from petite.report.inputs import Case, Inputs, Predictions
from petite.report.words import accuracy, bytes_in_words, name, number, points, seconds
from petite.training.metrics import CALIBRATION_BINS

WIDTH, HEIGHT = 360, 240
LEFT, RIGHT, TOP, BOTTOM = 42, 8, 10, 36
MOST_CELLS = 12  # classes that a confusion matrix is drawn for; more are told as lists
MOST_PAIRS = 12
MOST_RANKED = 5  # classes that are listed as the worst, and as many as the best


def models(inputs: Inputs) -> dict[str, Any]:
    """A panel for each case, and the costs of all."""
    predictions = inputs.judged
    low = _lowest(inputs.history)
    panels = []
    for case in inputs.cases:
        found = [each for each in predictions if each.case == case]
        panels.append(
            {
                "key": case.key,
                "name": style.condition(*case),
                "method": case.method,
                "numbers": _numbers(inputs.runs, case),
                "curves": curves(inputs.history, case, low),
                "calibration": calibration(found),
                "mistakes": mistakes(found, inputs.store.classes),
            }
        )
    return {"panels": panels, "costs": costs(inputs), "width": WIDTH, "height": HEIGHT}


def _numbers(runs: pd.DataFrame, case: Case) -> list[tuple[str, str]]:
    """What the models of a case come to, as means over the seeds."""
    chosen = runs[(runs["method"] == case.method) & (runs["fraction"] == case.fraction)]
    mean = chosen.mean(numeric_only=True)
    worst = name(str(chosen["worst_class"].mode().iloc[0]))
    return [
        ("accuracy on the test images", f"{accuracy(mean['accuracy'])}%"),
        ("on the images it was trained on", f"{accuracy(mean['train_accuracy'])}%"),
        ("balanced accuracy, the mean of the classes", f"{accuracy(mean['balanced_accuracy'])}%"),
        (f"on the worst class (mostly {worst})", f"{accuracy(mean['worst_class_accuracy'])}%"),
        ("log-loss", "–" if math.isnan(mean["loss"]) else f"{mean['loss']:.3f}"),
        ("calibration error", f"{100 * mean['calibration_error']:.1f} points"),
    ]


def _lowest(history: pd.DataFrame) -> float:
    """The foot of the accuracy axis, the same in all panels so that they compare."""
    shown = history[["accuracy", "validation_accuracy"]].to_numpy()
    shown = shown[~np.isnan(shown)]
    return float(max(0.0, np.floor(10 * np.quantile(shown, 0.02)) / 10)) if len(shown) else 0.0


def curves(history: pd.DataFrame, case: Case, low: float) -> dict[str, Any]:
    """Accuracy over the steps of training: thin lines are seeds, bold ones their mean."""
    chosen = history[(history["method"] == case.method) & (history["fraction"] == case.fraction)]
    last = float(chosen["step"].max()) if len(chosen) else 1.0

    def x(step: float) -> float:
        return round(LEFT + step / last * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        share = (max(value, low) - low) / (1 - low or 1)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    lines = []
    for kind, column in (("validation", "validation_accuracy"), ("training", "accuracy")):
        known = chosen.dropna(subset=[column])
        if known.empty:
            continue
        each = [
            _line([(x(step), y(value)) for step, value in rows[["step", column]].to_numpy()])
            for _, rows in known.groupby("seed")
        ]
        mean = known.groupby("step")[column].mean()
        bold = _line([(x(float(str(step))), y(value)) for step, value in mean.items()])
        lines.append({"kind": kind, "seeds": each, "mean": bold})
    ticks = np.linspace(low, 1, 3)
    return {
        "lines": lines,
        "x_ticks": [{"x": x(step), "text": number(step)} for step in (0, last / 2, last)],
        "y_ticks": [{"y": y(value), "text": f"{100 * value:.0f}"} for value in ticks.tolist()],
    }


def _line(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)


def calibration(predictions: Sequence[Predictions]) -> dict[str, Any] | None:
    """How often models are right by how sure they are, all seeds together, in the metric's bins.

    Areas of the dots are shares of the images. None without predictions.
    """
    if not predictions:
        return None
    confidence = np.concatenate([found.confidence.ravel() for found in predictions])
    right = np.concatenate([(found.answers == found.labels).ravel() for found in predictions])
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    bins = np.digitize(confidence, edges, right=True)
    low = 1 / predictions[0].classes
    dots = []
    for place in np.unique(bins).tolist():
        here = bins == place
        sure, share = float(confidence[here].mean()), float(right[here].mean())
        dots.append(
            {
                "x": _across(sure, low),
                "y": _up(share),
                "r": round(2 + 12 * math.sqrt(here.mean()), 1),
                "words": f"sure by {100 * sure:.0f}%: right in {100 * share:.0f}% of "
                f"{number(here.sum())}",
            }
        )
    return {
        "dots": dots,
        "from": (_across(low, low), _up(low)),
        "to": (_across(1, low), _up(1)),
        "x_ticks": [
            {"x": _across(value, low), "text": f"{100 * value:.0f}"} for value in _round_shares(low)
        ],
        "y_ticks": [{"y": _up(value), "text": f"{100 * value:.0f}"} for value in (0, 0.5, 1)],
    }


def _round_shares(low: float) -> list[float]:
    """Ticks between chance and certainty, at round percentages."""
    values = np.asarray(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(100 * low, 100)) / 100
    return [value for value in values.tolist() if low - 1e-9 <= value <= 1 + 1e-9]


def _across(value: float, low: float) -> float:
    return round(LEFT + (value - low) / (1 - low) * (WIDTH - LEFT - RIGHT - 10), 1)


def _up(value: float) -> float:
    return round(HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM), 1)


def mistakes(
    predictions: Sequence[Predictions], class_names: Sequence[str]
) -> dict[str, Any] | None:
    """What is taken for what, as means over the seeds: a matrix, or of many classes the ends.

    None without predictions.
    """
    if not predictions:
        return None
    seeds = [len(found.answers) for found in predictions]
    mean = np.average([found.confusion for found in predictions], axis=0, weights=seeds)
    if len(class_names) <= MOST_CELLS:
        return {"classes": list(class_names), "rows": _matrix(mean, class_names)}
    return {"rows": [], **_pairs(mean, class_names), **_ranked(predictions, class_names)}


def _matrix(mean: np.ndarray, class_names: Sequence[str]) -> list[dict[str, Any]]:
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


def _pairs(mean: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    """The commonest mistakes, and how many others there are."""
    wrong = mean - np.diag(mean.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [
        {
            "true": class_names[row],
            "taken_for": class_names[column],
            "count": f"{wrong[row, column]:.1f}",
        }
        for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[row, column] > 0
    ]
    return {"pairs": pairs, "more_pairs": number(int(np.count_nonzero(wrong)) - len(pairs))}


def _ranked(predictions: Sequence[Predictions], class_names: Sequence[str]) -> dict[str, Any]:
    """The classes that are got right least and most often, and how many are left out."""
    found = classes.accuracy_by_class(predictions, len(class_names))
    each = min(MOST_RANKED, int(np.count_nonzero(~np.isnan(found))) // 2)
    ends = classes.worst_and_best(found, each)
    ranked = [
        {"class_name": class_names[label], "accuracy": f"{accuracy(found[label])}%"}
        for label in ends
    ]
    return {
        "worst": ranked[:each],
        "best": ranked[each:][::-1],
        "more_classes": number(len(class_names) - len(ends)),
    }


def costs(inputs: Inputs) -> list[dict[str, Any]]:
    """What each case took, with bars on one scale for the seconds of selection and training."""
    table = inputs.costs
    by_case = {Case(row["method"], row["fraction"]): row for _, row in table.iterrows()}
    full = by_case.get(Case("full", 1.0))
    total = table["select_seconds"].fillna(0) + table["train_seconds"].fillna(0)
    rows = []
    for case in inputs.cases:
        row = by_case[case]
        rows.append(
            {
                "name": style.condition(*case),
                "method": case.method,
                "select": seconds(row["select_seconds"]),
                "train": seconds(row["train_seconds"]),
                "select_share": _percent_of(row["select_seconds"], total.max()),
                "train_share": _percent_of(row["train_seconds"], total.max()),
                "memory": bytes_in_words(row["peak_memory_bytes"]),
                "stored": bytes_in_words(row["stored_bytes"]),
                "lost": "–" if full is None else points(row["accuracy"] - full["accuracy"]),
            }
        )
    return rows


def _percent_of(part: float, whole: float) -> str:
    return "0" if math.isnan(part) or not whole else f"{100 * part / whole:.1f}"
