"""The exceptions for what a user can put right."""

from collections.abc import Sequence
from pathlib import Path


class PetiteError(Exception):
    """A mistake or a condition that the user can mend.

    The message says what is wrong, where, and what to do; it is shown without a traceback.
    """


class DamagedFiles(PetiteError):
    """Files that the workflow made are not as it made them; without them it makes them anew.

    `paths` are these, and those that must be made again with them. A job removes them at its end.
    """

    def __init__(self, message: str, paths: Sequence[Path]) -> None:
        super().__init__(message)
        self.paths = tuple(paths)
