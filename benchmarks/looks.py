"""Check by simulation the errors, coverage, power and cost of seeds until decided.

Each simulated run compares methods with random. Their paired differences have a true mean in
standard deviations, and noise with mean 0. Writes a row for each case and design: the share of runs
with a false effect, the coverage of the intervals at the seeds where a comparison stopped, how
often a true effect was shown, and the mean number of seeds of its comparison. docs/evidence.md
shows them.

    python benchmarks/looks.py --simulations 1000 --output benchmarks/results/looks.csv

With --peeking, the share of runs with a false effect if a finished run gets more or fewer seeds
that were not declared, as long as it shows nothing.

    python benchmarks/looks.py --peeking --simulations 4000 --output benchmarks/results/peeking.csv
"""

import argparse
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from petite.evaluation import statistics
from petite.evaluation.looks import Looks, usual_levels
from petite.evaluation.sequential import compare_at_looks
from petite.evaluation.statistics import ALPHA, holm
from petite.evaluation.verdicts import BETTER, WORSE
from petite.util.files import write_text
from petite.util.seeds import generator

Noise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
MOST = 30
DESIGNS = {
    "looks 7, 10, 15, 30": Looks((7, 10, 15, 30), usual_levels((7, 10, 15, 30))),
    "7 seeds": Looks((7,), (0.05,)),
    "30 seeds": Looks((30,), (0.05,)),
}
# Mean 0 and standard deviation 1. The differences of two runs of one distribution are symmetric, as
# the sign-flip test assumes; the last one breaks this.
NOISES: dict[str, Noise] = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "t with 3 degrees of freedom": lambda random, shape: random.standard_t(3, shape) / 3**0.5,
    "both runs skewed alike": lambda random, shape: (
        (random.exponential(size=shape) - random.exponential(size=shape)) / 2**0.5
    ),
    "differences skewed": lambda random, shape: (random.gamma(4, size=shape) - 4) / 2,
}
# The true means of the methods of a run.
EFFECTS: dict[str, tuple[float, ...]] = {
    "1 of 1 as good as random": (0.0,),
    "3 of 3 as good as random": (0.0, 0.0, 0.0),
    "1 of 3 better by 0.5 sd": (0.5, 0.0, 0.0),
    "1 of 3 better by 1 sd": (1.0, 0.0, 0.0),
}
MORE = (7, 15, 30)  # seeds of a run that is continued twice
FEWER = (10, 9, 8, 7, 6)  # of one whose first seeds are tested too
SD = 0.01  # of the paired differences, as a share of accuracy
FLIPS = 9_999  # enough for the levels here, and ten times as fast as Petite's own number


def made_runs(differences: np.ndarray) -> pd.DataFrame:
    """The table of runs of random and of methods with these (methods, seeds) differences."""
    methods = {"random": np.zeros(MOST)} | {
        f"method_{number}": own for number, own in enumerate(differences)
    }
    return pd.DataFrame(
        {
            "judge": "scratch", "dataset": "simulated", "method": method, "fraction": 0.1,
            "images": 1000, "split_seed": 0, "training_seed": seed, "model": "compact",
            "backend": "tensorflow", "budget": "1 step", "precision": "float32",
            "accuracy": 0.7 + value, "loss": 0.3, "stored_bytes": 1, "select_seconds": 1.0,
            "train_seconds": 1.0,
        }
        for method, values in methods.items()
        for seed, value in enumerate(values)
    )  # fmt: skip


def simulated(effects: tuple[float, ...], noise: Noise, looks: Looks, count: int) -> pd.Series:
    """The shares over `count` simulated runs."""
    random = generator(0, "looks")
    true = SD * np.array(effects)
    found = []
    for _ in range(count):
        differences = true[:, None] + SD * noise(random, (len(effects), MOST))
        table = compare_at_looks(made_runs(differences), looks, 0.01).table
        table = table[table["method"] != "random"].sort_values("method").reset_index(drop=True)
        shown = table["verdict"].isin([BETTER, WORSE])
        found.append(
            {
                "false_effect": (shown & (true == 0)).any(),
                "covered": ((table["low"] <= true) & (table["high"] >= true)).mean(),
                "shown": (shown & (true > 0)).sum() / max((true > 0).sum(), 1),
                "seeds": table["pairs"].iloc[0],
                "seeds_of_all": table["pairs"].mean(),
            }
        )
    return pd.DataFrame(found).astype(float).mean()


def peeked(methods: int, peeks: tuple[int, ...], count: int) -> pd.Series:
    """The shares over `count` runs without effects that get other seeds until a test passes.

    Each of `peeks` is tested at 5% as if it were the only one, with Holm's adjustment for methods.
    """
    random = generator(0, "peeking")
    # Equal for all runs, which does not change the mean of what they find.
    flips = {n: random.integers(0, 2, (FLIPS, n)) * 2.0 - 1 for n in peeks}
    found, seeds = np.zeros(count, bool), np.full(count, float(peeks[-1]))
    for run in range(count):
        values = random.standard_normal((methods, MOST))
        for n in peeks:
            observed = np.abs(values[:, :n].sum(axis=1)) - 1e-9
            as_far = (np.abs(flips[n] @ values[:, :n].T) >= observed).sum(axis=0)
            if (holm((as_far + 1) / (FLIPS + 1)) <= ALPHA).any():
                found[run], seeds[run] = True, n
                break
    return pd.Series({"false_effect": found.mean(), "seeds": seeds.mean()})


def main(args: argparse.Namespace) -> None:
    statistics.RANDOM_FLIPS = FLIPS
    rows = []
    if args.peeking:
        for methods, peeks in product((1, 3), (MORE, FEWER)):
            case = f"{methods} of {methods} as good as random"
            shares = peeked(methods, peeks, args.simulations)
            rows.append({"case": case, "design": f"{peeks}, not declared", **shares})
            print(rows[-1], flush=True)
        write_text(args.output, pd.DataFrame(rows).round(4).to_csv(index=False))
        return
    for case, effects in EFFECTS.items():
        for name, noise in NOISES.items():
            if (any(effects) or len(effects) == 1) and name != "normal":
                continue
            # The fixed designs are those of benchmarks/evidence.py, which has their other cases.
            designs = DESIGNS if name == "normal" else dict([*DESIGNS.items()][:1])
            for design, looks in designs.items():
                shares = simulated(effects, noise, looks, args.simulations)
                rows.append({"case": case, "noise": name, "design": design, **shares})
                print(rows[-1], flush=True)
    write_text(args.output, pd.DataFrame(rows).round(4).to_csv(index=False))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--simulations", type=int, default=1000, help="simulated runs of a case")
    parser.add_argument("--peeking", action="store_true", help="seeds that nobody declared instead")
    parser.add_argument("--output", type=Path, required=True, help=".csv")
    main(parser.parse_args())
