"""The numbers behind a recommendation, as tables that Markdown and the report share."""

from collections.abc import Iterator
from typing import NamedTuple

from petite.evaluation.chance import Chance
from petite.evaluation.recommendation import AgainstFull, AgainstRandom, Bounds, Comparison
from petite.evaluation.runs import FULL
from petite.evaluation.shares import kept
from petite.evaluation.tables import LOOK_NOTE
from petite.evaluation.wording import Wording
from petite.util.formatting import NOTHING, in_percent, number, probability, signed


class Table(NamedTuple):
    """A table of text cells; the first column has names, the others numbers."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str


def evidence_tables(wording: Wording) -> Iterator[Table]:
    """The comparisons with a constant answer, with random, and with the full set."""
    record = wording.record
    with_random = [(one, one.random) for one in record.comparisons if one.random]
    with_full = [(one, one.full) for one in record.comparisons if one.full]
    look, about_looks = (("look",), f" {LOOK_NOTE}") if record.basis.looks else ((), "")
    if record.chance:
        yield _against_constant(record.chance, wording)
    if with_random:
        yield Table(
            "Against random at the same size",
            ("method", "fraction", "pairs", *look, "difference, points", "95%: new seeds")
            + ("95%: new seeds and images", "p", "p, Holm", "P(better)", "smallest effect")
            + ("worth in random images", "verdict"),
            [_random_row(one, against, wording) for one, against in with_random],
            f"Differences and effects are in percentage points of {wording.metric}. The test is "
            f"the exact sign-flip test.{about_looks}",
        )
    if with_full:
        yield Table(
            "Against the full set",
            ("method", "fraction", "images", "pairs", *look, "difference, points")
            + ("90%: new seeds",)
            + ("90%: new seeds and images", "p, Holm: new seeds", "p, Holm: new seeds and images")
            + ("to the full set",),
            [_full_row(one, against, wording) for one, against in with_full],
            f"Differences are in percentage points of {wording.metric}. The tests are against a "
            f"loss of more than {wording.tolerance}. Not worse: they pass, for new seeds and for "
            "new images. Equivalent: the tests against a gain of more pass too. Too few test "
            f"images: the test passes for new seeds, but not for new images.{about_looks}",
        )


def _against_constant(chance: Chance, wording: Wording) -> Table:
    which = "all" if chance.method == FULL else f"{chance.method},"
    measured = (
        ("accuracy", chance.accuracy, chance.constant_accuracy, chance.accuracy_p),
        ("balanced accuracy", chance.balanced_accuracy, 1 / chance.classes, chance.balanced_p),
    )
    answered = "Every class is answered."
    if chance.never:
        answered = f"Classes that no run answers: {wording.named(chance.never)}."
    return Table(
        "Against a constant answer",
        ("in %", f"models of {which} {number(chance.trained_on)} images", "baseline", "p"),
        [
            (name, in_percent(found), in_percent(baseline), probability(p))
            for name, found, baseline, p in measured
        ],
        f"Baselines: always answering {wording.name(chance.constant)}, and 1 / {chance.classes}. "
        f"The tests are one-sided, over the {number(chance.test_images)} test images, with the "
        f"mean over the runs for each image. {answered}",
    )


def _seeds(against: AgainstRandom | AgainstFull, wording: Wording) -> tuple[str, ...]:
    """The number of seeds, and of the look if there are looks."""
    look = NOTHING if against.look is None else f"{against.look}"
    return f"{against.pairs}", *((look,) if wording.record.basis.looks else ())


def _random_row(one: Comparison, against: AgainstRandom, wording: Wording) -> tuple[str, ...]:
    minus = wording.minus
    difference, effect = against.difference, against.smallest_effect
    return (
        one.method,
        kept(one.fraction, one.share),
        *_seeds(against, wording),
        signed(difference.mean, minus),
        _range(difference.seeds, minus),
        _range(difference.seeds_and_images, minus),
        probability(against.p_value),
        probability(against.p_adjusted),
        NOTHING if against.p_better is None else f"{against.p_better:.2f}",
        NOTHING if effect is None else in_percent(effect),
        f"× {against.worth}" if against.worth else NOTHING,
        against.verdict,
    )


def _full_row(one: Comparison, against: AgainstFull, wording: Wording) -> tuple[str, ...]:
    minus, difference = wording.minus, against.difference
    return (
        one.method,
        kept(one.fraction, one.share),
        number(one.images),
        *_seeds(against, wording),
        signed(difference.mean, minus),
        _range(difference.seeds, minus),
        _range(difference.seeds_and_images, minus),
        probability(against.loss_p),
        probability(against.loss_p_images),
        against.verdict,
    )


def _range(bounds: Bounds | None, minus: str) -> str:
    if bounds is None:
        return NOTHING
    low, high = (signed(bound, minus) for bound in bounds)
    return f"{low} to {high}"
