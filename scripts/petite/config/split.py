"""The section `split`: which images are for training, validation and test."""

from pydantic import Field, model_validator

from petite.config.values import Seed
from petite.data import groups
from petite.util.validation import Strict


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
    def _groups_are_valid(self) -> "SplitSettings":
        if self.groups is not None and (problem := groups.problem(self.groups)):
            raise ValueError(f"groups: {problem}")
        return self

    @model_validator(mode="after")
    def _something_is_left(self) -> "SplitSettings":
        if self.test + self.validation > 0.9:
            raise ValueError(
                f"test and validation leave less than 10% for training: {self.test:g} + "
                f"{self.validation:g} is above 0.9"
            )
        return self
