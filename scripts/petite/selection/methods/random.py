"""`random`: stratified uniform choice, the bar that every other method has to clear."""

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
    """The first k of the images in random order."""
    return Choice(_random(group, settings).permutation(group.size)[: group.k])


def _random(group: Group, settings: Settings) -> np.random.Generator:
    """The group's own stream, or one that is independent of it."""
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
