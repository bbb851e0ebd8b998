"""The figures: the inputs of each, when a run has it, and its caption.

A new figure is a function in a module of this package and an entry in `FIGURES`; the rules, their
inputs and the captions follow. Importing this module does not load Matplotlib, because the workflow
imports it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from petite.subsets.synthetic import NAMES
from petite.util.discovery import loaded, module_of
from petite.util.encoded_names import ORIGINAL, encoding_of, method_of

MOST_CASES = 36  # with more, the panels would not fit on a page
MOST_SINGLE_CASES = 12  # with more, nobody would look at one figure for each
# The kinds of files with a row or more for each run, of all judges.
OF_RUNS = {"runs", "summary", "history"}


@dataclass(frozen=True)
class FigurePlan:
    """The cases of a run, on which its figures depend.

    Attributes
    ----------
    cases : tuple of (str, float)
        Each label of the config with each of its fractions.
    methods : mapping of str to str
        The method behind each label.
    has_comparisons : bool
        Whether any method has a fraction that random has too.
    judge : str
        Whose runs are drawn.
    has_curves : bool
        Whether its models have learning curves.
    is_first : bool
        Whether it is the first judge, whose figures have plain names, and those that do not depend
        on runs are drawn.
    """

    cases: tuple[tuple[str, float], ...]
    methods: Mapping[str, str]
    has_comparisons: bool
    judge: str
    has_curves: bool = True
    is_first: bool = True

    @property
    def _keeping(self) -> list[tuple[str, float]]:
        """The cases that keep images, and do not make all of them."""
        return [case for case in self.cases if self.methods[case[0]] not in NAMES]

    @property
    def smallest_fraction(self) -> float:
        return min((fraction for _, fraction in self._keeping), default=1.0)

    @property
    def smallest(self) -> list[str]:
        """The labels with the smallest fraction: random first, the others by name."""
        labels = {
            method_of(label)
            for label, fraction in self._keeping
            if fraction == self.smallest_fraction
        }
        return sorted(labels, key=lambda label: (label != "random", label))

    def example(self, method: str) -> tuple[str, float] | None:
        """The first label of a method, at its largest fraction; None without one."""
        cases = [case for case in self.cases if self.methods[case[0]] == method]
        return max((case for case in cases if case[0] == cases[0][0]), default=None)


@dataclass(frozen=True)
class Figure:
    """A kind of figure.

    Attributes
    ----------
    name : str
        The stem of its files; `_LABEL-FRACTION` is added if `each_case`.
    function : str
        The full name of the function that draws it.
    inputs : mapping of str to str
        For each parameter of the function that is a file, the kind of file: a key of `READERS` in
        scripts/figures.py and of `FIGURE_FILES` in workflow/lookups/evaluate.smk.
    caption : str
        The caption in Snakemake's report, reStructuredText.
    is_due : callable
        Whether a run with this plan has the figure.
    options : callable
        The other arguments of the function, by plan.
    each_case : bool
        Whether there is one figure for each method and fraction, which are its options.
    takes_source : bool
        Whether the function has a parameter `source`: the source of the images, or None if it is
        gone.
    """

    name: str
    function: str
    inputs: Mapping[str, str]
    caption: str
    is_due: Callable[[FigurePlan], bool] = lambda plan: True
    options: Callable[[FigurePlan], dict[str, Any]] = lambda plan: {}
    each_case: bool = False
    takes_source: bool = False

    @property
    def shows_runs(self) -> bool:
        """Whether it shows the runs of a judge."""
        return not OF_RUNS.isdisjoint(self.inputs.values())

    @property
    def module(self) -> str:
        """The module that draws it, such as `petite.plots.curves`."""
        return module_of(self.function)

    def draw(self, *arguments: Any, **named: Any) -> Any:
        """Draw it; returns a `matplotlib.figure.Figure`."""
        return loaded(self.function)(*arguments, **named)


@dataclass(frozen=True)
class Drawing:
    """A figure of a run: the key of its kind in `FIGURES`, its options, and whose runs it shows."""

    kind: str
    options: dict[str, Any]
    judge: str

    @property
    def figure(self) -> Figure:
        return FIGURES[self.kind]


def drawings(plan: FigurePlan) -> dict[str, Drawing]:
    """The figures of a judge's runs, by the name of their files."""
    found = {}
    for kind, figure in FIGURES.items():
        if not figure.is_due(plan) or not (plan.is_first or figure.shows_runs):
            continue
        name = figure.name if plan.is_first else f"{figure.name}_{plan.judge}"
        if not figure.each_case:
            found[name] = Drawing(kind, figure.options(plan), plan.judge)
            continue
        for label, fraction in plan.cases:
            options = {"method": label, "fraction": fraction}
            found[f"{name}_{label}-{fraction:g}"] = Drawing(kind, options, plan.judge)
    return found


def _has_grid(plan: FigurePlan) -> bool:
    return plan.example("pca_grid") is not None


GRID = {
    "features": "grid_features",
    "split": "split",
    "subset": "grid_subset",
    "details": "grid_details",
}
FIGURES = {
    "accuracy_by_fraction": Figure(
        name="accuracy_by_fraction",
        function="petite.plots.accuracy.accuracy_by_fraction",
        inputs={"runs": "runs", "summary": "summary"},
        caption=(
            "Accuracy on the test images against the number of training images kept (log scale). "
            "Small dots are single runs. Bars and bands are 95% intervals of the mean over all "
            "runs of a point (Student's t). The horizontal line is the full training set. To see "
            "whether a method beats random, read the paired differences in the table, not the "
            "overlap of intervals here."
        ),
    ),
    "accuracy_by_bytes": Figure(
        name="accuracy_by_bytes",
        function="petite.plots.bytes.accuracy_by_bytes",
        inputs={"runs": "runs", "summary": "summary"},
        caption=(
            "Accuracy on the test images, which are originals, against the bytes of the training "
            "images (log scale), in each encoding. Bars are 95% intervals of the mean over runs "
            "(Student's t). The line joins the points that no point of fewer bytes exceeds, each "
            "with the share of the images kept. To see what is shown to be enough, read the "
            "verdicts."
        ),
        is_due=lambda plan: any(encoding_of(label) != ORIGINAL for label, _ in plan.cases),
    ),
    "differences": Figure(
        name="differences",
        function="petite.plots.differences.differences",
        inputs={"summary": "summary"},
        caption=(
            "Each method's accuracy minus that of random at the same size, paired by seed, with "
            "95% intervals and one panel per fraction. The intervals are not adjusted: among "
            "many, some exclude 0 by chance. If the comparisons were tested at looks, the look at "
            "which each was over and its seeds are at the right."
        ),
        is_due=lambda plan: plan.has_comparisons,
    ),
    "curves": Figure(
        name="curves",
        function="petite.plots.curves.curves",
        inputs={"history": "history"},
        caption=(
            "Accuracy and loss on the validation and training images during training, for every "
            "method and fraction on the same scales. Thin lines are single runs, bold lines are "
            "their means."
        ),
        is_due=lambda plan: plan.has_curves and len(plan.cases) <= MOST_CASES,
    ),
    "curves of a case": Figure(
        name="curves",
        function="petite.plots.curves.curves",
        inputs={"history": "history"},
        caption=(
            "Accuracy and loss on the validation and training images during training, for one "
            "method and fraction (figures 1 to 5 and 10 of the paper). Thin lines are single "
            "runs, bold lines are their means."
        ),
        is_due=lambda plan: plan.has_curves and len(plan.cases) <= MOST_SINGLE_CASES,
        each_case=True,
    ),
    "picks": Figure(
        name="picks",
        function="petite.plots.picks.picks",
        inputs={"features": "pixels", "split": "split", "subsets": "smallest_subsets"},
        caption=(
            "The images that each method keeps at the smallest fraction with seed 0, on the plane "
            "of the first two features."
        ),
        is_due=lambda plan: len(plan.smallest) > 1,
        options=lambda plan: {"fraction": plan.smallest_fraction},
    ),
    "plane_clusters": Figure(
        name="plane_clusters",
        function="petite.plots.plane.plane_clusters",
        inputs=GRID,
        caption=(
            "The training images on the plane that pca_grid divides, colored by cluster, with one "
            "panel per class (figure 7 of the paper)."
        ),
        is_due=_has_grid,
    ),
    "plane_cells": Figure(
        name="plane_cells",
        function="petite.plots.plane.plane_cells",
        inputs=GRID,
        caption=(
            "The cells that pca_grid lays over the bounding box of each cluster, with one panel "
            "per class and cluster (figure 8 of the paper)."
        ),
        is_due=_has_grid,
    ),
    "plane_chosen": Figure(
        name="plane_chosen",
        function="petite.plots.plane.plane_chosen",
        inputs=GRID,
        caption=(
            "The images that pca_grid selected, with the others shown faintly and one panel per "
            "class (figures 6 and 9 of the paper)."
        ),
        is_due=_has_grid,
    ),
    "samples": Figure(
        name="samples",
        function="petite.plots.samples.samples",
        inputs={"store": "store", "split": "split"},
        caption="Training images of each class as they are stored (figures 11 to 14 of the paper).",
    ),
    "stored": Figure(
        name="stored",
        function="petite.plots.samples.stored",
        inputs={"store": "store"},
        caption=(
            "The first images of each class: the original file next to the stored image, enlarged "
            "without smoothing, each with its size and its number of gray levels. Details that "
            "are invisible on the right cannot be learned. Transparent parts of a file are shown "
            "as a checkerboard, and stored as white."
        ),
        takes_source=True,
    ),
    "set_aside": Figure(
        name="set_aside",
        function="petite.plots.samples.set_aside",
        inputs={"store": "store"},
        caption=(
            "Some of the excluded files, each with the reason. Files that cannot be decoded are "
            "gray tiles."
        ),
        takes_source=True,
    ),
    "augmented": Figure(
        name="augmented",
        function="petite.plots.samples.augmented",
        inputs={"store": "store", "subset": "augmented_subset"},
        caption=(
            "Some originals (in bold) and the new images that augmentation made from them. Each "
            "caption is the recipe: one transform, drawn at random within its range."
        ),
        is_due=lambda plan: plan.example("augmentation") is not None,
    ),
}
