"""The base class of all groups of settings, types that they share, and what is wrong in words."""

from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)


class Strict(BaseModel):
    """A group of settings that refuses unknown keys, booleans in place of numbers, and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_flag_for_a_number(cls, mapping: Any) -> Any:
        """Refuse true for 1, as Python takes it; YAML reads yes and on as true."""
        if not isinstance(mapping, dict):
            return mapping
        wrong = [
            f"{name}: must be a number, not true or false"
            for name, field in cls.model_fields.items()
            if _takes_numbers_alone(field.annotation) and _has_flag(mapping.get(name))
        ]
        if wrong:
            raise ValueError("\n".join(wrong))
        return mapping


def _few_digits(fraction: float) -> float:
    """Refuse fractions of more than six digits, since they are part of file names."""
    if float(f"{fraction:g}") != fraction:
        raise ValueError(f"{fraction!r} has more than six digits: write {fraction:g}")
    return fraction


Fraction = Annotated[float, Field(gt=0, le=1), AfterValidator(_few_digits)]
SeedCount = Annotated[int, Field(ge=1, le=1000)]


def _takes_numbers_alone(annotation: Any) -> bool:
    kinds = _kinds(annotation)
    return bool(kinds & {int, float}) and bool not in kinds


def _kinds(annotation: Any) -> set[Any]:
    """A type and the types within it, such as int in list[int] | None."""
    inner: set[Any] = set().union(*map(_kinds, get_args(annotation)))
    return inner | ({annotation} if isinstance(annotation, type) else set())


def _has_flag(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_flag, [*value, *value.values()]))
    if isinstance(value, list | tuple):
        return any(map(_has_flag, value))
    return isinstance(value, bool)


def problems_of(error: ValidationError) -> str:
    """All problems that pydantic found, each with its place, on one line."""
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, item["loc"])), item["msg"])))
        for item in error.errors()
    )
