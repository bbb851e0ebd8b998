"""Reddish and greenish images, and a network of one convolution that tells them apart."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from smallest import smallest

SIDE = 32


def smallest_on_shades(
    methods: dict[str, list[float]], side: int = 16, shards: int = 2, **sections: Any
) -> dict[str, Any]:
    """A configuration of the name `tiny`, on what `write_shades` writes.

    methods: the fractions of each; side: of the stored images; sections: in place of those here,
    or others.
    """
    given: dict[str, Any] = {
        "backbone": {"name": "file:network.keras", "image_size": SIDE, "scaling": "zero_to_one"},
        "features": {"space": "backbone"},
        "dataset": {
            "name": "tiny",
            "source": "folder",
            "path": "shades",
            "classes": None,
            "image_size": side,
            "color": "rgb",
            "shards": shards,
        },
    }
    return smallest(methods, **(given | sections))


def write_shades(folder: Path, count: int) -> None:
    """Write shades/red and shades/green, each with `count` images, and network.keras."""
    import keras  # here, so that no other process loads TensorFlow for it

    rng = np.random.default_rng(0)
    for place, name in enumerate(("red", "green")):
        (folder / "shades" / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 200, (SIDE, SIDE, 3))
            pixels[..., place] += 20
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(folder / "shades" / name / f"{number}.png")
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.layers.Input((SIDE, SIDE, 3)),
            keras.layers.Conv2D(12, 3, strides=2, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    network.save(folder / "network.keras")
