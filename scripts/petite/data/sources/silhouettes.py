"""The source `silhouettes`: 10,000 gray images of animals, 28x28 pixels, in ten equal classes.

They are the data of the Python package `animal-mnist` 0.4 (S. Mohammadi, MIT license), read from
its wheel, which is a zip. The package is neither installed nor imported.
"""

import gzip
import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from petite.data.addresses import Wheel
from petite.data.sources.base import USUAL_LIMITS, ArraySource, Limits

WHEEL = Wheel(
    "animal-mnist==0.4",
    "animal_mnist-0.4-py3-none-any.whl",
    "aeebf3d9de4552d6fd2d5701424e1a5b9020f8e5115d68df9db252f2f53ce2ce",
)
IMAGES_MEMBER = "animal_mnist/data/Animal_MNIST/animal_data_version_3.gz"
LABELS_MEMBER = "animal_mnist/data/Animal_MNIST/animal_label_version_3.gz"

# In the order of the labels 0 to 9, as in the package's description.
CLASSES = ["bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra"]
SIZE = 28

# The images have 7.8 MB; a wheel that unpacks to more than this is another one.
UNPACKED_LIMIT = 64_000_000

# Reading another file or a damaged wheel raises these.
NOT_THE_WHEEL = (
    zipfile.BadZipFile,
    zlib.error,
    pickle.UnpicklingError,
    EOFError,
    OSError,
    KeyError,
    ValueError,
    RuntimeError,
)

# The only functions that a pickled array of numbers calls. NumPy 2 renamed the first one's module.
ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class SilhouettesSource(ArraySource):
    """The ten animals of the `animal-mnist` wheel."""

    name = "silhouettes"
    images_per_class = 1000

    path_is: ClassVar[str | None] = f"the wheel of {WHEEL.requirement}"
    wheel = WHEEL

    def __init__(self, path: Path | None, limits: Limits = USUAL_LIMITS) -> None:
        """Read the wheel.

        Raises
        ------
        PetiteError
            When it does not hold the images and labels.
        """
        assert path is not None
        try:
            with zipfile.ZipFile(path) as wheel:
                images = load_array(_unpack(wheel, IMAGES_MEMBER))
                labels = load_array(_unpack(wheel, LABELS_MEMBER))
            if images.dtype != np.uint8 or images.shape != (labels.size, SIZE, SIZE):
                raise ValueError(f"{labels.size} labels, images {images.dtype} {images.shape}")
            if labels.ndim != 1 or not np.isin(labels, range(len(CLASSES))).all():
                raise ValueError("the labels are not one number from 0 to 9 per image")
        except NOT_THE_WHEEL as error:
            raise WHEEL.refused(path, error) from error
        super().__init__(path, limits, images, labels, CLASSES)


def load_array(pickled: bytes) -> NDArray[Any]:
    """Load a pickled NumPy array of integers safely.

    A pickle names functions to call. Here it may name only those that build an array.

    Parameters
    ----------
    pickled : bytes

    Returns
    -------
    ndarray of int

    Raises
    ------
    pickle.UnpicklingError
        For anything else, and for broken pickles.
    """
    try:
        array = _ArrayUnpickler(io.BytesIO(pickled)).load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # a broken pickle can raise nearly anything
        raise pickle.UnpicklingError(f"broken pickle: {error!r}") from error
    if type(array) is not np.ndarray or array.dtype.kind not in "iu":
        raise pickle.UnpicklingError("the pickle does not hold an array of integers")
    return array


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"the pickle asks for {module}.{name}, which an array does not need"
            ) from None


def _unpack(wheel: zipfile.ZipFile, member: str) -> bytes:
    """Unpack a gzipped member, up to a limit."""
    with wheel.open(member) as packed, gzip.open(packed) as unpacked:
        data = unpacked.read(UNPACKED_LIMIT + 1)
    if len(data) > UNPACKED_LIMIT:
        raise ValueError(f"{member} unpacks to more than {UNPACKED_LIMIT / 1e6:g} MB")
    return data
