"""A recommendation in words: the sentences that the terminal, Markdown and the page share."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from petite.evaluation.chance import FEWEST_OTHERS, Chance
from petite.evaluation.metrics import METRICS
from petite.evaluation.recommendation import (
    AgainstFull,
    AgainstRandom,
    Answers,
    AnyFinding,
    Bounds,
    BudgetCut,
    BytesFinding,
    Caution,
    Comparison,
    Finding,
    Floor,
    Gap,
    Ledger,
    OverSplits,
    Recommendation,
    SeeFewerFinding,
    Step,
    Subset,
    Uncertainty,
)
from petite.evaluation.runs import FULL, is_reference
from petite.evaluation.sentences import (
    BETTER_THAN_RANDOM,
    CAUSES,
    CHANGES,
    DECLARED_AGAIN,
    EXPLORATORY,
    FINDINGS,
    IF_FEWER,
    LARGER,
    NOT_LEARNED,
    OTHER_SPLITS,
    OVER_SPLITS,
    SEES_FEWER,
    STEPS,
    TOO_FEW_FOR_OTHERS,
    VERDICTS,
    Sentence,
    network_in_words,
    shown,
)
from petite.evaluation.shares import is_other_share, why_other_share
from petite.evaluation.verdicts import BETTER, WORSE
from petite.training.judges import in_words, judge_named
from petite.util.encoded_names import ORIGINAL, encoding_in_words, encoding_of, method_of
from petite.util.formatting import (
    bit_size,
    byte_size,
    counted,
    listed,
    measured_time,
    number,
    percent,
    plural,
    points,
    probability,
    rounded_percent,
    signed,
)

HERE = " on these test images"
CLEARLY_FEWER = 0.8  # share of the test images that their groups are worth
LEDGER = "What it cost, and what it saves"
MOST_NAMED = 5  # classes or subsets listed in one sentence


def disagreement(answers: Answers) -> str:
    """Whether the judges recommend the same images, in a sentence for each kind of labels."""
    hard, soft = (
        {
            name: one
            for name, one in answers.judges.items()
            if judge_named(name).has_soft_labels == is_soft
        }
        for is_soft in (False, True)
    )
    of_hard = _agreement(hard, "The judges on hard labels" if soft else "The judges")
    return " ".join(filter(None, [of_hard, _agreement(soft, "The judges on soft labels")]))


def _agreement(judges: Mapping[str, Recommendation], subject: str) -> str:
    """Whether judges of one kind agree, or what the only one says; "" without any."""
    said = "; ".join(f"{in_words(judge)}, {_enough(one)}" for judge, one in judges.items())
    if len(judges) < 2:
        return said and f"{said[0].upper()}{said[1:]}."
    kept = {one.kept and (one.kept.method, one.kept.fraction) for one in judges.values()}
    return f"{subject} {'agree' if len(kept) == 1 else 'disagree'}: {said}."


def _enough(record: Recommendation) -> str:
    """What a judge shows to be enough, after its name."""
    kept = record.kept
    match record.kind:
        case "keep_none":
            return "the models learned too little to tell subsets apart"
        case "keep_subset" if kept:
            case = _case(kept.method, kept.fraction)
            return f"{counted(kept.images, 'image')} are enough ({case})"
        case "keep_largest" if kept:
            return f"the largest subset is kept ({_case(kept.method, kept.fraction)})"
    return "no subset is shown to be enough"


@dataclass(frozen=True)
class Wording:
    """The sentences of a recommendation.

    Attributes
    ----------
    record : Recommendation
    minus : str
        The sign of negative numbers.
    name : callable
        Escapes the name of a class, which comes from the user's folders and may contain anything.
    """

    record: Recommendation
    minus: str = "-"
    name: Callable[[str], str] = str

    @property
    def metric(self) -> str:
        """The name of the compared metric."""
        return METRICS[self.record.metric].words

    @property
    def tolerance(self) -> str:
        """How much of the metric may be lost."""
        return points(self.record.tolerance)

    # ------------------------------------------------------------------------------ the answer

    def headline(self) -> Sentence:
        """What to keep."""
        kept, finding = self.record.kept, self.record.findings[0]
        if kept is None:
            assert isinstance(finding, Finding)
            return Sentence(f"{NOT_LEARNED[finding.kind]}, so no subset is recommended")
        if self.record.kind == "keep_all":
            is_open = finding.kind in ("too_few_seeds", "too_few_test_images")
            for_now = " for now" if is_open else ""
            return Sentence(f"Keep all {counted(kept.images, 'image')}{for_now}")
        subset = _subset(self.record.comparison(kept))
        if self.record.kind == "keep_subset":
            return Sentence(f"Keep {subset}")
        findings = [one for one in self.record.findings if isinstance(one, Finding)]
        is_largest = not any(finding.but_for for finding in findings)
        return Sentence(f"Keep the largest subset{'' if is_largest else ' that learned'}, {subset}")

    def grounds(self) -> list[Sentence]:
        """Why, and which runs are missing."""
        chance = self.record.chance
        if self.record.kind == "keep_none" and chance:
            found = self._not_learned(chance)
        else:
            found = [said for finding in self.record.findings for said in self._says(finding)]
        missing = gap_sentences(self.record.gaps)
        cut = budget_sentences(self.record.cut)
        return [*found, *self._over_splits(), *self._of_groups(), *cut, *missing]

    def _over_splits(self) -> list[Sentence]:
        """What holds over all splits: of the kept subset, and where it is not that of the first."""
        record, found = self.record, []
        if not record.over_splits or record.kind == "keep_none":
            return []
        of_splits = f"over {counted(record.over_splits[0].splits, 'split')}"
        kept = record.kept and (record.kept.method, record.kept.fraction)
        cited = [one for one in record.over_splits if (one.method, one.fraction) == kept]
        if cited:
            said = [f"{OVER_SPLITS[one.verdict]} {_reference(one.against)}" for one in cited]
            figures = [
                f"from {_reference(one.against)}: "
                + self._points(one.mean, one.bounds, "95%" if one.against == "random" else "90%")
                for one in cited
            ]
            what = f"{_case(cited[0].method, cited[0].fraction)} {' and '.join(said)}"
            found.append(Sentence(f"{of_splits.capitalize()}, {what}", "; ".join(figures)))
        others = {
            f"{_case(one.method, one.fraction)} {OVER_SPLITS[one.verdict]} "
            f"{_reference(one.against)} ({first} in the first split)": {first, one.verdict}
            for one in record.over_splits
            if (first := self._in_first_split(one)) is not None
        }
        if others:
            is_contrary = any(both == {BETTER, WORSE} for both in others.values())
            start = f"The splits disagree: {of_splits}" if is_contrary else of_splits.capitalize()
            found.append(Sentence(f"{start}, {listed(list(others), MOST_NAMED)}"))
        elif not cited:
            found.append(
                Sentence(f"{of_splits.capitalize()}, all verdicts are those of the first split")
            )
        return found

    def _in_first_split(self, one: OverSplits) -> str | None:
        """The verdict of the first split, if all splits together have another one."""
        compared = self.record.comparison(Subset(one.method, one.fraction))
        against = compared.random if one.against == "random" else compared.full
        if against is None:
            return None
        return None if shown(against.verdict) == shown(one.verdict) else against.verdict

    def _of_groups(self) -> list[Sentence]:
        """How many test images the groups are worth, if these are clearly fewer."""
        groups = self.record.basis.groups
        if groups is None or groups.effective > CLEARLY_FEWER * groups.images:
            return []
        worth = counted(max(1, round(groups.effective)), "independent image")
        why = (
            "none of their answers differ, so each group counts once"
            if groups.correlation is None
            else f"correlation {groups.correlation:.2f} within groups"
        )
        return [
            Sentence(
                f"The {counted(groups.images, 'test image')} come from "
                f"{counted(groups.groups, 'group')} and count as about {worth}",
                why,
            )
        ]

    def answer(self) -> str:
        """The headline and its grounds as plain text."""
        return " ".join(map(str, [self.headline(), *self.grounds()]))

    def _says(self, finding: AnyFinding) -> list[Sentence]:
        if isinstance(finding, BytesFinding):
            network = finding.network_bytes
            return [
                _bytes_sentence(finding),
                *([Sentence(network_in_words(network))] if network else []),
            ]
        if isinstance(finding, SeeFewerFinding):
            return [self._see_fewer_sentence(finding)]
        if finding.kind == "none_learned":
            return self._left_out(with_numbers=False)
        values = self._values_of(finding)
        said = [
            Sentence(text.format_map(values), figures.format_map(values))
            for text, figures in FINDINGS[finding.kind]
        ]
        if self.record.kind == "keep_all" and finding.kind in IF_FEWER:
            (text, figures), *others = said
            said = [Sentence(f"If you keep fewer, {text[0].lower()}{text[1:]}", figures), *others]
        if finding.kind in BETTER_THAN_RANDOM and finding.subset:
            said += self._of_other_images(self.record.comparison(finding.subset))
        return said

    def _of_other_images(self, cited: Comparison) -> list[Sentence]:
        """That a method is better than random on the test images alone, if others are unclear."""
        bounds = cited.random and cited.random.difference.seeds_and_images
        if not bounds or bounds[0] > 0:
            return []
        low, high = (signed(bound, self.minus) for bound in bounds)
        interval = f"95% interval over seeds and test images {low} to {high}"
        return [Sentence(TOO_FEW_FOR_OTHERS, interval)]

    def _see_fewer_sentence(self, finding: SeeFewerFinding) -> Sentence:
        """What a training with fewer examples loses and saves."""
        start = f"If you keep all and train on {rounded_percent(finding.seen)} of the examples "
        start += f"({finding.method}), {self.metric} {SEES_FEWER[finding.verdict]}"
        saved = ""
        if finding.seconds is not None and finding.full_seconds is not None:
            saved = (
                f", and a training takes {measured_time(finding.seconds)} instead of "
                f"{measured_time(finding.full_seconds)}"
            )
        figures = ""
        if finding.difference is not None:
            figures = f"{signed(finding.difference, self.minus)} points"
        start = start.format_map({"tolerance": self.tolerance})
        return Sentence(start + saved, figures)

    def _values_of(self, finding: Finding) -> dict[str, str]:
        """The values for the braces in the sentences of a finding."""
        basis = self.record.basis
        values = {
            "metric": self.metric,
            "tolerance": self.tolerance,
            # Without predictions a claim holds for the tested images only.
            "scope": "" if basis.test_images else HERE,
            "test_images": number(basis.test_images or 0),
            "needed": "",
            "exceptions": _exceptions(finding),
        }
        if basis.test_images and (basis.test_images_needed or 0) > basis.test_images:
            values["needed"] = f"{number(basis.test_images_needed or 0)} or more are needed"
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
                "here": HERE if self._of_other_images(cited) else values["scope"],
            }
        return values

    def _not_learned(self, chance: Chance) -> list[Sentence]:
        """The models of all images against constant answers, and the likely reasons."""
        which = "all" if chance.method == FULL else f"the largest subset, {chance.method},"
        found = [
            Sentence(
                f"On the {counted(chance.test_images, 'test image')}, models trained on {which} "
                f"{counted(chance.trained_on, 'image')} have an accuracy of "
                f"{100 * chance.accuracy:.1f}%, and always answering {self.name(chance.constant)} "
                f"gives {100 * chance.constant_accuracy:.1f}%",
                f"p {probability(chance.accuracy_p)}",
            ),
            Sentence(
                f"Balanced accuracy is {100 * chance.balanced_accuracy:.1f}%, and chance gives "
                f"{100 / chance.classes:.3g}%",
                f"p {probability(chance.balanced_p)}",
            ),
            *(Sentence(f"{odd[0].upper()}{odd[1:]}") for odd in self._odd_answers(chance)),
        ]
        if chance.is_far_below:
            found.append(
                Sentence("Random answers would be right more often, so swapped labels are likely")
            )
        about = chance.circumstances
        values = {
            "flips": about.flips,
            "settings": about.settings,
            "test_images": number(chance.test_images),
            "largest_class": number(about.largest_class),
            "smallest_class": number(about.smallest_class),
            "image_size": about.image_size,
            "steps": number(chance.steps or 0),
        }
        causes = [CAUSES[cause].format_map(values) for cause in chance.causes]
        if chance.lacks_images_alone:
            return [*found, Sentence(f"The reason is {causes[0]}")]
        return [*found, Sentence(f"Likely {plural(len(causes), 'reason')}: {_either(causes)}")]

    # ------------------------------------------------------------------------------ how sure

    def how_sure(self) -> list[str]:
        """Cautions about the models, and how certain the comparisons are."""
        return [
            *map(self._caution, self.record.cautions),
            *map(str, self._left_out(with_numbers=True)),
            *self._comparisons_with_random(),
        ]

    def _caution(self, caution: Caution) -> str:
        method, images = caution.subset.method, counted(caution.images, "image")
        which = f"the {images} chosen {_chosen_by(method)}"
        if method_of(method) == FULL:
            which = f"all {images}{_encoded(method)}"
        classes = self.named(caution.classes)
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
        """Which subsets are close enough but left out, and what their models did not learn."""
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

    def named(self, classes: Sequence[str]) -> str:
        return listed([self.name(name) for name in classes], MOST_NAMED)

    def _odd_answers(self, chance: Chance) -> list[str]:
        """Which classes are never answered, and whether runs have one answer for all images."""
        odd = []
        if chance.never:
            odd.append(f"never answered: {self.named(chance.never)}")
        if chance.one_answer:
            give = "gives" if chance.one_answer == 1 else "give"
            odd.append(
                f"{chance.one_answer} of {chance.runs} runs {give} the same answer for all images"
            )
        return odd

    def _comparisons_with_random(self) -> Iterator[str]:
        compared = [one.random for one in self.record.comparisons if one.random]
        if not compared:
            yield "No method was compared with random, so none has a verdict."
        else:
            counts = Counter(one.verdict for one in compared)
            verdicts = [
                f"{counts[verdict]} {words}" if len(compared) > 1 else verdict
                for verdict, words in VERDICTS.items()
                if verdict in counts
            ]
            seeds = [one.pairs for one in compared]
            yield f"{compared_with_random(seeds)}: {', '.join(verdicts)}."
            yield ("The exact sign-flip test decides, with Holm's adjustment for all comparisons.")
            yield (
                "It does not assume normality, only that differences are symmetric around 0 when "
                "the method has no effect."
            )
            yield from floor_sentences(self.record.basis.floor)
            yield from _smallest_effects(compared)
        if self.record.uncertainty:
            yield self._parts(self.record.uncertainty)
        if self.record.comparisons:
            yield from self._scope()

    def _parts(self, uncertainty: Uncertainty) -> str:
        """The larger part of the uncertainty of the comparison that the answer rests on."""
        return (
            f"The difference between {self._compared(uncertainty)} is known to within "
            f"±{_width(uncertainty.half_width)} ({percent(uncertainty.confidence)} interval over "
            f"seeds and test images), and {LARGER[uncertainty.larger]}. By estimate, any number of "
            f"seeds would leave ±{_width(uncertainty.with_any_seeds)}, and any number of test "
            f"images ±{_width(uncertainty.with_any_images)}."
        )

    def _compared(self, uncertainty: Uncertainty) -> str:
        case = _case(uncertainty.subset.method, uncertainty.subset.fraction)
        return f"{case} and {_reference(uncertainty.against)}"

    def _scope(self) -> Iterator[str]:
        """What the intervals cover."""
        differences = [
            against.difference
            for one in self.record.comparisons
            for against in (one.random, one.full)
            if against
        ]
        seen = self.record.basis.seen
        changed = [kind for kind in seen.changes if kind != "splits"]
        if changed:
            changes = " and ".join(CHANGES[kind] for kind in changed)
            yield f"The results with {_and(seen.seeds)} seeds had been seen before {changes}."
            yield DECLARED_AGAIN if changed == ["added"] else EXPLORATORY
        if looks := self.record.basis.looks:
            levels = listed([f"{100 * level:.2g}%" for level in looks.levels])
            planned = "" if changed else ", as was fixed beforehand"
            yield (
                f"Looks: {_and(looks.seeds)} seeds, at levels of {levels}{planned}. What was "
                "decided, or unlikely to be decided by more seeds, got no more of them. The "
                "p-values are adjusted for this, and the interval of a difference holds at all of "
                "its looks."
            )
        if share := self.record.basis.pool_share:
            yield (
                f"Each seed selects from its own {rounded_percent(share)} of the training images, "
                "and the intervals include the luck of what the seeds' subsets have in common."
            )
        yield "Intervals cover new seeds on these test images."
        if any(difference.seeds_and_images for difference in differences):
            yield "Intervals over seeds and images cover new test images too."
        over = self.record.over_splits
        if over and self.record.kind == "keep_none":
            yield (
                f"The {over[0].splits} splits are not compared, because models that learned too "
                "little cannot tell subsets apart; splits.csv has each split."
            )
        elif over:
            yield (
                f"Intervals over the {over[0].splits} splits account for the overlap of their "
                "images (Nadeau and Bengio 2003); splits.csv has each split."
            )
            if "splits" in seen.changes:
                yield OTHER_SPLITS
        else:
            yield "Other splits were not tried."

    # ------------------------------------------------------------------------------ what next

    def next_steps(self) -> list[str]:
        """What to do next."""
        steps = [
            STEPS[step.kind].format_map(self._values_of_step(step))
            for step in self.record.next_steps
        ]
        return steps or ["Nothing is left open at this tolerance."]

    def _values_of_step(self, step: Step) -> dict[str, object]:
        """The values for the braces in the sentence of a step."""
        chance = self.record.chance
        values: dict[str, object] = {
            "tolerance": self.tolerance,
            "test_images": number(self.record.basis.test_images or 0),
            "seeds": step.seeds,
            "images": number(step.images or 0),
            "or_tolerance": "",
            "others_needed": "",
        }
        if uncertainty := self.record.uncertainty:
            values |= {
                "compared": self._compared(uncertainty),
                "width": _width(uncertainty.target or 0.0),
                "with_any_seeds": _width(uncertainty.with_any_seeds),
                "with_any_images": _width(uncertainty.with_any_images),
                "not_alone": self._not_enough_alone(uncertainty),
                "about_images": number(_rounded_up(step.images or 0)),
            }
        if step.tolerance:
            values["or_tolerance"] = f", or set evidence.tolerance to {step.tolerance:g} or more"
        if chance:
            section = chance.circumstances.settings
            values["settings"] = section
            values["length"] = f"{section}.{'budget' if section == 'training' else 'steps'}"
            if step.images:
                values["others_needed"] = (
                    f" At least {FEWEST_OTHERS} must be of classes other than "
                    f"{self.name(chance.constant)} (now {chance.of_other_classes})."
                )
            own = chance.train_accuracy
            learned = own is not None and own > chance.constant_accuracy + 0.1
            values["memorized"] = (
                " They learn these, but do not generalize to new images." if learned else ""
            )
            values["on_training_images"] = (
                ""
                if own is None
                else f" Their accuracy on their own training images is {100 * own:.1f}%."
            )
        return values

    def _not_enough_alone(self, uncertainty: Uncertainty) -> str:
        """Which of seeds and test images cannot narrow the interval enough, if it is known."""
        target = uncertainty.target or 0.0
        if uncertainty.with_any_seeds > target:
            return f" More seeds alone leave ±{_width(uncertainty.with_any_seeds)}."
        if uncertainty.with_any_images > target:
            return f" More test images alone leave ±{_width(uncertainty.with_any_images)}."
        return ""

    # ------------------------------------------------------------------------- the learning curve

    def curve(self) -> list[str]:
        """The learning curve of random images."""
        curve = self.record.curve
        if curve is None:
            return [
                "There is no learning curve, because random subsets of the originals, with the "
                "full set, were not trained at two sizes or more."
            ]
        form = {
            "power_law": f"power law with offset, fitted to {curve.sizes} sizes",
            "line": "line in log(images), as two measured sizes are too few for a power law",
        }
        found = [f"Learning curve: {form[curve.form]}."]
        if curve.a is not None:
            found.append(f"{self.metric}(n) = {curve.a:.4g} - {curve.b:.4g} n^-{curve.c:.2g}.")
        found.append(f"Its largest distance from a measured mean is {points(curve.worst_miss)}.")
        if last := curve.last_left_out:
            found.append(
                f"Fitted without the largest size ({number(last.images)} images), it predicts "
                f"{100 * last.predicted:.1f}% there, and {100 * last.measured:.1f}% was measured "
                f"(error: {self._points(last.error, last.bounds, '95%')})."
            )
        if curve.sufficient:
            size = curve.sufficient.text()
            interval = " [95% interval]" if "[" in size else ""
            if curve.sufficient.low and not interval:
                interval = " (and its 95% interval)"
            found.append(
                f"Smallest size within {self.tolerance} of the full set on the curve: {size} "
                f"random images{interval}."
            )
        return found

    # ------------------------------------------------------------------------------ differences

    def _from_random(self, against: AgainstRandom) -> str:
        """The difference from random with its interval."""
        found = self._points(against.difference.mean, against.difference.seeds, "95%")
        return f"{found}{_at_look(against)}"

    def _from_full(self, against: AgainstFull) -> str:
        """The difference from the full set with its interval, for new images if that is known."""
        difference = against.difference
        if difference.seeds_and_images:
            over = "90%", " over seeds and test images"
            found = self._points(difference.mean, difference.seeds_and_images, *over)
        else:
            found = self._points(difference.mean, difference.seeds, "90%")
        return f"{found}{_at_look(against)}"

    def _points(self, mean: float, bounds: Bounds | None, level: str, over: str = "") -> str:
        difference = f"{signed(mean, self.minus)} points"
        if bounds is None:
            return f"{difference}, no interval from one seed"
        low, high = (signed(bound, self.minus) for bound in bounds)
        return f"{difference}, {level} interval{over} {low} to {high}"

    # ------------------------------------------------------------------------------ the ledger

    def ledger(self) -> list[str]:
        """What the search cost, and what it saves; empty if that is not recorded."""
        found = self.record.ledger
        if found is None or found.search_seconds is None:
            return []
        of_splits = f" in {found.splits} splits" if found.splits > 1 else ""
        parts = f"{counted(found.trainings, 'training')}{of_splits} and the selections"
        if found.embedding_seconds:
            parts += f", and {measured_time(found.embedding_seconds)} of embedding the images"
        search = f"The search cost {measured_time(found.search_seconds)} ({parts})"
        if found.images is None:
            return [f"{search}, and no subset is recommended that could save any."]
        full = measured_time(found.full_seconds or 0)
        if found.break_even is not None and found.saved_seconds is not None:
            return [
                f"{search}; each later training on the subset saves "
                f"{measured_time(found.saved_seconds)} of {full}, so that it pays after "
                f"{counted(found.break_even, 'training')}."
            ]
        return [f"{search}.", *self._saved_without_time(found)]

    def _saved_without_time(self, found: Ledger) -> Iterator[str]:
        if found.full_images is None or found.full_stored_bytes is None:
            yield (
                "What each later training on the subset saves is unknown, because the full set "
                "was not trained."
            )
            return
        what = "bytes and labels" if (found.images or 0) < found.full_images else "bytes"
        saved = (
            "With a fixed number of steps, a later training takes as long on the subset, which "
            f"saves {what}, not time"
            if found.same_steps
            else "Later trainings on the subset are not shown to take less time, but it saves "
            f"{what}"
        )
        yield (
            f"{saved} ({number(found.images or 0)} instead of "
            f"{counted(found.full_images, 'image')}, {byte_size(found.stored_bytes or 0)} instead "
            f"of {byte_size(found.full_stored_bytes)})."
        )
        if found.epochs_break_even is not None and found.epochs_saved_seconds is not None:
            yield (
                f"At equal epochs, each training would save "
                f"{measured_time(found.epochs_saved_seconds)} of "
                f"{measured_time(found.full_seconds or 0)}, so that the search would pay after "
                f"{counted(found.epochs_break_even, 'training')}."
            )


# --------------------------------------------------------------------- parts of sentences


def budget_sentences(cut: BudgetCut | None) -> list[Sentence]:
    """What was left out to keep to a budget of time; empty if nothing was."""
    if cut is None:
        return []
    found = []
    if cut.seeds < cut.wanted:
        found.append(f"at most {counted(cut.seeds, 'seed')} instead of {cut.wanted}")
    if cut.left_out:
        names = [_case(one.method, one.fraction) for one in cut.left_out]
        found.append(f"no runs of {listed(names)}")
    return [Sentence(f"To keep to the budget of {cut.budget}, there are {' and '.join(found)}")]


def gap_sentences(gaps: Sequence[Gap]) -> list[Sentence]:
    """Which methods are missing and how to continue; empty if none is."""
    if not gaps:
        return []
    named = "; ".join(map(_gap, gaps[:MOST_NAMED]))
    more = f"; and {len(gaps) - MOST_NAMED} more" if len(gaps) > MOST_NAMED else ""
    lost = method_of(next((gap.method for gap in gaps if not gap.done), gaps[0].method))
    return [
        Sentence("Incomplete: only the finished jobs are counted"),
        Sentence(f"Missing: {named}{more}"),
        Sentence(
            "Fix the cause and rerun the same command, or disable a method by giving it no "
            f"fractions, as in methods: {{{lost}: {{fractions: []}}}}"
        ),
    ]


def _gap(gap: Gap) -> str:
    name = _case(gap.method, gap.fraction)
    if gap.done:
        name += f" ({gap.done} of {gap.wanted} seeds done)"
    if not gap.failed:
        return f"{name}, not started"
    return f"{name}, where {', '.join(gap.failed)} failed"


def _at_look(against: AgainstRandom | AgainstFull) -> str:
    """The seeds and the look of a comparison; "" without looks."""
    if against.look is None:
        return ""
    return f", {counted(against.pairs, 'seed')} at look {against.look}"


def _and(numbers: Sequence[int]) -> str:
    return listed(list(map(str, numbers)))


def compared_with_random(seeds: Sequence[int]) -> str:
    """How many comparisons with random there are, and their seeds.

    seeds: the number of seeds of each comparison.
    """
    each = " each" if len(seeds) > 1 else ""
    return (
        f"{counted(len(seeds), 'comparison')} with random, {_from_to(min(seeds), max(seeds))}{each}"
    )


def floor_sentences(floor: Floor | None) -> list[str]:
    """That the seeds are too few for any verdict; empty if they are enough."""
    if floor is None:
        return []
    return [
        f"With {counted(floor.seeds, 'seed')} the adjusted p cannot fall below {floor.p:.2g}, even "
        "if a method wins every time.",
        f"With {floor.seeds_needed} seeds it could fall below 0.05.",
    ]


def _smallest_effects(compared: Sequence[AgainstRandom]) -> list[str]:
    """The smallest effect that the design can detect."""
    effects = [one.smallest_effect for one in compared if one.smallest_effect is not None]
    if not effects:
        return []
    low, high = f"{100 * min(effects):.1f}", f"{100 * max(effects):.1f}"
    size = f"{high} points" if low == high else f"{low} to {high} points, by comparison"
    return [
        "With the observed spread, the smallest true difference that a single paired t test "
        f"detects in 4 of 5 runs is {size}.",
        "Smaller differences may exist. The adjusted sign-flip test needs larger ones.",
    ]


def _bytes_sentence(finding: BytesFinding) -> Sentence:
    """The bytes of the images to keep, of all originals, and for each class."""
    each = bit_size(8 * finding.bytes / finding.classes)
    encoding = encoding_in_words(finding.encoding)
    labels = finding.soft_label_bytes
    size = byte_size(finding.bytes)
    included = f", including {byte_size(labels)} of soft labels" if labels else ""
    if finding.bytes_of_all is None or finding.bytes - labels == finding.bytes_of_all:
        return Sentence(f"That is {size} of {encoding}{included}", f"{each} per class")
    share = rounded_percent(finding.bytes / finding.bytes_of_all)
    return Sentence(
        f"That is {size}{included and f'{included},'} of the {byte_size(finding.bytes_of_all)} of "
        f"all originals ({encoding}: {share}, {each} per class)"
    )


def _subset(one: Comparison) -> str:
    """A subset: its number of images, their actual share, and how they were chosen."""
    share = percent(one.fraction)
    if one.share is not None and is_other_share(one.fraction, one.share):
        why = why_other_share(one.fraction, one.share)
        share = f"{rounded_percent(one.share)} instead of {share}, {why}"
    if method_of(one.method) == FULL:
        return f"all {counted(one.images, 'image')}{_encoded(one.method)}"
    return f"{counted(one.images, 'image')} ({share}) chosen {_chosen_by(one.method)}"


def _reference(against: str) -> str:
    return "the full set" if against == "full" else "random"


def _case(method: str, fraction: float) -> str:
    return f"{method_of(method)} at {percent(fraction)}{_encoded(method)}"


def _chosen_by(method: str) -> str:
    how = "at random" if is_reference(method) else f"by {method_of(method)}"
    return f"{how}{_encoded(method)}"


def _encoded(method: str) -> str:
    """How the images of a method are encoded, if they are."""
    encoding = encoding_of(method)
    return "" if encoding == ORIGINAL else f" as {encoding_in_words(encoding)}"


def _from_to(fewest: int, most: int) -> str:
    """A range of seeds: "7 seeds", "3 to 7 seeds"."""
    return counted(most, "seed") if fewest == most else f"{fewest} to {counted(most, 'seed')}"


def _too_few_seeds(fewest: int, most: int) -> str:
    return f"{_from_to(fewest, most)} {'is' if most == 1 else 'are'} too few"


def _exceptions(finding: Finding) -> str:
    words = {"worse_than_random": "are worse than random", "not_learned": "learned too little"}
    if not finding.but_for:
        return ""
    return f", except those that {' or '.join(words[kind] for kind in finding.but_for)}"


def _width(share: float) -> str:
    """Half of an interval, to two digits."""
    return points(round(float(f"{share:.2g}"), 5))


def _rounded_up(count: int) -> int:
    """Round a large estimate up to two digits."""
    unit = 10 ** (len(str(count)) - 2) if count > 1000 else 1
    return -(-count // unit) * unit


def _either(texts: Sequence[str]) -> str:
    return ", ".join([*texts[:-1], f"or {texts[-1]}"]) if len(texts) > 1 else texts[0]
