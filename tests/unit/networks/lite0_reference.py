"""The record that tests of EfficientNet-Lite0 compare with."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Reference(NamedTuple):
    """Photographs, and what onnxruntime gave for them with EfficientNet-Lite0."""

    names: list[str]
    images: NDArray[np.uint8]  # (14, 224, 224, 3)
    features: NDArray[np.float32]  # (14, 1280)
    top1: NDArray[np.int32]  # (14,), classes of ImageNet
