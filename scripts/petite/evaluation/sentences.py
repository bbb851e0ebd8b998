"""The sentence of each kind in a recommendation; `wording` fills in what stands in braces."""

from typing import NamedTuple

from petite.evaluation.chance import Cause
from petite.evaluation.recommendation import FindingKind, StepKind
from petite.evaluation.verdicts import BETTER, NOT_DISTINGUISHABLE, TOO_FEW, WORSE


class Sentence(NamedTuple):
    """A sentence without its full stop, and the figures that follow it in brackets, if any."""

    text: str
    figures: str = ""

    def __str__(self) -> str:
        return f"{self.text} ({self.figures})." if self.figures else f"{self.text}."


FINDINGS: dict[FindingKind, tuple[Sentence, ...]] = {
    # The kept subset, or all images, against the full set.
    "equivalent": (
        Sentence(
            "This subset is shown to be within {tolerance} of the full set in {metric}{scope}",
            "{from_full}",
        ),
    ),
    "not_worse": (
        Sentence(
            "This subset is shown to lose less than {tolerance} against the full set in "
            "{metric}{scope}",
            "{from_full}",
        ),
    ),
    "nothing_tried": (Sentence("No subset was tried, so nothing is known about smaller ones"),),
    "no_shared_seeds": (
        Sentence("No run of a subset shares its seeds with a run of the full set"),
    ),
    "none_learned": (),  # the subsets that are left out say it
    "too_few_seeds": (
        Sentence("{too_few_seeds} to show that a subset does as well in {metric}"),
        Sentence("The nearest is {subset}", "{from_full}"),
    ),
    "too_few_test_images": (
        Sentence(
            "The {subset} lose less than {tolerance} of {metric} on the {test_images} test images, "
            "which are too few to show it for others",
            "{needed}{from_full}",
        ),
    ),
    "none_good_enough": (
        Sentence(
            "{no_subset} is shown to be within {tolerance} of the full set in {metric}{scope}"
        ),
        Sentence("The nearest is {subset}", "{from_full}"),
    ),
    "full_set_not_trained": (
        Sentence("How small is small enough is open, because the full set was not trained"),
    ),
    # The kept subset against random at its size.
    "better_than_random": (Sentence("It is better than random at this size", "{from_random}"),),
    "indistinguishable_from_random": (
        Sentence("It is not distinguishable from random", "{from_random}"),
    ),
    "too_few_seeds_against_random": (
        Sentence("The seeds are too few to distinguish it from random", "{from_random}"),
    ),
    "not_compared_with_random": (Sentence("It was not compared with random at this size"),),
    # Random is kept: the other methods against it at this size.
    "random_enough_here": (
        Sentence("Random is enough: no method is shown to do better at this size"),
    ),
    "other_method_better_here": (
        Sentence(
            "The method {method} is better at this size, but is not itself shown to be good enough",
            "{from_random}",
        ),
    ),
    "too_few_seeds_here": (
        Sentence("The seeds are too few to tell whether a method does better at this size"),
    ),
    "no_method_compared_here": (Sentence("No method was compared with random at this size"),),
    # All methods and sizes against random.
    "choosing_pays": (Sentence("Choosing pays: {case} beats random", "{from_random}"),),
    "random_enough": (
        Sentence(
            "Random is enough: no method is shown to beat it",
            "the highest difference, {case}: {from_random}",
        ),
    ),
    "too_few_seeds_to_beat_random": (
        Sentence(
            "{too_few_seeds} to tell whether a method beats random",
            "the highest difference, {case}: {from_random}",
        ),
    ),
    "no_method_compared": (Sentence("No method was compared with random"),),
}
# How to choose where all images are kept but are too many.
IF_FEWER: tuple[FindingKind, ...] = ("choosing_pays", "random_enough")

NOT_LEARNED: dict[FindingKind, str] = {
    "far_below_chance": "The models are far worse than chance",
    "classes_not_learned": "Not all classes were learned",
    "constant_answer_not_beaten": "The models are not shown to beat a constant answer",
    "nothing_learned": "Nothing was learned",
    "not_shown_to_learn": "Nothing is shown to have been learned",
}
CAUSES: dict[Cause, str] = {
    "swapped_labels": "labels that are swapped in the training or the test images",
    "swapping_flips": "flips that turn one class into another (training.flips: {flips})",
    "too_few_test_images": "too few test images ({test_images})",
    "unequal_classes": "unequal classes ({largest_class} to {smallest_class} images)",
    "small_images": "images too small to show the label ({image_size} pixels a side)",
    "hiding_flips": "flips that hide the label (training.flips: {flips})",
    "few_steps": "too few training steps ({steps})",
    "labels_not_visible": "labels that do not show in the images",
}
STEPS: dict[StepKind, str] = {
    # Where nothing was learned.
    "compare_labels": "Compare the labels of training and test images (report.html shows the "
    "images as they are stored): are the names of classes swapped anywhere?",
    "add_test_images": "Have more test images: raise split.test, or add images, above all of the "
    "small classes.{others_needed}",
    "learn_first": "First make the models learn. On the images that they were trained on they are "
    "right in {train_accuracy}%.{memorized}",
    "check_images": "Look at the images as they are stored (report.html): could you tell the "
    "classes apart? If not, set dataset.image_size higher, or check the labels.",
    "disable_flips": "Set training.flips to none where left and right, or up and down, tell "
    "classes apart.",
    "train_longer": "Give training.budget more steps.",
    "add_images": "Add images of the small classes, and raise split.test.",
    # Where the seeds are too few or the differences too small.
    "more_seeds_to_decide": "Set seeds to {seeds} or more, or compare fewer methods, so that the "
    "test can decide.",
    "more_seeds_to_see": "To see a difference from random of {tolerance} takes about {seeds} "
    "seeds.",
    "larger_tolerance": "A difference from random of {tolerance} is out of reach with this spread: "
    "set evidence.tolerance higher.",
    # Against the full set.
    "train_subsets": "Train subsets too: give random and other methods fractions, for example "
    "[0.5, 0.25, 0.1].",
    "train_full_set": "Train the full set too (methods.full.fractions: [1]), to know what is lost.",
    "more_seeds_of_full_set": "Train the full set with {seeds} or more of the same seeds, so that "
    "subsets can be shown to do as well.",
    "larger_fractions_or_more_seeds": "For a subset that does as well as the full set, try larger "
    "fractions or more seeds.",
    "more_test_images": "Have {images} test images or more (split.test){or_tolerance}. With "
    "{test_images} not even a subset that does just as well can be shown to lose less than "
    "{tolerance} on others.",
    "more_test_images_as_models_differ": "Raise split.test: the models differ on some of the "
    "{test_images} test images, so it takes more of them to show what is lost on others.",
    "smaller_tolerance": "Set evidence.tolerance lower: models that learned too little are near "
    "the full set at {tolerance}.",
    "balanced_metric": "Or set evidence.metric to balanced_accuracy, in which small classes count "
    "as much as large ones.",
    "larger_fractions": "Try larger fractions too.",
    "smaller_fractions": "Try smaller fractions: even the smallest random subset, {images} images, "
    "seems to be within {tolerance} of the full set.",
}
VERDICTS = {
    BETTER: BETTER,
    WORSE: WORSE,
    NOT_DISTINGUISHABLE: NOT_DISTINGUISHABLE,
    TOO_FEW: f"with {TOO_FEW}",
}
