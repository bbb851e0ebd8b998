"""scikit-learn's handwritten digits: 1,797 grey images of 8x8 pixels in ten classes."""

from pathlib import Path

import numpy as np

from petite.sources.base import ArraySource


class DigitsSource(ArraySource):
    """The digits that come with scikit-learn (UCI, Alpaydin and Kaynak 1998), read offline."""

    def __init__(self, path: Path | None) -> None:
        from sklearn.datasets import load_digits  # takes a second to import

        digits = load_digits()
        # Ink is given from 0 to 16.
        images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
        super().__init__(path, images, digits.target, [str(name) for name in digits.target_names])
