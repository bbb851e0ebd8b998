"""The answer in words: what to keep, how sure that is, and what to do next."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from petite.evidence.learning_curve import LearningCurve
from petite.evidence.runs import FULL, REFERENCE, images_of_full
from petite.evidence.statistics import (
    ALPHA,
    ENOUGH_RUNS,
    holm,
    least_p,
    seeds_to_decide,
    seeds_to_see,
    smallest_effect,
)
from petite.evidence.summary import percent, signed
from petite.evidence.verdicts import (
    BETTER,
    EQUIVALENT,
    NOT_COMPARED,
    NOT_DISTINGUISHABLE,
    NOT_SHOWN,
    NOT_WORSE,
    TOO_FEW,
    WORSE,
    least_adjusted_p,
)

GOOD_ENOUGH = (EQUIVALENT, NOT_WORSE)


@dataclass(frozen=True)
class Recommendation:
    """What to keep (`method` at `fraction`: so many `images`), and why, in words.

    seed: of the selection whose subset is meant: always the first, since to take the one that did
    best would be to choose by the test images. answer: one sentence, without Markdown. how_sure,
    next_steps: a paragraph each.
    """

    method: str
    fraction: float
    seed: int
    images: int
    answer: str
    how_sure: str
    next_steps: str


def recommend(
    runs: pd.DataFrame, table: pd.DataFrame, tolerance: float, curve: LearningCurve | None = None
) -> Recommendation:
    """What the verdicts on `runs` (`table`, see `compare`) come down to.

    It recommends the subset with the fewest images that is shown to lose no more than `tolerance`
    (a share) against the full set, and is not shown to be worse than random. Of its size it is the
    most accurate method among those that are shown to be better than random, random where there is
    none, and the first by name where random itself is not shown to be good enough: by accuracy
    alone the test images would choose. Where no subset is shown to be good enough, it recommends to
    keep all; where the full set was not trained, the largest subset, which is likely to lose least.
    """
    full_images = images_of_full(runs)
    good = table[_good_enough(table)]
    if good.empty and full_images is not None:
        method, fraction, images = FULL, 1.0, full_images
        answer = _keep_all(table, full_images, tolerance)
    else:
        size = table["images"].max() if good.empty else good["images"].min()
        pool = table if good.empty else good
        chosen = _best_of(pool[pool["images"] == size])
        method, fraction = str(chosen["method"]), float(chosen["fraction"])
        images = int(chosen["images"])
        answer = _unknown_size(table, chosen) if good.empty else _keep(table, chosen, tolerance)
    return Recommendation(
        method=method,
        fraction=fraction,
        seed=0,
        images=images,
        answer=f"{answer}.",
        how_sure=_how_sure(table),
        next_steps=_next_steps(table, tolerance, curve),
    )


def _good_enough(table: pd.DataFrame) -> pd.Series:
    return table["to_full"].isin(GOOD_ENOUGH) & (table["verdict"] != WORSE)


def _best_of(pool: pd.DataFrame) -> pd.Series:
    """The subset to take among those of one size."""
    better = pool[pool["verdict"] == BETTER]
    if not better.empty:
        return better.sort_values("accuracy", ascending=False, kind="stable").iloc[0]
    random = pool[pool["method"] == REFERENCE]
    return (pool.sort_values("method") if random.empty else random).iloc[0]


# ------------------------------------------------------------------------------ the answer


def _keep(table: pd.DataFrame, chosen: pd.Series, tolerance: float) -> str:
    """A subset is good enough."""
    shown = "be within" if chosen["to_full"] == EQUIVALENT else "lose less than"
    beside = "of" if chosen["to_full"] == EQUIVALENT else "against"
    return (
        f"Keep {_subset(chosen)}: shown to {shown} {_points(tolerance)} {beside} the full set on "
        f"these test images ({_to_full(chosen)}), {_beside_random(table, chosen)}"
    )


def _keep_all(table: pd.DataFrame, images: int, tolerance: float) -> str:
    """The full set was trained and no subset is shown to do as well."""
    keep = f"Keep all {images:,} images"
    if table.empty:
        return f"{keep}: no subset was tried, so nothing is known of smaller ones"
    compared = table[table["to_full"] != NOT_COMPARED]
    if compared.empty:
        return f"{keep}: no run of a subset shares its seeds with one of the full set"
    nearest = compared.sort_values("full_difference", kind="stable").iloc[-1]
    nearest_text = f"the nearest is {_subset(nearest)}, {_to_full(nearest)}"
    if (compared["to_full"] == TOO_FEW).all():
        keep += (
            f" for now: {_seed_counts(compared['full_pairs'])} are too few to show that a subset "
            f"does as well ({nearest_text})"
        )
    else:
        which = "no subset"
        if compared["to_full"].isin(GOOD_ENOUGH).any():
            which = "but for such as are worse than random, no subset"
        keep += (
            f": {which} is shown to be within {_points(tolerance)} of the full set on these test "
            f"images ({nearest_text})"
        )
    return f"{keep}; if that is too many, {_methods(table)}"


def _unknown_size(table: pd.DataFrame, chosen: pd.Series) -> str:
    """The full set was not trained."""
    methods = _methods(table)
    return (
        f"{methods[0].upper()}{methods[1:]}; how small is small enough is open, as the full set "
        f"was not trained, so keep the largest subset, {_subset(chosen)}"
    )


def _beside_random(table: pd.DataFrame, chosen: pd.Series) -> str:
    """How the chosen subset compares with random at its size."""
    if chosen["method"] == REFERENCE:
        others = table[
            (table["fraction"] == chosen["fraction"]) & (table["verdict"] != NOT_COMPARED)
        ]
        if others.empty:
            return "and no method was compared with random at this size"
        better = others[others["verdict"] == BETTER]
        if not better.empty:
            best = better.sort_values("difference", kind="stable").iloc[-1]
            return (
                f"though {best['method']} is better at this size by {_difference(best)}, but not "
                "itself shown to be near enough"
            )
        if (others["verdict"] == TOO_FEW).any():
            return "and the seeds are too few to tell whether a method does better at this size"
        return "and random is enough: no method is shown to do better at this size"
    if chosen["verdict"] == BETTER:
        return f"and better than random by {_difference(chosen)}"
    if chosen["verdict"] == NOT_COMPARED:
        return "though not compared with random at this size"
    told = "too few seeds to tell it" if chosen["verdict"] == TOO_FEW else "not distinguishable"
    return f"though {told} from random ({_difference(chosen)})"


def _methods(table: pd.DataFrame) -> str:
    """What came of the comparisons with random, all sizes together."""
    compared = table[table["verdict"] != NOT_COMPARED]
    if compared.empty:
        return "no method was compared with random"
    better = compared[compared["verdict"] == BETTER]
    best = (compared if better.empty else better).sort_values("difference").iloc[-1]
    name = f"{best['method']} at {percent(best['fraction'])}"
    if not better.empty:
        return f"choosing pays: {name} beats random by {_difference(best)}"
    if (compared["verdict"] == TOO_FEW).any():
        return (
            f"{_seed_counts(compared['pairs'])} are too few to tell whether a method beats random "
            f"(the highest difference, {name}: {_difference(best)})"
        )
    return (
        f"random is enough: no method is shown to beat it (the highest difference, {name}: "
        f"{_difference(best)})"
    )


def _subset(row: pd.Series) -> str:
    how = "at random" if row["method"] == REFERENCE else f"by {row['method']}"
    return f"{row['images']:,} images ({percent(row['fraction'])}) chosen {how}"


def _points(share: float) -> str:
    points = f"{100 * share:.3g}"
    return f"{points} point" if points == "1" else f"{points} points"


def _difference(row: pd.Series) -> str:
    return f"{signed(row['difference'])} points{_bounds(row['low'], row['high'], '95%')}"


def _to_full(row: pd.Series) -> str:
    bounds = _bounds(row["full_low"], row["full_high"], "90%")
    return f"{signed(row['full_difference'])} points{bounds}"


def _bounds(low: float, high: float, level: str) -> str:
    if math.isnan(low):
        return ", one seed and so no interval"
    return f", {level} interval {signed(low)} to {signed(high)}"


def _seed_counts(pairs: Sequence[int] | pd.Series) -> str:
    low, high = min(pairs), max(pairs)
    if low == high:
        return f"{low} seed" if low == 1 else f"{low} seeds"
    return f"{low} to {high} seeds"


# ------------------------------------------------------------------- how sure, and what next


def _how_sure(table: pd.DataFrame) -> str:
    compared = table[table["verdict"] != NOT_COMPARED]
    if compared.empty:
        nothing = "Nothing was compared with random, so there is no verdict on a method."
        return nothing if table.empty else f"{nothing} {_scope(table)}"
    counts = compared["verdict"].value_counts()
    verdicts = ", ".join(
        f"{counts[name]} {name}"
        for name in (BETTER, WORSE, NOT_DISTINGUISHABLE, TOO_FEW)
        if name in counts
    )
    least = least_adjusted_p(compared)
    sentences = [
        f"{_comparisons(len(compared))} with random, {_seed_counts(compared['pairs'])} each: "
        f"{verdicts}.",
        "The exact sign-flip test decides, after Holm's adjustment for all comparisons. It needs "
        "no normal noise, only that the differences of a method without effect lie evenly about 0.",
        _floor(int(compared["pairs"].iloc[least.argmax()]), least.max(), len(compared)),
        _seen(compared),
        _scope(table),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _scope(table: pd.DataFrame) -> str:
    """What the intervals speak of."""
    text = "Intervals speak of new seeds on these test images"
    if table[["new_images_low", "full_new_images_low"]].notna().any(axis=None):
        text += "; those over seeds and images speak of new test images too"
    return f"{text}. Another split was not tried."


def _comparisons(count: int) -> str:
    return "1 comparison" if count == 1 else f"{count} comparisons"


def _floor(pairs: int, least: float, comparisons: int) -> str:
    """The smallest adjusted p that so many pairs can give, where it decides nothing."""
    if least <= ALPHA:
        return ""
    return (
        f"With {_seed_counts([pairs])} the adjusted p cannot fall below {least:.2g}, even where a "
        f"method wins every time; {seeds_to_decide(comparisons)} seeds could pass 0.05."
    )


def _seen(compared: pd.DataFrame) -> str:
    """The smallest effect that the design could have seen."""
    effects = compared["smallest_effect"].dropna()
    if effects.empty:
        return ""
    low, high = f"{100 * effects.min():.1f}", f"{100 * effects.max():.1f}"
    size = f"{high} points" if low == high else f"{low} to {high} points, by comparison"
    return (
        "With the spread seen, the smallest true difference that a single paired t test finds in 4 "
        f"of 5 such runs is {size}: a smaller one may well be there, and the adjusted sign-flip "
        "test needs a larger one."
    )


def _next_steps(table: pd.DataFrame, tolerance: float, curve: LearningCurve | None) -> str:
    if table.empty:
        return "Train subsets too: give random and other methods fractions, say [0.5, 0.25, 0.1]."
    steps = [
        _more_seeds_to_decide(table),
        _more_seeds_to_see(table, tolerance),
        _full_set(table),
        _smaller_sizes(tolerance, curve),
    ]
    return " ".join(step for step in steps if step) or "Nothing is left open at this tolerance."


def _more_seeds_to_decide(table: pd.DataFrame) -> str:
    if not (table["verdict"] == TOO_FEW).any():
        return ""
    comparisons = int(table["p_value"].notna().sum())
    return (
        f"Set seeds to {seeds_to_decide(comparisons)} or more, or compare fewer methods, so that "
        "the test can decide."
    )


def _more_seeds_to_see(table: pd.DataFrame, tolerance: float) -> str:
    """How many seeds would show a difference as large as the tolerance."""
    unclear = table[table["verdict"].isin([NOT_DISTINGUISHABLE, TOO_FEW])]
    spread = unclear["sd"].median()
    if unclear.empty or math.isnan(spread) or unclear["smallest_effect"].median() <= tolerance:
        return ""
    needed = seeds_to_see(tolerance, spread)
    if needed is None:
        return (
            f"A difference from random of {_points(tolerance)} is out of reach with this spread: "
            "make the tolerance larger."
        )
    return f"To see a difference from random of {_points(tolerance)} takes about {needed} seeds."


def _full_set(table: pd.DataFrame) -> str:
    if (table["to_full"] == NOT_COMPARED).all():
        return "Train the full set too (methods.full.fractions: [1]), to know what is lost."
    if (table["to_full"] == TOO_FEW).any():
        return (
            f"Train the full set with the same {ENOUGH_RUNS} seeds or more, so that subsets can be "
            "shown to do as well."
        )
    if (table["to_full"] == NOT_SHOWN).all():
        return "For a subset that does as well as the full set try larger fractions, or more seeds."
    return ""


def _smaller_sizes(tolerance: float, curve: LearningCurve | None) -> str:
    sufficient = curve.sufficient(tolerance) if curve else None
    if sufficient is None or sufficient.point.censored != "below":
        return ""
    return (
        f"Even the smallest random subset, {sufficient.point.value:,.0f} images, seems to be "
        f"within {_points(tolerance)} of the full set: try smaller fractions."
    )


def planned(seeds: Sequence[int], pilot_sd: float | None) -> str:
    """What a design can tell, before it is run.

    seeds: the number of seeds of each comparison with random. pilot_sd: standard deviation of the
    paired differences as a share of accuracy, from an earlier run, or None.
    """
    comparisons = len(seeds)
    if not comparisons:
        return "Nothing is compared with random: give `random` the fractions of the other methods."
    fewest = min(seeds)
    sentences = [
        f"{_comparisons(comparisons)} with random, {_seed_counts(seeds)} each.",
        # At best: every method wins every time.
        _floor(fewest, holm([least_p(n) for n in seeds]).max(), comparisons),
    ]
    if pilot_sd is None:
        sentences.append("Set evidence.pilot_sd to learn how small a difference this can show.")
    else:
        effect = smallest_effect(fewest, pilot_sd)
        sentences.append(
            f"With a spread of {_points(pilot_sd)} (evidence.pilot_sd), a single paired t test "
            f"finds a true difference of {_points(effect)} in 4 of 5 such runs."
            if not math.isnan(effect)
            else "One seed shows no difference at all."
        )
    return " ".join(sentence for sentence in sentences if sentence)


# ------------------------------------------------------------------------------ as a page


def recommendation_page(
    dataset: str,
    recommendation: Recommendation,
    table: pd.DataFrame,
    tolerance: float,
    curve: LearningCurve | None = None,
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
    if not compared.empty:
        lines += ["", "## Against random at the same size", "", *_random_rows(compared)]
    with_full = table[table["to_full"] != NOT_COMPARED]
    if not with_full.empty:
        lines += ["", "## Against the full set", "", *_full_rows(with_full, tolerance)]
    lines += ["", "## What random images give", "", *_curve_lines(curve, tolerance)]
    return "\n".join(lines) + "\n"


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
            percent(row["fraction"]),
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
        "Differences and effects in percentage points of accuracy; p of the exact sign-flip test.",
    ]


def _full_rows(with_full: pd.DataFrame, tolerance: float) -> list[str]:
    header = ["method", "fraction", "images", "pairs", "difference, points", "90%: new seeds"]
    header += ["90%: new seeds and images", "p", "p, Holm", "to the full set"]
    rows = [
        [
            row["method"],
            percent(row["fraction"]),
            f"{row['images']:,}",
            f"{row['full_pairs']}",
            signed(row["full_difference"]),
            _range(row["full_low"], row["full_high"]),
            _range(row["full_new_images_low"], row["full_new_images_high"]),
            "–" if math.isnan(row["full_p_value"]) else f"{row['full_p_value']:.2g}",
            "–" if math.isnan(row["full_p_adjusted"]) else f"{row['full_p_adjusted']:.2g}",
            row["to_full"],
        ]
        for _, row in with_full.iterrows()
    ]
    return [
        *_markdown(header, rows),
        "",
        f"Equivalent: within {_points(tolerance)} either way, by two one-sided t tests (p). Not "
        "worse: the one against a greater loss passes, but the subset may well be better.",
    ]


def _curve_lines(curve: LearningCurve | None, tolerance: float) -> list[str]:
    """The learning curve of random images in words."""
    if curve is None:
        return ["Random images were trained on at one size only, so there is no learning curve."]
    lines = [f"Learning curve: {curve.form}, fitted to {len(curve.sizes)} sizes. "]
    parameters = curve.parameters()
    if not math.isnan(parameters["a"]):
        lines[0] += "accuracy(n) = {a:.4g} - {b:.4g} n^-{c:.2g}. ".format(**parameters)
    lines[0] += f"It misses the measured means by {_points(curve.worst_miss)} at most."
    if left_out := curve.last_left_out():
        lines.append(
            f"Fitted without the largest size ({left_out.images:,.0f} images) it foretells "
            f"{100 * left_out.predicted:.1f}% there, measured {100 * left_out.measured:.1f}%: off "
            f"by {signed(left_out.error)} points"
            f"{_bounds(left_out.error_low, left_out.error_high, '95%')}."
        )
    if sufficient := curve.sufficient(tolerance):
        lines.append(
            f"Smallest sufficient size (within {_points(tolerance)} of the full set on the curve): "
            f"{sufficient.text()} random images, with its 95% interval."
        )
    return [" ".join(line.strip() for line in lines)]
