"""The section `judges`: how subsets are judged. A judge that is null is not used."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from petite.training.judges import (
    JUDGES,
    FineTuneSettings,
    JudgeSettings,
    ProbeSettings,
    ScratchSettings,
    SoftProbeSettings,
    SoftScratchSettings,
)
from petite.training.program_settings import ProgramSettings
from petite.util.hints import unknown
from petite.util.validation import Strict

# The names of the user's programs are part of paths.
NAME = re.compile("[A-Za-z0-9_-]+")


class JudgesSection(Strict):
    """The judges by name, each with its settings or null; one name or a list is enough.

    Any other name is a program of the user's, with its command.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, ProgramSettings | None]

    scratch: ScratchSettings | None = Field(
        ScratchSettings(), description="the network of `training`, from random weights"
    )
    probe: ProbeSettings | None = Field(
        None, description="a linear classifier on the embeddings of `backbone`"
    )

    fine_tune: FineTuneSettings | None = Field(
        None, description="the network of `backbone`, trained on: a new last layer first"
    )
    scratch_soft: SoftScratchSettings | None = Field(
        None, description="`scratch`, on soft labels of a teacher in place of the labels"
    )
    probe_soft: SoftProbeSettings | None = Field(
        None, description="`probe`, on soft labels of a teacher in place of the labels"
    )

    @model_validator(mode="before")
    @classmethod
    def _other_names_are_programs(cls, value: Any) -> Any:
        """Refuse another name without a command, which is a misspelled one."""
        if isinstance(value, dict):
            others = {name: own for name, own in value.items() if name not in cls.model_fields}
            if problems := [*_problems_of_names(others)]:
                raise ValueError("\n".join(problems))
        return value

    @property
    def programs(self) -> dict[str, ProgramSettings]:
        """The user's programs in use by name, in the order of the configuration."""
        return {name: found for name, found in self.__pydantic_extra__.items() if found}

    @property
    def used(self) -> dict[str, JudgeSettings]:
        """The judges in use by name, in the order of tables and pages."""
        found = {name: own for name in JUDGES if (own := getattr(self, name)) is not None}
        return {**found, **self.programs}

    @model_validator(mode="after")
    def _one_or_more(self) -> "JudgesSection":
        if not self.used:
            raise ValueError(f"scratch: no judge is in use: enable one of {', '.join(JUDGES)}")
        return self


def _named(value: Any) -> Any:
    """Take `probe` or `[probe, scratch]` for these judges with their default settings."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list):
        return value
    return {**dict.fromkeys(JudgesSection.model_fields), **{str(name): {} for name in names}}


# Not a validator of the model, so that problems of a name are those of a key.
Judges = Annotated[JudgesSection, BeforeValidator(_named)]


def _problems_of_names(programs: dict[Any, Any]) -> Iterator[str]:
    """What is wrong with the names of programs; those without a command are misspelled judges."""
    for name, settings in programs.items():
        if not NAME.fullmatch(str(name)):
            yield f"{name}: use letters, digits, '-' and '_' only"
        elif isinstance(settings, dict) and "command" not in settings:
            hint = unknown(str(name), JUDGES, "judge")
            yield f"{name}: {hint} A program of your own needs a command."
