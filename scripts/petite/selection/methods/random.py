"""`random`: stratified random sampling, the baseline for every other method."""

import numpy as np
from pydantic import Field

from petite.selection.base import Choice, Cost, Group, Method, MethodSettings, Traits


class Settings(MethodSettings):
    """Settings of `random`."""

    stream: int = Field(
        0,
        ge=0,
        le=1000,
        description="another number draws another sample, to compare random with itself",
    )


def choose(group: Group, settings: Settings) -> Choice:
    """Choose the first k images of a random order."""
    return Choice(_stream(group, settings).permutation(group.size)[: group.k])


def _stream(group: Group, settings: Settings) -> np.random.Generator:
    """The group's random stream, or an independent one for another `stream`."""
    return group.random.spawn(settings.stream)[-1] if settings.stream else group.random


METHODS = (
    Method(
        name="random",
        settings=Settings,
        traits=lambda settings: Traits(ranks=True),
        cost=lambda m, k, d, settings: Cost(elements=20 * m, memory=16 * m),
        choose=choose,
    ),
)
