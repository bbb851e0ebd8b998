"""The whole configuration, which is validated before any job starts.

Each section has its own module. The settings of a selection method are defined with the method,
those of training with the training.
"""

import math
from typing import Any

from pydantic import Field, ValidationError, model_validator

from petite.config.backbone import BackboneSettings
from petite.config.checks import CheckSettings
from petite.config.comparisons import with_full, with_random
from petite.config.dataset import DatasetSettings
from petite.config.encodings import Budget, Encodings, EncodingSettings
from petite.config.evidence import EvidenceSettings
from petite.config.export import BEST, Formats, exported
from petite.config.features import FeatureSettings
from petite.config.grow import GrowSettings, grow_problems
from petite.config.image_lists import ImageList
from petite.config.judges import Judges, JudgesSection
from petite.config.labels import Labels
from petite.config.messages import sentences
from petite.config.methods import (
    AUGMENTATION,
    FULL,
    MAKING,
    SYNTHETIC,
    ChainEntry,
    MethodEntry,
    Methods,
)
from petite.config.pool import PoolSettings, pool_problems
from petite.config.proxy import ProxySection
from petite.config.seeds import LooksSettings, Seeds
from petite.config.size import check_size
from petite.config.split import SplitSettings
from petite.config.values import Duration
from petite.data.sources import SOURCES
from petite.evaluation.looks import Looks
from petite.evaluation.statistics import ALPHA, least_p, seeds_to_decide
from petite.features.registry import SPACES
from petite.subsets.synthetic import LEAST_CELL, RdedSettings
from petite.training.judges import FINE_TUNE, JUDGES, PROBE, PROBE_SOFT, SCRATCH, judge_named
from petite.training.seeing import SEE_FEWER
from petite.training.settings import TrainingSettings
from petite.util import duration, memory
from petite.util.encoded_names import ORIGINAL, in_encoding, method_of
from petite.util.errors import PetiteError
from petite.util.formatting import counted
from petite.util.validation import Fraction, SeedCount, Strict


def load(mapping: dict[str, Any]) -> "Config":
    """Validate a configuration.

    Parameters
    ----------
    mapping : dict
        As read from YAML.

    Returns
    -------
    Config

    Raises
    ------
    PetiteError
        With one line per problem.
    """
    check_size(mapping)
    try:
        return Config.model_validate(mapping)
    except ValidationError as error:
        lines = sentences(error.errors(), Config)
        raise PetiteError(
            f"the configuration has {counted(len(lines), 'problem')}:\n"
            + "\n".join(f"  - {line}" for line in lines)
        ) from None


class Config(Strict):
    """The configuration of one run."""

    dataset: DatasetSettings = DatasetSettings()
    labels: Labels | None = Field(
        None, description="a table that says which image has which label; null: folders are classes"
    )
    split: SplitSettings = SplitSettings()
    pool: PoolSettings = PoolSettings()
    grow: GrowSettings = GrowSettings()
    features: FeatureSettings = FeatureSettings()
    backbone: BackboneSettings = BackboneSettings()
    proxy: ProxySection = ProxySection()
    methods: Methods
    keep: ImageList = Field(
        [], description="training images that every subset contains: ids or patterns, or a file"
    )
    exclude: ImageList = Field(
        [], description="training images that no subset contains: ids or patterns, or a file"
    )
    encodings: Encodings = Field(
        [EncodingSettings(codec=ORIGINAL)],
        description="how training images are stored: the judges compare the methods in each "
        "encoding; test images are the originals",
    )
    bytes: Budget | None = Field(
        None,
        description="a budget, such as 10% (of all originals) or 2 MB: the run searches for the "
        "encoding and the count of random images that learn most within it, and judges it",
    )
    seeds: Seeds = Field(
        LooksSettings(looks=[8, 20]),
        description="runs of each method and fraction, or {looks: [7, 10, 15, 30]}: more seeds for "
        "what is not decided",
    )
    seeds_by_fraction: dict[Fraction, SeedCount] = Field(
        {}, description="number of runs at these fractions instead"
    )
    seeds_per_job: int = Field(
        8, ge=1, description="runs that one training job trains one after the other"
    )
    budget: Duration | None = Field(
        None,
        description="time of the whole run, such as 30 min or 2 h: fewer seeds, then fewer "
        "comparisons, if they take longer; null: no limit",
    )
    partitions: int | None = Field(
        None,
        ge=1,
        description="parts of large classes, one job each; null: automatic, within one job",
    )
    max_memory: str | None = Field(
        None,
        description="memory of one selection and of a training's images, such as 6 GB; null: half "
        "of what is free",
    )
    training: TrainingSettings = TrainingSettings()
    training_threads: int = Field(1, ge=1, description="threads of one training job")
    training_gpus: int = Field(
        0, ge=0, description="GPUs to request from the cluster per training or embedding job"
    )
    judges: Judges = JudgesSection()
    evidence: EvidenceSettings = EvidenceSettings()
    checks: CheckSettings = CheckSettings()
    # Exporting changes no result, so it is left out of the record of how results were made.
    export: str = Field(
        BEST,
        exclude=True,
        description="subset to export: METHOD:FRACTION, METHOD:FRACTION:SEED, or best; METHOD may "
        "be encoded, as in random@64px-webp-q40",
    )
    export_formats: Formats = Field(
        ["folder"], min_length=1, exclude=True, description="formats of the exported images"
    )

    @property
    def budget_seconds(self) -> float:
        """The time of the whole run; infinite without a budget."""
        return math.inf if self.budget is None else duration.parse(self.budget)

    def runs_at(self, fraction: float, judge: str) -> int:
        """The number of seeds of each method at a fraction, for a judge; with looks, the most."""
        if looks := self.looks_of(judge):
            return looks.seeds[-1]
        own = self.judges.used[judge].seeds or self.seeds_by_fraction.get(fraction)
        assert own is not None or isinstance(self.seeds, int)
        return own or int(self.seeds)  # type: ignore[arg-type]

    @property
    def _fractions(self) -> set[float]:
        """Those of all methods."""
        return {share for entry in self.methods.values() for share in entry.fractions}

    @property
    def notices(self) -> list[str]:
        """What these settings do that their author may not expect, in sentences."""
        unused = sorted(set(self.seeds_by_fraction) - self._fractions - {1})
        found = []
        if unused and not self.bytes:  # a search for bytes finds its own fractions
            found.append(
                f"seeds_by_fraction: no method has the fraction {', '.join(map(str, unused))}, so "
                "its seeds are not used"
            )
        stored, tuned = self.dataset.image_size, self.judges.fine_tune
        if tuned and stored < tuned.image_size:
            found.append(
                f"{FINE_TUNE} enlarges the images from dataset.image_size ({stored} pixels a side) "
                f"to judges.{FINE_TUNE}.image_size ({tuned.image_size}), which adds no detail. If "
                f"yours are larger, `dataset: {{image_size: {tuned.image_size}}}` gives a higher "
                "accuracy"
            )
        return found

    def looks_of(self, judge: str) -> Looks | None:
        """The looks of a judge's seeds; None for a fixed number of seeds."""
        if self.judges.used[judge].seeds or not isinstance(self.seeds, LooksSettings):
            return None
        return self.seeds.as_looks()

    def runs_of(self, judge: str) -> dict[tuple[str, float], int]:
        """The number of runs of each label and fraction that a judge judges."""
        only = self.judges.used[judge].fractions
        return {
            (name, fraction): self.runs_at(fraction, judge)
            for name, entry in self._encoded(judge).items()
            if judge_named(judge).takes_recipes or not _makes_images(entry)
            if judge_named(judge).sees_fewer or not _sees_fewer(entry)
            for fraction in entry.fractions
            if only is None or fraction in only
        }

    def _encoded(self, judge: str) -> dict[str, ChainEntry | MethodEntry]:
        """The entries of `methods` in each encoding in which a judge judges them.

        The full set is judged in the original too, because all are compared with it. Images of
        `rded` and `dm` have no original file, so that they are judged without encoding, as is what
        sees fewer of all originals.
        """
        names = [one.name for one in self.encodings]
        if not judge_named(judge).takes_encodings:
            names = [ORIGINAL]
        return {
            in_encoding(label, name): entry
            for name in dict.fromkeys([ORIGINAL, *names])
            for label, entry in self.methods.items()
            if (name in names or label == FULL)
            and not (name != ORIGINAL and (entry.method in SYNTHETIC or _sees_fewer(entry)))
        }

    @property
    def runs(self) -> dict[tuple[str, float], int]:
        """The number of seeds of each label and fraction: the most that a judge takes."""
        found: dict[tuple[str, float], int] = {}
        for judge in self.judges.used:
            for case, runs in self.runs_of(judge).items():
                found[case] = max(runs, found.get(case, 0))
        # In the order of the methods, whichever judge comes first.
        ordered = [(label, share) for label, own in self.methods.items() for share in own.fractions]
        encoded = [case for case in found if case not in ordered]
        return {case: found[case] for case in [*ordered, *encoded] if case in found}

    @property
    def subsets(self) -> dict[tuple[str, float], int]:
        """The number of seeds of each label and fraction, whatever the encoding."""
        found: dict[tuple[str, float], int] = {}
        for (name, fraction), runs in self.runs.items():
            case = method_of(name), fraction
            found[case] = max(runs, found.get(case, 0))
        return found

    @property
    def exportable(self) -> dict[tuple[str, float], int]:
        """The number of seeds of each subset that can be exported, as originals and encoded."""
        return {**self.subsets, **self.runs}

    @model_validator(mode="after")
    def _sections_fit_together(self) -> "Config":
        problems = [
            *self._budget_problems(),
            *self._labels_problems(),
            *self._method_problems(),
            *self._judge_problems(),
            *self._repeats_problems(),
            *self._encoding_problems(),
            *self._bytes_problems(),
            *pool_problems(self.pool, self.methods),
            *grow_problems(self.grow, self.methods, self.subsets, self.features.space),
            *(f"training.{text}" for text in self.training.size_problems(self.dataset.image_size)),
        ]
        try:
            if self.max_memory is not None:
                memory.parse(self.max_memory)
        except PetiteError as error:
            problems.append(f"max_memory: {error}")
        try:
            if self.bytes is None:  # else it is known after the search
                exported(self.export, self.exportable)
        except PetiteError as error:
            problems.append(f"export: {error}")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _budget_problems(self) -> list[str]:
        """Where there is nothing to plan."""
        if self.budget is None or self.pool.labeled:
            return []
        return [
            f"budget: '{self.budget}' plans the comparisons of labeled images, and there are none: "
            "set it to null"
        ]

    def _labels_problems(self) -> list[str]:
        """Where the table of labels does not fit the source."""
        source = self.dataset.source
        if self.labels is None or SOURCES[source].takes_labels:
            return []
        takers = [name for name, kind in SOURCES.items() if kind.takes_labels]
        return [
            f"labels: the source '{source}' takes no table of labels, but {' and '.join(takers)} "
            "do: set labels to null, or choose one of these"
        ]

    def _method_problems(self) -> list[str]:
        """What the entries of `methods` need but the rest of the configuration does not give."""
        problems = []
        for label, entry in self.methods.items():
            if entry.method == AUGMENTATION and "random" not in self.methods:
                problems.append(
                    f"methods.{label}: 'augmentation' uses the images of 'random': add 'random'"
                )
            if entry.method in SYNTHETIC and entry.fractions:
                problems += self._synthetic_problems(label, entry)
            if _sees_fewer(entry) and entry.fractions and not self._has_full:
                problems.append(
                    f"methods.{label}: '{entry.method}' is compared with 'full': add full: "
                    "{fractions: [1]}"
                )
            for space in dict.fromkeys(step.space for step in entry.steps if step.space):
                key = SPACES[space].file
                if key and not getattr(self.features, key):
                    problems.append(f"methods.{label}: the space '{space}' needs features.{key}")
        if self.checks.label_errors == "own" and self.features.path is None:
            problems.append("checks.label_errors: the space 'own' needs features.path")
        if not any(entry.fractions for entry in self.methods.values()):
            problems.append("methods: no entry has fractions: give them to one or more")
        return problems

    def _synthetic_problems(self, label: str, entry: ChainEntry | MethodEntry) -> list[str]:
        """What a method that makes all of its images does not go together with."""
        problems = []
        if self.keep:
            problems.append(
                f"methods.{label}: '{entry.method}' makes all of its images, so that it has no "
                "place for those of keep: remove one of the two"
            )
        settings = entry.steps[0].settings
        if isinstance(settings, RdedSettings):
            if self.proxy.of != "network":
                problems.append(
                    f"methods.{label}: 'rded' needs a network that scores crops, and proxy.of is "
                    f"{self.proxy.of}: set it to network"
                )
            side, most = self.dataset.image_size, self.dataset.image_size // LEAST_CELL
            if settings.mosaic > most:
                problems.append(
                    f"methods.{label}.mosaic: {settings.mosaic} crops on each side of {side} "
                    f"pixels would have fewer than {LEAST_CELL} pixels each: use {most} or less, "
                    "or a larger dataset.image_size"
                )
        return problems

    @property
    def _has_full(self) -> bool:
        return FULL in self.methods and bool(self.methods[FULL].fractions)

    def _repeats_problems(self) -> list[str]:
        """What several splits do not go together with."""
        problems = []
        if self.split.repeats > 1:
            if any(self.looks_of(judge) for judge in self.judges.used):
                problems.append(
                    f"split.repeats: {self.split.repeats} splits need the same seeds in each, and "
                    "looks decide them for each: set seeds to a number, such as 7"
                )
            if self.pool.path:
                problems.append(
                    f"split.repeats: {self.split.repeats} splits are of no use to label_next, "
                    "which chooses among the images of pool.path: set it to 1"
                )
        return problems

    def _encoding_problems(self) -> list[str]:
        """Where nothing is judged in the encodings."""
        used = self.judges.used
        if all(one.name == ORIGINAL for one in self.encodings) or any(
            method_of(name) != name for judge in used for name, _ in self.runs_of(judge)
        ):
            return []
        if not any(judge_named(judge).takes_encodings for judge in used):
            return [
                f"encodings: {', '.join(used)} judges originals only: remove the encodings, or add "
                "one of " + ", ".join(JUDGES)
            ]
        return ["encodings: no method has a fraction that is judged in them"]

    def _bytes_problems(self) -> list[str]:
        """What the search within a budget of bytes needs."""
        if self.bytes is None:
            return []
        problems = []
        first = next(iter(self.judges.used))
        if first not in (PROBE, FINE_TUNE, SCRATCH):
            problems.append(
                f"bytes: the search trains by the first judge, which is {first}: remove it, or "
                f"add {PROBE} or {SCRATCH}"
            )
        if first == PROBE and self.backbone.command:
            problems.append(
                "bytes: the search embeds with a network, and backbone.command is a program: "
                f"set it to null, or judges.{PROBE} to null"
            )
        if not self.split.validation:
            problems.append(
                "bytes: validation images choose the encoding, and split.validation is 0: raise it"
            )
        if missing := [name for name in (FULL, "random") if name not in self.methods]:
            problems.append(f"bytes: the best encoding is compared with '{missing[0]}': add it")
        if any(one.name != ORIGINAL for one in self.encodings):
            problems.append(
                "bytes: the search chooses the encoding, and encodings names others: remove one of "
                "the two"
            )
        if self.split.repeats > 1:
            problems.append(
                "bytes: the search must see no test images, and with split.repeats those of one "
                "split are training images of another: set it to 1"
            )
        if self.grow.path is not None:
            problems.append(
                "bytes: the search chooses among the images of the data set, and grow.path adds "
                "others: remove one of the two"
            )
        return problems

    def _looks_problems(self, judge: str) -> list[str]:
        """Looks that can decide no comparison with random, if a judge has no others."""
        looks, cases = self.looks_of(judge), self.runs_of(judge)
        tests = len(with_random(cases))
        if looks is None or with_full(cases):
            return []
        return [
            f"seeds.looks: {seeds} seeds can decide none of the {tests} comparisons with random: "
            f"the smallest adjusted p that they can give is {tests * least_p(seeds):.3g}, and the "
            f"level of this look is {level:.3g}: leave this look out, or make it "
            f"{seeds_to_decide(tests * ALPHA / level)} seeds or more"
            for seeds, level in zip(looks.seeds, looks.levels, strict=True)
            if tests * least_p(seeds) > level
        ]

    def _judge_problems(self) -> list[str]:
        """Where the judges do not fit the methods."""
        problems = []
        if isinstance(self.seeds, LooksSettings) and self.seeds_by_fraction:
            problems.append(
                "seeds_by_fraction: with seeds.looks, each comparison gets the seeds that it "
                "needs: set it to {}, or seeds to a number"
            )
        for judge in self.judges.used:
            problems += self._looks_problems(judge)
            only = self.judges.used[judge].fractions
            if unknown_shares := sorted(set(only or []) - self._fractions):
                problems.append(
                    f"judges.{judge}.fractions: no method has the fraction "
                    f"{', '.join(map(str, unknown_shares))}"
                )
            elif self._fractions and not self.runs_of(judge):
                problems.append(
                    f"judges.{judge}: no method has a fraction that it judges"
                    f"{self._why_not_judged(judge)}"
                )
        cannot_train = self.backbone.command or self.backbone.name.endswith(".onnx")
        if self.judges.fine_tune and cannot_train:
            problems.append(
                f"judges.{FINE_TUNE}: '{self.backbone.label}' cannot be trained: set backbone.name "
                f"to a .keras file, or judges.{FINE_TUNE} to null"
            )
        return [*problems, *self._probe_problems()]

    def _why_not_judged(self, judge: str) -> str:
        """Which kinds of methods a judge that judges none of them leaves out; "" for no kind."""
        asked = [entry for entry in self.methods.values() if entry.fractions]
        reasons = []
        if not judge_named(judge).takes_recipes and any(map(_makes_images, asked)):
            reasons.append("images that a method makes have no embeddings")
        if not judge_named(judge).sees_fewer and any(map(_sees_fewer, asked)):
            reasons.append("only networks that Petite trains have passes that can see fewer images")
        return f": {', and '.join(reasons)}" if reasons else ""

    def _probe_problems(self) -> list[str]:
        """Where probes, on hard or soft labels, do not fit the split and the methods."""
        problems = []
        for name, probe in ((PROBE, self.judges.probe), (PROBE_SOFT, self.judges.probe_soft)):
            if probe is None:
                continue
            if len(probe.penalties) > 1 and not self.split.validation:
                problems.append(
                    f"judges.{name}.penalties: validation images choose one of them, and "
                    "split.validation is 0: raise it, or give one penalty"
                )
            problems += [
                f"methods.{label}.fractions: {share} is above judges.{name}.pool_share, which is "
                f"{probe.pool_share:g}: leave it out, or set judges.{name}.fractions"
                for label, share in dict.fromkeys(
                    (method_of(case), share) for case, share in self.runs_of(name)
                )
                if probe.pool_share < share < 1
            ]
        return problems


def _sees_fewer(entry: ChainEntry | MethodEntry) -> bool:
    return entry.method in SEE_FEWER


def _makes_images(entry: ChainEntry | MethodEntry) -> bool:
    return any(step.method in MAKING for step in entry.steps)
