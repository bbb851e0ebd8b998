"""The section `labels`: a table that says which image has which label."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from petite.config.values import UserPath, check_no_wildcard
from petite.data.labels import LabelColumns
from petite.util.validation import Strict

LOOKED_FOR = "null: found by its usual names"


class LabelsSettings(Strict):
    """A table of labels; its path is enough where its columns have usual names."""

    path: UserPath = Field(
        min_length=1,
        description="a .csv, .tsv or .parquet file; also a path in the folder or archive",
    )
    file: str | None = Field(None, description=f"column of the images' files; {LOOKED_FOR}")
    label: str | list[str] | None = Field(
        None,
        description=f"column of the labels, or a list of columns of 0 and 1; {LOOKED_FOR}",
    )
    split: str | None = Field(
        None, description=f"column of train, validation and test; {LOOKED_FOR}, if it is there"
    )
    group: str | None = Field(
        None, description=f"column of groups, such as patients; {LOOKED_FOR}, if it is there"
    )
    weight: str | None = Field(
        None, description="column of weights in training; null: sample_weight, if it is there"
    )
    keep: str | None = Field(
        None, description=f"column of always and never; {LOOKED_FOR}, if it is there"
    )

    @field_validator("label", mode="before")
    @classmethod
    def _label_is_one_column_or_several(cls, value: object) -> object:
        if isinstance(value, list) and (len(value) < 2 or not all(map(_is_text, value))):
            raise ValueError(
                "must be the name of a column, or a list of two names or more. Put numbers in "
                "quotes"
            )
        return value

    @model_validator(mode="after")
    def _path_is_that_of_a_file(self) -> "LabelsSettings":
        if "://" in self.path:
            raise ValueError(f"path: '{self.path}' is a URL: download the table, and give its path")
        check_no_wildcard(self.path)
        return self

    @property
    def columns(self) -> LabelColumns:
        """What the table is read with."""
        return LabelColumns(**self.model_dump())


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _by_path(value: Any) -> Any:
    """Take the path of a table for a table whose columns have usual names."""
    return {"path": value} if isinstance(value, str) else value


Labels = Annotated[
    LabelsSettings, BeforeValidator(_by_path, json_schema_input_type=str | LabelsSettings)
]
