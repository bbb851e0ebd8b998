"""The answer in words: what to keep, and why that."""

from dataclasses import dataclass

import pandas as pd

from petite.evaluation.chance import AgainstChance
from petite.evaluation.confidence import how_sure, next_steps
from petite.evaluation.learning_curve import LearningCurve
from petite.evaluation.runs import FULL, REFERENCE, images_of_full
from petite.evaluation.verdicts import (
    BETTER,
    EQUIVALENT,
    NOT_COMPARED,
    NOT_WORSE,
    TOO_FEW,
    TOO_FEW_IMAGES,
    WORSE,
)
from petite.evaluation.words import (
    from_full,
    from_random,
    metric_of,
    percent,
    points_of,
    subset,
    too_few_seeds,
)

GOOD_ENOUGH = (EQUIVALENT, NOT_WORSE)
# What the answer may name as near enough to the full set.
NEAR = (*GOOD_ENOUGH, TOO_FEW_IMAGES)


@dataclass(frozen=True)
class Recommendation:
    """What to keep (`method` at `fraction`: so many `images`), and why, in words.

    method, fraction, seed and images are None where nothing is recommended, since nothing was
    learned. seed: of the selection whose subset is meant: always the first, since to take the one
    that did best would be to choose by the test images. metric: what was compared, in words.
    answer: a sentence, without Markdown; where nothing was learned a second one has the likely
    reasons. how_sure, next_steps: a paragraph each.
    """

    method: str | None
    fraction: float | None
    seed: int | None
    images: int | None
    metric: str
    answer: str
    how_sure: str
    next_steps: str


def recommend(
    runs: pd.DataFrame,
    table: pd.DataFrame,
    tolerance: float,
    curve: LearningCurve | None = None,
    against: AgainstChance | None = None,
) -> Recommendation:
    """What the verdicts on `runs` (`table`, see `compare`) come down to.

    Where the models of all images are given (`against`) and do not beat chance, it recommends
    nothing: models that learned nothing cannot tell a good subset from a bad one. Nor is a subset
    recommended whose own models do not beat chance.

    Otherwise it recommends the subset with the fewest images that is shown to lose no more than
    `tolerance` (a share) against the full set, and is not shown to be worse than random. Of its
    size it is the most accurate method among those that are shown to be better than random, random
    where there is none, and the first by name where random itself is not shown to be good enough:
    by accuracy alone the test images would choose. Where no subset is shown to be good enough, it
    recommends to keep all; where the full set was not trained, the largest subset, which is likely
    to lose least.
    """
    method: str | None
    chance = against.of_all if against else None
    against = against if chance else None  # without predictions
    table = table.assign(learned=_learned(table, against))
    cautions = []
    if chance is not None and not chance.is_beaten:
        method = fraction = seed = images = None
        answer = (
            f"{chance.headline}, so no subset is recommended: {chance.numbers()}. "
            f"{chance.reasons()}"
        )
    else:
        left_out = _left_out(table, against)
        method, fraction, images, answer = _chosen(runs, table, tolerance, left_out)
        seed = 0
        if against:
            cautions = [
                *against.cautions(method, fraction),
                _left_out(table, against, numbers=True),
            ]
    return Recommendation(
        method=method,
        fraction=fraction,
        seed=seed,
        images=images,
        metric=metric_of(table),
        answer=f"{answer}.",
        how_sure=how_sure(table, [caution for caution in cautions if caution]),
        next_steps=next_steps(table, tolerance, curve, chance),
    )


def _learned(table: pd.DataFrame, against: AgainstChance | None) -> list[bool]:
    """For each subset whether it may be recommended as far as its models against chance go.

    Asked only of those that could be: near the full set, or where none is compared with it.
    """
    without_full = bool((table["to_full"] == NOT_COMPARED).all())
    asked = table["to_full"].isin(NEAR) | without_full
    return [
        not (against and ask and against.is_unlearned(str(method), float(fraction)))
        for method, fraction, ask in zip(table["method"], table["fraction"], asked, strict=True)
    ]


def _left_out(table: pd.DataFrame, against: AgainstChance | None, numbers: bool = False) -> str:
    """Which subsets are no candidates since their models do not beat chance."""
    if against is None:
        return ""
    unlearned = table.loc[~table["learned"], ["method", "fraction"]]
    return against.left_out(list(unlearned.itertuples(index=False, name=None)), numbers)


def _chosen(
    runs: pd.DataFrame, table: pd.DataFrame, tolerance: float, left_out: str
) -> tuple[str, float, int, str]:
    """Method, fraction, number of images and answer, where something was learned."""
    full_images = images_of_full(runs)
    good = table[_good_enough(table)]
    if good.empty and full_images is not None:
        return FULL, 1.0, full_images, _keep_all(table, full_images, tolerance, left_out)
    pool = table[table["learned"]] if good.empty else good
    size = pool["images"].max() if good.empty else pool["images"].min()
    chosen = _best_of(pool[pool["images"] == size])
    answer = _unknown_size(table, chosen) if good.empty else _keep(table, chosen, tolerance)
    return str(chosen["method"]), float(chosen["fraction"]), int(chosen["images"]), answer


def _good_enough(table: pd.DataFrame) -> pd.Series:
    return table["to_full"].isin(GOOD_ENOUGH) & (table["verdict"] != WORSE) & table["learned"]


def _best_of(pool: pd.DataFrame) -> pd.Series:
    """The subset to take among those of one size."""
    better = pool[pool["verdict"] == BETTER]
    if not better.empty:
        metric = str(better["metric"].iloc[0])
        return better.sort_values(metric, ascending=False, kind="stable").iloc[0]
    random = pool[pool["method"] == REFERENCE]
    return (pool.sort_values("method") if random.empty else random).iloc[0]


# ------------------------------------------------------------------------------ the answer


def _keep(table: pd.DataFrame, chosen: pd.Series, tolerance: float) -> str:
    """A subset is good enough."""
    shown = "be within" if chosen["to_full"] == EQUIVALENT else "lose less than"
    beside = "of" if chosen["to_full"] == EQUIVALENT else "against"
    return (
        f"Keep {subset(chosen)}: shown to {shown} {points_of(tolerance)} {beside} the full set in "
        f"{metric_of(table)}{_scope(table)} ({from_full(chosen)}), {_beside_random(table, chosen)}"
    )


def _scope(table: pd.DataFrame) -> str:
    """Which images a claim is about: without predictions, only those it was tested on."""
    return " on these test images" if table["test_images"].isna().all() else ""


def _keep_all(table: pd.DataFrame, images: int, tolerance: float, left_out: str) -> str:
    """The full set was trained and no subset is shown to do as well."""
    keep = f"Keep all {images:,} images"
    if table.empty:
        return f"{keep}: no subset was tried, so nothing is known of smaller ones"
    compared = table[table["to_full"] != NOT_COMPARED]
    if compared.empty:
        return f"{keep}: no run of a subset shares its seeds with one of the full set"
    compared = compared[compared["learned"]]
    if compared.empty:
        return f"{keep}, since {left_out.removesuffix('.')}"
    nearest = compared.sort_values("full_difference", kind="stable").iloc[-1]
    nearest_text = f"the nearest is {subset(nearest)}, {from_full(nearest)}"
    unsure = compared[compared["to_full"] == TOO_FEW_IMAGES]
    metric = metric_of(table)
    if (compared["to_full"] == TOO_FEW).all():
        keep += (
            f" for now: {too_few_seeds(compared['full_pairs'])} to show that a subset "
            f"does as well in {metric} ({nearest_text})"
        )
    elif not unsure.empty:
        smallest = unsure.sort_values("images", kind="stable").iloc[0]
        keep += (
            f" for now: {subset(smallest)} lose less than {points_of(tolerance)} of {metric} on "
            f"the {smallest['test_images']:,.0f} test images, which are too few to show it for "
            f"others ({_images_needed(smallest)}{from_full(smallest)})"
        )
    else:
        but_for = []
        if compared["to_full"].isin(GOOD_ENOUGH).any():
            but_for.append("are worse than random")
        if left_out:
            but_for.append("learned too little")
        which = f"but for such as {' or '.join(but_for)}, no subset" if but_for else "no subset"
        keep += (
            f": {which} is shown to be within {points_of(tolerance)} of the full set in "
            f"{metric}{_scope(table)} ({nearest_text})"
        )
    return f"{keep}; if that is too many, {_methods(table)}"


def _images_needed(row: pd.Series) -> str:
    """How many test images it takes, where those at hand are fewer than the least."""
    if row["test_images"] >= row["test_images_needed"]:
        return ""
    return f"that takes {row['test_images_needed']:,.0f} or more; "


def _unknown_size(table: pd.DataFrame, chosen: pd.Series) -> str:
    """The full set was not trained."""
    methods = _methods(table)
    is_largest = chosen["images"] == table["images"].max()
    largest = "the largest subset" if is_largest else "the largest subset that learned"
    return (
        f"{methods[0].upper()}{methods[1:]}; how small is small enough is open, as the full set "
        f"was not trained, so keep {largest}, {subset(chosen)}"
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
                f"though {best['method']} is better at this size by {from_random(best)}, but not "
                "itself shown to be good enough"
            )
        if (others["verdict"] == TOO_FEW).any():
            return "and the seeds are too few to tell whether a method does better at this size"
        return "and random is enough: no method is shown to do better at this size"
    if chosen["verdict"] == BETTER:
        return f"and better than random by {from_random(chosen)}"
    if chosen["verdict"] == NOT_COMPARED:
        return "though not compared with random at this size"
    told = "too few seeds to tell it" if chosen["verdict"] == TOO_FEW else "not distinguishable"
    return f"though {told} from random ({from_random(chosen)})"


def _methods(table: pd.DataFrame) -> str:
    """What came of the comparisons with random, all sizes together."""
    compared = table[table["verdict"] != NOT_COMPARED]
    if compared.empty:
        return "no method was compared with random"
    better = compared[compared["verdict"] == BETTER]
    best = (compared if better.empty else better).sort_values("difference").iloc[-1]
    name = f"{best['method']} at {percent(best['fraction'])}"
    if not better.empty:
        return f"choosing pays: {name} beats random by {from_random(best)}"
    if (compared["verdict"] == TOO_FEW).any():
        return (
            f"{too_few_seeds(compared['pairs'])} to tell whether a method beats random "
            f"(the highest difference, {name}: {from_random(best)})"
        )
    return (
        f"random is enough: no method is shown to beat it (the highest difference, {name}: "
        f"{from_random(best)})"
    )
