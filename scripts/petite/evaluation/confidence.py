"""How sure the answer is, what to do next, and what a design can tell before it is run."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from petite.evaluation.chance import FEWEST_OTHERS, Chance
from petite.evaluation.learning_curve import LearningCurve
from petite.evaluation.metrics import (
    ACCURACY,
    AUTO,
    IN_WORDS,
    image_weights,
    is_unequal,
    metric_for,
)
from petite.evaluation.new_images import images_to_show, tolerance_to_show
from petite.evaluation.runs import REFERENCE
from petite.evaluation.statistics import (
    ALPHA,
    ENOUGH_RUNS,
    holm,
    least_p,
    seeds_to_decide,
    seeds_to_see,
    smallest_effect,
)
from petite.evaluation.verdicts import (
    BETTER,
    EQUIVALENT,
    NOT_COMPARED,
    NOT_DISTINGUISHABLE,
    NOT_SHOWN,
    NOT_WORSE,
    TOO_FEW,
    TOO_FEW_IMAGES,
    WORSE,
    least_adjusted_p,
)
from petite.evaluation.words import compared_with_random, points_of, seed_counts

LARGEST_TOLERANCE = 0.2  # that one would ask for


def how_sure(table: pd.DataFrame, cautions: Sequence[str] = ()) -> str:
    """A paragraph on the comparisons: how many, how they came out, and what they could see.

    cautions: sentences on what to beware of, which come first.
    """
    return " ".join([*cautions, _comparisons_with_random(table)])


def _comparisons_with_random(table: pd.DataFrame) -> str:
    compared = table[table["verdict"] != NOT_COMPARED]
    if compared.empty:
        nothing = "Nothing was compared with random, so there is no verdict on a method."
        return nothing if table.empty else f"{nothing} {_scope(table)}"
    counts = compared["verdict"].value_counts()
    verdicts = ", ".join(
        f"{counts[name]} {words}" if len(compared) > 1 else name
        for name, words in {
            BETTER: BETTER,
            WORSE: WORSE,
            NOT_DISTINGUISHABLE: NOT_DISTINGUISHABLE,
            TOO_FEW: f"with {TOO_FEW}",
        }.items()
        if name in counts
    )
    least = least_adjusted_p(compared)
    sentences = [
        f"{compared_with_random(compared['pairs'])}: {verdicts}.",
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


def _floor(pairs: int, least: float, tests: int) -> str:
    """The smallest adjusted p that so many pairs can give, where it decides nothing."""
    if least <= ALPHA:
        return ""
    return (
        f"With {seed_counts([pairs])} the adjusted p cannot fall below {least:.2g}, even where a "
        f"method wins every time; {seeds_to_decide(tests)} seeds could pass 0.05."
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


def next_steps(
    table: pd.DataFrame,
    tolerance: float,
    curve: LearningCurve | None = None,
    chance: Chance | None = None,
) -> str:
    """A paragraph on what would tell more.

    table: verdicts (see `compare`) with the column `learned`, whether a subset's models are not
    shown to have learned nothing. chance: the models of all images.
    """
    if chance is not None and not chance.is_beaten:
        return _before_all(chance)
    if table.empty:
        return "Train subsets too: give random and other methods fractions, say [0.5, 0.25, 0.1]."
    steps = [
        _more_seeds_to_decide(table),
        _more_seeds_to_see(table, tolerance),
        _full_set(table),
        _more_images(table, tolerance),
        _stricter(table, tolerance, chance),
        _smaller_sizes(table, tolerance, curve),
    ]
    return " ".join(step for step in steps if step) or "Nothing is left open at this tolerance."


def _before_all(chance: Chance) -> str:
    """What helps first where chance is not beaten."""
    if chance.is_far_below:
        return (
            "Compare the labels of training and test images (report.html shows the images as they "
            "are stored): are the names of classes exchanged anywhere? Set training.flips to none "
            "where left and right, or up and down, tell classes apart."
        )
    if chance.lacks_images_alone:
        others = round(chance.test_images * (1 - chance.constant_accuracy))
        least = (
            f" It takes {FEWEST_OTHERS} or more that are not of the class {chance.constant} "
            f"(now {others})."
        )
        return (
            "Have more test images: raise split.test, or bring more images, of the small classes "
            f"above all.{least if others < FEWEST_OTHERS else ''}"
        )
    return _learn_first(chance)


def _learn_first(chance: Chance) -> str:
    """What helps against each likely reason, by what the training images say."""
    known = (
        f"On the images that they were trained on the models are right in "
        f"{100 * chance.train_accuracy:.1f}%."
    )
    if chance.train_accuracy > chance.constant_accuracy + 0.1:
        known += " So they learn those, but not what carries over to others."
    return (
        f"First have something learned. {known} Look at the images as they are stored (report.html)"
        ": could you tell the classes apart? If not, set dataset.image_size higher, or look at the "
        "labels. Set training.flips to none where left and right matter. Give training.budget more "
        "steps. Bring more images of the small classes, and give split.test more of them."
    )


def _more_images(table: pd.DataFrame, tolerance: float) -> str:
    """How many test images could show that a subset does as well."""
    images, needed = table["test_images"].max(), table["test_images_needed"].max()
    table = table[table["learned"]]
    if table.empty or table["to_full"].isin((EQUIVALENT, NOT_WORSE)).any():
        return ""
    if images < needed:
        return (
            f"With {images:,.0f} test images not even a subset that does just as well can be shown "
            f"to lose less than {points_of(tolerance)} on others: "
            f"{_what_it_takes(int(needed), table['least_tolerance'].max())}."
        )
    if (table["to_full"] == TOO_FEW_IMAGES).any():
        return (
            f"The models differ on some of the {images:,.0f} test images, so that it takes more of "
            "them to show that others are lost no oftener: raise split.test."
        )
    return ""


def _what_it_takes(needed: int, least_tolerance: float) -> str:
    """So many test images, or the tolerance, rounded up, that those at hand could show."""
    text = f"that takes {needed:,} or more (split.test)"
    if least_tolerance > LARGEST_TOLERANCE:
        return text
    digits = 1 - math.floor(math.log10(least_tolerance))
    rounded_up = math.ceil(least_tolerance * 10**digits) / 10**digits
    return f"{text}, or an evidence.tolerance of {rounded_up:g} or more"


def _more_seeds_to_decide(table: pd.DataFrame) -> str:
    if not (table["verdict"] == TOO_FEW).any():
        return ""
    tests = int(table["p_value"].notna().sum())
    return (
        f"Set seeds to {seeds_to_decide(tests)} or more, or compare fewer methods, so that "
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
            f"A difference from random of {points_of(tolerance)} is out of reach with this spread: "
            "make the tolerance larger."
        )
    return f"To see a difference from random of {points_of(tolerance)} takes about {needed} seeds."


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


def _stricter(table: pd.DataFrame, tolerance: float, chance: Chance | None) -> str:
    """What to ask for where subsets seem near enough whose models learned nothing."""
    if chance is None or table["learned"].all():
        return ""
    text = (
        f"Models that learned too little are near the full set at {points_of(tolerance)}: set "
        "evidence.tolerance lower"
    )
    unequal = is_unequal(np.asarray(chance.circumstances.counts))
    if unequal and table["metric"].iloc[0] == ACCURACY:
        text += (
            ", or evidence.metric to balanced_accuracy, in which small classes count as much as "
            "large ones"
        )
    larger = "" if table["learned"].any() else " Try larger fractions too."
    return f"{text}.{larger}"


def _smaller_sizes(table: pd.DataFrame, tolerance: float, curve: LearningCurve | None) -> str:
    """To go on where the curve is near enough at its smallest size, unless the verdict differs."""
    sufficient = curve.sufficient(tolerance) if curve else None
    if sufficient is None or sufficient.point.censored != "below":
        return ""
    random = table[table["method"] == REFERENCE]
    smallest = random[random["images"] == random["images"].min()]
    if (smallest["to_full"] == NOT_SHOWN).any() or not smallest["learned"].all():
        return ""
    return (
        f"Even the smallest random subset, {sufficient.point.value:,.0f} images, seems to be "
        f"within {points_of(tolerance)} of the full set: try smaller fractions."
    )


def planned_images(
    test_labels: np.ndarray, subsets: int, tolerance: float, setting: str = AUTO
) -> str:
    """What the test images can tell of subsets against the full set, before anything is trained.

    test_labels: (n,) labels of the test images. subsets: how many are compared with the full set.
    setting: evidence.metric.
    """
    if not subsets:
        return "Nothing is compared with the full set."
    metric = metric_for(np.unique(test_labels, return_counts=True)[1], setting)
    weights = image_weights(test_labels, metric)
    images, heaviest = len(weights), float(weights.max()) * len(weights)
    needed = images_to_show(tolerance, subsets, heaviest)
    text = (
        f"{images:,} test images can show that a subset loses less than {points_of(tolerance)} of "
        f"{IN_WORDS[metric]}, where it does just as well as the full set"
    )
    if images >= needed:
        return f"{text}."
    least = tolerance_to_show(images, subsets, heaviest)
    return f"{text.replace(' can show', ' cannot show')}: {_what_it_takes(needed, least)}."


def planned(seeds: Sequence[int], pilot_sd: float | None) -> str:
    """What a design can tell, before it is run.

    seeds: the number of seeds of each comparison with random. pilot_sd: standard deviation of the
    paired differences as a share of accuracy, from an earlier run, or None.
    """
    tests = len(seeds)
    if not tests:
        return "Nothing is compared with random: give `random` the fractions of the other methods."
    fewest = min(seeds)
    sentences = [
        f"{compared_with_random(seeds)}.",
        # At best: every method wins every time.
        _floor(fewest, holm([least_p(n) for n in seeds]).max(), tests),
    ]
    if pilot_sd is None:
        sentences.append("Set evidence.pilot_sd to learn how small a difference this can show.")
    else:
        effect = smallest_effect(fewest, pilot_sd)
        sentences.append(
            f"With a spread of {points_of(pilot_sd)} (evidence.pilot_sd), a single paired t test "
            f"finds a true difference of {points_of(effect)} in 4 of 5 such runs."
            if not math.isnan(effect)
            else "One seed shows no difference at all."
        )
    return " ".join(sentence for sentence in sentences if sentence)
