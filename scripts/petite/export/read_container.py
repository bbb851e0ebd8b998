"""Read a data set of encoded images: a file for each class, and index.json. Without Petite."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps


class Images(NamedTuple):
    """All images of a container, class by class.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, size, size, channels)
    labels : ndarray of int64, shape (n,)
    weights : ndarray of float64, shape (n,)
    class_names : list of str
        The name of each label.
    """

    images: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    class_names: list[str]


def read_container(
    folder: str | Path,
    size: int,
    channels: int = 3,
    render: Callable[[np.ndarray, str], np.ndarray] | None = None,
) -> Images:
    """Decode all images.

    Parameters
    ----------
    folder : str or Path
        With index.json and the files of the classes.
    size : int
        Height and width of the result in pixels.
    channels : {3, 1}
        3 for RGB, 1 for gray.
    render : callable, optional
        Makes transformed copies, if the container has any, from an image and a recipe:
        petite.subsets.augmentation.render.

    Returns
    -------
    Images
        The copies are after the images of their class.

    Raises
    ------
    ValueError
        If a file has other bytes than the index says, or if there is no `render` for copies.
    """
    folder = Path(folder)
    parts = json.loads((folder / "index.json").read_text(encoding="utf-8"))["classes"]
    images: list[np.ndarray] = []
    labels: list[int] = []
    weights: list[float] = []
    for label, part in enumerate(parts):
        data = (folder / f"{label}.images").read_bytes()
        if len(data) != sum(part["bytes"]):
            raise ValueError(f"{label}.images has {len(data)} bytes, not {sum(part['bytes'])}")
        if part.get("copies") and render is None:
            raise ValueError("the container has transformed copies: give the function `render`")
        here, start = [], 0
        for length in part["bytes"]:
            here.append(_decoded(data[start : start + length], size, channels))
            start += length
        own = part.get("weights", [1.0] * len(here))
        for place, recipe in part.get("copies", []):
            here.append(render(here[place], json.dumps(recipe)))  # type: ignore[misc]
            own = [*own, own[place]]
        images += here
        labels += [label] * len(here)
        weights += own
    shape = (len(images), size, size, channels)
    pixels = np.stack(images) if images else np.empty(shape, np.uint8)
    names = [part["class"] for part in parts]
    return Images(pixels, np.array(labels, np.int64), np.array(weights), names)


def read_soft_labels(folder: str | Path) -> dict[str, np.ndarray]:
    """Read the soft labels, if the container has any.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    dict
        `probabilities`, float32 (n, labels, classes), in the order of `read_container`, and if they
        are of augmented views, `views`, uint8 (n, labels, 3 or 6), as `soft_view` takes them.

    Raises
    ------
    ValueError
        If there are none, or a file has other bytes than the index says.
    """
    folder = Path(folder)
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    parts, about = index["classes"], index.get("soft_labels")
    if about is None:
        raise ValueError("the container has no soft labels")
    # The place of each image's label in the file: a copy has that of its image.
    places: list[int] = []
    count = 0
    for part in parts:
        places += range(count, count + len(part["bytes"]))
        places += [count + place for place, _ in part.get("copies", [])]
        count += len(part["bytes"])
    found = _read(folder / "soft_labels.float16", "<f2", (count, about["labels"], len(parts)))
    whole = found.astype(np.float32)[places]
    # Of rounded probabilities the sum is not 1.
    labels = {"probabilities": whole / whole.sum(axis=2, keepdims=True)}
    if about["crop_padding"] is not None:
        of_view = 6 if about["brightness"] else 3
        views = _read(folder / "soft_views.uint8", "u1", (count, about["labels"], of_view))
        labels["views"] = views[places]
    return labels


def _read(path: Path, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    found = np.frombuffer(path.read_bytes(), dtype)
    if found.size != np.prod(shape):
        raise ValueError(f"{path.name} has {found.size} numbers, not {np.prod(shape)}")
    return found.reshape(shape)


def _decoded(data: bytes, size: int, channels: int) -> np.ndarray:
    """Decode one image, turn it upright and resize it to a square."""
    with Image.open(BytesIO(data)) as file:
        image = ImageOps.exif_transpose(file).convert("RGB" if channels == 3 else "L")
    resized = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized).reshape(size, size, channels)
