"""Augmentation recipes: an augmented image as the id of its origin and a transform.

A recipe is a short JSON text, `{"degrees": 12.5, "transform": "rotation"}`, so that an augmented
training set is a table and not a copy of pixels. `draw` makes recipes, `render` applies one. The
empty recipe is the image itself.
"""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from petite.subsets.synthetic import WHOLE, Read, ordered
from petite.util.errors import PetiteError
from petite.util.seeds import generator
from petite.util.validation import Strict

# Numbers in recipes are rounded to this many decimals: short texts, the same image everywhere.
# As in the config, in the place of a method.
NAME = "augmentation"
DECIMALS = 4


Positive = Annotated[float, Field(gt=0, le=10)]
Range = Annotated[tuple[Positive, Positive], AfterValidator(ordered)]


class Transforms(Strict):
    """Transforms to draw from, each with its range; false or null disables one."""

    horizontal_flip: bool = Field(True, description="mirror left and right")
    vertical_flip: bool = Field(True, description="mirror top and bottom")
    rotation: float | None = Field(
        20.0, gt=0, le=180, description="maximum rotation in either direction, in degrees"
    )
    blur: Range | None = Field((0.5, 1.5), description="Gaussian blur: range of sigma, in pixels")
    brightness: Range | None = Field(
        (0.7, 1.3), description="range of the factor on the gray levels"
    )
    contrast: Range | None = Field(
        (0.7, 1.3), description="range of the factor on the distance from the mean gray level"
    )

    @model_validator(mode="before")
    @classmethod
    def _false_is_off(cls, mapping: Any) -> Any:
        if not isinstance(mapping, dict):
            return mapping
        flips = ("horizontal_flip", "vertical_flip")
        return {
            name: None if value is False and name not in flips else value
            for name, value in mapping.items()
        }


class StepSettings(Strict):
    """Settings of augmentation as a step, whose number of new images is given by the subset."""

    transforms: Transforms = Field(
        Transforms.model_validate({}), description="transforms to draw from"
    )


class Settings(StepSettings):
    """Settings of the augmentation."""

    ratio: float = Field(1.0, gt=0, le=100, description="number of new images per real image")


class Drawn(NamedTuple):
    """An augmented image: the id of its origin, and the recipe."""

    origin: str
    recipe: str


def draw(origins: Sequence[str], seed: int, settings: Settings) -> list[Drawn]:
    """Draw round(ratio * len(origins)) recipes.

    Every origin is used floor(ratio) times, and a random part of them once more. Each new image
    gets one transform, drawn uniformly from those that are enabled, its magnitude uniformly from
    its range. The same arguments give the same recipes.

    Parameters
    ----------
    origins : sequence of str
        Ids of the real images.
    seed : int
    settings : Settings

    Returns
    -------
    list of Drawn

    Raises
    ------
    PetiteError
        When every transform is disabled.
    """
    samplers = _samplers(settings.transforms)
    if not samplers:
        raise PetiteError("augmentation.transforms: all are disabled. Enable at least one.")
    rng = generator(seed, "augmentation")
    wanted = round(settings.ratio * len(origins))
    rounds, rest = divmod(wanted, len(origins)) if origins else (0, 0)
    chosen = np.concatenate(
        [
            np.tile(np.arange(len(origins)), rounds),
            np.sort(rng.choice(len(origins), size=rest, replace=False)),
        ]
    )
    kinds = rng.integers(len(samplers), size=wanted)
    return [
        Drawn(origins[origin], json.dumps(samplers[kind](rng), sort_keys=True))
        for origin, kind in zip(chosen, kinds, strict=True)
    ]


def render(image: np.ndarray, recipe: str, read: Read | None = None) -> np.ndarray:
    """Apply a recipe to an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, C)
        Any number of channels.
    recipe : str
    read : callable, optional
        Reads other images of the same store by their ids. A mosaic is made of them.

    Returns
    -------
    ndarray of uint8, shape (H, W, C)
        The image itself for the empty recipe.

    Raises
    ------
    PetiteError
        For a recipe that is not one of Petite's.
    """
    if not recipe:
        return image
    try:
        arguments = json.loads(recipe)
        name = arguments.pop("transform")
        if name in WHOLE:
            return WHOLE[name](image, read, **arguments)
        return TRANSFORMS[name](image, **arguments)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise PetiteError(
            f"Unknown recipe {recipe!r}. The transforms are {', '.join([*TRANSFORMS, *WHOLE])}."
        ) from error


def render_subset(
    images: np.ndarray, recipes: Sequence[str], read: Read | None = None
) -> np.ndarray:
    """Apply the recipes of a subset.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, H, W, C)
        The image of the origin for each row of the subset.
    recipes : sequence of str
        n recipes.
    read : callable, optional
        See `render`.

    Returns
    -------
    ndarray of uint8, shape (n, H, W, C)
        `images` itself if all recipes are empty, otherwise a new array.
    """
    if not any(recipes):
        return images
    rendered = np.empty_like(images)
    for row, (image, recipe) in enumerate(zip(images, recipes, strict=True)):
        rendered[row] = render(image, recipe, read)
    return rendered


# A transform's name and its arguments.
Arguments = dict[str, str | float]


def _samplers(transforms: Transforms) -> list[Callable[[np.random.Generator], Arguments]]:
    """A function for each enabled transform that draws one recipe of it."""

    def within(low: float, high: float, rng: np.random.Generator) -> float:
        return min(max(round(float(rng.uniform(low, high)), DECIMALS), low), high)

    samplers: list[Callable[[np.random.Generator], Arguments]] = []
    if transforms.horizontal_flip:
        samplers.append(lambda rng: {"transform": "horizontal_flip"})
    if transforms.vertical_flip:
        samplers.append(lambda rng: {"transform": "vertical_flip"})
    if (most := transforms.rotation) is not None:
        samplers.append(lambda rng: {"transform": "rotation", "degrees": within(-most, most, rng)})
    if (sigmas := transforms.blur) is not None:
        samplers.append(lambda rng: {"transform": "blur", "sigma": within(*sigmas, rng)})
    if (levels := transforms.brightness) is not None:
        samplers.append(lambda rng: {"transform": "brightness", "factor": within(*levels, rng)})
    if (spreads := transforms.contrast) is not None:
        samplers.append(lambda rng: {"transform": "contrast", "factor": within(*spreads, rng)})
    return samplers


def _horizontal_flip(image: np.ndarray) -> np.ndarray:
    return image[:, ::-1].copy()


def _vertical_flip(image: np.ndarray) -> np.ndarray:
    return image[::-1].copy()


def _rotation(image: np.ndarray, degrees: float) -> np.ndarray:
    """Rotate counterclockwise about the center; the corners show the mirrored image."""
    from PIL import Image

    height, width = image.shape[:2]
    # Enough mirrored border for the corners of the rotated frame.
    border = int(np.ceil((np.hypot(height, width) - min(height, width)) / 2)) + 1
    padded = np.pad(image, ((border, border), (border, border), (0, 0)), mode="symmetric")
    rotated = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(channel)).rotate(
                degrees, resample=Image.Resampling.BILINEAR
            )
        )
        for channel in np.moveaxis(padded, -1, 0)
    ]
    inside = slice(border, border + height), slice(border, border + width)
    return np.stack([channel[inside] for channel in rotated], axis=-1)


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return _to_uint8(gaussian_filter(image.astype(np.float32), sigma, axes=(0, 1)))


def _brightness(image: np.ndarray, factor: float) -> np.ndarray:
    return _to_uint8(image.astype(np.float32) * np.float32(factor))


def _contrast(image: np.ndarray, factor: float) -> np.ndarray:
    mean = np.float32(image.mean())
    return _to_uint8(mean + (image.astype(np.float32) - mean) * np.float32(factor))


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


TRANSFORMS: dict[str, Callable[..., np.ndarray]] = {
    "horizontal_flip": _horizontal_flip,
    "vertical_flip": _vertical_flip,
    "rotation": _rotation,
    "blur": _blur,
    "brightness": _brightness,
    "contrast": _contrast,
}
