"""What to do next to get a clearer answer, or to make the models learn."""

import math
from collections.abc import Iterator

import pandas as pd

from petite.evaluation.chance import FEWEST_OTHERS, Chance
from petite.evaluation.learning_curve import LearningCurve
from petite.evaluation.looks import Looks, seeds_needed
from petite.evaluation.metrics import ACCURACY
from petite.evaluation.recommendation import Step, StepKind, Uncertainty
from petite.evaluation.runs import REFERENCE
from petite.evaluation.statistics import ENOUGH_RUNS, seeds_to_see
from petite.evaluation.verdicts import (
    EQUIVALENT,
    NOT_COMPARED,
    NOT_DISTINGUISHABLE,
    NOT_SHOWN,
    NOT_WORSE,
    TOO_FEW,
    TOO_FEW_IMAGES,
)

LARGEST_TOLERANCE = 0.2  # larger ones are useless
# Steps that change what `petite.evaluation.declared` records. More test images are another split.
CHANGES_OF_PLAN: frozenset[StepKind] = frozenset(
    {
        "more_seeds_to_decide",
        "more_seeds_to_see",
        "larger_tolerance",
        "train_full_set",
        "larger_fractions_or_more_seeds",
        "larger_fractions_or_narrower",
        "smaller_tolerance",
        "balanced_metric",
        "larger_fractions",
        "smaller_fractions",
        "more_seeds_instead_of_test_images",
        "more_seeds_or_test_images",
        "more_seeds_and_test_images",
    }
)


def next_steps(
    table: pd.DataFrame,
    tolerance: float,
    curve: LearningCurve | None = None,
    chance: Chance | None = None,
    uncertainty: Uncertainty | None = None,
    seeds: int = 0,
    looks: Looks | None = None,
) -> tuple[Step, ...]:
    """What to do next, the most urgent first.

    Where results with ENOUGH_RUNS seeds were seen, a change of what was declared makes verdicts
    exploratory, so that such steps are followed by the advice to take a new run.

    Parameters
    ----------
    table : DataFrame
        Verdicts (see `compare`) with the column `learned`, which is False for subsets whose models
        do not beat chance.
    tolerance : float
        Share of the metric that may be lost.
    curve : LearningCurve, optional
        Of random images.
    chance : Chance, optional
        The models of all images.
    uncertainty : Uncertainty, optional
        Of the comparison that the answer rests on.
    seeds : int
        The most that the run declared.
    looks : Looks, optional
        When the comparisons were tested; None: once, with all seeds.

    Returns
    -------
    tuple of Step
    """
    if chance is not None and not chance.is_beaten:
        return tuple(_to_learn(chance))
    if table.empty:
        return (Step("train_subsets"),)
    steps = (
        *_more_seeds(table, tolerance, looks),
        *_full_set(table, uncertainty),
        *_more_images(table, tolerance),
        *_narrower(uncertainty),
        *_stricter(table, chance),
        *_smaller_sizes(table, tolerance, curve),
    )
    if seeds >= ENOUGH_RUNS and any(map(_changes_plan, steps)):
        return (*steps, Step("new_run", seeds=seeds))
    return steps


def _changes_plan(step: Step) -> bool:
    return step.kind in CHANGES_OF_PLAN or step.tolerance is not None


def _to_learn(chance: Chance) -> Iterator[Step]:
    """What helps if chance is not beaten."""
    if chance.is_far_below:
        yield Step("compare_labels")
        if chance.steps is not None:
            yield Step("disable_flips")
    elif chance.lacks_images_alone:
        are_too_few = chance.of_other_classes < FEWEST_OTHERS
        yield Step("add_test_images", images=FEWEST_OTHERS if are_too_few else None)
    else:
        yield Step("learn_first")
        yield Step("check_images")
        if chance.circumstances.is_frozen:
            yield Step("train_network")
        elif chance.steps is None:
            yield Step("improve_program")
        else:
            yield Step("disable_flips")
            yield Step("train_longer")
        yield Step("add_images")


def _more_seeds(table: pd.DataFrame, tolerance: float, looks: Looks | None) -> Iterator[Step]:
    """How many seeds can decide, and detect a difference as large as the tolerance."""
    if (table["verdict"] == TOO_FEW).any():
        tests = int(table["p_value"].notna().sum())
        yield Step("more_seeds_to_decide", seeds=seeds_needed(tests, looks))
    unclear = table[table["verdict"].isin([NOT_DISTINGUISHABLE, TOO_FEW])]
    spread = unclear["sd"].median()
    if unclear.empty or math.isnan(spread) or unclear["smallest_effect"].median() <= tolerance:
        return
    needed = seeds_to_see(tolerance, spread)
    # Seeds that are already there did not suffice because of the luck of the lists (`list_luck`),
    # which more seeds do not average out.
    if needed is None or needed <= unclear["pairs"].median():
        yield Step("larger_tolerance")
    else:
        yield Step("more_seeds_to_see", seeds=needed)


def _full_set(table: pd.DataFrame, uncertainty: Uncertainty | None) -> Iterator[Step]:
    if (table["to_full"] == NOT_COMPARED).all():
        yield Step("train_full_set")
    elif (table["to_full"] == TOO_FEW).any():
        yield Step("more_seeds_of_full_set", seeds=ENOUGH_RUNS)
    elif (table["to_full"] == NOT_SHOWN).all():
        is_known = uncertainty is not None and uncertainty.needed
        yield Step("larger_fractions_or_narrower" if is_known else "larger_fractions_or_more_seeds")


def _more_images(table: pd.DataFrame, tolerance: float) -> Iterator[Step]:
    """How many test images can show that a subset does as well."""
    images, needed = table["test_images"].max(), table["test_images_needed"].max()
    table = table[table["learned"]]
    if table.empty or table["to_full"].isin((EQUIVALENT, NOT_WORSE)).any():
        return
    if images < needed:
        least = reachable_tolerance(table["least_tolerance"].max())
        yield Step("more_test_images", images=int(needed), tolerance=least)
    elif (table["to_full"] == TOO_FEW_IMAGES).any():
        yield Step("more_test_images_as_models_differ")


def _narrower(uncertainty: Uncertainty | None) -> Iterator[Step]:
    """The seeds or test images that narrow the comparison that the answer rests on."""
    if uncertainty is None or not uncertainty.needed:
        return
    first, last = uncertainty.needed[0], uncertainty.needed[-1]
    seeds = first.seeds if first.seeds > uncertainty.seeds else None
    images = last.images if last.images > uncertainty.test_images else None
    if len(uncertainty.needed) > 1:
        yield Step("more_seeds_or_test_images", seeds=seeds, images=images)
    elif images is None:
        yield Step("more_seeds_instead_of_test_images", seeds=seeds)
    elif seeds is None:
        yield Step("more_test_images_instead_of_seeds", images=images)
    else:
        yield Step("more_seeds_and_test_images", seeds=seeds, images=images)


def reachable_tolerance(least: float) -> float | None:
    """A tolerance that can be shown, rounded up to two digits; None if it is useless."""
    if least > LARGEST_TOLERANCE:
        return None
    digits = 1 - math.floor(math.log10(least))
    return math.ceil(least * 10**digits) / 10**digits


def _stricter(table: pd.DataFrame, chance: Chance | None) -> Iterator[Step]:
    """What to change if subsets seem close enough though their models learned nothing."""
    if chance is None or table["learned"].all():
        return
    yield Step("smaller_tolerance")
    if chance.circumstances.is_unequal and table["metric"].iloc[0] == ACCURACY:
        yield Step("balanced_metric")
    if not table["learned"].any():
        yield Step("larger_fractions")


def _smaller_sizes(
    table: pd.DataFrame, tolerance: float, curve: LearningCurve | None
) -> Iterator[Step]:
    """Try smaller subsets if the smallest is close enough, by the curve and the verdicts."""
    sufficient = curve.sufficient(tolerance) if curve else None
    if sufficient is None or sufficient.point.censored != "below":
        return
    random = table[table["method"] == REFERENCE]
    smallest = random[random["images"] == random["images"].min()]
    if not (smallest["to_full"] == NOT_SHOWN).any() and smallest["learned"].all():
        yield Step("smaller_fractions", images=round(sufficient.point.value))
