"""What a design can show, before anything is trained."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from petite.evaluation.looks import Looks
from petite.evaluation.metrics import AUTO, METRICS, metric_for
from petite.evaluation.next_steps import reachable_tolerance
from petite.evaluation.recommendation import Floor
from petite.evaluation.statistics import ALPHA, holm, least_p, seeds_to_decide, smallest_effect
from petite.evaluation.verdicts import what_images_can_show
from petite.evaluation.wording import compared_with_random, floor_sentences
from petite.util.formatting import counted, listed, number, points


def planned(seeds: Sequence[int], pilot_sd: float | None, looks: Looks | None = None) -> str:
    """What the seeds can show about methods against random.

    Parameters
    ----------
    seeds : sequence of int
        The number of seeds of each comparison with random.
    pilot_sd : float or None
        Standard deviation of the paired differences in an earlier run, as a share of accuracy.
    looks : Looks, optional
        When the comparisons are tested; None: once, with all seeds.

    Returns
    -------
    str
        Some sentences.
    """
    if not seeds:
        return "Nothing is compared with random: give `random` the fractions of the other methods."
    fewest = min(seeds)
    if looks:
        sentences = [_planned_looks(len(seeds), looks)]
    else:
        # At best: every method wins every time.
        best = float(holm([least_p(n) for n in seeds]).max())
        floor = Floor(fewest, best, seeds_to_decide(len(seeds))) if best > ALPHA else None
        sentences = [f"{compared_with_random(seeds)}.", *floor_sentences(floor)]
    if pilot_sd is None:
        sentences.append("Set evidence.pilot_sd to see how small a difference this can show.")
    elif math.isnan(effect := smallest_effect(fewest, pilot_sd)):
        sentences.append("One seed cannot show any difference.")
    else:
        sentences.append(
            f"With a spread of {points(pilot_sd)} (evidence.pilot_sd), a single paired t test "
            f"detects a true difference of {points(effect)} in 4 of 5 runs."
        )
    return " ".join(sentences)


def _planned_looks(comparisons: int, looks: Looks) -> str:
    """When a method that wins every time is first shown to be better than random."""
    first = next(
        (
            seeds
            for seeds, level in zip(looks.seeds, looks.levels, strict=True)
            if comparisons * least_p(seeds) <= level
        ),
        None,
    )
    at_looks = f"{counted(comparisons, 'comparison')} with random, tested with " + listed(
        list(map(str, looks.seeds))
    )
    if first is None:
        return (
            f"{at_looks} seeds. None of these looks can decide that many: compare fewer methods, "
            "or add a look with more seeds."
        )
    return (
        f"{at_looks} seeds. If only one method differs from random, {first} seeds are the first "
        "that can show it."
    )


def _first_against_full(
    images: int, shown: Sequence[Mapping[str, float]], looks: Looks | None
) -> str:
    """The first look at which the test images are enough; "" without looks."""
    if looks is None:
        return ""
    first = next(
        seeds
        for seeds, own in zip(looks.seeds, shown, strict=True)
        if images >= own["test_images_needed"]
    )
    return f" With looks, {first} seeds are the first that can show it."


def planned_images(
    test_labels: np.ndarray,
    subsets: int,
    tolerance: float,
    setting: str = AUTO,
    groups: np.ndarray | None = None,
    looks: Looks | None = None,
) -> str:
    """What the test images can show about subsets against the full set.

    Parameters
    ----------
    test_labels : ndarray of int, shape (n,)
        Labels of the test images.
    subsets : int
        How many subsets are compared with the full set.
    tolerance : float
        How much of the metric may be lost, as a share.
    setting : str
        evidence.metric.
    groups : ndarray of int, shape (n,), optional
        Equal for images of one group, which then count as one, as in the tests after training.
    looks : Looks, optional
        When the comparisons are tested; None: once, with all seeds.

    Returns
    -------
    str
        Some sentences.
    """
    if not subsets:
        return "Nothing is compared with the full set."
    metric = metric_for(np.unique(test_labels, return_counts=True)[1], setting)
    weights = METRICS[metric].image_weights(test_labels)
    images = len(weights)
    # Among as many tests 5% are divided: at a look, its level is.
    tests = [subsets * ALPHA / level for level in looks.levels] if looks else [subsets]
    shown = [what_images_can_show(weights, tolerance, own, groups) for own in tests]
    needed = min(int(own["test_images_needed"]) for own in shown)
    can = "can" if images >= needed else "cannot"
    in_groups = "" if groups is None else f" in {counted(len(np.unique(groups)), 'group')}"
    text = (
        f"{counted(images, 'test image')}{in_groups} {can} show that a subset loses less than "
        f"{points(tolerance)} of {METRICS[metric].words}, if it does just as well as the full set."
    )
    if images >= needed:
        return f"{text}{_first_against_full(images, shown, looks)}"
    least = reachable_tolerance(min(own["least_tolerance"] for own in shown))
    other = f", or an evidence.tolerance of {least:g} or more" if least else ""
    return (
        f"{text} That takes {number(needed)} or more (split.test, or more images in your own test "
        f"set){other}."
    )
