"""The exceptions for problems that a user can fix."""

from collections.abc import Sequence
from pathlib import Path


class PetiteError(Exception):
    """A mistake or a condition that the user can fix.

    The message says what is wrong, where, and what to do. It is shown without a traceback.
    """


class DamagedFiles(PetiteError):
    """Files that the workflow made are damaged; once they are removed, it makes them again.

    Parameters
    ----------
    message : str
    paths : sequence of Path
        The damaged files, and those that must be made again with them. The job that raises the
        error removes them when it ends.
    """

    def __init__(self, message: str, paths: Sequence[Path]) -> None:
        super().__init__(message)
        self.paths = tuple(paths)
