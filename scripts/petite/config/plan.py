"""What follows from a checked configuration: which subsets and runs there are, made from what."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypedDict

from petite.config.export import Exported, exported
from petite.config.methods import AUGMENTATION, ChainEntry, MethodEntry, Selection, Step
from petite.config.schema import Config
from petite.features.registry import SPACES
from petite.selection import METHODS
from petite.selection.base import Traits

# A method that ranks, and takes long to, is asked for the smallest of these shares of all images
# that its fractions lie within: a smaller one that is added later is cut from the same ranking.
DEPTHS = (0.1, 0.25, 0.5, 1.0)


class StepParams(TypedDict):
    """A step of a selection, as the jobs are given it.

    `space` is None for a method that compares no features. `share` is the number of images after
    the step, relative to the requested number.
    """

    method: str
    settings: dict[str, Any]
    quota: str
    space: str | None
    share: float


@dataclass(frozen=True)
class Plan:
    """What the rules ask about a configuration; entries of `methods` are named by their labels."""

    config: Config

    @property
    def cases(self) -> list[tuple[str, float]]:
        """(label, fraction) of all that is to be trained."""
        return list(self.config.runs)

    def runs_at(self, fraction: float) -> int:
        """How many seeds a method has at a fraction."""
        return self.config.seeds_by_fraction.get(fraction, self.config.seeds)

    def seed_batches(
        self, fraction: float, done: Collection[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """(first, last) seed of each training job at a fraction.

        Batches that are `done` stay as they are: more seeds, or another number of them in a job,
        train what is missing and nothing again.
        """
        runs = self.runs_at(fraction)
        batches = []
        first = 0
        while first < runs:
            made = [last for begin, last in done if begin == first and last < runs]
            # A new batch ends where one that is done begins.
            ahead = [begin for begin, last in done if first < begin <= last < runs]
            stop = min(ahead, default=runs)
            last = max(made, default=min(first + self.config.seeds_per_job, stop) - 1)
            batches.append((first, last))
            first = last + 1
        return batches

    def exported(self) -> Exported | None:
        """The subset that `export` names; None for the recommended one, known after all runs."""
        subset = exported(self.config.export, self.config.runs)
        if subset is None or self.is_seeded(subset.method):
            return subset
        return subset._replace(seed=0)

    def steps(self, label: str) -> list[StepParams]:
        """What an entry asks for, step by step; a method that is no chain is one step."""
        return [
            StepParams(
                method=step.method,
                settings=step.settings.model_dump(mode="json"),
                quota=step.quota,
                space=self._space(step),
                share=step.share if isinstance(step, Step) else 1.0,
            )
            for step in self._entry(label).steps
        ]

    def selection_settings(self, label: str) -> dict[str, Any]:
        """All that decides which images an entry keeps."""
        settings: dict[str, Any] = {"steps": self.steps(label)}
        if any(traits.two_stage for traits in self._traits(label)):
            settings["partitions"] = self.config.partitions
        return settings

    def augmentation_settings(self, label: str) -> dict[str, Any]:
        """The settings of an entry of the method `augmentation`."""
        [step] = self._entry(label).steps
        return step.settings.model_dump(mode="json")

    def proxy_settings(self) -> dict[str, Any]:
        """What the proxy is trained with: the training's settings, but for its budget."""
        training = self.config.training.model_dump(mode="json")
        training["budget"] = {"steps": self.config.proxy.steps, "epochs": None}
        training["evaluations"] = self.config.proxy.evaluations
        return {"training": training, "early": self.config.proxy.early}

    def spaces(self, label: str) -> list[str]:
        """The feature spaces that an entry compares images in, each once."""
        spaces = map(self._space, self._entry(label).steps)
        return list(dict.fromkeys(space for space in spaces if space))

    def ranks(self, label: str) -> bool:
        """Whether the entry's smaller subsets are cut from one ranking."""
        traits = self._traits_of_one_method(label)
        return traits is not None and traits.ranks

    def depth(self, label: str) -> float:
        """The share of all images that an entry is to rank."""
        if not self._is_two_stage(label):
            return 1.0
        most = max(self._entry(label).fractions, default=1.0)
        return min(depth for depth in DEPTHS if depth >= most)

    def partitioned(self, label: str) -> int:
        """Into how many jobs the first stage of an entry's selection is divided; 1: none."""
        return self.config.partitions or 1 if self._is_two_stage(label) else 1

    def needs_proxy_scores(self, label: str) -> bool:
        """Whether a step chooses by a score of training, or by the classes' errors."""
        return any(step.quota == "error" for step in self._entry(label).steps) or any(
            traits.scores is not None for traits in self._traits(label)
        )

    def is_seeded(self, label: str) -> bool:
        """Whether another seed may choose other images."""
        steps = self._entry(label).steps
        return (
            self.needs_proxy_scores(label)
            or any(traits.chance for traits in self._traits(label))
            or any(step.method == AUGMENTATION for step in steps)
            or any(SPACES[space].is_of_proxy for space in self.spaces(label))
        )

    def _entry(self, label: str) -> ChainEntry | MethodEntry:
        return self.config.methods[label]

    def _is_two_stage(self, label: str) -> bool:
        """Whether an entry is one method that first chooses candidates in parts of each class."""
        traits = self._traits_of_one_method(label)
        return traits is not None and traits.two_stage

    def _traits_of_one_method(self, label: str) -> Traits | None:
        """What an entry needs that is a selection method by itself; None for any other one."""
        entry = self._entry(label)
        is_one = isinstance(entry, MethodEntry) and entry.method != AUGMENTATION
        return self._traits(label)[0] if is_one else None

    def _traits(self, label: str) -> list[Traits]:
        """What the selecting steps of an entry need."""
        steps = self._entry(label).steps
        return [_traits(step) for step in steps if step.method != AUGMENTATION]

    def _space(self, step: Selection) -> str | None:
        """The feature space that a step compares images in, or None."""
        if step.method == AUGMENTATION:
            return None
        needs = _traits(step).features
        return (step.space or self.config.features.space) if needs == "any" else needs


def _traits(step: Selection) -> Traits:
    return METHODS[step.method].traits(step.settings)
