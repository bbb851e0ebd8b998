"""The section `methods`: what is compared, one entry for each method or chain of methods.

The settings of a method stand beside the keys of its entry, and are checked by the method's own
model of them.
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
from petite.config.values import Fraction, SpaceName
from petite.selection import METHODS
from petite.subsets import augmentation
from petite.util.hints import unknown
from petite.util.validation import Strict

FULL = "full"
AUGMENTATION = "augmentation"
CHAIN: Final = "chain"
SETTINGS = "settings"
# These keep all images or those of another method: there is nothing to choose by.
CHOOSING_NOTHING = (FULL, AUGMENTATION)
LEAST_REAL_SHARE = 0.02  # of a chain's images before augmentation, which makes the others
# Labels stand in paths and on command lines.
LABEL = re.compile("[A-Za-z0-9][A-Za-z0-9_-]*")


def _labeled(label: str) -> str:
    if not LABEL.fullmatch(label):
        raise ValueError(
            "a name begins with a letter or a digit, a to z and 0 to 9, and goes on with these, "
            "'_' and '-'"
        )
    return label


def _once_each(fractions: list[float]) -> list[float]:
    if len(set(fractions)) < len(fractions):
        raise ValueError("the same fraction is named twice")
    return fractions


Label = Annotated[str, AfterValidator(_labeled)]
Fractions = Annotated[
    list[Fraction],
    AfterValidator(_once_each),
    Field(description="fractions of the training images to keep; [] disables the entry"),
]


class Selection(Strict):
    """A method with its settings, and what it chooses by."""

    # The model of each method's settings, by the method's name.
    models: ClassVar[dict[str, type[Strict]]] = {
        **{name: method.settings for name, method in METHODS.items()},
        AUGMENTATION: augmentation.Settings,
    }

    method: str
    quota: Literal["proportional", "equal", "error"] = Field(
        "proportional", description="how the images are distributed over the classes"
    )
    space: SpaceName | None = Field(
        None, description="feature space of this method; null: features.space"
    )
    settings: Strict

    @classmethod
    def keys_of(cls, method: Any) -> list[str]:
        """The keys that an entry of a method has beside the method's settings."""
        left_out = {SETTINGS, *(("quota", "space") if method in CHOOSING_NOTHING else ())}
        return [key for key in cls.model_fields if key not in left_out]

    @model_validator(mode="wrap")
    @classmethod
    def _take_settings_apart(cls, entry: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """What is wrong is told here, where it is known which keys the method has."""
        if not isinstance(entry, dict):
            return handler(entry)
        method = entry.get("method")
        keys = cls.keys_of(method)
        apart = {key: entry[key] for key in keys if key in entry}
        apart[SETTINGS] = {key: value for key, value in entry.items() if key not in keys}
        try:
            return handler(apart)
        except ValidationError as error:
            model = cls.models.get(str(method), Strict)
            found = sentences(map(_beside, error.errors()), model, keys)
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
        # Which settings there are is not known of a method that is not.
        return Strict() if model is Strict else model.model_validate(settings)

    @model_validator(mode="after")
    def _method_compares_in_a_space(self) -> Self:
        if self.space is None:
            return self
        needs = METHODS[self.method].traits(self.settings).features
        if needs is None:
            raise ValueError(f"space: '{self.method}' compares no features: leave space out")
        if needs != "any":
            raise ValueError(f"space: '{self.method}' works on {needs} only: leave space out")
        return self

    @model_serializer(mode="plain")
    def _with_settings_beside(self, info: SerializationInfo) -> dict[str, Any]:
        own = {key: getattr(self, key) for key in self.keys_of(self.method)}
        return {**own, **self.settings.model_dump(mode=info.mode)}


def _beside(item: ErrorDetails) -> ErrorDetails:
    """An error in the settings, with the place at which they are written."""
    return {**item, "loc": item["loc"][1:]} if item["loc"][:1] == (SETTINGS,) else item


class MethodEntry(Selection):
    """An entry of `methods` that is one method."""

    fractions: Fractions

    @property
    def steps(self) -> Sequence[Selection]:
        """The method alone."""
        return [self]

    @model_validator(mode="after")
    def _all_images_are_full(self) -> Self:
        if self.method != FULL:
            _check_below_all(self.fractions)
        elif set(self.fractions) - {1.0}:
            raise ValueError("fractions: 'full' keeps all images: use [1] or []")
        return self


class Step(Selection):
    """A step of a chain: a method with its share."""

    models: ClassVar[dict[str, type[Strict]]] = {
        **{name: model for name, model in Selection.models.items() if name != FULL},
        # How many images it makes follows from the shares.
        AUGMENTATION: augmentation.StepSettings,
    }

    share: float = Field(
        1.0,
        gt=0,
        description="number of images after this step, relative to the requested number",
    )


class ChainEntry(Strict):
    """An entry of `methods` that is several methods, one after the other."""

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
        raise ValueError("fractions: all images are the method 'full': use fractions below 1")


def _chain_problems(steps: list[Step]) -> list[str]:
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
                f"steps.{place - 1}.share: must be above that of the next step, which chooses "
                f"from it, got {before.share:g}"
            )
    return problems


def _name_the_method(methods: Any) -> Any:
    """An entry without `method` is the method of its own name, a chain, or a pair with a score."""
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


# The chain first: its keys are suggested for unknown ones, and a method's entry does so itself.
Entry = Annotated[ChainEntry | MethodEntry, BeforeValidator(_entry)]
Methods = Annotated[dict[Label, Entry], BeforeValidator(_name_the_method)]
