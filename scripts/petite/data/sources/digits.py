"""The source `digits`: scikit-learn's 1,797 gray images of 8x8 pixels in ten classes."""

from pathlib import Path

import numpy as np

from petite.data.sources.base import USUAL_LIMITS, ArraySource, Limits


class DigitsSource(ArraySource):
    """The handwritten digits in scikit-learn, read offline.

    References
    ----------
    Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI.
    """

    name = "digits"
    images_per_class = 180

    preset = "digits"

    def __init__(self, path: Path | None, limits: Limits = USUAL_LIMITS) -> None:
        from sklearn.datasets import load_digits  # takes a second to import

        digits = load_digits()
        # scikit-learn gives values from 0 to 16.
        images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
        classes = [str(name) for name in digits.target_names]
        super().__init__(path, limits, images, digits.target, classes)
