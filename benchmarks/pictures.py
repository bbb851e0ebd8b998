"""Draw the pictures of docs/evidence-in-pictures.md, and the figures of the results pages.

    python benchmarks/pictures.py [NAME ...]

The first ones are small simulations with fixed seeds, so that the same picture has the same bytes.
The others are drawn from benchmarks/results/*.csv. They are written to docs/figures/.
"""

import argparse
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from petite.plots import fonts, style
from petite.plots.bytes import bytes_picture
from petite.util.files import atomic_path

REPOSITORY = Path(__file__).resolve().parents[1]
FIGURES = REPOSITORY / "docs/figures"
RESULTS = REPOSITORY / "benchmarks/results"
# Inches. A picture is shown at its own size, and fits a phone.
WIDTH, HEIGHT = 3.6, 2.2
BLUE, ORANGE, GREEN = style.OKABE_ITO[:3]
GRAY = style.METHOD_COLORS["random"]
FAINT = style.FAINT


def panel(height: float = HEIGHT) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def plain_y(axes: Axes) -> None:
    """No scale on the y axis, which shows an order or a count only."""
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def interval(values: np.ndarray) -> float:
    """Half the width of the 95% interval of a mean (Student's t)."""
    return float(stats.sem(values) * stats.t.ppf(0.975, len(values) - 1))


def seeds() -> Figure:
    """The same subsets, trained with other seeds: single runs contradict each other."""
    rng = np.random.default_rng(1)
    figure, axes = panel()
    truth = {"random": 91.0, "method": 91.5}
    for row, (name, mean) in enumerate(truth.items()):
        values = rng.normal(mean, 0.9, 12)
        color = GRAY if name == "random" else BLUE
        axes.plot(values, row + rng.uniform(-0.16, 0.16, 12), "o", color=color, alpha=0.75, ms=4.5)
        axes.plot([values.mean()] * 2, [row - 0.32, row + 0.32], color=color, lw=2)
    axes.set_yticks([0, 1], list(truth))
    axes.set_ylim(-0.6, 1.6)
    axes.set_xlabel("accuracy of a run, %")
    return figure


def paired() -> Figure:
    """Runs that share a seed go up and down together, so that their difference is steadier."""
    rng = np.random.default_rng(4)
    figure, axes = panel()
    common = rng.normal(0, 1.0, 8)
    before = 91 + common + rng.normal(0, 0.25, 8)
    after = 91.7 + common + rng.normal(0, 0.25, 8)
    for low, high in zip(before, after, strict=True):
        axes.plot([0, 1], [low, high], "-", color=FAINT, lw=1, zorder=1)
    axes.plot(np.zeros(8), before, "o", color=GRAY, ms=5)
    axes.plot(np.ones(8), after, "s", color=BLUE, ms=5)
    difference = after - before
    middle, half = before.mean(), interval(difference)
    axes.errorbar(1.5, middle + difference.mean(), half, fmt="D", color=BLUE, ms=5, capsize=3)
    separate = np.hypot(interval(before), interval(after))
    axes.errorbar(2.0, middle + difference.mean(), separate, fmt="D", color=GRAY, ms=5, capsize=3)
    axes.axhline(middle, color=style.QUIET, lw=0.8, ls=":")
    axes.set_xticks([0, 1, 1.5, 2], ["random", "method", "paired", "not\npaired"])
    axes.set_xlim(-0.3, 2.3)
    axes.set_ylabel("accuracy, %")
    return figure


def sign_flip() -> Figure:
    """All 2^7 means that differ only in signs, and where the observed one is among them."""
    differences = np.array([0.9, 1.4, 0.3, 1.1, -0.2, 0.7, 1.6])
    flips = np.array(list(product([1, -1], repeat=len(differences))))
    means = flips @ differences / len(differences)
    observed = differences.mean()
    extreme = np.abs(means) >= observed - 1e-12
    figure, axes = panel()
    bins = np.linspace(-1, 1, 21)
    axes.hist(means[~extreme], bins, color=FAINT)
    axes.hist(means[extreme], bins, color=BLUE)
    axes.axvline(observed, color=BLUE, lw=1)
    top = axes.get_ylim()[1]
    axes.set_ylim(0, 1.3 * top)
    axes.text(
        0.0,
        1.27 * top,
        f"{extreme.sum()} of {len(means)} are as far from 0: p = {extreme.mean():.3f}",
        ha="center",
        va="top",
        fontsize=8,
    )
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.set_xlabel("mean difference if signs were flipped, points")
    axes.set_ylabel("sign patterns")
    return figure


def holm() -> Figure:
    """Sorted p-values of ten methods, the thresholds of Holm, and 5% for each alone."""
    p = np.array([0.003, 0.004, 0.012, 0.03, 0.04, 0.2, 0.35, 0.5, 0.7, 0.9])
    ranks = np.arange(1, len(p) + 1)
    thresholds = 0.05 / (len(p) - ranks + 1)
    passed = np.logical_and.accumulate(p <= thresholds)
    figure, axes = panel()
    axes.step(ranks, thresholds, where="mid", color=style.INK, lw=1.2)
    axes.axhline(0.05, color=style.QUIET, lw=0.8, ls=":")
    axes.plot(ranks[passed], p[passed], "o", color=BLUE, ms=5)
    axes.plot(ranks[~passed], p[~passed], "o", color=GRAY, ms=5)
    axes.set_yscale("log")
    axes.set_ylim(0.002, 1.2)
    axes.set_yticks([0.005, 0.05, 0.5], ["0.005", "0.05", "0.5"])
    axes.minorticks_off()
    axes.set_xticks(ranks)
    axes.text(1, 0.058, "5%", fontsize=8, color=style.QUIET, ha="center", va="bottom")
    axes.text(8.3, 0.011, "Holm", fontsize=8, ha="center", va="top")
    axes.set_xlabel("methods, by their p-values")
    axes.set_ylabel("p")
    return figure


def tolerance() -> Figure:
    """Four intervals of the difference from the full set, and what each one shows."""
    cases = [
        ("equivalent", 0.1, 0.6),
        ("not worse", 1.1, 1.0),
        ("not shown", -0.2, 1.7),
        ("not shown", -1.8, 0.5),
    ]
    figure, axes = panel()
    axes.axvspan(-1, 1, color=style.TOLERATED, zorder=0)
    axes.axvline(0, color=style.QUIET, lw=0.8, ls=":")
    for row, (words, mean, half) in enumerate(reversed(cases)):
        color = GRAY if words == "not shown" else GREEN
        axes.errorbar(mean, row, xerr=half, fmt="o", color=color, capsize=3, ms=5)
    axes.set_yticks(range(len(cases)), [words for words, *_ in reversed(cases)])
    axes.set_ylim(-0.6, len(cases) - 0.4)
    axes.set_xticks([-2, -1, 0, 1, 2])
    axes.set_xlabel("difference from all images, points; shaded: ±1")
    return figure


def looks() -> Figure:
    """Comparisons that stop at the look at which they are over, with intervals that hold."""
    rng = np.random.default_rng(3)
    sizes = [7, 15, 30]
    figure, axes = panel()
    axes.axhline(0, color=style.QUIET, lw=0.8, ls=":")
    for shift, (mean, color, marker) in enumerate(
        [(1.6, BLUE, "s"), (0.7, ORANGE, "^"), (0.1, GRAY, "o")]
    ):
        values = rng.normal(mean, 0.9, sizes[-1])
        low, high = -np.inf, np.inf
        for look, size in enumerate(sizes):
            seen = values[:size]
            half = stats.sem(seen) * stats.t.ppf(1 - 0.05 / len(sizes) / 2, size - 1)
            low, high = max(low, seen.mean() - half), min(high, seen.mean() + half)
            place = look + (shift - 1) * 0.16
            axes.plot([place, place], [low, high], color=color, lw=1.6)
            axes.plot(place, seen.mean(), marker, color=color, ms=5)
            if low > 0:
                break
    axes.set_xticks(range(len(sizes)), [f"look {i + 1}\n{n} seeds" for i, n in enumerate(sizes)])
    axes.set_xlim(-0.4, 2.4)
    axes.set_ylabel("difference, points")
    return figure


def images_or_seeds() -> Figure:
    """What is left of an interval as seeds are added, for few and many test images."""
    figure, axes = panel()
    counts = np.arange(4, 61)
    t = stats.t.ppf(0.975, counts - 1)
    for images, color in [(200, ORANGE), (2_000, BLUE)]:
        of_images = 1.96 * 15 / np.sqrt(images)
        half = np.sqrt((t * 1.1) ** 2 / counts + of_images**2)
        axes.plot(counts, half, color=color, lw=1.8)
        axes.axhline(of_images, color=color, lw=0.8, ls=":")
        axes.text(59, half[-1] + 0.12, f"{images:,} test images", color=color, fontsize=8,
                  ha="right", va="bottom")  # fmt: skip
    axes.set_ylim(0, 3.9)
    axes.set_xlabel("seeds")
    axes.set_ylabel("half width, points")
    return figure


def groups() -> Figure:
    """Coverage of 95% intervals if the images of a patient go together."""
    rng = np.random.default_rng(0)
    figure, axes = panel()
    patients, each, simulations = 20, 10, 2_000
    shown = np.linspace(0, 0.9, 10)
    covered = np.zeros((len(shown), 2))
    for row, correlation in enumerate(shown):
        common = rng.normal(0, np.sqrt(correlation), (simulations, patients, 1))
        own = rng.normal(0, np.sqrt(1 - correlation), (simulations, patients, each))
        values = common + own
        for column, units in enumerate([values.reshape(simulations, -1), values.mean(axis=2)]):
            count = units.shape[1]
            half = stats.t.ppf(0.975, count - 1) * units.std(axis=1, ddof=1) / np.sqrt(count)
            covered[row, column] = np.mean(np.abs(units.mean(axis=1)) <= half)
    axes.axhline(95, color=style.QUIET, lw=0.8, ls=":")
    for column, (color, marker) in enumerate([(ORANGE, "^"), (BLUE, "s")]):
        axes.plot(shown, 100 * covered[:, column], "-", color=color, marker=marker, ms=4)
    axes.text(0.9, 89, "patients count", color=BLUE, fontsize=8, ha="right", va="top")
    axes.text(0.45, 67, "images count", color=ORANGE, fontsize=8, ha="left", va="bottom")
    axes.set_ylim(30, 102)
    axes.set_xlabel("correlation of images of a patient")
    axes.set_ylabel("intervals that hold, %")
    return figure


def copies() -> Figure:
    """Labels by chance: what a nearest neighbor gets if copies are on both sides of the split."""
    rng = np.random.default_rng(2)
    shares = np.linspace(0, 1, 6)
    measured = []
    for share in shares:
        rates = []
        for _ in range(200):
            train, test = rng.normal(size=(200, 10)), rng.normal(size=(100, 10))
            labels, truth = rng.integers(0, 2, 200), rng.integers(0, 2, 100)
            copied = int(share * 100)
            of = rng.choice(200, copied, replace=False)
            test[:copied] = train[of] + 0.05 * rng.normal(size=(copied, 10))
            truth[:copied] = labels[of]
            distances = ((test[:, None] - train) ** 2).sum(axis=2)
            rates.append(np.mean(labels[distances.argmin(axis=1)] == truth))
        measured.append(100 * np.mean(rates))
    figure, axes = panel()
    axes.axhline(50, color=style.QUIET, lw=0.8, ls=":")
    axes.plot(100 * shares, measured, "o-", color=ORANGE, ms=5)
    axes.text(100, 52, "truth: nothing to learn", fontsize=8, color=style.QUIET, ha="right")
    axes.set_ylim(40, 104)
    axes.set_xlabel("test images with a copy in training, %")
    axes.set_ylabel("accuracy, %")
    return figure


def luck() -> Figure:
    """The highest of many methods that are all as good as random."""
    rng = np.random.default_rng(5)
    counts = np.array([1, 2, 3, 5, 8, 12, 18, 25])
    highest = [rng.normal(0, 1 / np.sqrt(7), (4_000, count)).max(axis=1) * 0.8 for count in counts]
    middle = np.array([values.mean() for values in highest])
    low, high = np.percentile(highest, [5, 95], axis=1)
    figure, axes = panel()
    axes.axhline(0, color=style.QUIET, lw=0.8, ls=":")
    axes.fill_between(counts, low, high, color=ORANGE, alpha=0.2, lw=0)
    axes.plot(counts, middle, "o-", color=ORANGE, ms=4)
    axes.text(25, 0.03, "truth of all of them", fontsize=8, color=style.QUIET, ha="right")
    axes.set_xlabel("methods compared, 7 seeds each")
    axes.set_ylabel("highest difference, points")
    return figure


# In the order of the page.
PICTURES: dict[str, Callable[[], Figure]] = {
    "evidence-seeds": seeds,
    "evidence-paired": paired,
    "evidence-sign-flip": sign_flip,
    "evidence-holm": holm,
    "evidence-tolerance": tolerance,
    "evidence-looks": looks,
    "evidence-images": images_or_seeds,
    "evidence-groups": groups,
    "evidence-copies": copies,
    "evidence-luck": luck,
}


def of_bytes(table: str) -> Figure:
    """The metric of a table in benchmarks/results against bytes, as on the page of a run."""
    rows = pd.read_csv(RESULTS / table)
    metric = rows["metric"].iloc[0]
    return bytes_picture(rows.assign(**{metric: rows[f"{metric}_mean"]}), rows, WIDTH)


def of_results(table: str, metric: str, methods: list[str], lowest: float) -> Figure:
    """A metric against the images kept, of a table in benchmarks/results, with 95% intervals.

    Points below `lowest` (%) are left out; an arrow shows where they would be.
    """
    rows = pd.read_csv(RESULTS / table)
    figure, axes = panel(2.7)
    full = 100 * rows.loc[rows["method"] == "full", f"{metric}_mean"].iloc[0]
    axes.axhspan(full - 1, full + 1, color=style.TOLERATED, zorder=0)
    axes.axhline(full, color=style.INK, lw=1)
    for place, method in enumerate(methods):
        of_method = rows[rows["method"] == method].sort_values("images")
        mean, low, high = (
            100 * of_method[f"{metric}_{name}"].to_numpy() for name in ("mean", "low", "high")
        )
        x = of_method["images"].to_numpy() * 1.1 ** (place - (len(methods) - 1) / 2)
        seen = mean >= lowest
        look: dict[str, Any] = {
            "color": style.method_color(method),
            "marker": style.method_marker(method),
        }
        axes.errorbar(
            x[seen],
            mean[seen],
            [mean[seen] - low[seen], high[seen] - mean[seen]],
            fmt="-",
            lw=1,
            ms=4,
            elinewidth=0.8,
            label=method,
            **look,
        )
        axes.plot(x[~seen], np.full((~seen).sum(), lowest), "v", color=look["color"], ms=5)
    axes.set_xscale("log")
    axes.set_ylim(lowest - 0.02 * (full - lowest), None)
    shown: list[int] = []
    for size in sorted(set(rows.loc[rows["method"].isin(methods), "images"])):
        if not shown or size >= 2.4 * shown[-1]:  # so that the labels do not overlap
            shown.append(size)
    axes.set_xticks(shown, [f"{size:,}" for size in shown])
    axes.minorticks_off()
    axes.set_xlabel("images kept; line: all images, shaded: ±1 point")
    axes.set_ylabel(f"{metric.replace('_', ' ')}, %")
    figure.legend(
        loc="outside upper center",
        ncols=4,
        frameon=False,
        columnspacing=1,
        handlelength=1.2,
        fontsize=7.5,
    )
    return figure


def selection_time() -> Figure:
    """The time of each method to select 10% of few and of many images, on one core."""
    rows = pd.read_csv(RESULTS / "selection.csv").pivot(
        index="method", columns="images", values="seconds"
    )
    few, many = 13_500, 1_000_000
    rows = rows.sort_values(many)
    figure, axes = panel(4.4)
    places = np.arange(len(rows))
    axes.hlines(places, rows[few], rows[many], color=FAINT, lw=1.2, zorder=1)
    axes.plot(rows[few], places, "o", color=GRAY, ms=4, label=f"{few:,} images")
    axes.plot(rows[many], places, "s", color=BLUE, ms=4, label=f"{many:,} images")
    axes.set_yticks(places, rows.index, fontsize=7.5)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xscale("log")
    axes.set_xticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    axes.minorticks_off()
    axes.set_xlabel("seconds to select 10%, on one core")
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=7.5)
    return figure


def scale() -> Figure:
    """CPU time and memory of the steps that read tables of all images."""
    rows = pd.read_csv(RESULTS / "scale.csv")
    figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
    for axes, column, words in zip(
        figure.subplots(2, 1, sharex=True),
        ("cpu_seconds", "peak_mb"),
        ("CPU seconds", "peak memory, MB"),
        strict=True,
    ):
        steps = {"index": "s", "split": "^", "listing": "o", "features, pixels": "D"}
        for color, (step, marker) in zip(style.OKABE_ITO, steps.items(), strict=False):
            of_step = rows[rows["step"] == step]
            look = {"color": color, "marker": marker, "ms": 4, "lw": 1.2}
            axes.plot(of_step["images"], of_step[column], label=step, **look)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.minorticks_off()
        axes.set_ylabel(words)
    axes.set_xticks([1e4, 1e5, 1e6, 6.71e6], ["10,000", "100,000", "1 M", "6.71 M"])
    axes.set_xlabel("images")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False,
                  fontsize=7.5, columnspacing=1)  # fmt: skip
    return figure


PAPER = ["random", "pca_grid", "augmentation"]
PHOTOGRAPHS = ["random", "kernel_thinning", "pca_grid", "el2n"]
TEXTILES = ["random", "ccs", "pca_grid", "el2n"]
RESULT_FIGURES: dict[str, Callable[[], Figure]] = {
    "scale": scale,
    "selection-time": selection_time,
    "bytes-photographs": lambda: of_bytes("photos_bytes.csv"),
    "bytes-photographs-fine-tuned": lambda: of_bytes("photos_bytes_fine_tune.csv"),
    "bytes-textiles": lambda: of_bytes("textiles_bytes.csv"),
    "bytes-silhouettes": lambda: of_bytes("silhouettes_bytes.csv"),
    "clothing-probe": lambda: of_results(
        "clothing_probe.csv", "balanced_accuracy", ["random", "pca_grid"], 30
    ),
    "petimages-probe": lambda: of_results("petimages_probe.csv", "accuracy", PHOTOGRAPHS, 95),
    "petimages-scratch": lambda: of_results("petimages_scratch.csv", "accuracy", PAPER, 80),
    "silhouettes": lambda: of_results("silhouettes.csv", "accuracy", PAPER, 94),
    "textiles-probe": lambda: of_results("textiles_probe.csv", "balanced_accuracy", TEXTILES, 45),
}


def write(name: str, folder: Path) -> Path:
    """Draw a picture and write it as SVG."""
    path = folder / f"{name}.svg"
    with style.in_style():
        figure = (PICTURES | RESULT_FIGURES)[name]()
        fonts.use_installed_fonts(figure)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    names = [*PICTURES, *RESULT_FIGURES]
    parser.add_argument("names", nargs="*", default=names, metavar="NAME", help=", ".join(names))
    for name in parser.parse_args().names:
        print(write(name, FIGURES))


if __name__ == "__main__":
    main()
