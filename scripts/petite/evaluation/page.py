"""The recommendation with the numbers behind it, as a page of Markdown."""

import math
from collections.abc import Sequence

import pandas as pd

from petite.evaluation.chance import AgainstChance, Chance, named
from petite.evaluation.learning_curve import LearningCurve
from petite.evaluation.recommendation import Recommendation
from petite.evaluation.runs import FULL
from petite.evaluation.verdicts import NOT_COMPARED
from petite.evaluation.words import bounds, kept, metric_of, points_of, signed


def recommendation_page(
    dataset: str,
    recommendation: Recommendation,
    table: pd.DataFrame,
    tolerance: float,
    curve: LearningCurve | None = None,
    against: AgainstChance | None = None,
) -> str:
    """The recommendation with the numbers behind it, as a page of Markdown."""
    compared = table[table["verdict"] != NOT_COMPARED]
    lines = [
        f"# {dataset}: which images to keep, and how sure",
        "",
        f"**{recommendation.answer}**",
        "",
        "## How sure",
        "",
        recommendation.how_sure,
        "",
        "## What to do next",
        "",
        recommendation.next_steps,
    ]
    if against is not None and (chance := against.of_all):
        lines += ["", "## Against a constant answer", "", *_chance_rows(chance)]
    if not compared.empty:
        lines += ["", "## Against random at the same size", "", *_random_rows(compared)]
    with_full = table[table["to_full"] != NOT_COMPARED]
    if not with_full.empty:
        lines += ["", "## Against the full set", "", *_full_rows(with_full, tolerance)]
    lines += [
        "",
        "## What random images give",
        "",
        *_curve_lines(curve, tolerance, recommendation.metric),
    ]
    return "\n".join(lines) + "\n"


def _chance_rows(chance: Chance) -> list[str]:
    which = "all" if chance.method == FULL else f"{chance.method},"
    measured = (
        ("accuracy", chance.accuracy, chance.constant_accuracy, chance.accuracy_p),
        ("balanced accuracy", chance.balanced_accuracy, 1 / chance.classes, chance.balanced_p),
    )
    rows = [
        [name, f"{100 * found:.1f}", f"{100 * baseline:.1f}", _p(p)]
        for name, found, baseline, p in measured
    ]
    header = ["in %", f"models of {which} {chance.trained_on:,} images", "baseline", "p"]
    answered = "Every class is answered."
    if chance.never:
        answered = f"Classes that no run answers: {named(chance.never)}."
    return [
        *_markdown(header, rows),
        "",
        f"Baselines: always answering {chance.constant}, and 1 / {chance.classes}. One-sided "
        f"tests over the {chance.test_images:,} test images, with the mean of the runs on each. "
        f"{answered}",
    ]


def _p(p: float) -> str:
    return "–" if math.isnan(p) else f"{p:.2g}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|:--|" + "--:|" * (len(header) - 1)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows)]


def _range(low: float, high: float) -> str:
    return "–" if math.isnan(low) else f"{signed(low)} to {signed(high)}"


def _random_rows(compared: pd.DataFrame) -> list[str]:
    header = ["method", "fraction", "pairs", "difference, points", "95%: new seeds"]
    header += ["95%: new seeds and images", "p", "p, Holm", "P(better)", "smallest effect"]
    header += ["worth in random images", "verdict"]
    rows = [
        [
            row["method"],
            kept(row),
            f"{row['pairs']}",
            signed(row["difference"]),
            _range(row["low"], row["high"]),
            _range(row["new_images_low"], row["new_images_high"]),
            f"{row['p_value']:.2g}",
            f"{row['p_adjusted']:.2g}",
            "–" if math.isnan(row["p_better"]) else f"{row['p_better']:.2f}",
            "–" if math.isnan(row["smallest_effect"]) else f"{100 * row['smallest_effect']:.1f}",
            f"× {row['multiplier_text']}" if row["multiplier_text"] else "–",
            row["verdict"],
        ]
        for _, row in compared.iterrows()
    ]
    return [
        *_markdown(header, rows),
        "",
        f"Differences and effects in percentage points of {metric_of(compared)}; p of the exact "
        "sign-flip test.",
    ]


def _full_rows(with_full: pd.DataFrame, tolerance: float) -> list[str]:
    header = ["method", "fraction", "images", "pairs", "difference, points", "90%: new seeds"]
    header += ["90%: new seeds and images", "p, Holm: new seeds", "p, Holm: and images"]
    header += ["to the full set"]
    rows = [
        [
            row["method"],
            kept(row),
            f"{row['images']:,}",
            f"{row['full_pairs']}",
            signed(row["full_difference"]),
            _range(row["full_low"], row["full_high"]),
            _range(row["full_new_images_low"], row["full_new_images_high"]),
            _p(row["full_loss_p_adjusted"]),
            _p(row["full_new_images_loss_p_adjusted"]),
            row["to_full"],
        ]
        for _, row in with_full.iterrows()
    ]
    return [
        *_markdown(header, rows),
        "",
        f"Differences in percentage points of {metric_of(with_full)}; p of the tests against a "
        f"loss of more than {points_of(tolerance)}. Not worse: they pass, for new seeds and "
        "for new images. Equivalent: those against a gain of more pass too. Too few test images: "
        "for new seeds it passes, but so few images do not show it for others.",
    ]


def _curve_lines(curve: LearningCurve | None, tolerance: float, metric: str) -> list[str]:
    """The learning curve of random images in words."""
    if curve is None:
        return ["Random images were trained on at one size only, so there is no learning curve."]
    lines = [f"Learning curve: {curve.form}, fitted to {len(curve.sizes)} sizes. "]
    parameters = curve.parameters()
    if not math.isnan(parameters["a"]):
        lines[0] += metric + "(n) = {a:.4g} - {b:.4g} n^-{c:.2g}. ".format(**parameters)
    lines[0] += f"It misses the measured means by {points_of(curve.worst_miss)} at most."
    if left_out := curve.last_left_out():
        lines.append(
            f"Fitted without the largest size ({left_out.images:,.0f} images) it foretells "
            f"{100 * left_out.predicted:.1f}% there, measured {100 * left_out.measured:.1f}%: off "
            f"by {signed(left_out.error)} points"
            f"{bounds(left_out.error_low, left_out.error_high, '95%')}."
        )
    if sufficient := curve.sufficient(tolerance):
        lines.append(
            f"Smallest sufficient size (within {points_of(tolerance)} of the full set on the "
            f"curve): {sufficient.text()} random images, with its 95% interval."
        )
    return [" ".join(line.strip() for line in lines)]
