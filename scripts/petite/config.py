"""The typed configuration: what config.yaml may say, checked as a whole before any job starts.

`load(mapping)` gives a `Config` or raises a PetiteError that lists everything that is wrong.
The settings of a selection method live beside the method, those of training beside the engine.
"""

import difflib
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    create_model,
    model_validator,
)

from petite.errors import PetiteError
from petite.recipes import Settings as AugmentationSettings
from petite.selection import METHODS
from petite.sources import SOURCES
from petite.training.settings import Strict, TrainingSettings

Fraction = Annotated[float, Field(gt=0, le=1)]
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
AUGMENTATION = "augmentation"


class DatasetSettings(Strict):
    """Where the images come from and how they are stored."""

    name: str = Field("silhouettes", pattern=NAME_PATTERN, description="results/<name>/")
    source: str = Field("silhouettes", description=", ".join(SOURCES))
    path: str | None = Field(None, description="folder: a folder; archive: a file or http(s) URL")
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-fA-F]{64}$", description="digest that a download must have"
    )
    classes: list[str] | None = Field(None, description="classes to use, in order; null: all")
    limit_per_class: int | None = Field(
        None, ge=2, description="readable images a class; null: all"
    )
    image_size: int = Field(28, ge=8, le=1024, description="side of the stored images, pixels")
    color: Literal["grey", "rgb"] = "grey"
    max_bad_share: float = Field(0.1, ge=0, lt=1, description="stop when more are unreadable")
    min_side: int = Field(8, ge=1, description="smaller originals are set aside, pixels")
    max_pixels: int = Field(50_000_000, ge=1, description="larger originals are set aside")
    near_copy_distance: int | None = Field(
        None, ge=0, le=16, description="differing bits of the perceptual hash; null: exact copies"
    )
    shards: int = Field(2, ge=1, le=10_000, description="ingest jobs that can run side by side")

    @model_validator(mode="after")
    def _source_is_known(self) -> "DatasetSettings":
        if self.source not in SOURCES:
            raise ValueError(f"source: {unknown(self.source, SOURCES, 'source')}")
        if self.source in ("folder", "archive") and not self.path:
            raise ValueError(f"path: the source '{self.source}' needs a path")
        return self

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
        """1 for grey, 3 for RGB."""
        return 3 if self.color == "rgb" else 1

    @property
    def is_remote(self) -> bool:
        """True where the images must be downloaded first."""
        return self.source == "silhouettes" or (self.path or "").startswith(("http://", "https://"))


class SplitSettings(Strict):
    """How images are divided into training, validation and test parts."""

    seed: int = Field(0, ge=0)
    test: float = Field(0.1, gt=0, lt=1, description="share of all images")
    validation: float = Field(0.05, ge=0, lt=1, description="share of all images")

    @model_validator(mode="after")
    def _something_is_left(self) -> "SplitSettings":
        if self.test + self.validation > 0.9:
            raise ValueError("test and validation together leave less than 10% for training")
        return self


class FeatureSettings(Strict):
    """The feature space in which methods compare images: a PCA of the pixels."""

    dimensions: int = Field(64, ge=2, le=4096, description="principal components")
    seed: int = Field(0, ge=0)


def _once_each(fractions: list[float]) -> list[float]:
    if len(set(fractions)) < len(fractions):
        raise ValueError("the same fraction is named twice")
    return fractions


def _method_entry(name: str, settings: type[BaseModel]) -> type[BaseModel]:
    """The model of one entry of `methods`: the method's own settings, and its fractions."""
    fractions = Annotated[list[Fraction], BeforeValidator(_once_each)]
    return create_model(
        f"{name} entry",
        __base__=settings,
        __config__=None,
        method=(Literal[name], name),  # type: ignore[arg-type]
        fractions=(
            fractions,
            Field(description="shares of the training images to keep; [] switches it off"),
        ),
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

else:
    # A union of models that are made here cannot be written with `|`.
    MethodEntry = Annotated[
        Union[tuple(_method_entry(name, model) for name, model in METHOD_SETTINGS.items())],  # noqa: UP007
        Field(discriminator="method"),
    ]


def _name_the_method(methods: Any) -> Any:
    """An entry without `method` is the method of its own name."""
    if not isinstance(methods, dict):
        return methods
    return {
        label: {"method": label, **entry} if isinstance(entry, dict) else entry
        for label, entry in methods.items()
    }


class Config(Strict):
    """A whole configuration."""

    dataset: DatasetSettings = DatasetSettings()
    split: SplitSettings = SplitSettings()
    features: FeatureSettings = FeatureSettings()
    methods: Annotated[dict[str, MethodEntry], BeforeValidator(_name_the_method)]
    seeds: int = Field(6, ge=1, le=1000, description="runs of each method and fraction")
    seeds_by_fraction: dict[Fraction, Annotated[int, Field(ge=1, le=1000)]] = Field(
        {}, description="another number of runs at these fractions"
    )
    seeds_per_job: int = Field(3, ge=1, description="runs that one training job does in turn")
    training: TrainingSettings = TrainingSettings()
    training_threads: int = Field(1, ge=1, description="threads of one training job")

    @model_validator(mode="after")
    def _methods_fit_together(self) -> "Config":
        problems = []
        for label, entry in self.methods.items():
            if not label.replace("_", "").replace("-", "").isalnum():
                problems.append(f"methods.{label}: use letters, digits, '_' and '-' in names")
            if entry.method == "full" and set(entry.fractions) - {1.0}:
                problems.append(f"methods.{label}.fractions: 'full' keeps all images: [1] or []")
            if entry.method != "full" and 1.0 in entry.fractions:
                problems.append(f"methods.{label}.fractions: all images are the method 'full'")
            if entry.method == AUGMENTATION and "random" not in self.methods:
                problems.append(f"methods.{label}: its real images are those of 'random': add it")
        if not any(entry.fractions for entry in self.methods.values()):
            problems.append("methods: nothing is switched on; give one method some fractions")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def runs_at(self, fraction: float) -> int:
        """How many seeds a method has at this fraction."""
        return self.seeds_by_fraction.get(fraction, self.seeds)

    def selection_settings(self, label: str) -> dict[str, Any]:
        """The settings that the method itself uses, without its fractions."""
        return self.methods[label].model_dump(mode="json", exclude={"method", "fractions"})


def unknown(name: str, known: Any, what: str) -> str:
    """A sentence about an unknown name, with the nearest known ones."""
    return f"'{name}' is no {what}; {_hint(name, known)}"


def _hint(name: str, known: Any) -> str:
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean '{nearest[0]}'?" if nearest else f"there are {', '.join(known)}"


def load(mapping: dict[str, Any]) -> Config:
    """Check a configuration and give it typed.

    Raises PetiteError with one line for each thing that is wrong.
    """
    try:
        return Config.model_validate(mapping)
    except ValidationError as error:
        lines = sorted({_line(item) for item in error.errors()})
        noun = "problem" if len(lines) == 1 else "problems"
        raise PetiteError(
            f"the configuration has {len(lines)} {noun}:\n"
            + "\n".join(f"  - {line}" for line in lines)
        ) from None


def with_shortcuts(
    mapping: dict[str, Any], default: dict[str, Any], photos: dict[str, Any]
) -> dict[str, Any]:
    """Resolve `folder=PATH` and `archive=PATH` of the command line into `dataset`.

    Where the configuration is about something else so far (the default silhouettes), `photos`,
    the settings that suit photographs, take the place of `default`, those of config.yaml; what
    the user changed from the default stays as the user has it.
    """
    given = {key: mapping[key] for key in ("folder", "archive") if mapping.get(key)}
    rest = {key: value for key, value in mapping.items() if key not in ("folder", "archive")}
    if not given:
        return rest
    if len(given) > 1:
        raise PetiteError("give folder=PATH or archive=PATH, not both")
    [(source, path)] = given.items()
    dataset = rest.get("dataset")
    if not isinstance(dataset, dict) or dataset.get("source") not in ("folder", "archive"):
        named = {"dataset": {"name": _name_from(str(path))}}
        rest = merged(merged(merged(default, photos), named), _changes(rest, default))
    return merged(rest, {"dataset": {"source": source, "path": str(path), "sha256": None}})


def _changes(mapping: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    """The part of `mapping` that is not as in `default`, mappings within mappings likewise."""
    changes: dict[str, Any] = {}
    for key, value in mapping.items():
        if key not in default:
            changes[key] = value
        elif isinstance(value, dict) and isinstance(default[key], dict):
            if inner := _changes(value, default[key]):
                changes[key] = inner
        elif value != default[key]:
            changes[key] = value
    return changes


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over`, mappings within mappings likewise."""
    result = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            value = merged(result[key], value)
        result[key] = value
    return result


def _name_from(path: str) -> str:
    """A name for results/ from a folder's or an archive's name."""
    last = path.rstrip("/").rsplit("/", 1)[-1].split("?")[0]
    for suffix in (".zip", ".tgz", ".gz", ".bz2", ".xz", ".tar"):
        last = last.removesuffix(suffix)
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", last).strip("-._") or "images"


def _line(item: Any) -> str:
    """One problem found by pydantic, as a person would say it."""
    path = _path(item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{path}: unknown key; {_nearest_key(item['loc'])}"
    if item["type"] == "union_tag_invalid":
        named = item["ctx"]["tag"]
        return f"{path}: {unknown(named, METHOD_SETTINGS, 'method')}"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error":
        return "\n  - ".join(f"{path}.{line}" if path else line for line in message.splitlines())
    given = json.dumps(item["input"], default=str, ensure_ascii=False)
    given = given if len(given) <= 60 else given[:57] + "..."
    return f"{path}: {message[0].lower() + message[1:]} (it is {given})"


def _path(location: tuple[Any, ...]) -> str:
    """`methods.pca_grid.cells` from pydantic's location, which repeats a method's name."""
    parts = list(location)
    if parts[:1] == ["methods"] and len(parts) > 2 and parts[2] in METHOD_SETTINGS:
        del parts[2]
    return ".".join(str(part) for part in parts if part != "[key]")


def _nearest_key(location: tuple[Any, ...]) -> str:
    fields: Any = Config.model_fields
    if location[0] == "methods" and len(location) > 3:
        fields = ["fractions", "method", *METHOD_SETTINGS[location[2]].model_fields]
    elif len(location) > 1:
        annotation = Config.model_fields[location[0]].annotation
        fields = getattr(annotation, "model_fields", fields)
    return _hint(str(location[-1]), fields)


@cache
def json_schema() -> str:
    """The JSON schema of the configuration, for editors; kept in workflow/schemas/."""
    schema = Config.model_json_schema()
    schema["title"] = "Petite's configuration"
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
