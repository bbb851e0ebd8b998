"""Embeddings for Petite with NumPy: histograms of the directions of edges (HOG), without a network.

    backbone:
      command: python examples/hog_backbone.py --images {images} --out {embeddings}
      image_size: 64

An image is divided into cells. For each cell, a histogram counts the directions of the edges in it,
weighted by their strength, and is scaled to length 1, so that the brightness does not matter.
"""

import argparse

import numpy as np
import pandas as pd
from PIL import Image

CELLS = 8  # per side
DIRECTIONS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="CSV: file")
    parser.add_argument("--out", required=True, help=".npy to write: a row for each image")
    args = parser.parse_args()
    files = pd.read_csv(args.images)["file"]
    np.save(args.out, np.stack([embedding(file) for file in files]))


def embedding(file: str) -> np.ndarray:
    """A vector of CELLS x CELLS x DIRECTIONS numbers; all images have the same size."""
    down, right = np.gradient(np.asarray(Image.open(file).convert("L"), np.float32))
    strength = np.hypot(down, right)
    direction = (np.arctan2(down, right) % np.pi / np.pi * DIRECTIONS).astype(int) % DIRECTIONS
    row, column = (index * CELLS // len(strength) for index in np.indices(strength.shape))
    place = (row * CELLS + column) * DIRECTIONS + direction
    histograms = np.bincount(
        place.ravel(), strength.ravel(), minlength=CELLS * CELLS * DIRECTIONS
    ).reshape(-1, DIRECTIONS)
    lengths = np.linalg.norm(histograms, axis=1, keepdims=True)
    return (histograms / np.maximum(lengths, 1e-6)).ravel().astype(np.float32)


if __name__ == "__main__":
    main()
