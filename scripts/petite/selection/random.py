"""`random`: stratified uniform choice, the bar that every other method has to clear."""

import numpy as np

from petite.selection.base import Choice, Method, MethodSettings, Task
from petite.selection.quota import interleaved


class Settings(MethodSettings):
    """`random` has no settings."""


def choose(task: Task, settings: Settings) -> Choice:
    """Uniform within each class, the classes interleaved in proportion to their sizes.

    Every prefix holds each class to within one image of its share.
    """
    random = task.generator()
    _, labels, sizes = np.unique(task.labels, return_inverse=True, return_counts=True)
    places = interleaved(sizes, random.permutation(len(sizes)))
    # The j-th place of a class goes to the j-th of its images in random order.
    shuffled = random.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    indices = np.empty_like(by_class)
    indices[np.argsort(places, kind="stable")] = by_class
    return Choice(indices[: task.k])


METHOD = Method(
    name="random",
    settings=Settings,
    choose=choose,
    needs_features=False,
    ranks=True,
    deterministic=False,
)
