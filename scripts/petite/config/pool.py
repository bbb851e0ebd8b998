"""The section `pool`: images without labels, of which some are chosen to be labeled next."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from petite.config.methods import CHAIN, ChainEntry, MethodEntry
from petite.config.values import Seed, UserPath, as_list
from petite.selection import METHODS
from petite.util.hints import unknown
from petite.util.validation import Strict

# What a classifier says of an image without its label. Each is also the name of a method.
UNCERTAINTIES = ("least_confidence", "margin", "entropy")
UNCERTAINTY = "uncertainty"


class PoolSettings(Strict):
    """Images without labels, and how those to label next are chosen."""

    path: UserPath | None = Field(
        None, description="a folder of images without labels; null: there is none"
    )
    images: int = Field(100, ge=1, description="number of images to choose")
    methods: Annotated[list[str], BeforeValidator(as_list)] = Field(
        ["facility_location"], min_length=1, description="methods that choose, each by itself"
    )
    space: Literal["backbone", "pixels"] = Field(
        "backbone", description="feature space in which images are compared"
    )
    dimensions: int = Field(
        128, ge=2, le=4096, description="number of principal components that are compared"
    )
    copies: Literal["exclude", "keep"] = Field(
        "exclude",
        description="whether duplicates of labeled images and of each other can be chosen",
    )
    labeled: bool = Field(
        True, description="whether `dataset` is the labeled part; false: no image has a label"
    )
    seed: Seed = Field(0, description="seed of the methods and classifiers that choose")
    links: bool = Field(True, description="link to the chosen files instead of copying them")


UNSET = PoolSettings()


class PoolMethod(NamedTuple):
    """A method that chooses from a pool: its name in METHODS, and its settings."""

    method: str
    settings: dict[str, Any]

    @property
    def score(self) -> str | None:
        """The uncertainty that it needs."""
        return METHODS[self.method].traits(self._typed).scores

    @property
    def needs_labels(self) -> bool:
        """Whether it cannot choose images without labels."""
        return METHODS[self.method].traits(self._typed).labels

    @property
    def _typed(self) -> Any:
        return METHODS[self.method].settings(**self.settings)


def pool_method(name: str, methods: Mapping[str, MethodEntry | ChainEntry]) -> PoolMethod:
    """Find the method that a name in `pool.methods` stands for.

    Parameters
    ----------
    name : str
        A label in `methods`, the name of a method, or an uncertainty.
    methods : mapping from str to entry
        The section `methods`.

    Returns
    -------
    PoolMethod

    Raises
    ------
    ValueError
        For an unknown name, a chain, and a method that needs labels.
    """
    entry = methods.get(name)
    if entry is not None and entry.method not in (CHAIN, *METHODS):
        raise ValueError(f"'{name}' makes images: use one of {', '.join(without_labels())}")
    if isinstance(entry, ChainEntry):
        raise ValueError(f"'{name}' is a chain: use one method")
    if entry is not None:
        found = PoolMethod(entry.method, entry.settings.model_dump(mode="json"))
    elif name in UNCERTAINTIES:
        found = PoolMethod(UNCERTAINTY, {"score": name})
    elif name in METHODS:
        found = PoolMethod(name, {})
    else:
        known = [*without_labels(), UNCERTAINTY, *UNCERTAINTIES]
        raise ValueError(unknown(name, known, "method"))
    if found.needs_labels:
        raise ValueError(
            f"'{name}' needs labels, which a pool does not have: use one of "
            f"{', '.join(without_labels())}; or {', '.join(UNCERTAINTIES)} with a labeled part"
        )
    return found


def without_labels() -> list[str]:
    """List the methods that need neither labels nor a classifier."""
    names = []
    for name, method in METHODS.items():
        traits = method.traits(method.settings())
        if not traits.labels and traits.scores is None:
            names.append(name)
    return names


def pool_problems(pool: PoolSettings, methods: Mapping[str, MethodEntry | ChainEntry]) -> list[str]:
    """Say what is wrong with the section, given the section `methods`."""
    found = []
    if pool.path is None:
        names = ("images", "methods")
        written = [name for name in names if getattr(pool, name) != getattr(UNSET, name)]
        return [f"pool.{name}: there is no pool: give pool=FOLDER" for name in written]
    for name in pool.methods:
        try:
            chosen = pool_method(name, methods)
        except ValueError as error:
            found.append(f"pool.methods: {error}")
            continue
        if chosen.score and not pool.labeled:
            found.append(
                f"pool.methods: '{name}' needs a labeled part, on which a classifier is trained: "
                f"give folder=LABELED, or use one of {', '.join(without_labels())}"
            )
    if len(set(pool.methods)) < len(pool.methods):
        found.append(f"pool.methods: a method is named twice in {pool.methods}")
    return found
