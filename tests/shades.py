"""Reddish and greenish images, and a network of one convolution that tells them apart."""

from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 32


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
