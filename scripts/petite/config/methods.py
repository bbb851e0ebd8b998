"""The section `methods`: what is compared, one entry per method or chain of methods.

An entry holds the keys that all methods share and the settings of its method, which the method's
own model validates.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    SerializationInfo,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails

from petite.config.messages import sentences
from petite.config.values import SpaceName
from petite.selection import METHODS
from petite.selection.quota import GROUP
from petite.subsets import augmentation
from petite.subsets.synthetic import DM, RDED, DmSettings, RdedSettings
from petite.training.seeing import SEE_FEWER
from petite.util.hints import unknown
from petite.util.validation import Fraction, Strict

FULL = "full"
RANDOM = "random"
AUGMENTATION = augmentation.NAME
CHAIN: Final = "chain"
SETTINGS = "settings"
# These make every image of their subsets.
SYNTHETIC: Final[dict[str, type[Strict]]] = {RDED: RdedSettings, DM: DmSettings}
MAKING = (AUGMENTATION, *SYNTHETIC)
# These keep all images, those of another method or none: quota and space mean nothing for them.
CHOOSING_NOTHING = (FULL, *MAKING, *SEE_FEWER)
LEAST_REAL_SHARE = 0.02  # of a chain's images; augmentation makes the others
# Labels are part of paths and command lines.
LABEL = re.compile("[A-Za-z0-9][A-Za-z0-9_-]*")


def _labeled(label: str) -> str:
    if not LABEL.fullmatch(label):
        raise ValueError(
            f"{label!r} cannot be a label: use letters (a to z), digits, '_' and '-', and begin "
            "with a letter or a digit"
        )
    return label


def _once_each(fractions: list[float]) -> list[float]:
    if len(set(fractions)) < len(fractions):
        raise ValueError(f"a fraction is named twice in {fractions}")
    return fractions


Label = Annotated[str, AfterValidator(_labeled)]
Fractions = Annotated[
    list[Fraction],
    AfterValidator(_once_each),
    Field(description="fractions of the training images to keep; [] disables the entry"),
]


class Selection(Strict):
    """A method with its settings, its quota and its feature space."""

    # The model of each method's settings, by the method's name.
    models: ClassVar[dict[str, type[Strict]]] = {
        **{name: method.settings for name, method in METHODS.items()},
        AUGMENTATION: augmentation.Settings,
        **SYNTHETIC,
        **SEE_FEWER,
    }

    method: str
    quota: Literal["proportional", "equal", "error", "group"] = Field(
        "proportional",
        description="how the images are distributed over the classes, or evenly over the groups of "
        "images",
    )
    space: SpaceName | None = Field(
        None, description="feature space of this method; null: features.space"
    )
    settings: Strict

    @classmethod
    def keys_of(cls, method: Any) -> list[str]:
        """List the keys that an entry of a method may have besides the method's settings."""
        left_out = {SETTINGS, *(("quota", "space") if method in CHOOSING_NOTHING else ())}
        return [key for key in cls.model_fields if key not in left_out]

    @model_validator(mode="wrap")
    @classmethod
    def _separate_settings(cls, entry: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Separate the settings of the method; report problems here, where its keys are known."""
        if not isinstance(entry, dict):
            return handler(entry)
        method = entry.get("method")
        keys = cls.keys_of(method)
        separated = {key: entry[key] for key in keys if key in entry}
        separated[SETTINGS] = {key: value for key, value in entry.items() if key not in keys}
        try:
            return handler(separated)
        except ValidationError as error:
            model = cls.models.get(str(method), Strict)
            found = sentences(map(_as_written, error.errors()), model, keys)
            raise ValueError("\n".join(found)) from None

    @field_validator("method")
    @classmethod
    def _method_is_known(cls, method: str) -> str:
        if method not in cls.models:
            raise ValueError(unknown(method, cls.models, "method"))
        return method

    @field_validator(SETTINGS, mode="plain")
    @classmethod
    def _method_knows_settings(cls, settings: Any, info: ValidationInfo) -> Strict:
        model = cls.models.get(info.data.get("method", ""), Strict)
        # The settings of an unknown method are not known, so any are accepted here.
        return Strict() if model is Strict else model.model_validate(settings)

    @model_validator(mode="after")
    def _method_compares_in_a_space(self) -> Self:
        if self.space is None:
            return self
        needs = METHODS[self.method].traits(self.settings).features
        if needs is None:
            raise ValueError(f"space: '{self.method}' compares no features: omit space")
        if needs != "any":
            raise ValueError(f"space: '{self.method}' works on {needs} only: omit space")
        return self

    @model_validator(mode="after")
    def _quota_fits(self) -> Self:
        method = METHODS.get(self.method)
        if self.quota == GROUP and method and method.choose_whole:
            raise ValueError(f"quota: '{self.method}' divides each class itself: omit quota")
        return self

    @model_serializer(mode="plain")
    def _with_settings_merged(self, info: SerializationInfo) -> dict[str, Any]:
        own = {key: getattr(self, key) for key in self.keys_of(self.method)}
        return {**own, **self.settings.model_dump(mode=info.mode)}


def _as_written(item: ErrorDetails) -> ErrorDetails:
    """An error with the path at which the settings were written."""
    return {**item, "loc": item["loc"][1:]} if item["loc"][:1] == (SETTINGS,) else item


class MethodEntry(Selection):
    """An entry of `methods` that is one method."""

    fractions: Fractions

    @property
    def steps(self) -> Sequence[Selection]:
        """The method itself, as the only step."""
        return [self]

    @model_validator(mode="after")
    def _all_images_are_full(self) -> Self:
        if self.method != FULL and self.method not in SEE_FEWER:
            _check_below_all(self.fractions)
        elif set(self.fractions) - {1.0}:
            raise ValueError(f"fractions: '{self.method}' keeps all images: use [1] or []")
        return self


class Step(Selection):
    """A step of a chain: a method with its share."""

    models: ClassVar[dict[str, type[Strict]]] = {
        **{
            name: model
            for name, model in Selection.models.items()
            if name not in (FULL, *SYNTHETIC, *SEE_FEWER)
        },
        # How many images it makes follows from the shares.
        AUGMENTATION: augmentation.StepSettings,
    }

    share: float = Field(
        1.0,
        gt=0,
        description="number of images after this step, relative to the requested number",
    )


class ChainEntry(Strict):
    """An entry of `methods` that applies several methods in order."""

    method: Literal["chain"] = CHAIN
    fractions: Fractions
    steps: list[Step] = Field(
        min_length=2, description="methods to apply in order, each with its share"
    )

    @model_validator(mode="after")
    def _steps_fit_together(self) -> Self:
        _check_below_all(self.fractions)
        if problems := _chain_problems(self.steps):
            raise ValueError("\n".join(problems))
        return self


def _check_below_all(fractions: list[float]) -> None:
    if 1.0 in fractions:
        raise ValueError("fractions: 1 is for the method 'full': use fractions below 1")


def _chain_problems(steps: list[Step]) -> list[str]:
    """What is wrong with the order and the shares of a chain's steps."""
    problems = []
    for place, step in enumerate(steps[:-1]):
        if step.method == AUGMENTATION:
            problems.append(f"steps.{place}: 'augmentation' can only be the last step")
    if steps[-1].share != 1:
        problems.append(
            f"steps.{len(steps) - 1}.share: must be 1 for the last step, got {steps[-1].share:g}"
        )
    for place in range(1, len(steps)):
        before, step = steps[place - 1], steps[place]
        if step.method == AUGMENTATION:
            if before.share >= 1:
                problems.append(
                    f"steps.{place - 1}.share: must be below 1, so that augmentation has images "
                    f"to make, got {before.share:g}"
                )
            elif before.share < LEAST_REAL_SHARE:
                problems.append(
                    f"steps.{place - 1}.share: must be {LEAST_REAL_SHARE} or more, so that "
                    f"augmentation makes no more than {1 / LEAST_REAL_SHARE - 1:.0f} images of "
                    f"each, got {before.share:g}"
                )
        elif before.share <= step.share:
            problems.append(
                f"steps.{place - 1}.share: must be above that of the next step, {step.share:g}, "
                f"got {before.share:g}"
            )
    return problems


def _name_the_method(methods: Any) -> Any:
    """Add `method` where it is missing: the entry's label, a chain, or a score and a sampler."""
    if not isinstance(methods, dict):
        return methods
    named = {}
    for label, entry in methods.items():
        if isinstance(entry, dict) and "method" not in entry:
            if "steps" in entry:
                entry = {"method": CHAIN, **entry}
            elif label not in Selection.models and {"score", "sampler"} & set(entry):
                entry = {"method": "score", **entry}
            else:
                entry = {"method": label, **entry}
        named[label] = entry
    return named


def _entry(entry: Any) -> Any:
    is_chain = isinstance(entry, dict) and entry.get("method") == CHAIN
    return ChainEntry.model_validate(entry) if is_chain else MethodEntry.model_validate(entry)


# The chain first: its keys are suggested for unknown ones; a method's entry suggests its own.
Entry = Annotated[ChainEntry | MethodEntry, BeforeValidator(_entry)]
Methods = Annotated[dict[Label, Entry], BeforeValidator(_name_the_method)]
