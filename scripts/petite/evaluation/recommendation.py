"""What a run recommends, as data that programs can read: kinds and numbers, no sentences.

`decision` makes a Recommendation, recommendation.json stores it, and `wording` puts it into words.
Differences, tolerances and accuracies are shares (0 to 1). None is for unknown values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from pydantic import TypeAdapter, ValidationError

from petite.evaluation.chance import Chance, NotLearned
from petite.evaluation.declared import NOTHING_SEEN, Seen
from petite.evaluation.learning_curve import Estimate, LastLeftOut
from petite.evaluation.looks import Looks
from petite.training.judges import SCRATCH
from petite.util.errors import PetiteError

SCHEMA = 2

Kind = Literal["keep_subset", "keep_all", "keep_largest", "keep_none"]
FindingKind = Literal[
    # Against the full set: why this size is kept.
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
    # Random is kept: the other methods against it at this size.
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
    # If nothing was learned.
    "compare_labels",
    "add_test_images",
    "learn_first",
    "check_images",
    "disable_flips",
    "train_network",
    "train_longer",
    "improve_program",
    "add_images",
    # If the seeds are too few or the differences too small.
    "more_seeds_to_decide",
    "more_seeds_to_see",
    "larger_tolerance",
    # Against the full set.
    "train_subsets",
    "train_full_set",
    "more_seeds_of_full_set",
    "larger_fractions_or_more_seeds",
    "larger_fractions_or_narrower",
    "more_test_images",
    "more_test_images_as_models_differ",
    "smaller_tolerance",
    "balanced_metric",
    "larger_fractions",
    "smaller_fractions",
    # If the interval of the comparison that the answer rests on is too wide.
    "more_test_images_instead_of_seeds",
    "more_seeds_instead_of_test_images",
    "more_seeds_or_test_images",
    "more_seeds_and_test_images",
    # After the steps that change what was declared, if results were seen.
    "new_run",
]
Bounds = tuple[float, float]
Against = Literal["full", "random"]
Part = Literal["seeds", "images", "lists"]


@dataclass(frozen=True)
class Subset:
    """A method at a fraction, the key of a Comparison."""

    method: str
    fraction: float


@dataclass(frozen=True)
class Kept:
    """The subset to keep.

    seed: the selection seed, always the first: picking the best one would select on the test
    images.
    """

    method: str
    fraction: float
    seed: int
    images: int


@dataclass(frozen=True)
class Finding:
    """Something that the runs show, or do not show, as a reason for the recommendation.

    Attributes
    ----------
    kind : FindingKind
    subset : Subset, optional
        The comparison that shows it.
    seeds : tuple of int, optional
        The fewest and the most seeds of the comparisons.
    but_for : tuple
        Kinds of subsets that are exceptions to the finding.
    """

    kind: FindingKind
    subset: Subset | None = None
    seeds: tuple[int, int] | None = None
    but_for: tuple[Literal["worse_than_random", "not_learned"], ...] = ()


@dataclass(frozen=True)
class BytesFinding:
    """What the images to keep take, if images are encoded; see `petite.data.container`.

    Attributes
    ----------
    encoding : str
        Its name.
    bytes : int
        Of the images to keep.
    bytes_of_all : int or None
        Of all originals, without soft labels; None if the full set was not trained.
    classes : int
        How many there are.
    network_bytes : int or None
        Of the pretrained network, which are not in `bytes`; None if there is none.
    soft_label_bytes : int
        The part of `bytes` that soft labels take.
    """

    kind: Literal["bytes"]
    encoding: str
    bytes: int
    bytes_of_all: int | None
    classes: int
    network_bytes: int | None = None
    soft_label_bytes: int = 0


@dataclass(frozen=True)
class SeeFewerFinding:
    """What a training loses and saves that keeps all images, but sees fewer of them.

    Attributes
    ----------
    method : str
    seen : float
        Share of the examples of a training that sees all images.
    verdict : str
        Of the comparison with the full set, see `petite.evaluation.verdicts`.
    difference : float or None
        From the full set, in the metric; None without shared seeds.
    seconds, full_seconds : float or None
        Of a training; None if unknown.
    """

    kind: Literal["see_fewer"]
    method: str
    seen: float
    verdict: str
    difference: float | None
    seconds: float | None
    full_seconds: float | None


AnyFinding = Finding | BytesFinding | SeeFewerFinding


@dataclass(frozen=True)
class Difference:
    """A mean of paired differences in the metric, with its intervals.

    Attributes
    ----------
    mean : float
    confidence : float
        Of both intervals.
    seeds : tuple of float or None
        The interval for new seeds on these test images; None for a single seed.
    seeds_and_images : tuple of float or None
        The interval for new seeds and new test images; None without predictions.
    """

    mean: float
    confidence: float
    seeds: Bounds | None
    seeds_and_images: Bounds | None


@dataclass(frozen=True)
class AgainstRandom:
    """A method against random at the same fraction; the columns of verdicts.csv without "full".

    worth: how many random images one of its images is worth, as text. It says "above" or "below" if
    the answer is outside the measured sizes. look: the number of the look at which the comparison
    was over; None without looks.
    """

    pairs: int
    verdict: str
    difference: Difference
    p_value: float
    p_adjusted: float
    p_better: float | None
    smallest_effect: float | None
    worth: str | None
    look: int | None = None


@dataclass(frozen=True)
class AgainstFull:
    """A subset against the full set; the columns of verdicts.csv that begin with "full".

    loss_p, loss_p_images: adjusted p of the test against a loss of more than the tolerance, for new
    seeds, and for new seeds and new test images. look: as of `AgainstRandom`.
    """

    pairs: int
    verdict: str
    difference: Difference
    loss_p: float | None
    loss_p_images: float | None
    look: int | None = None


@dataclass(frozen=True)
class Comparison:
    """A method at a fraction, and its comparisons.

    share: the part of the training images that was actually kept.
    """

    method: str
    fraction: float
    share: float | None
    images: int
    random: AgainstRandom | None
    full: AgainstFull | None


@dataclass(frozen=True)
class Floor:
    """The smallest possible adjusted p for this number of seeds, if it is too large to decide."""

    seeds: int
    p: float
    seeds_needed: int


@dataclass(frozen=True)
class ImageGroups:
    """Groups of test images, see `petite.evaluation.groups.image_groups`.

    Attributes
    ----------
    groups, images : int
    effective : float
        How many images of their own show as much.
    correlation : float or None
        Of the answers within groups, 0 to 1; None if unknown.
    """

    groups: int
    images: int
    effective: float
    correlation: float | None


@dataclass(frozen=True)
class Basis:
    """What the comparisons can show.

    Attributes
    ----------
    test_images : int or None
        None if their predictions were not kept.
    test_images_needed : int or None
        The fewest that can show the tolerance.
    least_tolerance : float or None
        The smallest tolerance that the test images can show.
    floor : Floor or None
        If the seeds are too few for any verdict.
    pool_share : float or None
        The share of the training images that each seed selects from, if it is a part.
    groups : ImageGroups or None
        If the test images are in groups.
    looks : Looks or None
        When the comparisons were tested, if more than once.
    seen : Seen
        The results that had been seen before the plan was changed.
    """

    test_images: int | None
    test_images_needed: int | None
    least_tolerance: float | None
    floor: Floor | None
    pool_share: float | None = None
    groups: ImageGroups | None = None
    looks: Looks | None = None
    seen: Seen = NOTHING_SEEN


@dataclass(frozen=True)
class Needed:
    """Numbers of seeds and of test images that make an interval narrow enough, estimated."""

    seeds: int
    images: int


@dataclass(frozen=True)
class Uncertainty:
    """The parts of the uncertainty of the comparison that the answer rests on.

    Attributes
    ----------
    subset : Subset
        The comparison of this subset,
    against : str
        with the full set or with random.
    confidence : float
        Of its interval over seeds and test images.
    seeds, test_images : int
        How many it has.
    half_width : float
        Of the interval, as a share of the metric.
    larger : str
        Its largest part: the seeds, the test images, or the lists (see
        `petite.evaluation.list_luck`).
    with_any_seeds, with_any_images : float
        What no number of seeds, or of test images, narrows further, estimated.
    target : float or None
        The half width that is wanted; None if the comparison is decided or narrow enough.
    needed : tuple of Needed
        What would narrow it to the target, estimated: more of one of them, or of both if neither is
        enough alone. Empty if there is no target or nothing is enough.
    """

    subset: Subset
    against: Against
    confidence: float
    seeds: int
    test_images: int
    half_width: float
    larger: Part
    with_any_seeds: float
    with_any_images: float
    target: float | None
    needed: tuple[Needed, ...]


@dataclass(frozen=True)
class Ledger:
    """What the search for a subset cost, and what each later training on it saves.

    Attributes
    ----------
    trainings : int
        Of the search, in all splits.
    search_seconds : float or None
        Of its trainings and selections, and of embedding the images; None if unknown, as all that
        follow.
    same_steps : bool
        Whether trainings have a fixed number of steps, and so take as long on a subset.
    images, stored_bytes : int or None
        Of the recommended subset; None if no subset is recommended.
    full_images, full_stored_bytes : int or None
        Of the full set; None if it was not trained.
    seconds, full_seconds : float or None
        Of a training on each.
    saved_seconds : float or None
        By each later training; 0 if the seeds do not show that it saves any.
    break_even : int or None
        The trainings after which the search has paid; None if it never does.
    epochs_saved_seconds, epochs_break_even
        The same for trainings of as many epochs as those of the full set have, if `same_steps`.
    splits : int
        In how many of them subsets were searched.
    embedding_seconds : float
        The part of the search that embedding the images took.
    """

    trainings: int
    search_seconds: float | None
    same_steps: bool
    images: int | None = None
    stored_bytes: int | None = None
    full_images: int | None = None
    full_stored_bytes: int | None = None
    seconds: float | None = None
    full_seconds: float | None = None
    saved_seconds: float | None = None
    break_even: int | None = None
    epochs_saved_seconds: float | None = None
    epochs_break_even: int | None = None
    splits: int = 1
    embedding_seconds: float = 0.0


@dataclass(frozen=True)
class Caution:
    """A problem of models that learned.

    Attributes
    ----------
    subset, images
        What they were trained on.
    count, of : int
        How many of how many classes or runs have the problem.
    classes : tuple of str
        The names of these classes.
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

    seeds: how many to train; for `new_run` how many were seen. images: how many test images to use,
    or for `smaller_fractions` the size of the smallest subset. tolerance: the value to set.
    """

    kind: StepKind
    seeds: int | None = None
    images: int | None = None
    tolerance: float | None = None


@dataclass(frozen=True)
class Curve:
    """The learning curve of random images; see `petite.evaluation.learning_curve`.

    Attributes
    ----------
    a, b, c : float or None
        Of metric(n) = a - b * n**-c; None if the curve is a line in log(n).
    worst_miss : float
        The largest distance from a measured mean.
    sufficient : Estimate or None
        The fewest random images within the tolerance of the full set; None if that was not trained.
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
    """A method and fraction whose runs are incomplete.

    failed: the jobs that failed; empty if the missing runs just did not start.
    judge: whose runs; "" where only one is known.
    """

    method: str
    fraction: float
    done: int
    wanted: int
    failed: tuple[str, ...]
    judge: str = ""


@dataclass(frozen=True)
class OverSplits:
    """A comparison over several splits, a row of splits.csv: with its interval and verdict."""

    method: str
    fraction: float
    against: Against
    splits: int
    mean: float
    bounds: Bounds
    verdict: str


@dataclass(frozen=True)
class BudgetCut:
    """What was left out to keep to a budget of time.

    Attributes
    ----------
    budget : str
        The time, as the user wrote it.
    seeds, wanted : int
        The most seeds of a case, and how many were asked for.
    left_out : tuple of Subset
        The cases that were not judged.
    """

    budget: str
    seeds: int
    wanted: int
    left_out: tuple[Subset, ...] = ()


def read_cuts(values: Mapping[str, Any]) -> dict[str, BudgetCut]:
    """What was left out of each judge, from JSON values."""
    return TypeAdapter(dict[str, BudgetCut]).validate_python(values)


@dataclass(frozen=True)
class Recommendation:
    """What to keep, why, how certain that is, and what to do next.

    Attributes
    ----------
    metric : str
        One of `petite.evaluation.metrics.METRICS`.
    tolerance : float
        How much of the metric may be lost.
    kept : Kept or None
        None if nothing was learned.
    left_out : tuple of Chance
        The models of subsets that are not candidates because they do not beat chance.
    chance : Chance or None
        The models of all images (or of the largest subset, if those were not trained) against
        constant answers.
    uncertainty : Uncertainty or None
        None without predictions, or with a single seed.
    ledger : Ledger or None
        None in recommendations of an earlier Petite.
    over_splits : tuple of OverSplits
        The comparisons over all splits; empty for a single one.
    cut : BudgetCut or None
        None if all that was asked for was judged.
    """

    dataset: str
    metric: str
    tolerance: float
    kind: Kind
    kept: Kept | None
    findings: tuple[AnyFinding, ...]
    basis: Basis
    cautions: tuple[Caution, ...]
    left_out: tuple[Chance, ...]
    next_steps: tuple[Step, ...]
    chance: Chance | None
    comparisons: tuple[Comparison, ...]
    curve: Curve | None
    gaps: tuple[Gap, ...] = ()
    judge: str = SCRATCH
    uncertainty: Uncertainty | None = None
    ledger: Ledger | None = None
    over_splits: tuple[OverSplits, ...] = ()
    cut: BudgetCut | None = None

    def comparison(self, subset: Subset | Kept) -> Comparison:
        """The comparison of a subset. Raises StopIteration if there is none."""
        key = subset.method, subset.fraction
        return next(one for one in self.comparisons if (one.method, one.fraction) == key)


@dataclass(frozen=True)
class Answers:
    """The recommendations of all judges, as recommendation.json holds them.

    Attributes
    ----------
    judges : mapping of str to Recommendation
        By the judge's name; the first one counts for the export.
    """

    judges: Mapping[str, Recommendation]
    schema: int = SCHEMA

    @property
    def first(self) -> Recommendation:
        """The recommendation that counts for the export."""
        return next(iter(self.judges.values()))

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON values."""
        values: dict[str, Any] = _JSON.dump_python(self, mode="json")
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_json` returned.

        Raises PetiteError if the values have another schema or are not valid.
        """
        schema = values.get("schema")
        if schema != SCHEMA:
            raise PetiteError(
                f"recommendation.json has schema {schema}, but this Petite reads schema {SCHEMA}. "
                "Delete the file and rerun."
            )
        try:
            return _JSON.validate_python(values)
        except ValidationError as error:
            first = error.errors()[0]
            # Pydantic names the members of a union, which are no keys of the file.
            members = [member.__name__ for member in get_args(AnyFinding)]
            key = ".".join(str(part) for part in first["loc"] if part not in members)
            raise PetiteError(
                f"recommendation.json: {key}: {first['msg']}. Delete the file and rerun."
            ) from error


_JSON: TypeAdapter[Any] = TypeAdapter(Answers)
