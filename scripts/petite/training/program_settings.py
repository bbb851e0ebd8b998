"""The settings of a judge that is a program of the user's."""

from typing import Literal

from pydantic import Field, field_validator

from petite.training.judges import JudgeSettings
from petite.util import command

# What stands for each placeholder of a command.
PLACEHOLDERS = {
    "train": "table of the training images: file, label, class_name, weight",
    "validation": "the same of the validation images, which may be none",
    "test": "table of the test images: file",
    "seed": "the training seed",
    "predictions": "file to write",
    "threads": "number of threads to use",
    "classes": "number of classes",
}
NEEDED = ("train", "test", "predictions")


class ProgramSettings(JudgeSettings):
    """A program that trains and predicts, and what it is given."""

    command: str = Field(
        description="program and arguments, with {train}, {validation}, {test}, {seed}, "
        "{predictions}, {threads}, {classes}"
    )
    max_seconds: float = Field(
        3600, gt=0, le=10**7, description="time limit of one run of the program, in seconds"
    )
    image_size: int | None = Field(
        None,
        ge=8,
        le=4096,
        description="decode the originals at this side length, in pixels; null: the images as "
        "they are stored (dataset.image_size)",
    )
    predictions: Literal["csv", "npy"] = Field(
        "csv", description="format of the file of class probabilities"
    )
    files: list[str] = Field(
        [], description="more files that the program uses; a change of one reruns it"
    )

    @field_validator("command")
    @classmethod
    def _command_is_whole(cls, template: str) -> str:
        command.words_of(template, PLACEHOLDERS, NEEDED)
        return template

    def words(self) -> list[str]:
        """The words of the command, with their placeholders."""
        return command.words_of(self.command, PLACEHOLDERS, NEEDED)

    @property
    def name(self) -> str:
        """The name of the program's file, such as train.py."""
        return command.name_of(self.words())
