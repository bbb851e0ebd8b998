"""The section `split`: which images are for training, validation and test."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from petite.config.values import Seed
from petite.data import groups
from petite.data.given_split import AUTO, DROP, USE, USUAL_TEST, USUAL_VALIDATION
from petite.util.validation import Strict

MOST_REPEATS = 100


class SplitSettings(Strict):
    """How images are split into training, validation and test sets."""

    seed: Seed = Field(0, description="seed of the split; another one draws another split")
    repeats: int = Field(
        1,
        ge=1,
        le=MOST_REPEATS,
        description="number of splits, each with the next seed; the answer is that of the first, "
        "and it also says what holds over all of them",
    )
    test: Literal["auto"] | Annotated[float, Field(gt=0, lt=1)] = Field(
        AUTO, description="fraction of all images; auto: the given test set, or 0.1"
    )
    validation: Literal["auto"] | Annotated[float, Field(ge=0, lt=1)] = Field(
        AUTO,
        description="fraction of all images, or of the training images of a given split; auto: the "
        "given validation set, or 0.05",
    )
    given: Literal["use", "ignore"] = Field(
        USE,
        description="use a split that comes with the images (folders train and test, or a column "
        "of a table), or ignore it and draw one from all images",
    )
    leaks: Literal["drop_from_train", "keep", "error"] = Field(
        DROP,
        description="what to do with training images of which a copy, or another image of their "
        "group, is in the given test or validation set",
    )
    groups: str | None = Field(
        None,
        description="images that stay on one side of the split: subfolder, copies, capture_time, "
        "or a regular expression on their names with one capture group; null: duplicates only, or "
        "the groups of the table of labels or of dataset.columns.group",
    )
    group_seconds: float = Field(
        2,
        gt=0,
        le=86_400,
        description="capture_time: longest time between the images of a burst, in seconds",
    )

    @field_validator("test", "validation", mode="before")
    @classmethod
    def _share_is_valid(cls, value: Any, info: ValidationInfo) -> Any:
        if value == AUTO:
            return value
        may_be_0 = info.field_name == "validation"
        try:
            share = float(value)
        except (TypeError, ValueError):
            share = math.nan
        if isinstance(value, bool) or not (0 < share < 1 or (share == 0 and may_be_0)):
            lowest = "0 or more" if may_be_0 else "above 0"
            raise PydanticCustomError("share", f"must be auto, or {lowest} and below 1")
        return value

    @model_validator(mode="after")
    def _groups_are_valid(self) -> "SplitSettings":
        if self.groups is not None and (problem := groups.problem(self.groups)):
            raise ValueError(f"groups: {problem}")
        return self

    @model_validator(mode="after")
    def _something_is_left(self) -> "SplitSettings":
        test = USUAL_TEST if isinstance(self.test, str) else self.test
        validation = USUAL_VALIDATION if isinstance(self.validation, str) else self.validation
        if test + validation > 0.9:
            raise ValueError(
                f"test and validation leave less than 10% for training: {test:g} + "
                f"{validation:g} is above 0.9"
            )
        return self
