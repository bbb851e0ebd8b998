"""`full`: all training images, what every subset is measured against."""

import numpy as np

from petite.errors import PetiteError
from petite.selection.base import Choice, Method, MethodSettings, Task


class Settings(MethodSettings):
    """`full` has no settings."""


def choose(task: Task, settings: Settings) -> Choice:
    """All images in their order. Raises PetiteError when fewer are asked for."""
    count = len(task.labels)
    if task.k != count:
        raise PetiteError(
            f"'full' keeps all {count} images and was asked for {task.k}: "
            "use the fraction 1, or another method"
        )
    return Choice(np.arange(count))


METHOD = Method(
    name="full",
    settings=Settings,
    choose=choose,
    needs_features=False,
    ranks=True,
    deterministic=True,
)
