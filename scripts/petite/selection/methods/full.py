"""`full`: all training images, the baseline for every subset."""

import numpy as np

from petite.selection.base import Choice, Cost, Method, MethodSettings, Traits
from petite.selection.request import Request
from petite.util.errors import PetiteError


class Settings(MethodSettings):
    """`full` has no settings."""


def choose(request: Request, settings: Settings) -> Choice:
    """Choose all images in their order.

    Raises
    ------
    PetiteError
        If fewer are requested.
    """
    count = len(request.labels)
    if request.k != count:
        raise PetiteError(
            f"'full' keeps all {count} images, but k is {request.k}. "
            "Use the fraction 1, or another method"
        )
    return Choice(np.arange(count))


METHODS = (
    Method(
        name="full",
        settings=Settings,
        traits=lambda settings: Traits(labels=True, ranks=True, chance=False, complements=True),
        cost=lambda m, k, d, settings: Cost(elements=m, memory=8 * m),
        choose_whole=choose,
    ),
)
