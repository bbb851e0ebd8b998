"""The section `grow`: new labeled images, and the subset of a run that they may be added to."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field

from petite.config.export import BEST, Exported, exported
from petite.config.methods import MAKING, ChainEntry, Fractions, MethodEntry
from petite.config.values import SpaceName, UserPath
from petite.features.registry import SPACES
from petite.selection import METHODS
from petite.util.errors import PetiteError
from petite.util.hints import unknown
from petite.util.validation import Strict

# Spaces that a job computes from new images. The others are of a file or of a proxy's training.
COMPUTED = [space.name for space in SPACES.values() if not space.is_of_proxy and not space.file]
# Quotas that need more than the classes of the images.
OTHER_QUOTAS = ("error", "group")


def _ascending(sizes: list[float]) -> list[float]:
    return sorted(sizes)


class GrowSettings(Strict):
    """New labeled images, how they are ordered, and which numbers of them are judged."""

    path: UserPath | None = Field(
        None, description="a folder with new images in class folders; null: there is none"
    )
    kept: str | None = Field(
        None,
        description="the subset that they may be added to: METHOD:FRACTION or METHOD:FRACTION:SEED",
    )
    method: str = Field(
        "facility_location",
        description="method that orders the new images, starting from those that are kept",
    )
    space: SpaceName | None = Field(
        None, description="feature space in which it compares images; null: as in `methods`"
    )
    sizes: Annotated[Fractions, AfterValidator(_ascending)] = Field(
        [0.25, 0.5, 1.0],
        min_length=1,
        description="shares of the new images that the judges of the run judge, beside those kept",
    )
    links: bool = Field(True, description="link to the files to add instead of copying them")


UNSET = GrowSettings()


class GrowMethod(NamedTuple):
    """A method that orders new images: its name in METHODS, its settings, quota and space."""

    method: str
    settings: dict[str, Any]
    quota: str
    space: str


def kept_subset(text: str, runs: Mapping[tuple[str, float], int]) -> Exported:
    """Find the subset that `grow.kept` names, as `export` does.

    Raises
    ------
    PetiteError
        If there is no such subset, and for the recommended one, which may be another after a run.
    """
    found = None if text == BEST else exported(text, runs, others=())
    if found is None:
        known = ", ".join(f"{name}:{number:g}" for name, number in runs)
        raise PetiteError(f"'{BEST}' may change with each run. Name the subset: one of {known}")
    return found


def grow_method(
    settings: GrowSettings, methods: Mapping[str, MethodEntry | ChainEntry], run_space: str
) -> GrowMethod:
    """Find the method that `grow.method` stands for.

    Parameters
    ----------
    settings : GrowSettings
    methods : mapping from str to entry
        The section `methods`.
    run_space : str
        The setting features.space.

    Returns
    -------
    GrowMethod

    Raises
    ------
    ValueError
        For an unknown method, and one that cannot order images next to those kept.
    """
    name = settings.method
    entry = methods.get(name)
    if entry is None and name not in METHODS:
        raise ValueError(f"method: {unknown(name, ordering(), 'method')}")
    if isinstance(entry, ChainEntry):
        raise ValueError(f"method: '{name}' is a chain: use one of {', '.join(ordering())}")
    method = name if entry is None else entry.method
    if method not in ordering():
        raise ValueError(
            f"method: '{name}' cannot order new images by what they add to those kept: use one of "
            f"{', '.join(ordering())}"
        )
    quota = "proportional" if entry is None else entry.quota
    if quota in OTHER_QUOTAS:
        raise ValueError(
            f"method: '{name}' has the quota '{quota}', which is not known of new images: use an "
            "entry with the quota proportional or equal"
        )
    space = settings.space or (entry.space if entry else None) or run_space
    if space not in COMPUTED:
        raise ValueError(
            f"space: '{space}' is not known of new images: set it to one of {', '.join(COMPUTED)}"
        )
    own = {} if entry is None else entry.settings.model_dump(mode="json")
    return GrowMethod(method, own, quota, space)


def ordering() -> list[str]:
    """List the methods that rank images starting from kept ones, and need features only."""
    names = []
    for name, method in METHODS.items():
        traits = method.traits(method.settings())
        if traits.complements and traits.ranks and traits.features == "any" and not traits.scores:
            names.append(name)
    return names


def grow_problems(
    settings: GrowSettings,
    methods: Mapping[str, MethodEntry | ChainEntry],
    runs: Mapping[tuple[str, float], int],
    run_space: str,
) -> list[str]:
    """Say what is wrong with the section, given the others."""
    if settings.path is None:
        written = [
            name for name in ("kept", "method") if getattr(settings, name) != getattr(UNSET, name)
        ]
        return [f"grow.{name}: there are no new images: give new=FOLDER" for name in written]
    found = []
    if settings.kept is None:
        found.append("grow.kept: name the subset that you keep: kept=METHOD:FRACTION")
    else:
        try:
            kept = kept_subset(settings.kept, runs)
            steps = methods[kept.method].steps
            if making := [step.method for step in steps if step.method in MAKING]:
                found.append(
                    f"grow.kept: '{settings.kept}' has images that {making[0]} makes: name a "
                    "subset of real images only"
                )
        except PetiteError as error:
            found.append(f"grow.kept: {error}")
    try:
        grow_method(settings, methods, run_space)
    except ValueError as error:
        found.append(f"grow.{error}")
    return found
