"""Types of values that several sections of the configuration share."""

import os
import re
from collections.abc import Collection
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from petite.evaluation.metrics import AUTO, METRICS
from petite.features.registry import SPACES
from petite.util import duration
from petite.util.errors import PetiteError
from petite.util.hints import unknown

# What Snakemake takes for a wildcard in the path of a rule's input.
WILDCARD = re.compile(r"\{\s*\w[^{}]*\}")


def _expanded(path: str) -> str:
    """Expand a path such as `~/photos`."""
    return path if "://" in path else os.path.expanduser(path)  # noqa: PTH111 - keeps "./2024"


def as_list(value: object) -> object:
    """Take one name as a list of one, as in --config export_formats=zip."""
    return [value] if isinstance(value, str) else value


def known(names: Collection[str], kind: str) -> AfterValidator:
    """A validator of names: others are refused with the nearest one."""

    def check(name: str) -> str:
        if name not in names:
            raise ValueError(unknown(name, names, kind))
        return name

    return AfterValidator(check)


def _with_unit(value: Any) -> Any:
    """Refuse a time without its unit, which YAML reads as a number."""
    if isinstance(value, int | float):
        raise ValueError(f"must be a time with its unit, such as 30 min or 2 h, got {value!r}")
    if not isinstance(value, str):
        return value
    try:
        duration.parse(value)
    except PetiteError as error:
        raise ValueError(str(error)) from None
    return value


Duration = Annotated[str, BeforeValidator(_with_unit)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
UserPath = Annotated[str, AfterValidator(_expanded)]
SPACE_NAMES = [space.name for space in SPACES.values() if space.is_offered]
SpaceName = Annotated[
    str, known(SPACE_NAMES, "feature space"), WithJsonSchema({"enum": SPACE_NAMES})
]
METRIC_NAMES = [AUTO, *METRICS]
MetricName = Annotated[str, known(METRIC_NAMES, "metric"), WithJsonSchema({"enum": METRIC_NAMES})]


def check_no_wildcard(path: str) -> None:
    """Refuse the path of a rule's input if it has a wildcard in it.

    Raises
    ------
    ValueError
    """
    if found := WILDCARD.search(path):
        raise ValueError(
            f"path: {path!r} has {found[0]} in it, which Snakemake takes for a wildcard: rename "
            "the file or its folder"
        )
