"""The figure of accuracy against bytes."""

import itertools

import numpy as np
import pandas as pd
import pytest

from petite.plots.bytes import accuracy_by_bytes, bytes_picture
from petite.plots.registry import FigurePlan, drawings

METHODS = ["full", "random", "random@64px-webp-q40", "herding@8px-jpeg-q5", "augmentation"]


def tables(runs: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of `runs` runs each; without an interval for a single one, without bytes for one."""
    mean = np.array([0.95, 0.9, 0.92, 0.5, 0.9])
    summary = pd.DataFrame(
        {
            "method": METHODS,
            "fraction": [1, 0.1, 0.1, 0.1, 0.1],
            "encoding": ["original", "original", "64px-webp-q40", "8px-jpeg-q5", "original"],
            "bytes": [1e8, 1e7, 5e5, 1e3, np.nan],
            "runs": runs,
            "metric": "accuracy",
            "accuracy_mean": mean,
            "accuracy_low": mean - 0.01 if runs > 1 else np.nan,
            "accuracy_high": mean + 0.01 if runs > 1 else np.nan,
        }
    )
    own = summary[["method", "fraction"]].assign(dataset="a_name_of_24_letters_pets", accuracy=mean)
    return own, summary


@pytest.mark.parametrize("runs", [1, 7])
def test_it_draws_what_has_bytes_and_names_the_encodings(runs: int) -> None:
    figure = accuracy_by_bytes(*tables(runs))
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said[:3] == ["originals", "64x64 WebP q40", "8x8 JPEG q5"]
    assert said[3:] == ["full", "random", "herding"]
    [axes] = figure.axes
    assert axes.get_xscale() == "log"
    drawn = np.concatenate([np.asarray(marks.get_offsets()) for marks in axes.collections])
    assert {1e8, 1e7, 5e5, 1e3} <= set(drawn[:, 0])
    assert list(axes.lines[0].get_xdata()) == [1e3, 5e5, 1e8]
    figure.draw_without_rendering()
    title, legend = figure._suptitle.get_window_extent(), figure.legends[0].get_window_extent()
    assert not title.overlaps(legend)
    bytes_picture(*tables(runs), 3.0).draw_without_rendering()


@pytest.mark.parametrize("width", [3.0, 3.6, 7.0])
def test_the_fractions_of_a_crowded_front_are_not_drawn_over_each_other(width: float) -> None:
    sizes = np.geomspace(1e5, 2e7, 25)
    summary = pd.DataFrame(
        {
            "method": "random@64px-webp-q40",
            "fraction": np.linspace(0.01, 1, 25),
            "encoding": "64px-webp-q40",
            "bytes": sizes,
            "runs": 7,
            "metric": "accuracy",
            "accuracy_mean": 0.9 + 0.003 * np.arange(25),
        }
    )
    mean = summary["accuracy_mean"]
    summary = summary.assign(accuracy_low=mean, accuracy_high=mean)
    own = summary[["method", "fraction"]].assign(dataset="pets", accuracy=mean)
    figure = bytes_picture(own, summary, width)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert 2 < len(boxes) < 25
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    left = figure.axes[0].get_window_extent().x0
    assert all(box.x0 > left for box in boxes)


def test_a_run_has_it_only_with_encodings() -> None:
    for label, is_there in (("random", False), ("random@64px-webp-q40", True)):
        plan = FigurePlan(
            (("full", 1.0), (label, 0.1)), dict.fromkeys(METHODS, "random"), True, "a"
        )
        assert ("accuracy_by_bytes" in drawings(plan)) == is_there


def test_encodings_share_one_picture_of_the_kept_images() -> None:
    cases = (("random", 0.1), ("random@64px-webp-q40", 0.1))
    methods = dict.fromkeys(["random", "random@64px-webp-q40"], "random")
    assert FigurePlan(cases, methods, False, "scratch").smallest == ["random"]
