"""The section `judges`: how subsets are judged. A judge that is null is not used."""

from typing import Any

from pydantic import Field, model_validator

from petite.training.judges import JUDGES, JudgeSettings, ProbeSettings, ScratchSettings
from petite.util.validation import Strict


class JudgesSection(Strict):
    """The judges by name, each with its settings or null; one name or a list is enough."""

    scratch: ScratchSettings | None = Field(
        ScratchSettings(), description="the network of `training`, from random weights"
    )
    probe: ProbeSettings | None = Field(
        None, description="a linear classifier on the embeddings of `backbone`"
    )

    @model_validator(mode="before")
    @classmethod
    def _names_alone(cls, value: Any) -> Any:
        """Take `probe` or `[probe, scratch]` for these judges with their default settings."""
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list):
            return value
        return {**dict.fromkeys(cls.model_fields), **{str(name): {} for name in names}}

    @property
    def used(self) -> dict[str, JudgeSettings]:
        """The judges in use by name, in the order of tables and pages."""
        return {name: found for name in JUDGES if (found := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _one_or_more(self) -> "JudgesSection":
        if not self.used:
            raise ValueError(f"no judge is in use: enable one of {', '.join(JUDGES)}")
        return self
