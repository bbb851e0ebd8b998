"""The plan of a run: the subsets and runs of a configuration, and what each depends on."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NotRequired, TypedDict

from petite.config.export import Exported, exported
from petite.config.methods import (
    AUGMENTATION,
    FULL,
    MAKING,
    ChainEntry,
    MethodEntry,
    Selection,
    Step,
)
from petite.config.schema import Config
from petite.features.registry import SPACES
from petite.selection import METHODS
from petite.selection.base import StepParams, Traits
from petite.selection.quota import GROUP
from petite.subsets.synthetic import DM, RDED
from petite.training.judges import FINE_TUNE, Judge, judge_named
from petite.training.seeing import SEE_FEWER
from petite.util.encoded_names import method_of

# Seeds that one job selects for, as a selection is often faster than the start of its job.
SEEDS_PER_SELECTION = 10
# A slow method that ranks is asked for the smallest of these shares of all images that covers its
# fractions. A smaller fraction that is added later is cut from the same ranking.
DEPTHS = (0.1, 0.25, 0.5, 1.0)


class SelectionParams(TypedDict):
    """All that decides which images an entry keeps, in the parameters of jobs."""

    steps: list[StepParams]
    partitions: NotRequired[int | None]


class ProxyParams(TypedDict):
    """The settings of the proxy's training, in the parameters of jobs."""

    training: dict[str, Any]
    early: float


@dataclass(frozen=True)
class Plan:
    """What the rules ask about a configuration.

    Parameters
    ----------
    config : Config
        A `label` in the methods below is that of an entry of its `methods`, which may be encoded.
    """

    config: Config

    @property
    def judges(self) -> list[Judge]:
        """The judges in use; the first one gives the recommendation to export."""
        return [judge_named(name) for name in self.config.judges.used]

    def seen_by(self, judge: Judge) -> dict[str, Any]:
        """How a judge's models see the images; see `petite.evaluation.chance.Circumstances`."""
        if judge.reads_embeddings:
            size = self.config.backbone.image_size
            return {"image_size": size, "flips": "none", "is_frozen": True}
        stored = self.config.dataset.image_size
        if judge.name == FINE_TUNE and (settings := self.config.judges.fine_tune):
            # Enlarging adds no detail.
            size = min(settings.image_size, stored)
            section = f"judges.{FINE_TUNE}"
            return {"image_size": size, "flips": settings.flips, "settings": section}
        if (program := self.config.judges.programs.get(judge.name)) is not None:
            return {"image_size": program.image_size or stored, "flips": "none"}
        return {"image_size": stored, "flips": self.config.training.flips}

    def cases_of(self, judge: str) -> list[tuple[str, float]]:
        """The label and fraction of each subset that a judge judges."""
        return list(self.config.runs_of(judge))

    def subset_seeds(self, label: str, fraction: float) -> int:
        """Count the subsets of a case that are kept as files: seed 0 and those that judges read.

        Augmentation makes its images of those of `random`.
        """
        labels = [label, *self._augmenting] if label == "random" else [label]
        return max(self._subsets_read.get((name, fraction), 1) for name in labels)

    def ranking_seeds(self, label: str) -> int:
        """Count the rankings of an entry from which its subsets are cut."""
        return max(self.subset_seeds(label, fraction) for _, fraction in self.config.runs)

    @cached_property
    def _augmenting(self) -> list[str]:
        """The entries of the method `augmentation`."""
        entries = self.config.methods.items()
        return [label for label, entry in entries if entry.method == AUGMENTATION]

    @cached_property
    def _subsets_read(self) -> dict[tuple[str, float], int]:
        """The number of subsets of each case that judges read."""
        found: dict[tuple[str, float], int] = {}
        for judge in self.judges:
            own = {} if judge.selects else self.config.runs_of(judge.name)
            for (name, fraction), runs in own.items():
                case = method_of(name), fraction
                found[case] = max(runs, found.get(case, 0))
        return found

    def selection_batches(
        self, label: str, seeds: int, done: Collection[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Divide the selections of an entry into jobs.

        Parameters
        ----------
        label : str
        seeds : int
            How many of them are needed; a deterministic selection is made once for all seeds.
        done : collection of (int, int)
            The first and last seed of jobs that are done. They stay as they are, also if they have
            more seeds than are needed now.

        Returns
        -------
        list of (int, int)
            The first and last seed of each job.
        """
        # If a selection is divided into jobs, those of a seed are not to wait for another one. The
        # images of `dm` take minutes or hours to learn.
        is_long = self.partitioned(label) > 1 or self._entry(label).method == DM
        per_job = 1 if is_long else SEEDS_PER_SELECTION
        return batches_of_seeds(seeds if self.is_seeded(label) else 1, per_job, done)

    def seed_batches(
        self, judge: str, fraction: float, done: Collection[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Divide the seeds of a judge at a fraction into jobs.

        Parameters
        ----------
        judge : str
        fraction : float
        done : collection of (int, int)
            The first and last seed of jobs that are done. They stay as they are: if the number of
            seeds changes, or the number per job, only missing seeds are trained.

        Returns
        -------
        list of (int, int)
            The first and last seed of each job.
        """
        runs = self.config.runs_at(fraction, judge)
        looks = self.config.looks_of(judge)
        # The selection of a judge that selects takes longer than its start, so one job does all.
        per_job = runs if judge_named(judge).selects else self.config.seeds_per_job
        known = [batch for batch in done if batch[1] < runs]
        return batches_of_seeds(runs, per_job, known, looks.seeds if looks else ())

    def exported(self) -> Exported | None:
        """Find the subset that `export` names; None for the recommended one."""
        subset = exported(self.config.export, self.config.exportable)
        return subset and self.named_subset(subset)

    def named_subset(self, subset: Exported) -> Exported:
        """The same subset with the seed of its file: a deterministic selection has one, 0."""
        return subset if self.is_seeded(subset.method) else subset._replace(seed=0)

    def steps(self, label: str) -> list[StepParams]:
        """List the steps of an entry; a method that is not a chain is one step."""
        return [
            StepParams(
                method=_selecting(step),
                settings={} if step.method in SEE_FEWER else step.settings.model_dump(mode="json"),
                quota=step.quota,
                space=self._space(step),
                share=step.share if isinstance(step, Step) else 1.0,
            )
            for step in self._entry(label).steps
        ]

    def least_share(self, label: str) -> float:
        """The smallest number of images after a step of an entry, relative to those at its end."""
        selecting = [step for step in self.steps(label) if step["method"] not in MAKING]
        return min((step["share"] for step in selecting), default=1.0)

    def selection_settings(self, label: str) -> SelectionParams:
        """Collect all settings that decide which images an entry keeps."""
        settings: SelectionParams = {"steps": self.steps(label)}
        if any(traits.two_stage for traits in self._traits(label)):
            settings["partitions"] = self.config.partitions
        return settings

    def making_settings(self, label: str) -> dict[str, Any]:
        """Collect the settings of an entry of a method that makes images."""
        [step] = self._entry(label).steps
        return step.settings.model_dump(mode="json")

    def seeing(self, label: str) -> dict[str, Any] | None:
        """Collect what a training skips, by its method; None if it sees all images."""
        step = self._entry(label).steps[0]
        if step.method not in SEE_FEWER:
            return None
        return {step.method: step.settings.model_dump(mode="json")}

    def proxy_settings(self) -> ProxyParams:
        """Collect the settings of a proxy that is a network: those of training, another budget."""
        training = self.config.training.model_dump(mode="json")
        training["budget"] = {"steps": self.config.proxy.steps, "epochs": None}
        training["evaluations"] = self.config.proxy.evaluations
        return {"training": training, "early": self.config.proxy.early}

    def linear_proxy_settings(self) -> dict[str, Any]:
        """Collect the settings of a proxy that is a linear classifier on embeddings."""
        return self.config.proxy.model_dump(mode="json", exclude={"of"})

    def spaces(self, label: str) -> list[str]:
        """List the feature spaces in which an entry compares images, each once."""
        spaces = map(self._space, self._entry(label).steps)
        return list(dict.fromkeys(space for space in spaces if space))

    def ranks(self, label: str) -> bool:
        """Whether the entry's smaller subsets are cut from one ranking."""
        traits = self._traits_of_one_method(label)
        return traits is not None and traits.ranks

    def depth(self, label: str) -> float:
        """Compute the share of all images that an entry has to rank."""
        if not self._is_two_stage(label):
            return 1.0
        most = max(self._entry(label).fractions, default=1.0)
        return min(depth for depth in DEPTHS if depth >= most)

    def partitioned(self, label: str) -> int:
        """Count the jobs of the first stage of an entry's selection; 1 if it is not divided."""
        return self.config.partitions or 1 if self._is_two_stage(label) else 1

    @property
    def needs_groups(self) -> bool:
        """Whether a method that is run divides the images evenly over their groups."""
        entries = self.config.methods.values()
        return any(
            step.quota == GROUP for entry in entries if entry.fractions for step in entry.steps
        )

    def needs_proxy_scores(self, label: str) -> bool:
        """Whether a step uses a score of the proxy's training, or the error of each class."""
        return any(step.quota == "error" for step in self._entry(label).steps) or any(
            traits.scores is not None for traits in self._traits(label)
        )

    def needs_proxy(self, label: str) -> bool:
        """Whether a step uses the proxy: its scores, a feature space that it makes, or itself."""
        is_teacher = self._entry(label).method == RDED
        return (
            is_teacher
            or self.needs_proxy_scores(label)
            or any(SPACES[space].is_of_proxy for space in self.spaces(label))
        )

    @property
    def proxy_uses_embeddings(self) -> bool:
        """Whether the proxy is trained on the backbone's embeddings, and a selection uses it."""
        return self.config.proxy.of == "embeddings" and any(
            entry.fractions and self.needs_proxy(label)
            for label, entry in self.config.methods.items()
        )

    def is_seeded(self, label: str) -> bool:
        """Whether another seed may select other images."""
        steps = self._entry(label).steps
        return (
            self.needs_proxy(label)
            or any(traits.chance for traits in self._traits(label))
            or any(step.method in MAKING for step in steps)
        )

    def _entry(self, label: str) -> ChainEntry | MethodEntry:
        return self.config.methods[method_of(label)]

    def _is_two_stage(self, label: str) -> bool:
        """Whether an entry is one method that first selects candidates in parts of each class."""
        traits = self._traits_of_one_method(label)
        return traits is not None and traits.two_stage

    def _traits_of_one_method(self, label: str) -> Traits | None:
        """The traits of an entry that is one selection method; None for any other entry."""
        entry = self._entry(label)
        is_one = isinstance(entry, MethodEntry) and entry.method not in MAKING
        return self._traits(label)[0] if is_one else None

    def _traits(self, label: str) -> list[Traits]:
        """The traits of the steps of an entry that select images."""
        steps = self._entry(label).steps
        return [_traits(step) for step in steps if step.method not in MAKING]

    def _space(self, step: Selection) -> str | None:
        """The feature space in which a step compares images, or None."""
        if step.method in MAKING:
            return None
        needs = _traits(step).features
        return (step.space or self.config.features.space) if needs == "any" else needs


def batches_of_seeds(
    seeds: int, per_job: int, done: Collection[tuple[int, int]], looks: Sequence[int] = ()
) -> list[tuple[int, int]]:
    """Divide seeds into jobs, of which some are done and stay; no new one crosses a look.

    Returns
    -------
    list of (int, int)
        The first and last seed of each job.

    Examples
    --------
    >>> batches_of_seeds(15, 10, done=[(0, 6)])
    [(0, 6), (7, 14)]
    """
    batches = []
    first = 0
    while first < seeds:
        look = min((number for number in looks if number > first), default=seeds)
        made = [last for begin, last in done if begin == first]
        # A new batch ends where one that is done begins.
        stop = min((begin for begin, _ in done if begin > first), default=seeds)
        last = max(made, default=min(first + per_job, stop, look, seeds) - 1)
        batches.append((first, last))
        first = last + 1
    return batches


def _traits(step: Selection) -> Traits:
    return METHODS[_selecting(step)].traits(step.settings)


def _selecting(step: Selection) -> str:
    """The method that selects: what sees fewer images keeps all."""
    return FULL if step.method in SEE_FEWER else step.method
