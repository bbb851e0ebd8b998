"""What a run recommends, as data: kinds that programs can read and numbers, without a sentence.

`decision` makes a Recommendation, recommendation.json holds it, and `wording` says it in words.
Differences, tolerances and accuracies are shares (0 to 1). None stands for what is not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import TypeAdapter, ValidationError

from petite.evaluation.chance import Chance, NotLearned
from petite.evaluation.learning_curve import Estimate, LastLeftOut
from petite.util.errors import PetiteError

SCHEMA = 1

Kind = Literal["keep_subset", "keep_all", "keep_largest", "keep_none"]
FindingKind = Literal[
    # Against the full set: why this much is kept.
    "equivalent",
    "not_worse",
    "nothing_tried",
    "no_shared_seeds",
    "none_learned",
    "too_few_seeds",
    "too_few_test_images",
    "none_good_enough",
    "full_set_not_trained",
    # The kept subset against random at its size.
    "better_than_random",
    "indistinguishable_from_random",
    "too_few_seeds_against_random",
    "not_compared_with_random",
    # Random is kept: the others against it at this size.
    "random_enough_here",
    "other_method_better_here",
    "too_few_seeds_here",
    "no_method_compared_here",
    # All methods and sizes against random.
    "choosing_pays",
    "random_enough",
    "too_few_seeds_to_beat_random",
    "no_method_compared",
    # Why nothing is recommended.
    NotLearned,
]
StepKind = Literal[
    # Where nothing was learned.
    "compare_labels",
    "add_test_images",
    "learn_first",
    "check_images",
    "disable_flips",
    "train_longer",
    "add_images",
    # Where the seeds are too few or the differences too small.
    "more_seeds_to_decide",
    "more_seeds_to_see",
    "larger_tolerance",
    # Against the full set.
    "train_subsets",
    "train_full_set",
    "more_seeds_of_full_set",
    "larger_fractions_or_more_seeds",
    "more_test_images",
    "more_test_images_as_models_differ",
    "smaller_tolerance",
    "balanced_metric",
    "larger_fractions",
    "smaller_fractions",
]
Bounds = tuple[float, float]


@dataclass(frozen=True)
class Subset:
    """A method at a fraction, the key of a Comparison."""

    method: str
    fraction: float


@dataclass(frozen=True)
class Kept:
    """The subset to keep.

    seed: of its selection: always the first, since to take the one that did best would be to choose
    by the test images.
    """

    method: str
    fraction: float
    seed: int
    images: int


@dataclass(frozen=True)
class Finding:
    """One thing that the runs show, or fail to show, and that the answer rests on.

    subset: the comparison that it is read from. seeds: the fewest and the most seeds of the
    comparisons that it is about. but_for: subsets that it is not about.
    """

    kind: FindingKind
    subset: Subset | None = None
    seeds: tuple[int, int] | None = None
    but_for: tuple[Literal["worse_than_random", "not_learned"], ...] = ()


@dataclass(frozen=True)
class Difference:
    """A mean of paired differences in the metric, with its intervals.

    seeds: for new seeds on these test images; None for a single seed. seeds_and_images: for new
    seeds and new test images; None without predictions.
    """

    mean: float
    confidence: float
    seeds: Bounds | None
    seeds_and_images: Bounds | None


@dataclass(frozen=True)
class AgainstRandom:
    """A method against random at the same fraction; the columns of verdicts.csv without "full".

    worth: how many random images one of its images is worth, as text that says where the answer
    lies outside of what was measured.
    """

    pairs: int
    verdict: str
    difference: Difference
    p_value: float
    p_adjusted: float
    p_better: float | None
    smallest_effect: float | None
    worth: str | None


@dataclass(frozen=True)
class AgainstFull:
    """A subset against the full set; the columns of verdicts.csv that begin with "full".

    loss_p: adjusted, of the test against a loss of more than the tolerance; for new seeds, and for
    new seeds and new test images.
    """

    pairs: int
    verdict: str
    difference: Difference
    loss_p: float | None
    loss_p_images: float | None


@dataclass(frozen=True)
class Comparison:
    """A method at a fraction, and what it was compared with.

    share: the part of the training images that was really kept.
    """

    method: str
    fraction: float
    share: float | None
    images: int
    random: AgainstRandom | None
    full: AgainstFull | None


@dataclass(frozen=True)
class Floor:
    """The smallest adjusted p that so many seeds can give, where even that decides nothing."""

    seeds: int
    p: float
    seeds_needed: int


@dataclass(frozen=True)
class Basis:
    """How far the comparisons carry.

    test_images: None where predictions of them were not kept. test_images_needed: the fewest that
    could show the tolerance; least_tolerance: the least that those at hand could show.
    """

    test_images: int | None
    test_images_needed: int | None
    least_tolerance: float | None
    floor: Floor | None


@dataclass(frozen=True)
class Caution:
    """What to beware of in models that learned.

    subset, images: what they were trained on. count, of: so many of the classes or of the runs.
    """

    kind: Literal["classes_never_answered", "classes_guessed", "runs_with_one_answer"]
    subset: Subset
    images: int
    count: int
    of: int
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """What to do next.

    seeds: how many to train. images: how many test images to have; of the smallest subset for
    `smaller_fractions`. tolerance: what to set it to.
    """

    kind: StepKind
    seeds: int | None = None
    images: int | None = None
    tolerance: float | None = None


@dataclass(frozen=True)
class Curve:
    """The learning curve of random images; see `petite.evaluation.learning_curve`.

    a, b, c: of metric(n) = a - b * n**-c; None where it is a line in log(n). worst_miss: the
    largest distance from a measured mean. sufficient: the fewest random images within the tolerance
    of the full set; None where that was not trained.
    """

    form: Literal["power_law", "line"]
    sizes: int
    a: float | None
    b: float | None
    c: float | None
    worst_miss: float
    last_left_out: LastLeftOut | None
    sufficient: Estimate | None


@dataclass(frozen=True)
class Gap:
    """A method and fraction of which not all runs are there.

    failed: the jobs that failed on the way to them; empty where none did, and they did not begin.
    """

    method: str
    fraction: float
    done: int
    wanted: int
    failed: tuple[str, ...]


@dataclass(frozen=True)
class Recommendation:
    """What to keep, why, how sure that is, and what to do next.

    metric: one of `petite.evaluation.metrics.METRICS`; tolerance: how much of it may be lost.
    kept: None where nothing was learned. chance: the models of all images (of the largest subset,
    where those were not trained) against constant answers. left_out: models of subsets that are
    no candidates because they do not beat chance.
    """

    dataset: str
    metric: str
    tolerance: float
    kind: Kind
    kept: Kept | None
    findings: tuple[Finding, ...]
    basis: Basis
    cautions: tuple[Caution, ...]
    left_out: tuple[Chance, ...]
    next_steps: tuple[Step, ...]
    chance: Chance | None
    comparisons: tuple[Comparison, ...]
    curve: Curve | None
    gaps: tuple[Gap, ...] = ()
    schema: int = SCHEMA

    def comparison(self, subset: Subset | Kept) -> Comparison:
        """The comparison of a subset. Raises StopIteration where there is none."""
        key = subset.method, subset.fraction
        return next(one for one in self.comparisons if (one.method, one.fraction) == key)

    def to_json(self) -> dict[str, Any]:
        """As values of JSON."""
        values: dict[str, Any] = _JSON.dump_python(self, mode="json")
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The recommendation of which `to_json` gave the values.

        Raises PetiteError where they are of another schema, or are no recommendation.
        """
        schema = values.get("schema")
        if schema != SCHEMA:
            raise PetiteError(
                f"recommendation.json has schema {schema}, but this Petite reads schema {SCHEMA}. "
                "Delete the file and run the workflow again."
            )
        try:
            return _JSON.validate_python(values)
        except ValidationError as error:
            first = error.errors()[0]
            raise PetiteError(
                f"recommendation.json: {'.'.join(map(str, first['loc']))}: {first['msg']}. "
                "Delete the file and run the workflow again."
            ) from error


_JSON: TypeAdapter[Any] = TypeAdapter(Recommendation)
