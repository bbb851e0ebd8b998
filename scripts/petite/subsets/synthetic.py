"""Images that a method makes itself: their settings, their recipes and their tables.

`rded` joins crops of training images to mosaics, so its recipe names the crops. `dm` learns pixels,
so its recipe holds them, as a PNG.
"""

import base64
import itertools
import json
import math
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import PurePosixPath
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from petite.util.formatting import counted, listed
from petite.util.validation import Strict

# As in the config, in the place of a method.
RDED, DM = "rded", "dm"
NAMES = (RDED, DM)
MOSAIC, PIXELS = "mosaic", "pixels"
LEAST_CELL = 4  # pixels of a crop's side in a mosaic
MOST_NAMED = 4  # images in words

# From ids to the stored images, uint8 (n, H, W, C).
Read = Callable[[Sequence[str]], np.ndarray]


def ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    """Check that the bounds of a range are in order."""
    if bounds[0] > bounds[1]:
        raise ValueError(f"the lower bound comes first: write [{bounds[1]}, {bounds[0]}]")
    return bounds


Share = Annotated[float, Field(gt=0, le=1)]


class RdedSettings(Strict):
    """Settings of `rded`."""

    mosaic: int = Field(2, ge=2, le=16, description="crops on each side of a mosaic: 2 makes 4")
    crops: int = Field(
        5, ge=1, le=256, description="random crops of each training image, which a teacher scores"
    )
    scale: Annotated[tuple[Share, Share], AfterValidator(ordered)] = Field(
        (0.08, 1.0), description="range of a crop's area, as a share of its image"
    )

    @model_validator(mode="after")
    def _crops_suffice(self) -> "RdedSettings":
        """A class of n images then has crops for n mosaics, which is more than any fraction."""
        if self.crops < self.mosaic**2:
            raise ValueError(
                f"crops: must be {self.mosaic**2} or more, the crops of a mosaic of {self.mosaic} "
                f"on each side, got {self.crops}"
            )
        return self


class DmSettings(Strict):
    """Settings of `dm`."""

    iterations: int = Field(1_000, ge=1, description="steps, each with a new random network")
    learning_rate: float = Field(
        0.1, gt=0, le=100, description="of the pixels, in standard deviations of the images"
    )
    batch: int = Field(
        64, ge=1, le=4_096, description="real and learned images of each class in a step, at most"
    )
    width: int = Field(
        64, ge=1, le=1_024, description="filters in each of the random network's convolutions"
    )


class Crop(NamedTuple):
    """A square of a stored image, in pixels."""

    image_id: str
    top: int
    left: int
    side: int


def cut_out(image: np.ndarray, crop: Crop, height: int, width: int) -> np.ndarray:
    """A crop of its image, resized with antialiasing: uint8 (height, width, C)."""
    from PIL import Image

    part = image[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    return np.stack(
        [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(channel)).resize(
                    (width, height), Image.Resampling.BILINEAR
                )
            )
            for channel in np.moveaxis(part, -1, 0)
        ],
        axis=-1,
    )


def cells(side: int, count: int) -> list[slice]:
    """Divide a side into `count` parts that differ by one pixel at most."""
    edges = [round(place * side / count) for place in range(count + 1)]
    return [slice(begin, end) for begin, end in itertools.pairwise(edges)]


def mosaic_recipe(crops: Sequence[Crop]) -> str:
    """The recipe of a mosaic of some crops, row by row."""
    return json.dumps({"transform": MOSAIC, "crops": crops}, sort_keys=True, ensure_ascii=False)


def pixels_recipe(pixels: np.ndarray) -> str:
    """The recipe that is an image itself, uint8 (H, W, 1 or 3), without loss."""
    from PIL import Image

    file = BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    text = base64.b64encode(file.getvalue()).decode("ascii")
    return json.dumps({"transform": PIXELS, "png": text}, sort_keys=True)


def mosaic(image: np.ndarray, read: Read, crops: Sequence[Sequence[str | int]]) -> np.ndarray:
    """Render a mosaic: crops of stored images, row by row, in the size of `image`."""
    chosen = [Crop(*crop) for crop in crops]  # type: ignore[arg-type]
    parts = cells(image.shape[0], math.isqrt(len(chosen)))
    places = [(rows, columns) for rows in parts for columns in parts]
    made = np.empty_like(image)
    sources = read([crop.image_id for crop in chosen])
    for (rows, columns), crop, source in zip(places, chosen, sources, strict=True):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        made[rows, columns] = cut_out(source, crop, height, width)
    return made


def decoded(image: np.ndarray, read: Read, png: str) -> np.ndarray:
    """The pixels of a recipe that holds them."""
    from PIL import Image, UnidentifiedImageError

    try:
        pixels = np.asarray(Image.open(BytesIO(base64.b64decode(png, validate=True))))
    except UnidentifiedImageError as error:
        raise ValueError("not a PNG") from error
    return pixels.reshape(image.shape)


# Unlike those of augmentation, these transforms are not of one image.
WHOLE: dict[str, Callable[..., np.ndarray]] = {MOSAIC: mosaic, PIXELS: decoded}


def is_whole(recipe: str) -> bool:
    """Whether a recipe makes an image that is not a transformed copy of one."""
    return bool(recipe) and json.loads(recipe)["transform"] in WHOLE


def without_pixels(recipe: str) -> str:
    """A recipe for a list of image files: the pixels that it may hold are in the file."""
    if not is_whole(recipe) or json.loads(recipe)["transform"] != PIXELS:
        return recipe
    return json.dumps({"transform": PIXELS})


def made_of(recipe: str, origin: str) -> str:
    """What an image is made of, in words."""
    arguments = json.loads(recipe)
    if arguments["transform"] == PIXELS:
        return f"learned, from {PurePosixPath(origin).name} on"
    names = list(dict.fromkeys(PurePosixPath(crop[0]).name for crop in arguments["crops"]))
    crops = counted(len(arguments["crops"]), "crop")
    if len(names) > MOST_NAMED:
        return f"{crops} of {counted(len(names), 'image')}"
    return f"{crops} of {listed(names)}"
