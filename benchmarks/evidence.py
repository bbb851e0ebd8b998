"""Check by simulation that Petite's intervals have their coverage and its tests their level.

Writes the Markdown tables of docs/evidence.md. The simulations are those of
tests/unit/evaluation/test_simulations.py, which runs fewer of them.

    python benchmarks/evidence.py --simulations 4000 --output results/benchmarks/evidence.md
"""

import argparse
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from petite.evaluation.learning_curve import Estimate, random_curve
from petite.evaluation.metrics import ACCURACY, BALANCED, METRICS
from petite.evaluation.new_images import NewImages, above_p
from petite.evaluation.runs import PAIR
from petite.evaluation.splits import interval_over_splits
from petite.evaluation.statistics import (
    ALPHA,
    CONFIDENCE,
    Interval,
    equivalence_p,
    holm,
    mean_interval,
    not_worse_p,
    sign_flip_p,
    smallest_effect,
    standard_error,
    two_way_interval,
)
from petite.evaluation.uncertainty import Spread
from petite.util.files import write_text
from petite.util.seeds import generator

Noise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
SEEDS = (6, 10)
RESAMPLES = 1_999

# Noise of paired differences, with mean 0 and standard deviation 1.
NOISES: dict[str, Noise] = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "both runs skewed alike (skewness 2)": lambda random, shape: (
        (random.exponential(size=shape) - random.exponential(size=shape)) / np.sqrt(2)
    ),
    "differences skewed (skewness 1)": lambda random, shape: (random.gamma(4, size=shape) - 4) / 2,
    "differences very skewed (skewness 2)": lambda random, shape: (
        random.exponential(size=shape) - 1
    ),
}


def no_noise(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape)


# ------------------------------------------------------------------------- intervals of a mean


def scipy_interval(method: str) -> Callable[[np.ndarray], Interval]:
    """SciPy's bootstrap for comparison: `percentile` or `BCa`."""
    from scipy.stats import bootstrap

    def interval(values: np.ndarray) -> Interval:
        lows, highs = [], []
        for part in np.array_split(values, max(1, len(values) // 500)):
            found = bootstrap(
                (part,), np.mean, axis=-1, n_resamples=RESAMPLES, method=method, rng=0
            ).confidence_interval
            lows.append(found.low)
            highs.append(found.high)
        return Interval(np.concatenate(lows), np.concatenate(highs))

    return interval


def bootstrap_t_interval(
    values: np.ndarray, confidence: float = CONFIDENCE, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The interval of the mean of `values` (..., n) by the bootstrap of Student's statistic.

    Unlike `mean_interval` it takes skewed noise into account, at the price of bounds that are far
    off when few values happen to be close together (Efron and Tibshirani 1993, section 12.5).
    n is at least 3. Infinite if too many resamples repeat a single value, so that t is unbounded.
    """
    sample = np.asarray(values, dtype=np.float64)
    n = sample.shape[-1]
    drawn = generator(seed, "bootstrap-t").integers(0, n, (resamples, n))
    counts = (drawn[:, None, :] == np.arange(n)[:, None]).sum(axis=-1).T  # (n, resamples)
    mean, error = sample.mean(axis=-1, keepdims=True), standard_error(sample)[..., None]
    # Centered first, because the difference of two large squares would lose precision.
    deviations = sample - mean
    means = deviations @ counts / n
    errors = np.sqrt(np.maximum(deviations**2 @ counts / n - means**2, 0) / (n - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(errors > 1e-6 * error, means / errors, np.copysign(np.inf, means))
        tails = [(1 + confidence) / 2, (1 - confidence) / 2]
        steps = np.quantile(t, tails, axis=-1, method="closest_observation")[..., None] * error
    low, high = np.where(error > 0, mean - steps, mean)[..., 0]
    return Interval(low, high)


def coverage(
    interval: Callable[[np.ndarray], Interval], noise: Noise, n: int, simulations: int
) -> tuple[float, float]:
    """How often the interval of n values contains the true mean, and its median width in sd."""
    values = noise(generator(n, "coverage"), (simulations, n))
    low, high = interval(values)
    return float(((low <= 0) & (high >= 0)).mean()), float(np.median(high - low))


# ------------------------------------------------------------------------- seeds and images


def crossed(
    random: np.random.Generator, n: int, images: int, of_seeds: float, of_images: float
) -> np.ndarray:
    """Image by image differences (n, images) of two models that are equally good: int8.

    Each image has a chance of its own to be got right by each of the two, normal on the logit
    scale about the same mean (spread `of_images`), and each seed shifts both (spread `of_seeds`).
    """
    logits = 2.0 + random.normal(0, of_images, (2, 1, images)) + random.normal(0, 1.5, images)
    logits = logits + random.normal(0, of_seeds, (2, n, 1))
    right = random.random((2, n, images)) < 1 / (1 + np.exp(-logits))
    return right[0].astype(np.int8) - right[1]


def pigeonhole_interval(differences: np.ndarray, random: np.random.Generator) -> Interval:
    """Percentiles of resampled rows and columns (Owen 2007), for comparison."""
    n, images = differences.shape
    rows = random.multinomial(n, np.full(n, 1 / n), 500)
    columns = random.multinomial(images, np.full(images, 1 / images), 500)
    means = ((rows @ differences) * columns).sum(axis=1) / differences.size
    return Interval(*np.quantile(means, [ALPHA / 2, 1 - ALPHA / 2]))


def two_way_coverage(
    n: int, of_seeds: float, of_images: float, simulations: int, images: int = 300
) -> dict[str, float]:
    """The fraction of simulations whose interval contains 0, for each kind of interval."""
    random = generator(n, "two-way coverage")
    held = {"over seeds alone": 0, "two-way (Petite's)": 0, "pigeonhole bootstrap": 0}
    for _ in range(simulations):
        differences = crossed(random, n, images, of_seeds, of_images)
        intervals = (
            mean_interval(differences.mean(axis=1)),
            two_way_interval(differences),
            pigeonhole_interval(differences, random),
        )
        for name, (low, high) in zip(held, intervals, strict=True):
            held[name] += bool(low <= 0 <= high)
    return {name: count / simulations for name, count in held.items()}


PROMISED = 0.01  # the half width that seeds or images are wanted for
PROMISED_CONFIDENCE = 0.9
# Experiments that need more images than this take too long to simulate.
MOST_PROMISED_IMAGES = 20_000
# The sd of the seeds (in logits, see `crossed`), that of the images, and how many there are.
PROMISES = [
    (0.0, 0.0, 7, 300),
    (0.0, 0.5, 7, 200),
    (0.1, 0.5, 7, 500),
    (0.05, 1.5, 7, 500),
    (0.05, 1.5, 10, 1_000),
    (0.2, 0.0, 7, 2_000),
    (0.3, 0.5, 7, 2_000),
    (0.2, 0.5, 10, 500),
]


def half_width(differences: np.ndarray) -> float:
    """Half of the interval over seeds and images, as the tables have it."""
    weights = np.full(differences.shape[1], 1 / differences.shape[1])
    low, high = NewImages(differences, weights, FEWER_DRAWS).interval(PROMISED_CONFIDENCE)
    return float(high - low) / 2


def promised_widths(
    of_seeds: float, of_images: float, n: int, images: int, simulations: int
) -> dict[str, list[tuple[int, int, float]]]:
    """Intervals of second experiments that have the seeds and images that first ones asked for.

    Returns
    -------
    dict of str to list of (int, int, float)
        By what was raised (seeds, images, both): the seeds, the images, and the half width.
    """
    random = generator(n, "promised widths", str(images), str(of_seeds), str(of_images))
    found: dict[str, list[tuple[int, int, float]]] = {"seeds": [], "images": [], "both": []}
    for _ in range(simulations):
        first = crossed(random, n, images, of_seeds, of_images)
        weights = np.full(images, 1 / images)
        spread = Spread.of(NewImages(first, weights, FEWER_DRAWS), PROMISED_CONFIDENCE)
        for seeds, more in spread.needed(PROMISED):
            if more > MOST_PROMISED_IMAGES:
                continue
            raised = "seeds" if more == images else "images" if seeds == n else "both"
            second = crossed(random, seeds, more, of_seeds, of_images)
            found[raised].append((seeds, more, half_width(second)))
    return found


# -------------------------------------------------------------------------------- the tests


def tables_without_effect(
    noise: Noise, methods: int, n: int, simulations: int, of_random: Noise | None = None
) -> tuple[float, float]:
    """Tables of methods whose mean is that of random.

    of_random: the noise of random's runs where it is another than `noise`, that of the methods'.
    With the same they are A/A comparisons. All methods are compared with the same runs of random.

    Returns the share of tables in which Holm lets any method pass, and the share of comparisons
    that are distinguishable.
    """
    random = generator(n, "no effect")
    reference = (of_random or noise)(random, (simulations, 1, n))
    differences = noise(random, (simulations, methods, n)) - reference
    adjusted = np.array([holm([sign_flip_p(row) for row in table]) for table in differences])
    passed = adjusted <= ALPHA
    return float(passed.any(axis=1).mean()), float(passed.mean())


def power(n: int, simulations: int) -> tuple[float, float]:
    """How often the true effect `smallest_effect` of n is detected, by two tests.

    By the t interval, which excludes 0, and by the sign-flip test of this one comparison.
    """
    values = generator(n, "power").normal(smallest_effect(n, 1.0), 1.0, (simulations, n))
    by_t = mean_interval(values).low > 0
    by_flips = np.array([sign_flip_p(row) for row in values]) <= ALPHA
    return float(by_t.mean()), float(by_flips.mean())


def false_equivalence(n: int, simulations: int) -> float:
    """How often equivalence is claimed if the true difference equals the tolerance."""
    values = generator(n, "equivalence").normal(1.0, 0.3, (simulations, n))
    return float((equivalence_p(values, 1.0) <= ALPHA).mean())


# ------------------------------------------------------------------- few test images

TEST_IMAGES = (5, 10, 20, 50, 100, 200)
IMBALANCES = (1, 9, 99)  # images of the common class for one of the rare
TOLERANCES = (0.01, 0.05, 0.2)
LOST_IN = ("both classes", "the rare class", "the common class")
# Which images are lost: the same in all runs; random ones in each run; some in half of the runs; a
# number that differs between runs; or the same in all runs while others are won.
LOST_AS = ("the same images", "by chance", "in half of the runs", "by seeds", "with others won")
# Half of the runs lose twice the tolerance, the others nothing: no test on few seeds holds then.
IN_EVERY_OTHER_RUN = "in every other run"
WON = 0.05  # fraction of images that are won
SIMULATED_SEEDS = 7
FEWER_DRAWS = 4_000  # than Petite uses, to save time


def two_classes(images: int, imbalance: int) -> np.ndarray:
    """Labels of images, of which the rare class, 1, has at least one."""
    rare = max(1, round(images / (imbalance + 1)))
    return np.repeat([0, 1], [images - rare, rare])


def chance_of_loss(
    labels: np.ndarray, weights: np.ndarray, tolerance: float, lost_in: str
) -> np.ndarray:
    """The probability of each image to be lost, so that the metric loses exactly the tolerance."""
    if lost_in == "both classes":
        return np.full(len(labels), tolerance)
    weight = np.bincount(labels, weights)
    first = int(lost_in == "the rare class")
    chances = np.zeros(2)
    chances[first] = min(1.0, tolerance / weight[first])
    chances[1 - first] = (tolerance - chances[first] * weight[first]) / weight[1 - first]
    return chances[labels]


def lossy(random: np.random.Generator, chances: np.ndarray, lost_as: str, n: int) -> np.ndarray:
    """Image by image differences (n, images) of a worse model from a better one: int8."""
    shape = (n, len(chances))
    if lost_as == "by chance":
        return -(random.random(shape) < chances).astype(np.int8)
    if lost_as == "in half of the runs":
        fragile = random.random(len(chances)) < np.minimum(1, 2 * chances)
        lost = random.random(shape) < np.maximum(chances, 0.5)
        return -(fragile & lost).astype(np.int8)
    if lost_as == IN_EVERY_OTHER_RUN:
        by_seed = 2 * (random.random((n, 1)) < 0.5)
        return -(random.random(shape) < chances * by_seed).astype(np.int8)
    if lost_as == "by seeds":
        # Symmetric around 1, so that the mean loss stays the same and no probability exceeds 1.
        most = min(1.0, 1 / chances.max() - 1)
        by_seed = 1 + np.clip(random.normal(0, 0.5, (n, 1)), -most, most)
        return -(random.random(shape) < chances * by_seed).astype(np.int8)
    uniform = random.random(len(chances))
    won = np.minimum(WON, (1 - chances) / 2) if lost_as == "with others won" else 0 * chances
    difference = np.where(uniform < chances + won, -1, np.where(uniform > 1 - won, 1, 0))
    return np.repeat(difference[None].astype(np.int8), n, axis=0)


def claims_not_worse(differences: np.ndarray, weights: np.ndarray, tolerance: float) -> bool:
    """Whether a subset with these differences from the full set is called not worse."""
    if not_worse_p(differences @ weights, tolerance) > ALPHA:
        return False
    return NewImages(differences, weights, FEWER_DRAWS).not_worse_p(tolerance) <= ALPHA


def false_not_worse(
    images: int,
    imbalance: int,
    metric: str,
    truth: tuple[float, str, str],
    simulations: int,
    stream: str = "",
) -> float:
    """How often a subset that loses exactly the tolerance is called not worse.

    truth: the tolerance, one of LOST_IN and one of LOST_AS.
    """
    tolerance, lost_in, lost_as = truth
    labels = two_classes(images, imbalance)
    weights = METRICS[metric].image_weights(labels)
    chances = chance_of_loss(labels, weights, tolerance, lost_in)
    random = generator(images, "not worse", str(imbalance), metric, *map(str, truth), stream)
    return float(
        np.mean(
            [
                claims_not_worse(
                    lossy(random, chances, lost_as, SIMULATED_SEEDS), weights, tolerance
                )
                for _ in range(simulations)
            ]
        )
    )


def worst_false_not_worse(
    images: int, imbalance: int, metric: str, simulations: int
) -> tuple[float, tuple[float, str, str]]:
    """The highest rate over all truths, and its truth: first a search, then a new simulation."""
    truths = list(itertools.product(TOLERANCES, LOST_IN, LOST_AS))
    rates = [
        false_not_worse(images, imbalance, metric, truth, max(simulations // 10, 1), "search")
        for truth in truths
    ]
    worst = truths[int(np.argmax(rates))]
    return false_not_worse(images, imbalance, metric, worst, simulations), worst


def claimed_where_nothing_is_lost(images: int, differing: float, simulations: int) -> float:
    """How often a subset without loss is called not worse at one point.

    differing: the share of images on which two runs differ, half of them won and half lost, by
    chance in each pair.
    """
    random = generator(images, "no loss", str(differing))
    weights = np.full(images, 1 / images)
    claims = 0
    for _ in range(simulations):
        uniform = random.random((SIMULATED_SEEDS, images))
        lost, won = uniform < differing / 2, uniform > 1 - differing / 2
        claims += claims_not_worse(won.astype(np.int8) - lost, weights, 0.01)
    return claims / simulations


def blind_judge_passes(images: int, imbalance: int, n: int, simulations: int) -> float:
    """How often n runs that guess by class frequency beat chance."""
    labels = two_classes(images, imbalance)
    scale = METRICS[BALANCED].image_weights(labels) * images
    random = generator(images, "blind", str(imbalance), str(n))
    passed = 0
    for _ in range(simulations):
        answers = random.random((n, images)) < labels.mean()
        right = (answers == labels).mean(axis=0)
        passed += (
            above_p(right - (labels == 0), -1, 0) <= ALPHA
            and above_p(right * scale, 0, 1 / 2) <= ALPHA
        )
    return passed / simulations


# ------------------------------------------------------------------------- the learning curve

FULL_SET = 1_700
FRACTIONS = (1.0, 0.5, 0.25, 0.1, 0.05)
KEPT = 0.1
TOLERANCE = 0.01
A, B, C = 0.98, 1.2, 0.5
SHARED_SD = 0.004  # sd of the deviation that a seed has at every size


def true_accuracy(images: float) -> float:
    return A - B * images**-C


def random_runs(random: np.random.Generator, n: int, sd: float) -> tuple[pd.DataFrame, np.ndarray]:
    """Runs of random at all FRACTIONS with n seeds, and the deviation of each seed."""
    shared = random.normal(0, SHARED_SD, n)
    rows = [
        {
            "method": "full" if fraction == 1 else "random",
            "fraction": fraction,
            "images": FULL_SET * fraction,
            "split_seed": 0,
            "training_seed": seed,
            "accuracy": true_accuracy(FULL_SET * fraction) + shared[seed] + random.normal(0, sd),
        }
        for fraction in FRACTIONS
        for seed in range(n)
    ]
    return pd.DataFrame(rows), shared


def holds(estimate: Estimate, truth: float) -> bool:
    """Whether an interval contains the truth; "above N" and "below N" are open on one side."""
    low = 0.0 if estimate.low.censored == "below" else estimate.low.value
    high = np.inf if estimate.high.censored == "above" else estimate.high.value
    return bool(low <= truth <= high)


def recovered(
    n: int, multiplier: float, sd: float, simulations: int, draws: int = 1_000
) -> dict[str, float]:
    """How well a known data multiplier and sufficient size are estimated."""
    random = generator(n, "multiplier", str(multiplier))
    seeds = pd.MultiIndex.from_product([[0], range(n)], names=PAIR)
    target = true_accuracy(FULL_SET) - TOLERANCE
    sufficient = (B / (A - target)) ** (1 / C)
    points, held, sizes_held = [], [], []
    for number in range(simulations):
        runs, shared = random_runs(random, n, sd)
        accuracy = true_accuracy(FULL_SET * KEPT * multiplier) + shared + random.normal(0, sd, n)
        curve = random_curve(runs, draws=draws, seed=number)
        assert curve is not None
        found = curve.multiplier(pd.Series(accuracy, index=seeds), FULL_SET * KEPT)
        size = curve.sufficient(TOLERANCE)
        assert size is not None
        points.append(found.point.value)
        held.append(holds(found, multiplier))
        sizes_held.append(holds(size, sufficient))
    return {
        "median": float(np.median(points)),
        "coverage": float(np.mean(held)),
        "sufficient": float(np.mean(sizes_held)),
    }


# -------------------------------------------------------------------------------- the tables


# ------------------------------------------------------------------------- several splits

DIMENSIONS, SPLIT_SEEDS = 10, 3
# Images of a data set, and the share that a subset keeps.
SPLIT_DESIGNS = ((300, 0.2), (2_000, 0.02))
TEST_SHARE = 0.2
SPLIT_NUMBERS = (2, 3, 5, 10)
AGAIN, FIXED, WITH_MERIT = "random again", "fixed list", "nearest to the class mean"


def chosen(kind: str, points: np.ndarray, order: np.ndarray, count: int) -> np.ndarray:
    """The places of the images of a class that a method keeps.

    order: a fixed random number of each image, which another split does not change.
    """
    if kind == FIXED:
        return np.argsort(order)[:count]
    distances = np.linalg.norm(points - points.mean(axis=0), axis=1)
    return np.argsort(distances)[:count]


def split_differences(
    kind: str, splits: int, random: np.random.Generator, images: int, share: float
) -> np.ndarray:
    """The mean difference of a method from random in each split of one new data set.

    Two classes of normal points; the model is the nearest class mean, and the mean over SPLIT_SEEDS
    seeds is taken, each with its own random subset.
    """
    labels = np.repeat([0, 1], images // 2)
    points = random.standard_normal((images, DIMENSIONS))
    points[labels == 1, 0] += 2.0
    order = random.random(images)
    found = []
    for _ in range(splits):
        shuffled = random.permutation(images)
        test, train = np.split(shuffled, [round(TEST_SHARE * images)])
        own, others = np.zeros((SPLIT_SEEDS, 2, DIMENSIONS)), np.zeros((SPLIT_SEEDS, 2, DIMENSIONS))
        for label in (0, 1):
            of_class = train[labels[train] == label]
            count = round(share * len(of_class))
            for seed in range(SPLIT_SEEDS):
                kept = random.permutation(len(of_class))[:count]
                others[seed, label] = points[of_class[kept]].mean(axis=0)
                if kind == AGAIN:
                    kept = random.permutation(len(of_class))[:count]
                else:
                    kept = chosen(kind, points[of_class], order[of_class], count)
                own[seed, label] = points[of_class[kept]].mean(axis=0)
        found.append(np.mean([accuracy_of(m, points[test], labels[test]) for m in own]))
        found[-1] -= np.mean([accuracy_of(m, points[test], labels[test]) for m in others])
    return np.array(found)


def accuracy_of(means: np.ndarray, points: np.ndarray, labels: np.ndarray) -> float:
    """The accuracy of the nearest of two class means."""
    distances = ((points[:, None] - means) ** 2).sum(axis=-1)
    return float((distances.argmin(axis=1) == labels).mean())


def over_splits_held(
    kind: str, design: tuple[int, float], simulations: int, numbers: Sequence[int] = SPLIT_NUMBERS
) -> dict[int, dict[str, float]]:
    """How often the intervals over the splits contain the true difference, and how often not 0.

    The truth is the mean over all data sets and splits; of a method without merit, 0.
    """
    random = generator(0, f"splits {kind}")
    most = max(numbers)
    studies = np.array([split_differences(kind, most, random, *design) for _ in range(simulations)])
    truth = float(studies.mean()) if kind == WITH_MERIT else 0.0
    found = {}
    for splits in numbers:
        values = studies[:, :splits]
        plain, corrected = (
            np.transpose([interval_over_splits(each, ratio) for each in values])
            for ratio in (0.0, TEST_SHARE / (1 - TEST_SHARE))
        )
        found[splits] = {
            **{
                name: float(((low <= truth) & (truth <= high)).mean())
                for name, (low, high) in (("plain", plain), ("corrected", corrected))
            },
            "effects": float(((corrected[0] > 0) | (corrected[1] < 0)).mean()),
            "width": float(np.median(corrected[1] - corrected[0])),
        }
    return found


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|:--|" + "--:|" * (len(header) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def coverage_table(simulations: int) -> str:
    intervals = {
        "Student's t": mean_interval,
        "bootstrap-t": bootstrap_t_interval,
        "percentile": scipy_interval("percentile"),
        "BCa": scipy_interval("BCa"),
    }
    rows = []
    for name, noise in NOISES.items():
        for n in SEEDS:
            found = [coverage(interval, noise, n, simulations) for interval in intervals.values()]
            rows.append([name, str(n), *(f"{percent(share)} ({w:.2f})" for share, w in found)])
    return markdown(["noise of the differences", "seeds", *intervals], rows)


def two_way_table(simulations: int) -> str:
    rows = []
    for of_seeds, of_images in ((0.0, 0.0), (0.1, 0.0), (0.1, 0.5), (0.3, 0.5), (0.1, 1.5)):
        for n in SEEDS:
            found = two_way_coverage(n, of_seeds, of_images, simulations)
            rows.append([f"{of_seeds:g}, {of_images:g}", str(n), *map(percent, found.values())])
    return markdown(["spread of seeds, images (logits)", "seeds", *found], rows)


def promise_table(simulations: int) -> str:
    rows = []
    for case in PROMISES:
        of_seeds, of_images, n, images = case
        for raised, found in promised_widths(*case, simulations).items():
            if len(found) < simulations / 4:  # not what this case usually needs
                continue
            seeds, more, widths = map(np.array, zip(*found, strict=True))
            ends = np.quantile(widths, [0.05, 0.5, 0.95]) / PROMISED
            rows.append([f"{of_seeds:g}, {of_images:g}", f"{n}, {images:,}", raised])
            rows[-1] += [f"{np.median(seeds):.0f}, {np.median(more):,.0f}"]
            rows[-1] += [f"{ends[1]:.2f}", f"{ends[0]:.2f} to {ends[2]:.2f}"]
            rows[-1] += [percent(len(found) / simulations)]
    return markdown(
        ["spread of seeds, images (logits)", "seeds, images", "raised", "to (median)"]
        + ["half width, points (median)", "in 90% of runs", "asked for"],
        rows,
    )


def level_table(simulations: int) -> str:
    very_skewed = NOISES["differences very skewed (skewness 2)"]
    cases: dict[str, tuple[Noise, Noise | None]] = {
        "A/A, normal": (NOISES["normal"], None),
        "A/A, skewed (skewness 1)": (NOISES["differences skewed (skewness 1)"], None),
        "A/A, very skewed (skewness 2)": (very_skewed, None),
        "methods very skewed, random normal": (very_skewed, NOISES["normal"]),
        "methods very skewed, random without noise": (very_skewed, no_noise),
    }
    rows = []
    for name, noises in cases.items():
        for n in (6, 7, 10, 12):
            family, _ = tables_without_effect(noises[0], 15, n, simulations, noises[1])
            _, single = tables_without_effect(noises[0], 1, n, simulations, noises[1])
            rows.append([name, str(n), percent(family), percent(1 - single)])
    return markdown(
        ["noise of the runs", "seeds", "any of 15 methods passes", "one is not distinguishable"],
        rows,
    )


def design_table(simulations: int) -> str:
    rows = [
        [
            str(n),
            f"{smallest_effect(n, 1.0):.2f}",
            *map(percent, power(n, simulations)),
            percent(false_equivalence(n, simulations)),
        ]
        for n in (6, 7, 8, 10, 12)
    ]
    header = ["seeds", "smallest effect, sd", "power of t", "power of the sign-flip test"]
    return markdown([*header, "false equivalence at the tolerance"], rows)


def not_worse_table(simulations: int) -> str:
    cases = [(1, ACCURACY), *itertools.product(IMBALANCES[1:], (ACCURACY, BALANCED))]
    rows = []
    for images in TEST_IMAGES:
        found = [worst_false_not_worse(images, *case, simulations)[0] for case in cases]
        rows.append([str(images), *map(percent, found)])
    names = [f"{imbalance} to 1, {metric.replace('_', ' ')}" for imbalance, metric in cases]
    collapsing = [
        percent(false_not_worse(images, 1, ACCURACY, truth, simulations))
        for images in (50, 100, 200)
        for truth in [(0.2, LOST_IN[0], IN_EVERY_OTHER_RUN)]
    ]
    return (
        markdown(["test images", *names], rows)
        + "\nWhere every other run loses twice the tolerance, 20 points, and the others nothing: "
        + f"{', '.join(collapsing)} with 50, 100 and 200 test images.\n"
    )


def shown_table(simulations: int) -> str:
    rows = [
        [
            f"{images:,}",
            *(
                percent(claimed_where_nothing_is_lost(images, differing, simulations))
                for differing in (0.0, 0.01, 0.02, 0.05)
            ),
        ]
        for images in (200, 300, 500, 1_000, 2_000)
    ]
    return markdown(["test images", "0% differ", "1% differ", "2% differ", "5% differ"], rows)


def blind_table(simulations: int) -> str:
    rows = [
        [
            str(images),
            *(
                percent(blind_judge_passes(images, imbalance, n, simulations))
                for imbalance in IMBALANCES
                for n in (1, 7)
            ),
        ]
        for images in TEST_IMAGES
    ]
    names = [f"{imbalance} to 1, {n} runs" for imbalance in IMBALANCES for n in (1, 7)]
    return markdown(["test images", *names], rows)


def curve_table(simulations: int) -> str:
    rows = []
    for sd in (0.003, 0.01):
        for n in SEEDS:
            for multiplier in (0.5, 1.0, 2.0):
                found = recovered(n, multiplier, sd, simulations)
                rows.append([f"{100 * sd:g} points", str(n), f"{multiplier:g}"])
                rows[-1] += [f"{found['median']:.2f}", percent(found["coverage"])]
                rows[-1].append(percent(found["sufficient"]))
    header = ["noise of a run", "seeds", "true multiplier", "median estimate", "coverage"]
    return markdown([*header, "coverage of the sufficient size"], rows)


def over_splits_table(simulations: int) -> str:
    rows = []
    for design, kind in itertools.product(SPLIT_DESIGNS, (AGAIN, FIXED, WITH_MERIT)):
        for splits, found in over_splits_held(kind, design, simulations).items():
            rows.append([kind, f"{design[1]:.0%} of {design[0]:,}", str(splits)])
            rows[-1] += [percent(found[name]) for name in ("plain", "corrected", "effects")]
            rows[-1].append(f"{100 * found['width']:.1f}")
    header = ["method", "keeps", "splits", "coverage: t", "coverage: corrected"]
    return markdown([*header, "excludes 0", "width, points (median)"], rows)


def main(args: argparse.Namespace) -> None:
    few = max(args.simulations // 4, 1)  # simulations that are not vectorized
    sections = {
        "Coverage of 95% intervals of a mean (median width in standard deviations)": (
            coverage_table(args.simulations)
        ),
        "Coverage of 95% intervals over seeds and test images": two_way_table(few),
        "Seeds or test images for an interval of ±1 point": promise_table(few),
        "Tests where no method has an effect": level_table(args.simulations),
        "Power and equivalence": design_table(args.simulations),
        'Few test images: false "not worse" at a loss equal to the tolerance': (
            not_worse_table(args.simulations)
        ),
        'Few test images: "not worse" at one point when nothing is lost': shown_table(few),
        "Models that ignore the image: shown to have learned": blind_table(few),
        "Data multipliers and the sufficient size": curve_table(few),
        "Several splits": over_splits_table(few),
    }
    text = "\n".join(f"### {title}\n\n{table}" for title, table in sections.items())
    write_text(args.output, f"{args.simulations:,} and {few:,} simulations per case.\n\n{text}")
    print(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--simulations", type=int, default=4_000)
    parser.add_argument("--output", type=Path, required=True)
    main(parser.parse_args())
