"""A recommendation in words: the sentences that the terminal, Markdown and the page share."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from petite.evaluation.chance import FEWEST_OTHERS, Chance
from petite.evaluation.metrics import METRICS
from petite.evaluation.recommendation import (
    AgainstFull,
    AgainstRandom,
    Bounds,
    Caution,
    Comparison,
    Finding,
    Floor,
    Gap,
    Recommendation,
    Step,
)
from petite.evaluation.runs import FULL, REFERENCE
from petite.evaluation.sentences import (
    CAUSES,
    FINDINGS,
    IF_FEWER,
    NOT_LEARNED,
    STEPS,
    VERDICTS,
    Sentence,
)
from petite.evaluation.shares import is_other_share, why_other_share
from petite.util.formatting import (
    counted,
    listed,
    number,
    percent,
    plural,
    points,
    probability,
    rounded_percent,
    signed,
)

MOST_NAMED = 5  # classes or subsets in a sentence


@dataclass(frozen=True)
class Wording:
    """The sentences of a recommendation.

    minus: the sign of negative numbers. name: how the name of a class is written, which comes from
    the user's folders and may hold anything.
    """

    record: Recommendation
    minus: str = "-"
    name: Callable[[str], str] = str

    @property
    def metric(self) -> str:
        """The metric that is compared."""
        return METRICS[self.record.metric].words

    @property
    def tolerance(self) -> str:
        """How much of it may be lost."""
        return points(self.record.tolerance)

    # ------------------------------------------------------------------------------ the answer

    def headline(self) -> Sentence:
        """What to keep."""
        kept, finding = self.record.kept, self.record.findings[0]
        if kept is None:
            return Sentence(f"{NOT_LEARNED[finding.kind]}, so no subset is recommended")
        if self.record.kind == "keep_all":
            is_open = finding.kind in ("too_few_seeds", "too_few_test_images")
            for_now = " for now" if is_open else ""
            return Sentence(f"Keep all {counted(kept.images, 'image')}{for_now}")
        subset = _subset(self.record.comparison(kept))
        if self.record.kind == "keep_subset":
            return Sentence(f"Keep {subset}")
        is_largest = not any(finding.but_for for finding in self.record.findings)
        return Sentence(f"Keep the largest subset{'' if is_largest else ' that learned'}, {subset}")

    def grounds(self) -> list[Sentence]:
        """Why that, and what the runs lack."""
        chance = self.record.chance
        if self.record.kind == "keep_none" and chance:
            found = self._not_learned(chance)
        else:
            found = [said for finding in self.record.findings for said in self._says(finding)]
        return [*found, *gap_sentences(self.record.gaps)]

    def answer(self) -> str:
        """The headline and its grounds as plain text."""
        return " ".join(map(str, [self.headline(), *self.grounds()]))

    def _says(self, finding: Finding) -> list[Sentence]:
        if finding.kind == "none_learned":
            return self._left_out(with_numbers=False)
        values = self._values_of(finding)
        said = [
            Sentence(text.format_map(values), figures.format_map(values))
            for text, figures in FINDINGS[finding.kind]
        ]
        if self.record.kind == "keep_all" and finding.kind in IF_FEWER:
            text, figures = said[0]
            return [Sentence(f"If you keep fewer, {text[0].lower()}{text[1:]}", figures)]
        return said

    def _values_of(self, finding: Finding) -> dict[str, str]:
        """What the sentences of a finding may hold."""
        basis = self.record.basis
        values = {
            "metric": self.metric,
            "tolerance": self.tolerance,
            # Without predictions a claim is about the images that it was tested on.
            "scope": "" if basis.test_images else " on these test images",
            "test_images": number(basis.test_images or 0),
            "needed": "",
            "no_subset": _no_subset(finding),
        }
        if basis.test_images and (basis.test_images_needed or 0) > basis.test_images:
            values["needed"] = f"it takes {number(basis.test_images_needed or 0)} or more; "
        if finding.seeds:
            values["too_few_seeds"] = _too_few_seeds(*finding.seeds)
        if finding.subset:
            cited = self.record.comparison(finding.subset)
            values |= {
                "subset": _subset(cited),
                "method": cited.method,
                "case": _case(cited.method, cited.fraction),
                "from_random": self._from_random(cited.random) if cited.random else "",
                "from_full": self._from_full(cited.full) if cited.full else "",
            }
        return values

    def _not_learned(self, chance: Chance) -> list[Sentence]:
        """The models of all images against constant answers, and what it may come from."""
        which = "all" if chance.method == FULL else f"the largest subset, {chance.method},"
        found = [
            Sentence(
                f"Models trained on {which} {counted(chance.trained_on, 'image')} are right on "
                f"{100 * chance.accuracy:.1f}% of the {counted(chance.test_images, 'test image')}, "
                f"and always answering {self.name(chance.constant)} is right on "
                f"{100 * chance.constant_accuracy:.1f}%",
                f"p {probability(chance.accuracy_p)}",
            ),
            Sentence(
                f"Balanced accuracy is {100 * chance.balanced_accuracy:.1f}%, and "
                f"{100 / chance.classes:.3g}% by chance",
                f"p {probability(chance.balanced_p)}",
            ),
            *(Sentence(f"{odd[0].upper()}{odd[1:]}") for odd in self._odd_answers(chance)),
        ]
        if chance.is_far_below:
            found.append(
                Sentence(
                    "A systematic swap of labels is likely, as answers by chance would be right "
                    "more often"
                )
            )
        about = chance.circumstances
        values = {
            "flips": about.flips,
            "test_images": number(chance.test_images),
            "largest_class": number(about.largest_class),
            "smallest_class": number(about.smallest_class),
            "image_size": about.image_size,
            "steps": number(chance.steps),
        }
        causes = [CAUSES[cause].format_map(values) for cause in chance.causes]
        if chance.lacks_images_alone:
            return [*found, Sentence(f"The reason is {causes[0]}")]
        return [*found, Sentence(f"Likely {plural(len(causes), 'reason')}: {_either(causes)}")]

    # ------------------------------------------------------------------------------ how sure

    def how_sure(self) -> list[str]:
        """What to beware of, and how far the comparisons carry."""
        return [
            *map(self._caution, self.record.cautions),
            *map(str, self._left_out(with_numbers=True)),
            *self._comparisons_with_random(),
        ]

    def _caution(self, caution: Caution) -> str:
        method, images = caution.subset.method, counted(caution.images, "image")
        which = f"all {images}" if method == FULL else f"the {images} chosen {_chosen_by(method)}"
        classes = self._named(caution.classes)
        count = f"{number(caution.count)} of {number(caution.of)}"
        match caution.kind:
            case "classes_never_answered":
                return f"Beware: models trained on {which} never answer {classes}."
            case "classes_guessed":
                return (
                    f"Beware: models trained on {which} recognize {count} classes hardly better "
                    f"than by chance ({classes})."
                )
            case "runs_with_one_answer":
                give = "gives" if caution.count == 1 else "give"
                runs = f"{count} runs trained on {which}"
                return f"Beware: {runs} {give} the same answer for all images."

    def _left_out(self, with_numbers: bool) -> list[Sentence]:
        """Why subsets are no candidates though near enough: what their models did not learn."""
        found = self.record.left_out
        reasons = {
            "are not shown to beat a constant answer": [it for it in found if not it.is_above],
            "never answer some of the classes": [it for it in found if it.is_above],
        }
        return [
            Sentence(
                f"The {plural(len(those), 'subset')} "
                f"{listed([self._left_out_case(one, with_numbers) for one in those], MOST_NAMED)} "
                f"{'is left out because its' if len(those) == 1 else 'are left out because their'} "
                f"models {reason}"
            )
            for reason, those in reasons.items()
            if those
        ]

    def _left_out_case(self, chance: Chance, with_numbers: bool) -> str:
        case = _case(chance.method, chance.fraction)
        if not with_numbers:
            return case
        balanced = f"balanced accuracy {100 * chance.balanced_accuracy:.1f}%"
        return f"{case} ({'; '.join([balanced, *self._odd_answers(chance)])})"

    def _named(self, classes: Sequence[str]) -> str:
        return listed([self.name(name) for name in classes], MOST_NAMED)

    def _odd_answers(self, chance: Chance) -> list[str]:
        """Which classes are never answered, and whether runs have one answer for all images."""
        odd = []
        if chance.never:
            odd.append(f"never answered: {self._named(chance.never)}")
        if chance.one_answer:
            give = "gives" if chance.one_answer == 1 else "give"
            odd.append(
                f"{chance.one_answer} of {chance.runs} runs {give} the same answer for all images"
            )
        return odd

    def _comparisons_with_random(self) -> Iterator[str]:
        compared = [one.random for one in self.record.comparisons if one.random]
        if not compared:
            yield "Nothing was compared with random, so there is no verdict on a method."
        else:
            counts = Counter(one.verdict for one in compared)
            verdicts = [
                f"{counts[verdict]} {words}" if len(compared) > 1 else verdict
                for verdict, words in VERDICTS.items()
                if verdict in counts
            ]
            seeds = [one.pairs for one in compared]
            yield f"{compared_with_random(seeds)}: {', '.join(verdicts)}."
            yield "The exact sign-flip test decides, after Holm's adjustment for all comparisons."
            yield (
                "It does not assume normality, only that differences are symmetric around 0 when "
                "the method has no effect."
            )
            yield from floor_sentences(self.record.basis.floor)
            yield from _smallest_effects(compared)
        if self.record.comparisons:
            yield from self._scope()

    def _scope(self) -> Iterator[str]:
        """What the intervals speak of."""
        differences = [
            against.difference
            for one in self.record.comparisons
            for against in (one.random, one.full)
            if against
        ]
        yield "Intervals are for new seeds on these test images."
        if any(difference.seeds_and_images for difference in differences):
            yield "Those over seeds and images are for new test images too."
        yield "Another split was not tried."

    # ------------------------------------------------------------------------------ what next

    def next_steps(self) -> list[str]:
        """What to do next."""
        steps = [
            STEPS[step.kind].format_map(self._values_of_step(step))
            for step in self.record.next_steps
        ]
        return steps or ["Nothing is left open at this tolerance."]

    def _values_of_step(self, step: Step) -> dict[str, Any]:
        """What the sentence of a step may hold."""
        chance = self.record.chance
        values: dict[str, Any] = {
            "tolerance": self.tolerance,
            "test_images": number(self.record.basis.test_images or 0),
            "seeds": step.seeds,
            "images": number(step.images or 0),
            "or_tolerance": "",
            "others_needed": "",
        }
        if step.tolerance:
            values["or_tolerance"] = f", or set evidence.tolerance to {step.tolerance:g} or more"
        if chance:
            if step.images:
                values["others_needed"] = (
                    f" It takes {FEWEST_OTHERS} or more that are not of the class "
                    f"{self.name(chance.constant)} (now {chance.of_other_classes})."
                )
            learned = chance.train_accuracy > chance.constant_accuracy + 0.1
            values["memorized"] = (
                " So they learn these, but nothing that carries over to others." if learned else ""
            )
            values["train_accuracy"] = f"{100 * chance.train_accuracy:.1f}"
        return values

    # ------------------------------------------------------------------------- the learning curve

    def curve(self) -> list[str]:
        """The learning curve of random images."""
        curve = self.record.curve
        if curve is None:
            return [
                "Random images were trained on at one size only, so there is no learning curve."
            ]
        form = {
            "power_law": "power law with offset",
            "line": "line in log(images) between the two measured sizes, too few for a power law",
        }
        found = [f"Learning curve: {form[curve.form]}, fitted to {curve.sizes} sizes."]
        if curve.a is not None:
            found.append(f"{self.metric}(n) = {curve.a:.4g} - {curve.b:.4g} n^-{curve.c:.2g}.")
        found.append(f"It misses the measured means by {points(curve.worst_miss)} at most.")
        if last := curve.last_left_out:
            found.append(
                f"Fitted without the largest size ({number(last.images)} images) it predicts "
                f"{100 * last.predicted:.1f}% there, and {100 * last.measured:.1f}% was measured: "
                f"off by {self._points(last.error, last.bounds, '95%')}."
            )
        if curve.sufficient:
            found.append(
                f"Smallest sufficient size (within {self.tolerance} of the full set on the curve): "
                f"{curve.sufficient.text()} random images, with its 95% interval."
            )
        return found

    # ------------------------------------------------------------------------------ differences

    def _from_random(self, against: AgainstRandom) -> str:
        """The difference from random with its interval."""
        return self._points(against.difference.mean, against.difference.seeds, "95%")

    def _from_full(self, against: AgainstFull) -> str:
        """The difference from the full set with its interval, for new images where it is known."""
        difference = against.difference
        if difference.seeds_and_images:
            over = "90%", " over seeds and test images"
            return self._points(difference.mean, difference.seeds_and_images, *over)
        return self._points(difference.mean, difference.seeds, "90%")

    def _points(self, mean: float, bounds: Bounds | None, level: str, over: str = "") -> str:
        difference = f"{signed(mean, self.minus)} points"
        if bounds is None:
            return f"{difference}, one seed and so no interval"
        low, high = (signed(bound, self.minus) for bound in bounds)
        return f"{difference}, {level} interval{over} {low} to {high}"


# --------------------------------------------------------------------- parts of sentences


def gap_sentences(gaps: Sequence[Gap]) -> list[Sentence]:
    """Which methods are missing and how to go on; none where nothing is missing."""
    if not gaps:
        return []
    named = "; ".join(map(_gap, gaps[:MOST_NAMED]))
    more = f"; and {len(gaps) - MOST_NAMED} more" if len(gaps) > MOST_NAMED else ""
    lost = next((gap.method for gap in gaps if not gap.done), gaps[0].method)
    return [
        Sentence("Incomplete: this is made of the jobs that are done"),
        Sentence(f"Missing: {named}{more}"),
        Sentence(
            "Fix the cause and rerun the same command, or switch a method off with no fractions, "
            f"as in methods: {{{lost}: {{fractions: []}}}}"
        ),
    ]


def _gap(gap: Gap) -> str:
    name = _case(gap.method, gap.fraction)
    if gap.done:
        name += f" ({gap.done} of {gap.wanted} seeds are done)"
    if not gap.failed:
        return f"{name}, not begun"
    return f"{name}, where {', '.join(gap.failed)} failed"


def compared_with_random(seeds: Sequence[int]) -> str:
    """The comparisons with random and their seeds, one number for each comparison."""
    each = " each" if len(seeds) > 1 else ""
    return (
        f"{counted(len(seeds), 'comparison')} with random, {_from_to(min(seeds), max(seeds))}{each}"
    )


def floor_sentences(floor: Floor | None) -> list[str]:
    """That so few seeds decide nothing; none where they can."""
    if floor is None:
        return []
    return [
        f"With {counted(floor.seeds, 'seed')} the adjusted p cannot fall below {floor.p:.2g}, even "
        f"if a method wins every time; {floor.seeds_needed} seeds could pass 0.05."
    ]


def _smallest_effects(compared: Sequence[AgainstRandom]) -> list[str]:
    """The smallest effect that the design could have seen."""
    effects = [one.smallest_effect for one in compared if one.smallest_effect is not None]
    if not effects:
        return []
    low, high = f"{100 * min(effects):.1f}", f"{100 * max(effects):.1f}"
    size = f"{high} points" if low == high else f"{low} to {high} points, by comparison"
    return [
        "With the spread seen, the smallest true difference that a single paired t test finds in 4 "
        f"of 5 such runs is {size}.",
        "Smaller differences may exist, and the adjusted sign-flip test needs larger ones.",
    ]


def _subset(one: Comparison) -> str:
    """A subset: how many images, the share they really are, and how they were chosen."""
    share = percent(one.fraction)
    if one.share is not None and is_other_share(one.fraction, one.share):
        why = why_other_share(one.fraction, one.share)
        share = f"{rounded_percent(one.share)}, not {share}, {why}"
    return f"{counted(one.images, 'image')} ({share}) chosen {_chosen_by(one.method)}"


def _case(method: str, fraction: float) -> str:
    return f"{method} at {percent(fraction)}"


def _chosen_by(method: str) -> str:
    return "at random" if method == REFERENCE else f"by {method}"


def _from_to(fewest: int, most: int) -> str:
    """A range of seeds: "7 seeds", "3 to 7 seeds"."""
    return counted(most, "seed") if fewest == most else f"{fewest} to {counted(most, 'seed')}"


def _too_few_seeds(fewest: int, most: int) -> str:
    return f"{_from_to(fewest, most)} {'is' if most == 1 else 'are'} too few"


def _no_subset(finding: Finding) -> str:
    words = {"worse_than_random": "are worse than random", "not_learned": "learned too little"}
    if not finding.but_for:
        return "No subset"
    return f"Except those that {' or '.join(words[kind] for kind in finding.but_for)}, no subset"


def _either(texts: Sequence[str]) -> str:
    return ", ".join([*texts[:-1], f"or {texts[-1]}"]) if len(texts) > 1 else texts[0]
