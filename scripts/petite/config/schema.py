"""The typed configuration: what config.yaml may say, checked as a whole before any job starts.

`load(mapping)` gives a `Config` or raises a PetiteError that lists everything that is wrong.
The settings of a selection method live beside the method, those of training beside the engine.
"""

import json
import os
import re
from collections.abc import Collection
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from petite.data import groups
from petite.data.sources import SOURCES, USUAL_LIMITS
from petite.data.sources.layout import nfc
from petite.selection import METHODS, MethodSettings
from petite.subsets.augmentation import Settings as AugmentationSettings
from petite.training.settings import TrainingSettings
from petite.util import memory
from petite.util.errors import PetiteError
from petite.util.formatting import counted
from petite.util.hints import hint, unknown
from petite.util.validation import Strict


def _few_digits(fraction: float) -> float:
    """Fractions stand in file names, with so many digits."""
    if float(f"{fraction:g}") != fraction:
        raise ValueError(f"{fraction!r} has more than six digits: write {fraction:g}")
    return fraction


Fraction = Annotated[float, Field(gt=0, le=1), AfterValidator(_few_digits)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
# More values than any configuration needs. A few lines of YAML can stand for billions.
MOST_VALUES = 100_000
# Labels stand in paths and on command lines.
LABEL = re.compile("[A-Za-z0-9][A-Za-z0-9_-]*")
# In the name of a rule's input.
WILDCARD = re.compile(r"\{\s*\w[^{}]*\}")
# A folder of results/: letters and digits of any script.
NAME = re.compile(r"\w[\w.-]*")
AUGMENTATION = "augmentation"
INFINITY = float("inf")
CHAIN = "chain"
LEAST_REAL_SHARE = 0.02  # of a chain's images before augmentation, which makes the others
BEST = "best"
# Keys and values that were spelled otherwise before, and how they are spelled now.
RENAMED = {"neighbours": "neighbors", "grey": "gray"}
# What YAML makes of no, 007, 1e3 and 2024-05-01.
NOT_TEXT = (bool, int, float, date)
SPACES = ("pixels", "random_conv", "proxy", "own")
SpaceName = Literal["pixels", "random_conv", "proxy", "own"]
# A method that ranks, and takes long to, is asked for the smallest of these shares of all images
# that its fractions lie within: a smaller one that is added later is cut from the same ranking.
DEPTHS = (0.1, 0.25, 0.5, 1.0)


class Exported(NamedTuple):
    """A subset that is taken away: the label of its entry, its fraction and selection seed."""

    method: str
    fraction: float
    seed: int


def _is(text: str, number: float) -> bool:
    """Whether a text is this number."""
    try:
        return float(text) == number
    except ValueError:
        return False


def _listed(value: Any) -> Any:
    """One name is a list of one, so that --config export_formats=zip does."""
    return [value] if isinstance(value, str) else value


def _expanded(path: str) -> str:
    """A path below someone's home, `~/photos`, in full."""
    return path if "://" in path else os.path.expanduser(path)  # noqa: PTH111 - keeps "./2024"


def _named(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(
            f"'{name}' cannot name a folder of results/: begin with a letter or a digit, and go on "
            "with these, '_', '-' and '.'"
        )
    return name


UserPath = Annotated[str, AfterValidator(_expanded)]


def _no_wildcards(path: str) -> None:
    if found := WILDCARD.search(path):
        raise ValueError(
            f"path: the name has {found[0]} in it, which Snakemake takes for a place to fill in: "
            "rename the file or its folder"
        )


class DatasetSettings(Strict):
    """Where the images come from and how they are stored."""

    name: Annotated[str, AfterValidator(_named)] = Field(
        "silhouettes", description="results/<name>/"
    )
    source: str = Field("silhouettes", description=", ".join(SOURCES))
    path: UserPath | None = Field(
        None, description="folder, lsun: a folder; archive: a file or an http(s) URL"
    )
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-fA-F]{64}$",
        description="expected SHA-256 of a downloaded archive; null: any",
    )
    classes: list[str] | None = Field(None, description="classes to use, in order; null: all")
    limit_per_class: int | None = Field(
        None, ge=2, description="use at most this many readable images per class; null: all"
    )
    min_per_class: int | None = Field(
        None,
        ge=1,
        description="exclude classes with fewer distinct images; null: exclude none",
    )
    image_size: int = Field(
        28, ge=8, le=1024, description="side length of the stored square images, in pixels"
    )
    color: Literal["gray", "rgb"] = "gray"
    depth: Literal["stretch", "each", "full"] | tuple[float, float] = Field(
        "stretch",
        description="range of values that maps to black and white, above 8 bits per channel",
    )
    max_bad_share: float = Field(
        0.1, ge=0, lt=1, description="stop if a larger share of the files is unreadable"
    )
    min_side: int = Field(8, ge=1, description="exclude originals with a shorter side, in pixels")
    max_pixels: int = Field(50_000_000, ge=1, description="exclude originals with more pixels")
    max_bytes: int = Field(
        USUAL_LIMITS.max_bytes, ge=1, description="exclude originals with more bytes"
    )
    max_seconds: float = Field(
        60, gt=0, le=86_400, description="exclude originals that take longer to decode, in seconds"
    )
    max_entries: int = Field(
        USUAL_LIMITS.max_entries, ge=1, description="refuse an archive with more entries"
    )
    near_copy_distance: int | None = Field(
        None,
        ge=0,
        le=16,
        description="bits by which near duplicates may differ, of 64; null: exact duplicates only",
    )
    shards: int = Field(
        2, ge=1, le=10_000, description="number of ingest jobs that can run in parallel"
    )

    @field_validator("depth", mode="before")
    @classmethod
    def _depth_is_known(cls, value: Any) -> Any:
        is_name = isinstance(value, str) and value in ("stretch", "each", "full")
        is_range = (
            isinstance(value, list | tuple)
            and len(value) == 2
            and all(isinstance(count, int | float) and abs(count) < INFINITY for count in value)
            and value[0] < value[1]
        )
        if not is_name and not is_range:
            raise PydanticCustomError(
                "depth",
                "must be stretch, each, full or two counts, the smaller first: those that become "
                "black and white, such as [0, 4095]",
            )
        return value

    @model_validator(mode="after")
    def _source_is_known(self) -> "DatasetSettings":
        if self.source not in SOURCES:
            raise ValueError(f"source: {unknown(self.source, SOURCES, 'source')}")
        if SOURCES[self.source].path_is and self.source != "silhouettes":
            if not self.path:
                raise ValueError(f"path: the source '{self.source}' needs a path")
            self._check_path(self.path)
        elif self.path is not None:
            raise ValueError(f"path: the source '{self.source}' takes no path: set it to null")
        return self

    def _check_path(self, path: str) -> None:
        if "\0" in path:
            raise ValueError("path: there is a zero byte in it")
        scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", path)
        if scheme and scheme[1].lower() not in ("http", "https"):
            raise ValueError(
                f"path: '{scheme[0]}' is not supported: give an http:// or https:// address, or "
                "the path of a file"
            )
        if scheme and self.source == "lsun":
            raise ValueError("path: download LSUN's zips, unzip them, and give their folder")
        if scheme and self.source != "archive":
            raise ValueError("path: an address leads to an archive: set source to archive")
        if self.source == "archive" and not scheme:
            _no_wildcards(path)

    @field_validator("classes")
    @classmethod
    def _spelled_as_listed(cls, classes: list[str] | None) -> list[str] | None:
        """As the sources list them: é is one character on some systems, and two on others."""
        return classes and [nfc(name) for name in classes]

    @model_validator(mode="after")
    def _classes_differ(self) -> "DatasetSettings":
        if self.classes is not None:
            if len(self.classes) < 2:
                raise ValueError("classes: name two or more, or null for all")
            if len(set(self.classes)) < len(self.classes):
                raise ValueError("classes: the same class is named twice")
        return self

    @property
    def channels(self) -> int:
        """1 for gray, 3 for RGB."""
        return 3 if self.color == "rgb" else 1

    @property
    def is_remote(self) -> bool:
        """True where the images must be downloaded first."""
        return self.source == "silhouettes" or (self.path or "").startswith(("http://", "https://"))


class SplitSettings(Strict):
    """How images are split into training, validation and test sets."""

    seed: Seed = 0
    test: float = Field(0.1, gt=0, lt=1, description="fraction of all images")
    validation: float = Field(0.05, ge=0, lt=1, description="fraction of all images")
    groups: str | None = Field(
        None,
        description="images that stay on one side of the split: subfolder, or a regular expression "
        "on their names with one capture group; null: duplicates only",
    )

    @model_validator(mode="after")
    def _groups_can_be_told(self) -> "SplitSettings":
        if self.groups is not None and (problem := groups.problem(self.groups)):
            raise ValueError(f"groups: {problem}")
        return self

    @model_validator(mode="after")
    def _something_is_left(self) -> "SplitSettings":
        if self.test + self.validation > 0.9:
            raise ValueError("test and validation together leave less than 10% for training")
        return self


class FeatureSettings(Strict):
    """The feature space in which methods compare images; a method may set its own."""

    space: SpaceName = Field("pixels", description=", ".join(SPACES))
    path: UserPath | None = Field(
        None, description="own: .npy or .parquet file with one row per image"
    )
    dimensions: int = Field(
        64, ge=2, le=4096, description="number of features of pixels and random_conv"
    )
    seed: Seed = 0

    @model_validator(mode="after")
    def _own_has_a_path(self) -> "FeatureSettings":
        if self.space == "own" and not self.path:
            raise ValueError("path: the space 'own' needs the path of your matrix")
        if self.path:
            _no_wildcards(self.path)
        return self


class ProxySection(Strict):
    """The proxy model that scores images; other settings are those of training."""

    steps: int = Field(200, ge=2, description="training steps, on all training images")
    evaluations: int = Field(
        10, ge=2, description="number of evaluations of all images during training"
    )
    early: float = Field(
        0.3,
        gt=0,
        le=1,
        description="fraction of the run after which el2n, grand and craig are computed",
    )


class EvidenceSettings(Strict):
    """How subsets are compared."""

    tolerance: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="acceptable loss of the metric against the full set; 0.01 is one point",
    )
    metric: Literal["auto", "accuracy", "balanced_accuracy"] = Field(
        "auto",
        description="metric to compare; auto: balanced_accuracy if the largest class has more "
        "than twice the test images of the smallest, otherwise accuracy",
    )
    pilot_sd: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="standard deviation of paired differences in an earlier run; 0.01 is one point",
    )


def _once_each(fractions: list[float]) -> list[float]:
    if len(set(fractions)) < len(fractions):
        raise ValueError("the same fraction is named twice")
    return fractions


def _fractions() -> Any:
    return (
        Annotated[list[Fraction], AfterValidator(_once_each)],
        Field(description="fractions of the training images to keep; [] disables the entry"),
    )


def _selecting_fields(name: str) -> dict[str, Any]:
    """What an entry says about a selection method beside the method's own settings."""
    if name in ("full", AUGMENTATION):
        return {}
    return {
        "quota": (
            Literal["proportional", "equal", "error"],
            Field("proportional", description="how the images are distributed over the classes"),
        ),
        "space": (
            SpaceName | None,
            Field(None, description="feature space of this method; null: features.space"),
        ),
    }


def _method_entry(name: str, settings: type[BaseModel]) -> type[BaseModel]:
    """The model of one entry of `methods`: the method's own settings, and its fractions."""
    return create_model(
        f"{name} entry",
        __base__=settings,
        __config__=None,
        method=(Literal[name], name),  # type: ignore[arg-type]
        fractions=_fractions(),
        **_selecting_fields(name),
    )


def _step_entry(name: str, settings: type[BaseModel]) -> type[BaseModel]:
    """The model of one step of a chain: the method's own settings, and its share."""
    if name == AUGMENTATION:
        # How many it makes follows from the shares.
        fields = {
            key: (field.annotation, field)
            for key, field in settings.model_fields.items()
            if key != "ratio"
        }
        settings = create_model("augmentation step settings", __base__=MethodSettings, **fields)  # type: ignore[call-overload]
    return create_model(
        f"{name} step",
        __base__=settings,
        __config__=None,
        method=(Literal[name], ...),  # type: ignore[arg-type]
        share=(
            Annotated[float, Field(gt=0)],
            Field(
                1.0,
                description="number of images after this step, relative to the requested number",
            ),
        ),
        **_selecting_fields(name),
    )


METHOD_SETTINGS: dict[str, type[BaseModel]] = {
    **{name: method.settings for name, method in METHODS.items()},
    AUGMENTATION: AugmentationSettings,
}
if TYPE_CHECKING:

    class MethodEntry(BaseModel):
        """What the entries of all methods share, for the type checker."""

        method: str
        fractions: list[float]

        steps: list[Any]

else:
    # Unions of models that are made here cannot be written with `|`.
    StepEntry = Annotated[
        Union[  # noqa: UP007
            tuple(
                _step_entry(name, model)
                for name, model in METHOD_SETTINGS.items()
                if name != "full"
            )
        ],
        Field(discriminator="method"),
    ]
    ChainEntry = create_model(
        "chain entry",
        __base__=MethodSettings,
        method=(Literal[CHAIN], CHAIN),
        steps=(
            Annotated[list[StepEntry], Field(min_length=2)],
            Field(description="methods to apply in order, each with its share"),
        ),
        fractions=_fractions(),
    )
    MethodEntry = Annotated[
        Union[
            (
                *(_method_entry(name, model) for name, model in METHOD_SETTINGS.items()),
                ChainEntry,
            )
        ],
        Field(discriminator="method"),
    ]


def _name_the_method(methods: Any) -> Any:
    """An entry without `method` is the method of its own name, a chain, or a pair with a score."""
    if not isinstance(methods, dict):
        return methods
    named = {}
    for label, entry in methods.items():
        if isinstance(entry, dict) and "method" not in entry:
            if "steps" in entry:
                entry = {"method": CHAIN, **entry}
            elif label not in METHOD_SETTINGS and {"score", "sampler"} & set(entry):
                entry = {"method": "score", **entry}
            else:
                entry = {"method": label, **entry}
        named[label] = entry
    return named


def _chain_problems(steps: list[Any]) -> list[str]:
    """What is wrong with the order and the shares of a chain's steps."""
    problems = []
    for place, step in enumerate(steps[:-1]):
        if step.method == AUGMENTATION:
            problems.append(f"steps.{place}: augmentation makes images and can only be the last")
    if steps[-1].share != 1:
        problems.append(f"steps.{len(steps) - 1}.share: the last step ends with all: set it to 1")
    for place in range(1, len(steps)):
        before, step = steps[place - 1], steps[place]
        if step.method == AUGMENTATION:
            if before.share >= 1:
                problems.append(
                    f"steps.{place - 1}.share: below 1, so that augmentation has images to make"
                )
            elif before.share < LEAST_REAL_SHARE:
                problems.append(
                    f"steps.{place - 1}.share: {LEAST_REAL_SHARE} or more, so that augmentation "
                    f"does not make more than {1 / LEAST_REAL_SHARE - 1:.0f} images of each"
                )
        elif before.share <= step.share:
            problems.append(
                f"steps.{place - 1}.share: above that of the next step, which chooses from it"
            )
    return problems


def _space_problem(step: Any) -> str | None:
    """What is wrong with the feature space that a method is told to use."""
    if getattr(step, "space", None) is None:
        return None
    needs = METHODS[step.method].traits(step).features
    if needs is None:
        return f"'{step.method}' compares no features: leave space out"
    if needs != "any":
        return f"'{step.method}' works on {needs} only: leave space out"
    return None


class Config(Strict):
    """The configuration of one run."""

    dataset: DatasetSettings = DatasetSettings()
    split: SplitSettings = SplitSettings()
    features: FeatureSettings = FeatureSettings()
    proxy: ProxySection = ProxySection()
    methods: Annotated[dict[str, MethodEntry], BeforeValidator(_name_the_method)]
    seeds: int = Field(7, ge=1, le=1000, description="runs of each method and fraction")
    seeds_by_fraction: dict[Fraction, Annotated[int, Field(ge=1, le=1000)]] = Field(
        {}, description="number of runs at these fractions instead"
    )
    seeds_per_job: int = Field(
        4, ge=1, description="runs that one training job trains one after the other"
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
        0, ge=0, description="GPUs to request from the cluster per training job"
    )
    evidence: EvidenceSettings = EvidenceSettings()
    # What is taken away changes no result, so it is no part of what is told of how one was made.
    export: str = Field(
        BEST,
        exclude=True,
        description="subset to export: METHOD:FRACTION, METHOD:FRACTION:SEED, or best",
    )
    export_formats: Annotated[
        list[Literal["folder", "zip", "npz", "parquet"]], BeforeValidator(_listed)
    ] = Field(["folder"], min_length=1, exclude=True, description="formats of the exported images")

    @model_validator(mode="after")
    def _methods_fit_together(self) -> "Config":
        problems = []
        for label, entry in self.methods.items():
            if not LABEL.fullmatch(label):
                problems.append(
                    f"methods.{label}: a name begins with a letter or a digit, a to z and 0 to 9, "
                    "and goes on with these, '_' and '-'"
                )
            if entry.method == "full" and set(entry.fractions) - {1.0}:
                problems.append(f"methods.{label}.fractions: 'full' keeps all images: [1] or []")
            if entry.method != "full" and 1.0 in entry.fractions:
                problems.append(f"methods.{label}.fractions: all images are the method 'full'")
            if entry.method == CHAIN:
                problems += [f"methods.{label}.{text}" for text in _chain_problems(entry.steps)]
            for step in self._steps(label):
                if problem := _space_problem(step):
                    problems.append(f"methods.{label}: {problem}")
                if getattr(step, "space", None) == "own" and not self.features.path:
                    problems.append(f"methods.{label}: the space 'own' needs features.path")
            if entry.method == AUGMENTATION and "random" not in self.methods:
                problems.append(f"methods.{label}: its real images are those of 'random': add it")
        size = self.dataset.image_size
        problems += [f"training.{text}" for text in self.training.size_problems(size)]
        if self.max_memory is not None:
            try:
                memory.parse(self.max_memory)
            except PetiteError as error:
                problems.append(f"max_memory: {error}")
        try:
            self.exported()
        except PetiteError as error:
            problems.append(f"export: {error}")
        if not any(entry.fractions for entry in self.methods.values()):
            problems.append("methods: nothing is switched on; give one method some fractions")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def runs_at(self, fraction: float) -> int:
        """How many seeds a method has at this fraction."""
        return self.seeds_by_fraction.get(fraction, self.seeds)

    def exported(self) -> Exported | None:
        """The subset that `export` names; None for the recommended one, known after all runs.

        Raises PetiteError where there is no such subset.
        """
        if self.export == BEST:
            return None
        found = re.fullmatch(r"([^:]+):([^:]+)(?::(\d+))?", self.export)
        cases = [
            (label, fraction)
            for label, entry in self.methods.items()
            for fraction in entry.fractions
        ]
        label, text, seed = found.groups() if found else ("", "", None)
        fraction = next((f for name, f in cases if name == label and _is(text, f)), None)
        if fraction is None:
            there = ", ".join(f"{name}:{number:g}" for name, number in cases)
            raise PetiteError(
                f"'{self.export}' is no subset of this configuration. Give {BEST}, or one of "
                f"{there}, with :SEED behind it for another seed than 0"
            )
        if int(seed or 0) >= self.runs_at(fraction):
            raise PetiteError(
                f"'{self.export}' is no subset of this configuration: {label}:{fraction:g} has "
                f"the seeds 0 to {self.runs_at(fraction) - 1}"
            )
        return Exported(label, fraction, int(seed or 0) if self.is_seeded(label) else 0)

    def seed_batches(
        self, fraction: float, done: Collection[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """(first, last) seed of each training job at this fraction.

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
            last = max(made, default=min(first + self.seeds_per_job, stop) - 1)
            batches.append((first, last))
            first = last + 1
        return batches

    def augmentation_settings(self, label: str) -> dict[str, Any]:
        """The settings of an entry of the method `augmentation`."""
        return self.methods[label].model_dump(mode="json", exclude={"method", "fractions"})

    def selection_settings(self, label: str) -> dict[str, Any]:
        """All that decides which images an entry keeps."""
        settings: dict[str, Any] = {"steps": self.steps(label)}
        if any(
            step.method in METHODS and METHODS[step.method].traits(step).two_stage
            for step in self._steps(label)
        ):
            settings["partitions"] = self.partitions
        return settings

    def steps(self, label: str) -> list[dict[str, Any]]:
        """What the entry asks for, step by step; a method that is no chain is one step.

        Each step has method, settings (the method's own), quota, space (None where it compares no
        features) and share.
        """
        return [self._step(step) for step in self._steps(label)]

    def _steps(self, label: str) -> list[Any]:
        entry = self.methods[label]
        return entry.steps if entry.method == CHAIN else [entry]

    def _step(self, step: Any) -> dict[str, Any]:
        beside = {"method", "fractions", "quota", "space", "share"}
        return {
            "method": step.method,
            "settings": step.model_dump(mode="json", exclude=beside),
            "quota": getattr(step, "quota", "proportional"),
            "space": self._space(step),
            "share": getattr(step, "share", 1.0),
        }

    def _space(self, step: Any) -> str | None:
        """The feature space that a step compares images in, or None."""
        if step.method == AUGMENTATION:
            return None
        needs = METHODS[step.method].traits(step).features
        return (step.space or self.features.space) if needs == "any" else needs

    def ranks(self, label: str) -> bool:
        """Whether the entry's smaller subsets are cut from one ranking."""
        entry = self.methods[label]
        return entry.method in METHODS and METHODS[entry.method].traits(entry).ranks

    def depth(self, label: str) -> float:
        """The share of all images that an entry is to rank."""
        entry = self.methods[label]
        if not METHODS[entry.method].traits(entry).two_stage:
            return 1.0
        return min(depth for depth in DEPTHS if depth >= max(entry.fractions, default=1.0))

    def needs_proxy_scores(self, label: str) -> bool:
        """Whether a step chooses by a score of training, or by the classes' errors."""
        return any(
            getattr(step, "quota", None) == "error"
            or (step.method in METHODS and METHODS[step.method].traits(step).scores is not None)
            for step in self._steps(label)
        )

    def is_seeded(self, label: str) -> bool:
        """Whether another seed may choose other images."""
        return self.needs_proxy_scores(label) or any(
            step.method == AUGMENTATION
            or METHODS[step.method].traits(step).chance
            or self._space(step) in ("proxy", "gradients")
            for step in self._steps(label)
        )

    def partitioned(self, label: str) -> int:
        """Into how many jobs the first stage of an entry's selection is divided; 1: none."""
        entry = self.methods[label]
        divided = entry.method in METHODS and METHODS[entry.method].traits(entry).two_stage
        return self.partitions or 1 if divided else 1

    def proxy_settings(self) -> dict[str, Any]:
        """What the proxy is trained with: the training's settings, but for its budget."""
        training = self.training.model_dump(mode="json")
        training["budget"] = {"steps": self.proxy.steps, "epochs": None}
        training["evaluations"] = self.proxy.evaluations
        return {"training": training, "early": self.proxy.early}


def load(mapping: dict[str, Any]) -> Config:
    """Check a configuration and give it typed.

    Raises PetiteError with one line for each thing that is wrong.
    """
    check_size(mapping)
    try:
        return Config.model_validate(mapping)
    except ValidationError as error:
        lines = sorted({_line(item) for item in error.errors()})
        raise PetiteError(
            f"the configuration has {counted(len(lines), 'problem')}:\n"
            + "\n".join(f"  - {line}" for line in lines)
        ) from None


def check_size(mapping: dict[str, Any]) -> None:
    """Raise PetiteError for a configuration of more than MOST_VALUES values, or within itself.

    YAML can name a list and use it again, ten times in a list that is used ten times and so on:
    little in memory, and endless for whoever goes through it.
    """
    for key, group in mapping.items():
        values, count = [group], 0
        while values:
            value = values.pop()
            count += 1
            if count > MOST_VALUES:
                raise PetiteError(
                    f"the configuration has a problem: {key} holds more than {MOST_VALUES} values. "
                    "Look for a YAML alias (*name) that is repeated, or that is within itself"
                )
            if isinstance(value, dict):
                values += value.values()
            elif isinstance(value, list | tuple):
                values += value


def _line(item: Any) -> str:
    """One problem found by pydantic, as a person would say it."""
    path = _path(item["loc"])
    if (new := _renamed(item)) is not None:
        return f"{path}: renamed to '{new}'"
    if item["type"] == "extra_forbidden":
        return f"{path}: unknown key; {_nearest_key(item['loc'])}"
    if item["type"] == "union_tag_invalid":
        named = item["ctx"]["tag"]
        return f"{path}: {unknown(str(named), METHOD_SETTINGS, 'method')}"
    if item["type"] == "string_type" and isinstance(item["input"], NOT_TEXT):
        return f"{path}: YAML reads {_yaml(item['input'])} here, not text: put it in quotes"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error":
        # A group's own checks begin with the key that is wrong in it.
        joint = "." if isinstance(item["input"], dict) else ": "
        where = f"{path}{joint}" if path else ""
        return "\n  - ".join(f"{where}{line}" for line in message.splitlines())
    return f"{path}: {message[0].lower() + message[1:]} (it is {_yaml(item['input'])})"


def _renamed(item: Any) -> str | None:
    """The new name of an unknown key or value that was renamed."""
    if item["type"] == "extra_forbidden":
        return RENAMED.get(item["loc"][-1])
    if item["type"] == "literal_error" and isinstance(item["input"], str):
        return RENAMED.get(item["input"])
    return None


def _yaml(value: Any) -> str:
    """A value as YAML has it, shortened."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _path(location: tuple[Any, ...]) -> str:
    """`methods.pca_grid.cells` from pydantic's location, which repeats a method's name."""
    parts = list(location)
    if parts[:1] == ["methods"]:
        # Behind the label of an entry and the number of a step.
        for place in (5, 2):
            if len(parts) > place and parts[place] in (*METHOD_SETTINGS, CHAIN):
                del parts[place]
    return ".".join(str(part) for part in parts if part != "[key]")


def _nearest_key(location: tuple[Any, ...]) -> str:
    fields: Any = Config.model_fields
    if location[0] == "methods" and len(location) > 3:
        fields = ["fractions", "method", "quota", "space"]
        if location[2] == CHAIN:
            fields = ["fractions", "method", "steps"]
            if len(location) > 6:
                fields = ["method", "share", "quota", "space"]
        named = location[5] if len(location) > 6 else location[2]
        fields += getattr(METHOD_SETTINGS.get(named), "model_fields", {})
    elif len(location) > 1:
        annotation = Config.model_fields[location[0]].annotation
        fields = getattr(annotation, "model_fields", fields)
    return hint(str(location[-1]), fields)


@cache
def json_schema() -> str:
    """The JSON schema of the configuration, for editors; kept in workflow/schemas/."""
    schema = Config.model_json_schema()
    schema["title"] = "Petite's configuration"
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
