"""The section `backbone`: the pretrained network whose embeddings the space `backbone` compares."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from petite.config.values import UserPath, check_no_wildcard, known
from petite.features.embedding_program import words_of
from petite.networks.backbones import APPLICATION, FILE, IMAGE_SIZE, SCALINGS
from petite.networks.backbones.efficientnet_lite0 import NAME
from petite.util.command import files_of, name_of
from petite.util.validation import Strict

KINDS = (".keras", ".onnx")


ScalingName = Annotated[str, known(SCALINGS, "scaling"), WithJsonSchema({"enum": [*SCALINGS]})]


class BackboneSettings(Strict):
    """The pretrained network, and the size of the images that it is given."""

    name: str = Field(NAME, description=f"{NAME}, {APPLICATION}NAME, or {FILE}PATH")
    weights: UserPath | None = Field(
        None, description=f"file of its weights; null: downloaded ({FILE}PATH holds its own)"
    )
    image_size: int = Field(
        IMAGE_SIZE, ge=32, le=1024, description="side length of the images that it takes, in pixels"
    )
    scaling: ScalingName | None = Field(
        None, description=f"what {FILE}PATH takes in place of values from 0 to 255"
    )

    command: str | None = Field(
        None,
        description="a program of your own that embeds, instead of `name`: the program and its "
        "arguments, with {images}, {embeddings}, {threads}",
    )
    max_seconds: float = Field(
        3600, gt=0, le=10**7, description="time limit of the program for one shard, in seconds"
    )
    files: list[str] = Field(
        [], description="more files that the program uses; a change of one embeds again"
    )

    @property
    def label(self) -> str:
        """What embeds, in a few letters: the name, or that of the program's file."""
        return name_of(words_of(self.command)) if self.command else self.name

    @property
    def program_files(self) -> list[str]:
        """The files of the program: those that the command names, and `files`."""
        return [*files_of(words_of(self.command)), *self.files] if self.command else []

    @property
    def file(self) -> str | None:
        """The network's own file, where the name gives one."""
        return self.name.removeprefix(FILE) if self.name.startswith(FILE) else None

    @field_validator("name")
    @classmethod
    def _name_is_known(cls, name: str) -> str:
        if name.startswith(FILE):
            # Path.expanduser() fails for a user that is not known.
            path = Path(os.path.expanduser(name.removeprefix(FILE)))  # noqa: PTH111
            if path.suffix not in KINDS:
                raise ValueError(
                    f"'{name}' must end in {' or '.join(KINDS)}: save the network as one"
                )
            return f"{FILE}{path}"
        if name != NAME and not name.startswith(APPLICATION):
            raise ValueError(f"'{name}' is unknown: use {NAME}, {APPLICATION}NAME or {FILE}PATH")
        return name

    @field_validator("command")
    @classmethod
    def _command_is_whole(cls, template: str | None) -> str | None:
        if template is not None:
            words_of(template)
        return template

    @model_validator(mode="after")
    def _a_command_is_instead_of_a_name(self) -> "BackboneSettings":
        # config.yaml has the default name, which counts as none.
        others = {"name": self.name != NAME, "weights": self.weights, "scaling": self.scaling}
        if self.command and (given := [key for key, value in others.items() if value]):
            raise ValueError(
                f"{given[0]}: your program embeds (backbone.command): leave {given[0]} out"
            )
        if self.files and not self.command:
            raise ValueError("files: only backbone.command reads them, which is null: remove them")
        for path in self.program_files:
            check_no_wildcard(path)
        return self

    @model_validator(mode="after")
    def _settings_fit_the_kind(self) -> "BackboneSettings":
        if (self.file is None) != (self.scaling is None):
            raise ValueError(
                f"scaling: '{self.name}' scales its input itself: leave scaling out"
                if self.file is None
                else f"scaling: must say what '{self.name}' takes: one of {', '.join(SCALINGS)}"
            )
        if self.file and self.weights:
            raise ValueError(f"weights: '{self.name}' holds its own: leave weights out")
        for path in (self.file, self.weights):
            if path:
                check_no_wildcard(path)
        return self
