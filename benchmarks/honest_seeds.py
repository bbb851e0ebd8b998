"""Check by simulation how to seed a judge that has no noise of its own, such as a probe.

Images are points from populations of known truth: two classes, each a mixture of three Gaussians.
The judge is a ridge classifier in closed form, whose accuracy for new images is exact. Each seed
draws its part of the pool, selects k images from it and fits the judge. Over many pools, the script
counts how often a method without merit is called better or worse than random, how often the 95%
interval contains the true mean difference over pools, and how often merit is found. It does so for
Student's t over the seeds, and with the luck of the lists added (petite.evaluation.list_luck).

    OMP_NUM_THREADS=1 python benchmarks/honest_seeds.py --output benchmarks/results/honest_seeds.csv

docs/evidence.md has the tables.
"""

import argparse
import inspect
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtr

from petite.evaluation.list_luck import luck_variance
from petite.evaluation.statistics import mean_interval
from petite.selection import METHODS
from petite.selection.base import Group
from petite.subsets.overlap import excess_overlap
from petite.util.seeds import generator

FEATURES = 16
COMPONENTS = (0.6, 0.3, 0.1)  # shares of a class
RIDGE = 3.0
TEST_IMAGES = 1_000  # of the fixed test set
OWN_SPLIT_TEST = 0.2  # share of all images that a seed with its own split tests on
SEEDS = 30

RANDOM, AGAIN, ARBITRARY, FULL = "random", "random_again", "arbitrary_list", "full"
WITHOUT_MERIT = (RANDOM, AGAIN, ARBITRARY)
BLOCK_BYTES = 2**28


@dataclass(frozen=True)
class Population:
    """Two classes of three Gaussians: means (2, 3, d), square roots of covariances (2, 3, d, d)."""

    name: str
    means: np.ndarray
    roots: np.ndarray

    @classmethod
    def of(cls, name: str, distance: float) -> "Population":
        """A population whose classes are this far apart along one random direction."""
        rng = generator(0, "honest seeds", "population", name)
        direction = rng.normal(size=FEATURES)
        direction /= np.linalg.norm(direction)
        between = np.array([-0.5, 0.5])[:, None, None] * distance * direction
        means = between + rng.normal(0, 0.4, (2, 3, FEATURES))
        rotations = np.linalg.qr(rng.normal(size=(2, 3, FEATURES, FEATURES)))[0]
        return cls(name, means, rotations * np.linspace(1.6, 0.4, FEATURES))

    def draw(self, rng: np.random.Generator, per_class: int) -> np.ndarray:
        """Images, float32 (2, per_class, d)."""
        component = rng.choice(3, (2, per_class), p=COMPONENTS)
        of_class = np.arange(2)[:, None]
        normal = rng.normal(size=(2, per_class, FEATURES))
        spread = np.einsum("cnij,cnj->cni", self.roots[of_class, component], normal)
        return (self.means[of_class, component] + spread).astype(np.float32)

    def accuracy(self, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """The exact accuracy of linear classifiers (n, d) with biases (n,): (n,)."""
        middle = np.einsum("nd,ckd->nck", weights, self.means) + bias[:, None, None]
        spread = np.linalg.norm(np.einsum("nd,ckde->ncke", weights, self.roots), axis=-1)
        right = ndtr(middle / spread * np.array([-1, 1])[:, None])
        return right.mean(axis=1) @ np.array(COMPONENTS)


# Classes that are easy and hard to tell apart: 92% and 81% with 2,000 images.
POPULATIONS = {
    name: Population.of(name, distance) for name, distance in {"easy": 2.2, "hard": 1.0}.items()
}


def fit(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ridge classifiers of balanced lists (n, 2, k / 2, d): weights (n, d) and biases (n,)."""
    lists, _, half, d = images.shape
    rows = images.reshape(lists, 2 * half, d).astype(np.float64)
    middle = rows.mean(axis=1)
    rows -= middle[:, None]
    gram = rows.transpose(0, 2, 1) @ rows + RIDGE * np.eye(d)
    target = (np.repeat([-1.0, 1.0], half) @ rows)[..., None]
    weights = np.linalg.solve(gram, target)[..., 0]
    return weights, -(weights * middle).sum(axis=1)


def accuracy_on(images: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The accuracies (n,) of classifiers on test images (2, m, d)."""
    score = images.astype(np.float64) @ weights.T + bias
    return ((score[0] < 0).mean(axis=0) + (score[1] > 0).mean(axis=0)) / 2


# --------------------------------------------------------------------------------- the lists


def chosen(
    method: str,
    pool: np.ndarray,
    order: np.ndarray,
    part: np.ndarray,
    sizes: tuple[int, ...],
    rng: np.random.Generator,
) -> dict[int, np.ndarray]:
    """The list of each size: positions in the pool (2, k / 2), for one seed.

    pool: (2, m, d). order: (2, m), the arbitrary order of the pool. part: (2, p), the positions
    that the seed draws.
    """
    lists = {k: np.empty((2, k // 2), dtype=np.intp) for k in sizes}
    for c in range(2):
        if method in (RANDOM, AGAIN):
            ranked = rng.permutation(part[c])
        elif method == ARBITRARY:
            ranked = part[c][np.argsort(order[c][part[c]])]
        for k in sizes:
            if method in WITHOUT_MERIT:
                lists[k][c] = ranked[: k // 2]
                continue
            entry = METHODS[method]
            settings = entry.settings()
            ranks = entry.traits(settings).ranks
            if not ranks or k == sizes[0]:
                half = (max(sizes) if ranks else k) // 2
                features = pool[c][part[c]]
                mass = np.ones(len(features))
                group = Group(features, None, mass, half, rng, BLOCK_BYTES, BLOCK_BYTES)
                assert entry.choose is not None
                # The wrapper that limits BLAS to one thread takes longer than the choice.
                found = part[c][inspect.unwrap(entry.choose)(group, settings).indices]
            lists[k][c] = found[: k // 2]
    return lists


def has_chance(method: str) -> bool:
    if method in WITHOUT_MERIT:
        return method != ARBITRARY
    return METHODS[method].traits(METHODS[method].settings()).chance


# ------------------------------------------------------------------------------- simulations


@dataclass(frozen=True)
class Case:
    """A design: what seeds draw from pools of which population, and which methods are compared.

    part: the fraction of the pool that each seed draws; own_split: whether each seed also has its
    own test images, a share OWN_SPLIT_TEST of the pool that it does not select from.
    """

    population: str
    pool: int
    part: float
    methods: tuple[str, ...]
    sizes: tuple[int, ...]
    own_split: bool = False

    @property
    def scheme(self) -> str:
        return "own split" if self.own_split else f"part {self.part:g}"


@dataclass
class Outcome:
    """The accuracies (pools, seeds) and overlaps (pools,) of a method at a size, 0 for full."""

    exact: np.ndarray
    tested: np.ndarray
    overlap: np.ndarray


def simulate(case: Case, pools: int, seeds: int) -> dict[tuple[str, int], Outcome]:
    """The runs of each method and size."""
    population = POPULATIONS[case.population]
    per_class = case.pool // 2
    fixed = population.draw(generator(0, "honest seeds", "test", case.population), TEST_IMAGES // 2)
    keys = [(method, k) for method in case.methods for k in case.sizes] + [(FULL, 0)]
    shape = (pools, seeds)
    found = {key: Outcome(np.empty(shape), np.empty(shape), np.zeros(pools)) for key in keys}
    for number in range(pools):
        rng = generator(number, "honest seeds", case.population, str(case.pool), case.scheme)
        pool = population.draw(rng, per_class)
        order = rng.random((2, per_class))
        drawn = [np.stack([rng.permutation(per_class) for _ in range(2)]) for _ in range(seeds)]
        size = round((1 - OWN_SPLIT_TEST if case.own_split else case.part) * per_class)
        parts = [np.sort(positions[:, :size]) for positions in drawn]
        lists = {FULL: [{0: part} for part in parts]}
        for method in case.methods:
            equal = case.part == 1 and not case.own_split and not has_chance(method)
            lists[method] = [
                chosen(method, pool, order, part, case.sizes, rng)
                for part in (parts[:1] if equal else parts)
            ] * (seeds if equal else 1)
        for method, k in keys:
            positions = np.stack([one[k] for one in lists[method]])  # (seeds, 2, k / 2)
            model = fit(pool[np.arange(2)[:, None], positions])
            one = found[method, k]
            one.exact[number] = population.accuracy(*model)
            if case.own_split:
                for seed in range(seeds):
                    test = pool[np.arange(2)[:, None], drawn[seed][:, size:]]
                    single = (model[0][seed, None], model[1][seed, None])
                    one.tested[number, seed] = accuracy_on(test, *single)[0]
            else:
                one.tested[number] = accuracy_on(fixed, *model)
            flat = (positions + np.array([0, per_class])[:, None]).reshape(seeds, -1)
            one.overlap[number] = excess_overlap(list(flat), case.pool)
    return found


# ------------------------------------------------------------------------------ what is found

# The variance that is added to that of the mean over the seeds (luck, of one pool).
Luck = Callable[[Case, np.ndarray, np.ndarray, float], float]


def nadeau_bengio(case: Case, own: np.ndarray, difference: np.ndarray, overlap: float) -> float:
    """Their correction for repeated splits: test images / training images times the variance."""
    return OWN_SPLIT_TEST / (1 - OWN_SPLIT_TEST) * float(np.var(difference, ddof=1))


CORRECTIONS: dict[str, Luck] = {
    "none": lambda case, own, difference, overlap: 0.0,
    "overlap": lambda case, own, difference, overlap: luck_variance(own, overlap),
    # If a list's worth were a sum over its pairs of images: the lower end of what is plausible.
    "overlap_squared": lambda case, own, difference, overlap: luck_variance(own, overlap**2),
    "nadeau_bengio": nadeau_bengio,
}


def measured(
    case: Case, own: np.ndarray, other: np.ndarray, overlaps: np.ndarray, luck: Luck, truth: float
) -> dict[str, float]:
    """Rates over pools of the 95% interval of the mean difference (pools, seeds)."""
    differences = own - other
    intervals = np.array(
        [
            mean_interval(difference, luck=luck(case, one, difference, overlap))
            for one, difference, overlap in zip(own, differences, overlaps, strict=True)
        ]
    )
    low, high = intervals.T
    return {
        "coverage": float(((low <= truth) & (truth <= high)).mean()),
        "called_better": float((low > 0).mean()),
        "called_worse": float((high < 0).mean()),
        "half_width": float(np.median(high - low) / 2),
    }


def compared(
    case: Case, found: dict[tuple[str, int], Outcome], method: str, k: int, reference: str
) -> Iterator[dict[str, object]]:
    """Rows of a method against random, or against the full set."""
    own, other = found[method, k], found[reference, 0 if reference == FULL else k]
    pools, seeds = own.exact.shape
    for test in ("exact", "tested"):
        mine, others = getattr(own, test), getattr(other, test)
        differences = mine - others
        # With test images of their own, the seeds estimate the exact difference.
        truth = (own.exact - other.exact if case.own_split else differences).mean()
        within = mine.var(axis=1, ddof=1).mean()
        between = max(mine.mean(axis=1).var(ddof=1) - within / seeds, 0.0)
        for correction, luck in CORRECTIONS.items():
            # Each correction is for one kind of scheme.
            if correction != "none" and case.own_split != (correction == "nadeau_bengio"):
                continue
            yield {
                "population": case.population,
                "pool": case.pool,
                "scheme": case.scheme,
                "method": method,
                "k": k,
                "reference": reference,
                "test": test,
                "correction": correction,
                "pools": pools,
                "seeds": seeds,
                "accuracy": mine.mean(),
                "difference": truth,
                "sd_of_mean_difference": differences.mean(axis=1).std(ddof=1),
                "correlation_of_seeds": between / (between + within),
                "excess_overlap": own.overlap.mean(),
                **measured(case, mine, others, own.overlap, luck, float(truth)),
            }


def rows_of(case: Case, found: dict[tuple[str, int], Outcome]) -> Iterator[dict[str, object]]:
    """The rows of a case in the table of results."""
    for (method, k), reference in itertools.product(found, (RANDOM, FULL)):
        if method not in (FULL, reference):
            yield from compared(case, found, method, k, reference)


SIZES = {2_000: (20, 100, 400), 500: (20, 100)}


def cases() -> Iterator[Case]:
    for population in POPULATIONS:
        for pool, sizes in SIZES.items():
            for part in (1.0, 0.9, 0.8, 0.5):
                yield Case(population, pool, part, WITHOUT_MERIT, sizes)
            yield Case(population, pool, 1.0, WITHOUT_MERIT, sizes, own_split=True)
    for part in (0.9, 0.5):
        yield Case("easy", 2_000, part, (RANDOM, "herding", "k_center_greedy"), SIZES[2_000])
        clusters = ("prototype_easy", "kmeans_medoid")
        yield Case("hard", 500, part, (RANDOM, "herding", "k_center_greedy", *clusters), SIZES[500])


# -------------------------------------------------------------------------------- the tables


def percents(rates: pd.Series) -> str:
    """The mean rate, the smallest and the largest."""
    return f"{100 * rates.mean():.1f}% ({100 * rates.min():.1f} to {100 * rates.max():.1f})"


def points(widths: pd.Series) -> str:
    """The mean half width of intervals in points; not of intervals that exclude nothing."""
    return "unbounded" if widths.min() > 1 else f"{100 * widths.mean():.2f}"


def markdown(rows: list[dict[str, str]]) -> str:
    lines = [
        rows[0].keys(),
        [":--", *["--:"] * (len(rows[0]) - 1)],
        *(row.values() for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def without_merit(results: pd.DataFrame) -> str:
    """How often methods without merit are called: mean (least and most) of all cases."""
    chosen = results[(results["reference"] == RANDOM) & results["method"].isin(WITHOUT_MERIT)]
    chosen = chosen.assign(called=chosen["called_better"] + chosen["called_worse"])
    rows = []
    for (scheme, correction), group in chosen.groupby(["scheme", "correction"], sort=False):
        of = dict(list(group.groupby("method")))
        arbitrary = of[ARBITRARY]
        rows.append(
            {
                "scheme": str(scheme),
                "correction": str(correction).replace("_", " "),
                "random again, called": percents(of[AGAIN]["called"]),
                "arbitrary list, called": percents(arbitrary["called"]),
                "arbitrary list, coverage": percents(arbitrary["coverage"]),
                "half width, points": points(arbitrary["half_width"]),
            }
        )
    return markdown(rows)


def with_merit(results: pd.DataFrame) -> str:
    """Coverage and power of real methods, measured exactly."""
    methods = results.loc[~results["method"].isin(WITHOUT_MERIT), "method"].unique()
    chosen = results[
        (results["reference"] == RANDOM)
        & results["method"].isin(methods)
        & (results["test"] == "exact")
    ]
    by = ["population", "pool", "method", "k", "scheme"]
    rows = []
    for key, group in chosen.groupby(by, sort=False):
        none, overlap = (group[group["correction"] == name].iloc[0] for name in ("none", "overlap"))
        by_chance = none["k"] / none["pool"]
        shared = none["excess_overlap"] * (1 - by_chance) + by_chance
        side = "called_better" if none["difference"] > 0 else "called_worse"
        rows.append(
            {
                "images, method, k": f"{key[0]}, {key[1]:,}: {key[2]}, {key[3]}",
                "seeds draw": str(key[4]),
                "true difference": f"{100 * none['difference']:+.2f}",
                "overlap (excess)": f"{shared:.2f} ({none['excess_overlap']:.2f})",
                "correlation": f"{none['correlation_of_seeds']:.2f}",
                "coverage: t": f"{100 * none['coverage']:.1f}%",
                "with luck": f"{100 * overlap['coverage']:.1f}%",
                "found: t": f"{100 * none[side]:.0f}%",
                "found: with luck": f"{100 * overlap[side]:.0f}%",
            }
        )
    return markdown(rows)


def against_full(results: pd.DataFrame) -> str:
    """Coverage of the difference from the full set: mean (least and most) of all cases."""
    chosen = results[
        (results["reference"] == FULL) & results["scheme"].isin(["part 0.9", "part 0.5"])
    ]
    rows = []
    for (method, scheme), group in chosen.groupby(["method", "scheme"], sort=False):
        of = dict(list(group.groupby("correction")))
        rows.append(
            {
                "method": str(method),
                "seeds draw": str(scheme),
                "coverage: t": percents(of["none"]["coverage"]),
                "coverage: with luck": percents(of["overlap"]["coverage"]),
            }
        )
    return markdown(rows)


def main(args: argparse.Namespace) -> None:
    tables = []
    for case in cases():
        start = time.process_time()
        found = simulate(case, args.pools, args.seeds)
        tables.append(pd.DataFrame(rows_of(case, found)))
        print(f"{case}: {time.process_time() - start:.0f} s", flush=True)
    # Two cases with the same pools have the same runs of random.
    results = pd.concat(tables).drop_duplicates()
    args.output.parent.mkdir(parents=True, exist_ok=True)
    results.to_csv(args.output, index=False, float_format="%.5g")
    for table in (without_merit, with_merit, against_full):
        print(f"\n{(table.__doc__ or '').strip()}\n\n{table(results)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pools", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/honest_seeds.csv"))
    main(parser.parse_args())
