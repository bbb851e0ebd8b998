"""The plan of a run within a budget of time: fewer seeds first, then fewer comparisons.

docs/forecast.md explains the rules.
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from petite.config.comparisons import Case, with_full, with_random
from petite.config.export import exported
from petite.config.grow import kept_subset
from petite.config.methods import FULL, RANDOM, Selection, Step
from petite.config.schema import Config, load
from petite.config.seeds import LooksSettings
from petite.evaluation.recommendation import BudgetCut, Subset
from petite.evaluation.statistics import ENOUGH_RUNS, least_p, seeds_to_decide
from petite.forecast.cut import NOTHING, Cut
from petite.training.seeing import SEE_FEWER
from petite.util import duration
from petite.util.encoded_names import method_of
from petite.util.errors import PetiteError
from petite.util.files import read_json, write_json
from petite.util.formatting import counted, listed, rounded_time

# A look with more than this share of the seeds of the next one is close to it.
CLOSE = 0.75
# The settings that decide the time of a run, beside the cases and the seeds of its judges.
OF_TIME: dict[str, Any] = {
    "dataset": {"source", "classes", "limit_per_class", "min_per_class", "image_size", "color"},
    "split": {"repeats", "test", "validation"},
    "features": {"space", "dimensions"},
    "backbone": {"name", "image_size", "command"},
    **dict.fromkeys(("proxy", "encodings", "training", "judges"), True),
    **dict.fromkeys(("training_threads", "seeds_per_job", "partitions"), True),
}


@dataclass(frozen=True)
class BudgetPlan:
    """A plan as it is kept with the results.

    Attributes
    ----------
    place : str
        Where it was planned to run, such as "on 2 cores".
    seconds, of_all : float
        Forecast of what is run, and of everything that was asked for.
    cut : Cut
    settled : bool
        Whether a run judged by it. Otherwise the next run is planned again.
    """

    place: str
    seconds: float
    of_all: float
    cut: Cut
    settled: bool = True


_JSON: TypeAdapter[BudgetPlan] = TypeAdapter(BudgetPlan)


def plan_path(results: Path, config: Config) -> Path:
    """The file of the plan of a configuration: another one if the cases, seeds or time differ."""
    # Defaults are left out, so that a setting that a later version adds changes no name.
    values = config.model_dump(mode="json", include=OF_TIME, exclude_defaults=True)
    values = {key: value for key, value in values.items() if value != {}}
    values["methods"] = {
        label: [_of_step(step) for step in entry.steps]
        for label, entry in config.methods.items()
        if entry.fractions
    }
    values["budget"] = config.budget_seconds
    values["cases"] = {
        judge: [sorted(config.runs_of(judge).items()), asdict(looks) if looks else None]
        for judge in config.judges.used
        for looks in [config.looks_of(judge)]
    }
    text = json.dumps(values, sort_keys=True)
    return results / "budgets" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"


def read_plan(path: Path) -> BudgetPlan | None:
    """Read a plan; None if there is none.

    Raises
    ------
    PetiteError
        If the file is damaged.
    """
    if not path.exists():
        return None
    try:
        return _JSON.validate_python(read_json(path))
    except (ValidationError, ValueError) as error:
        raise PetiteError(
            f"'{path}', the plan of this budget, is damaged. Delete it to plan the run again"
        ) from error


def write_plan(path: Path, plan: BudgetPlan) -> None:
    """Keep a plan, so that a rerun is the same run."""
    write_json(path, asdict(plan))


def best_cut(config: Config, seconds_of: Callable[[Cut], float]) -> Cut:
    """Find the plan with the most comparisons that can be decided within the budget.

    Each then has as many seeds as fit. More time never leaves out more cases, and never gives
    fewer seeds to the same cases.

    Parameters
    ----------
    config : Config
        With a budget.
    seconds_of : callable
        Forecasts the run that a cut leaves.

    Returns
    -------
    Cut

    Raises
    ------
    PetiteError
        If no cut fits.
    """

    def fits(cut: Cut) -> bool:
        return seconds_of(cut) <= config.budget_seconds

    def with_fewest_seeds(left_out: tuple[Case, ...]) -> Cut:
        return Cut(seed_choices(config, left_out)[0], left_out)

    if fits(NOTHING):
        return NOTHING
    choices = cases_to_leave_out(config)
    least = with_fewest_seeds(choices[-1])
    if not fits(least):
        raise _too_small(config, least, seconds_of(least))
    place = bisect_left(choices, True, key=lambda left_out: fits(with_fewest_seeds(left_out)))
    left_out = choices[min(place, len(choices) - 1)]
    numbers = seed_choices(config, left_out)
    fitting = bisect_left(numbers, True, key=lambda seeds: not fits(Cut(seeds, left_out)))
    return Cut(numbers[fitting - 1], left_out)


def cases_to_leave_out(config: Config) -> list[tuple[Case, ...]]:
    """What may be left out: nothing, the least promising case, it and the next one, and so on.

    The larger a fraction, the less a method can differ from random, so methods go from the largest
    fraction on, at each the last one of the configuration first. Then random goes from the smallest
    fraction on, as the largest is most likely to do as well as the full set. Last goes what sees
    fewer of all images, which is compared with the full set alone. A case that `export` or
    `grow.kept` names stays, and so does one comparison of each judge.
    """
    cases = list(config.subsets)
    has_full = (FULL, 1.0) in cases
    stays = _named(config)
    see_fewer = [case for case in cases if config.methods[case[0]].method in SEE_FEWER]
    methods = [case for case in cases if case[0] not in (FULL, RANDOM) and case not in see_fewer]
    steps = sorted(reversed(methods), key=lambda case: -case[1])
    if has_full:
        steps += sorted(case for case in cases if case[0] == RANDOM)
    steps += reversed(see_fewer)
    found: list[tuple[Case, ...]] = [()]
    for step in (one for one in steps if one not in stays):
        left_out = (*found[-1], step)
        has_methods = any(case[1] == step[1] for case in methods if case not in left_out)
        if step[0] == RANDOM and has_methods:
            continue
        random = (RANDOM, step[1])
        # Without the full set, random images are compared with methods alone.
        if random in cases and not (has_full or has_methods or random in stays):
            left_out = (*left_out, random)
        if _is_run(config, left_out):
            found.append(left_out)
    return found


def seed_choices(config: Config, left_out: Collection[Case] = ()) -> list[int | None]:
    """The numbers of seeds that a run without some cases may be cut to, rising; None is for all.

    The fewest can decide each comparison with random, if the method wins every time.
    """
    runs = [count for case, count in config.subsets.items() if case not in left_out]
    tests = max(len(with_random(_cases(config, judge, left_out))) for judge in config.judges.used)
    fewest = seeds_to_decide(tests) if tests else ENOUGH_RUNS
    numbers = range(fewest, max(runs))
    return [*(n for n in numbers if _can_decide(config.seeds, n, tests)), None]


def _cases(config: Config, judge: str, left_out: Collection[Case]) -> list[Case]:
    """What a judge judges of a run without some cases."""
    return [
        (name, share)
        for name, share in config.runs_of(judge)
        if (method_of(name), share) not in left_out
    ]


def cut_config(config: Config, cut: Cut) -> Config:
    """The configuration of what remains, without a budget.

    Raises
    ------
    PetiteError
        Where it is not valid, as with an `export` that was left out.
    """
    # Keys that are no part of a dump change no result.
    values = config.model_dump(mode="json")
    values |= {"export": config.export, "export_formats": config.export_formats, "budget": None}
    for label, entry in values["methods"].items():
        entry["fractions"] = [
            share for share in entry["fractions"] if (label, share) not in cut.left_out
        ]
    left = {share for entry in values["methods"].values() for share in entry["fractions"]}
    for judge in filter(None, values["judges"].values()):
        if judge["fractions"] is not None:
            judge["fractions"] = [share for share in judge["fractions"] if share in left]
    if cut.seeds is not None:
        seeds = capped(config.seeds, cut.seeds)
        values["seeds"] = seeds if isinstance(seeds, int) else seeds.model_dump(mode="json")
        values["seeds_by_fraction"] = {
            share: min(count, cut.seeds) for share, count in config.seeds_by_fraction.items()
        }
        for judge in filter(None, values["judges"].values()):
            if judge["seeds"] is not None:
                judge["seeds"] = min(judge["seeds"], cut.seeds)
    return load(values)


def capped(seeds: int | LooksSettings, most: int) -> int | LooksSettings:
    """A number of seeds, or looks, with at most this many seeds.

    The last look has `most`, at the level of the one that it replaces. Earlier looks stay, except
    those that are CLOSE to it: they would save few seeds, and a share of the level is theirs.

    Raises
    ------
    ValidationError
        If the last look could decide nothing at its level.
    """
    if isinstance(seeds, int):
        return min(seeds, most)
    if most >= seeds.looks[-1]:
        return seeds
    kept = [place for place, look in enumerate(seeds.looks) if look <= CLOSE * most]
    if not kept:
        return most
    replaced = next(place for place, look in enumerate(seeds.looks) if look >= most)
    levels = seeds.levels and [seeds.levels[place] for place in (*kept, replaced)]
    return LooksSettings(looks=[*(seeds.looks[place] for place in kept), most], levels=levels)


def cuts_of_judges(config: Config, plan: BudgetPlan) -> dict[str, BudgetCut]:
    """What a plan took from each judge, for the answer; without judges that lost nothing."""
    rest = cut_config(config, plan.cut)
    found = {}
    for judge in config.judges.used:
        asked, left = config.runs_of(judge), rest.runs_of(judge)
        missing = tuple(Subset(*case) for case in asked if case not in left)
        seeds, wanted = max(left.values()), max(asked.values())
        if missing or seeds < wanted:
            found[judge] = BudgetCut(str(config.budget), seeds, wanted, missing)
    return found


def in_words(config: Config, plan: BudgetPlan) -> str:
    """What a plan took from a run, on a line or two."""
    cut = plan.cut
    parts = []
    if cut.seeds is not None:
        asked = max(config.runs.values())
        parts.append(f"{counted(cut.seeds, 'seed')} instead of {asked}")
    if cut.left_out:
        parts.append(f"without {listed([named(*case) for case in cut.left_out])}")
    if not parts:
        return f"Budget of {config.budget}: nothing is left out"
    return (
        f"Budget of {config.budget}: {'; '.join(parts)}. All of it would take about "
        f"{rounded_time(plan.of_all)} {plan.place}"
    )


def named(label: str, fraction: float) -> str:
    """A case as `export` names it."""
    return f"{label}:{fraction:g}"


def _can_decide(seeds: int | LooksSettings, most: int, tests: int) -> bool:
    """Whether the last test, with `most` seeds, can decide each of some comparisons."""
    try:
        last = capped(seeds, most)
    except ValidationError:
        return False
    return isinstance(last, int) or tests * least_p(most) <= last.as_looks().levels[-1]


def _of_step(step: Selection) -> list[Any]:
    """What a step does, without defaults."""
    share = step.share if isinstance(step, Step) else 1.0
    own = step.settings.model_dump(mode="json", exclude_defaults=True)
    return [step.method, step.quota, step.space, share, own]


def _is_run(config: Config, left_out: tuple[Case, ...]) -> bool:
    """Whether a run without some cases is valid, and each judge that compares still does."""
    try:
        cut_config(config, Cut(None, left_out))
    except PetiteError:
        return False

    def compares(judge: str, left_out: Collection[Case]) -> bool:
        cases = _cases(config, judge, left_out)
        return bool(with_random(cases) or with_full(cases))

    return all(compares(judge, left_out) for judge in config.judges.used if compares(judge, ()))


def _named(config: Config) -> set[Case]:
    """The cases that the user names elsewhere."""
    subsets = [exported(config.export, config.subsets)]
    if config.grow.kept is not None:
        subsets.append(kept_subset(config.grow.kept, config.subsets))
    return {(one.method, one.fraction) for one in subsets if one}


def _too_small(config: Config, least: Cut, seconds: float) -> PetiteError:
    names = [named(*case) for case in config.subsets if case not in least.left_out]
    count = least.seeds or max(
        runs for case, runs in config.subsets.items() if case not in least.left_out
    )
    return PetiteError(
        f"budget: '{config.budget}' is too little to decide anything: {counted(count, 'seed')} of "
        f"{listed(names)} alone take {duration.at_least(seconds)}: give the run that time or more"
    )
