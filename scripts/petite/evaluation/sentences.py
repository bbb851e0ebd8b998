"""The sentence of each kind in a recommendation; `wording` fills in the braces."""

from typing import NamedTuple

from petite.evaluation.chance import Cause
from petite.evaluation.declared import Change
from petite.evaluation.recommendation import FindingKind, Part, StepKind
from petite.evaluation.verdicts import (
    BETTER,
    EQUIVALENT,
    NOT_COMPARED,
    NOT_DISTINGUISHABLE,
    NOT_SHOWN,
    NOT_WORSE,
    TOO_FEW,
    TOO_FEW_IMAGES,
    WORSE,
)
from petite.util.formatting import byte_size


class Sentence(NamedTuple):
    """A sentence without its full stop, and the figures that follow it in brackets, if any."""

    text: str
    figures: str = ""

    def __str__(self) -> str:
        return f"{self.text} ({self.figures})." if self.figures else f"{self.text}."


def network_in_words(size: int) -> str:
    """The bytes of a pretrained network, without a full stop."""
    return f"The pretrained network is another {byte_size(size)}, which is not counted"


# What was changed after results had been seen.
CHANGES: dict[Change, str] = {
    "seeds": "another number of seeds was asked for",
    "looks": "the looks were changed",
    "added": "comparisons were added",
    "dropped": "comparisons were dropped",
    "settings": "the settings of a method were changed",
    "tolerance": "the tolerance was changed",
    "metric": "the metric was changed",
}
OTHER_SPLITS = (
    "The number of splits was changed after results had been seen, so what is said of all splits "
    "is exploratory."
)
EXPLORATORY = (
    "Tests that are repeated with other plans until one passes find too many effects, so these "
    "verdicts are exploratory. To test again, give the run another dataset.name and another "
    "split.seed, because equal seeds give equal runs, and plan all of it before the first run."
)
DECLARED_AGAIN = (
    "All comparisons are declared again, with Holm's adjustment for all of them. Methods that are "
    "added until one passes find too many effects, so the verdicts of the added ones are "
    "exploratory."
)

FINDINGS: dict[FindingKind, tuple[Sentence, ...]] = {
    # The kept subset, or all images, against the full set.
    "equivalent": (
        Sentence(
            "Its {metric} is shown to be within {tolerance} of the full set{scope}",
            "{from_full}",
        ),
    ),
    "not_worse": (
        Sentence(
            "Its {metric} is shown to be less than {tolerance} below the full set{scope}",
            "{from_full}",
        ),
    ),
    "nothing_tried": (Sentence("No subset was trained, so nothing is known about smaller sets"),),
    "no_shared_seeds": (
        Sentence("No subset shares seeds with the full set, so they cannot be compared"),
    ),
    "none_learned": (),  # the subsets that are left out say it
    "too_few_seeds": (
        Sentence("{too_few_seeds} to show that a subset does as well in {metric}"),
        Sentence("The closest is {subset}", "{from_full}"),
    ),
    "too_few_test_images": (
        Sentence(
            "The {subset} lose less than {tolerance} of {metric} on the {test_images} test images",
            "{from_full}",
        ),
        Sentence("That is too few test images to show the same for new images", "{needed}"),
    ),
    "none_good_enough": (
        Sentence(
            "No subset is shown to be within {tolerance} of the full set in {metric}{scope}"
            "{exceptions}"
        ),
        Sentence("The closest is {subset}", "{from_full}"),
    ),
    "full_set_not_trained": (
        Sentence("The full set was not trained, so what this subset loses is unknown"),
    ),
    # The kept subset against random at its size.
    "better_than_random": (
        Sentence("It is better than random at this size{here}", "{from_random}"),
    ),
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
            "At this size {method} is better than random{here}, but not shown to be good enough "
            "itself",
            "{from_random}",
        ),
    ),
    "too_few_seeds_here": (
        Sentence("The seeds are too few to show whether a method does better at this size"),
    ),
    "no_method_compared_here": (Sentence("No method was compared with random at this size"),),
    # All methods and sizes against random.
    "choosing_pays": (Sentence("Choosing pays{here}: {case} beats random", "{from_random}"),),
    "random_enough": (
        Sentence(
            "Random is enough: no method is shown to beat it",
            "largest difference: {case}, {from_random}",
        ),
    ),
    "too_few_seeds_to_beat_random": (
        Sentence(
            "{too_few_seeds} to show whether a method beats random",
            "largest difference: {case}, {from_random}",
        ),
    ),
    "no_method_compared": (Sentence("No method was compared with random"),),
}
# A method is better than random on the test images. What follows if others may show the opposite.
BETTER_THAN_RANDOM: tuple[FindingKind, ...] = (
    *("better_than_random", "other_method_better_here", "choosing_pays"),
)
TOO_FEW_FOR_OTHERS = "They are too few to show it for other images"
# How to choose if all images are kept but are too many.
IF_FEWER: tuple[FindingKind, ...] = ("choosing_pays", "random_enough")

NOT_LEARNED: dict[FindingKind, str] = {
    "far_below_chance": "The models are far worse than chance",
    "classes_not_learned": "Not all classes were learned",
    "constant_answer_not_beaten": "The models are not shown to beat a constant answer",
    "nothing_learned": "Nothing was learned",
    "not_shown_to_learn": "Nothing is shown to have been learned",
}
CAUSES: dict[Cause, str] = {
    "swapped_labels": "swapped labels in the training or test images",
    "swapping_flips": "flips that turn one class into another ({settings}.flips: {flips})",
    "too_few_test_images": "too few test images ({test_images})",
    "unequal_classes": "unequal classes ({largest_class} to {smallest_class} images)",
    "small_images": "images too small to show the label ({image_size} pixels a side)",
    "hiding_flips": "flips that hide the label ({settings}.flips: {flips})",
    "few_steps": "too few training steps ({steps})",
    "frozen_network": "a pretrained network that does not see what distinguishes the classes",
    "labels_not_visible": "labels that cannot be seen in the images",
}
STEPS: dict[StepKind, str] = {
    # Where nothing was learned.
    "compare_labels": "Compare the labels of training and test images in report.html, and look for "
    "swapped class names.",
    "add_test_images": "Use more test images, mainly of the small classes: raise split.test or add "
    "images, also to your own test set if you have one.{others_needed}",
    "learn_first": "First make the models learn.{on_training_images}{memorized}",
    "check_images": "Look at the stored images in report.html. If you cannot tell the classes "
    "apart, raise dataset.image_size or check the labels.",
    "disable_flips": "Set {settings}.flips to none if left and right, or up and down, distinguish "
    "classes.",
    "train_network": "Use another backbone, or judge by scratch, which trains a network for your "
    "classes.",
    "train_longer": "Train longer: raise {length}.",
    "improve_program": "Let your program train longer, or in another way.",
    "add_images": "Add images of the small classes, and raise split.test (or add some to your own "
    "test set).",
    # Where the seeds are too few or the differences too small.
    "more_seeds_to_decide": "Set seeds to {seeds} or more, or compare fewer methods, so that the "
    "test can decide.",
    "more_seeds_to_see": "To detect a difference of {tolerance} from random takes about {seeds} "
    "seeds.",
    "larger_tolerance": "A difference of {tolerance} from random cannot be detected with this "
    "spread. Raise evidence.tolerance.",
    # Against the full set.
    "train_subsets": "Train subsets too: set the fractions of random and other methods, for "
    "example to [0.5, 0.25, 0.1].",
    "train_full_set": "Train the full set too (methods.full.fractions: [1]), to see what subsets "
    "lose.",
    "more_seeds_of_full_set": "Train the full set with {seeds} or more of the subsets' seeds, so "
    "that a subset can be shown to do as well.",
    "larger_fractions_or_more_seeds": "To find a subset that does as well as the full set, try "
    "larger fractions or more seeds.",
    "more_test_images": "Use {images} test images or more (split.test, or more images in your own "
    "test set){or_tolerance}. With {test_images}, even a subset that does just as well cannot be "
    "shown to lose less than {tolerance} on new images.",
    "more_test_images_as_models_differ": "Raise split.test, or add images to your own test set: "
    "the models differ on some of the {test_images} test images, so more are needed to show what "
    "is lost on new images.",
    "smaller_tolerance": "Lower evidence.tolerance: models that learned too little are within "
    "{tolerance} of the full set.",
    "balanced_metric": "Or set evidence.metric to balanced_accuracy, which weights all classes "
    "equally.",
    "larger_fractions": "Try larger fractions too.",
    "smaller_fractions": "Try smaller fractions: even the smallest random subset ({images} images) "
    "seems to be within {tolerance} of the full set.",
    # Where the interval of the comparison that the answer rests on is too wide.
    "larger_fractions_or_narrower": "To find a subset that does as well as the full set, try "
    "larger fractions, or make the comparison narrower.",
    "more_test_images_instead_of_seeds": "For an interval of ±{width} around the difference "
    "between {compared}, use about {about_images} test images. More seeds are not enough: any "
    "number of them leaves ±{with_any_seeds}.",
    "more_seeds_instead_of_test_images": "For an interval of ±{width} around the difference "
    "between {compared}, train about {seeds} seeds. More test images are not enough: any number "
    "of them leaves ±{with_any_images}.",
    "more_seeds_or_test_images": "For an interval of ±{width} around the difference between "
    "{compared}, train about {seeds} seeds, or use about {about_images} test images.",
    "more_seeds_and_test_images": "For an interval of ±{width} around the difference "
    "between {compared}, use about {seeds} seeds and {about_images} test images.{not_alone}",
    "new_run": "Results of a plan of {seeds} seeds were seen, so with other seeds, comparisons or "
    "tolerances this run would be exploratory. Give a new run another dataset.name and another "
    "split.seed, and plan all of it before it begins. With looks, such as seeds: {{looks: [8, "
    "20]}}, only what is open takes more seeds.",
}
LARGER: dict[Part, str] = {
    "seeds": "the seeds are the larger part",
    "images": "the test images are the larger part",
    "lists": "what the lists of the seeds have in common is the largest part",
}
VERDICTS = {
    BETTER: BETTER,
    WORSE: WORSE,
    NOT_DISTINGUISHABLE: NOT_DISTINGUISHABLE,
    TOO_FEW: f"with {TOO_FEW}",
}
# The verdicts of trainings that see fewer examples.
SEES_FEWER = {
    EQUIVALENT: "is shown to be within {tolerance} of that of all examples",
    NOT_WORSE: "is shown to be at most {tolerance} below that of all examples",
    TOO_FEW_IMAGES: "is within {tolerance} of that of all examples on these test images, which are "
    "too few to say so for new ones",
    NOT_SHOWN: "is not shown to be within {tolerance} of that of all examples",
    TOO_FEW: "has too few seeds to be compared with that of all examples",
    NOT_COMPARED: "is not compared with that of all examples",
}
# The verdicts over several splits, before what a subset is compared with.
OVER_SPLITS = {
    BETTER: "is better than",
    WORSE: "is worse than",
    NOT_DISTINGUISHABLE: "is not distinguishable from",
    NOT_WORSE: "is shown to be within the tolerance of",
    NOT_SHOWN: "is not shown to be as good as",
}


def shown(verdict: str) -> str:
    """What a verdict shows: "" if nothing. Several splits do not test for equivalence."""
    found = NOT_WORSE if verdict == EQUIVALENT else verdict
    return found if found in (BETTER, WORSE, NOT_WORSE) else ""
