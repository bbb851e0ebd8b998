"""`random`: stratified uniform choice, the bar that every other method has to clear."""

from petite.selection.base import Choice, Cost, Group, Method, MethodSettings, Traits


class Settings(MethodSettings):
    """`random` has no settings."""


def choose(group: Group, settings: Settings) -> Choice:
    """The first k of the images in random order."""
    return Choice(group.random.permutation(group.size)[: group.k])


METHODS = (
    Method(
        name="random",
        settings=Settings,
        traits=lambda settings: Traits(ranks=True),
        cost=lambda m, k, d, settings: Cost(elements=20 * m, memory=16 * m),
        choose=choose,
    ),
)
