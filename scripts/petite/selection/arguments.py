"""Check the arguments of a selection and convert them for the methods.

Arrays may be lists, data frames or tensors, and numbers may come from tables and parsers. Valid
arguments are converted and never modified. Others raise PetiteError, which names the argument, what
it must be and what it is.
"""

import reprlib
from collections.abc import Mapping, Sized
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from petite.util.errors import PetiteError

# The types of `random_state` in scikit-learn, and NumPy's Generator.
Seed = int | np.random.Generator | np.random.RandomState | None

# Features can be squared and summed in float32 if the largest is below this and above its inverse.
IN_REACH = 1e12
# The number of possible seeds when one is drawn.
SEEDS = 2**31 - 1


def whole_number(
    name: str, value: Any, least: int, most: int | None = None, of: str = "", instead: str = ""
) -> int:
    """Convert a whole number of any type, from `least` to `most`.

    Whole floats such as 20.0 are allowed, booleans are not. `of` and `instead` are parts of the
    message: what the number counts, and what is allowed instead.
    """
    number = value
    if hasattr(value, "__array__"):
        array = _array(name, value)
        number = array.item() if array.ndim == 0 else value
    whole = _whole(number)
    if whole is not None and least <= whole and (most is None or whole <= most):
        return whole
    reach = f"{least} or more" if most is None else f"{least} to {most}"
    raise _must_be(name, f"a whole number{of}, {reach}{instead}", number)


def random_seed(seed: Any) -> int:
    """Convert a `Seed` to a whole number, >= 0.

    None draws one from NumPy's global random state, a generator from its own state, so that the
    next call gives another one.
    """
    if seed is None or seed is np.random:
        return int(np.random.randint(SEEDS))  # noqa: NPY002
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(SEEDS))
    if isinstance(seed, np.random.RandomState):
        return int(seed.randint(SEEDS))
    return whole_number(
        "seed", seed, 0, instead=", or None, or a NumPy Generator or RandomState to draw it from"
    )


def text(name: str, value: Any) -> str:
    """Check that a value is text."""
    if not isinstance(value, str):
        raise _must_be(name, "text", value)
    return str(value)


def class_labels(labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Labels as whole numbers, (n,) int64, and the distinct labels as given, sorted.

    Whole numbers and booleans are kept; text is numbered in alphabetical order from 0.
    """
    array = typed_array("labels", labels)
    if array.ndim != 1 or len(array) == 0:
        raise PetiteError(
            f"labels must have shape (n,), n >= 1, one label for each image, got {array.shape}"
        )
    if array.dtype.kind in "OT":
        array = _of_one_type(array.astype(object))
    if array.dtype.kind == "U":
        names, numbers = np.unique(array, return_inverse=True)
        return numbers.astype(np.int64), names
    if array.dtype.kind not in "biuf":
        raise PetiteError(f"labels must be whole numbers or text, got {array.dtype}")
    with np.errstate(invalid="ignore"):
        whole = array.astype(np.int64)
    # Compared before the conversion: some floats and unsigned numbers are beyond int64.
    wrong = np.flatnonzero((whole != array) | ((array > 0) != (whole > 0)))
    if len(wrong):
        raise PetiteError(
            f"labels must be whole numbers or text, got {_shown(array[wrong[0]].item())} in row "
            f"{wrong[0]}"
        )
    return whole, np.unique(whole)


def _of_one_type(labels: np.ndarray) -> np.ndarray:
    """Convert labels that are Python objects to an array of text or whole numbers."""
    is_text = [isinstance(label, str) for label in labels]
    if all(is_text):
        return labels.astype(str)
    if all(isinstance(label, bool | np.bool_) for label in labels):
        return labels.astype(bool)
    numbers = [_whole(label) for label in labels]
    is_whole = [number is not None and -(2**63) <= number < 2**63 for number in numbers]
    if all(is_whole):
        return np.array(numbers, np.int64)
    odd = int(np.argmin(is_text if any(is_text) else is_whole))
    raise PetiteError(
        f"labels must be all whole numbers or all text, got {_shown(labels[odd])} in row {odd}"
    )


def group_numbers(groups: ArrayLike, count: int) -> np.ndarray:
    """Number the groups of images, (n,) int64; an image without a group has a number of its own.

    "" and missing values of any kind (None, NaN, NA, NaT) are no groups.
    """
    array = typed_array("groups", groups)
    if array.shape != (count,):
        raise PetiteError(f"groups must be of shape ({count},), got {array.shape}")
    names = array.astype(str)
    is_missing = names == ""
    if array.dtype.kind not in "biuSU":
        is_missing |= [_is_missing(value) for value in array.astype(object)]
    _, numbers = np.unique(names, return_inverse=True)
    return np.where(is_missing, count + np.arange(count), numbers)


def _is_missing(value: object) -> bool:
    """Whether a value is None, or differs from itself, as NaN and NaT do."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA, which is neither true nor false
        return True


def feature_matrix(features: Any, count: int, method: str) -> np.ndarray:
    """Features as the methods compare them: (count, d) float32, finite, contiguous.

    Features whose squares overflow float32 are scaled by a power of two, which does not change
    which images are similar.
    """
    if features is None:
        raise PetiteError(f"'{method}' compares images by their features. Pass features.")
    array = _array("features", features)
    if array.ndim != 2 or len(array) != count or array.shape[1] == 0:
        raise PetiteError(
            f"features must have shape ({count}, d), a row for each label and d >= 1, "
            f"got {array.shape}"
        )
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(_numbers("features", array), np.float32)
    bad = np.flatnonzero(~np.isfinite(single).all(axis=1))
    if len(bad):
        raise PetiteError(
            f"the features of {len(bad)} images are not finite (NaN, infinity, or beyond "
            f"float32), the first in row {bad[0]}"
        )
    return in_reach(single, IN_REACH)


def check_rows(features: Any, count: int) -> None:
    """Check the number of rows of features that the method does not need."""
    if hasattr(features, "shape"):
        shape = tuple(features.shape)
    else:
        shape = (len(features),) if isinstance(features, Sized) else ()
    if shape[:1] != (count,):
        raise PetiteError(
            f"features must have shape ({count}, d), a row for each label, got {shape}"
        )


def in_reach(array: np.ndarray, reach: float) -> np.ndarray:
    """Scale an array by a power of two toward 1 if its largest number is beyond `reach`."""
    largest = float(np.abs(array).max())
    if largest == 0 or 1 / reach < largest < reach:
        return array
    return np.ldexp(array, -int(np.log2(largest)))


def score_column(scores: Any, wanted: str, sign: int, count: int, method: str) -> np.ndarray:
    """The scores that a method needs, (count,) float64, finite, higher for harder images.

    Parameters
    ----------
    scores : array_like, or mapping from str to array_like
        The scores, or columns by name as the proxy makes them.
    wanted : str
        The name of the score.
    sign : int
        -1 if the column `wanted` is higher for easier images, otherwise 1.
    count : int
        Number of images.
    method : str
        The name of the method, for messages.
    """
    if scores is None:
        raise PetiteError(
            f"'{method}' needs the score '{wanted}'. Pass scores, an array or a mapping from names "
            "to arrays, as petite.training.scores makes them."
        )
    if isinstance(scores, Mapping) or hasattr(scores, "columns"):
        names = list(scores) if isinstance(scores, Mapping) else list(scores.columns)
        if wanted not in names:
            raise PetiteError(
                f"'{method}' needs the score '{wanted}', got {', '.join(map(str, names))}"
            )
        scores = scores[wanted]
    else:
        sign = 1
    array = _array("scores", scores)
    if array.shape != (count,):
        raise PetiteError(
            f"scores must have shape ({count},), one for each label, got {array.shape}"
        )
    values = sign * _numbers("scores", array).astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise PetiteError(
            f"the scores of {len(bad)} images are not finite, the first in row {bad[0]}"
        )
    return values


def positions(name: str, given: Any, count: int, most: int) -> np.ndarray:
    """Convert positions of images, or a mask of all, to distinct ascending int64.

    `count` is the number of all images, `most` the number of positions that are allowed. None are
    no positions.
    """
    if given is None:
        return np.empty(0, np.int64)
    array = _array(name, given)
    if array.ndim != 1:
        raise PetiteError(f"{name} must have one dimension, got {array.shape}")
    if array.dtype.kind == "b":
        if len(array) != count:
            raise PetiteError(
                f"{name} must have shape ({count},) if it is a mask, one for each label, "
                f"got {array.shape}"
            )
        array = np.flatnonzero(array)
    given = array.tolist()
    numbers = [_whole(value) for value in given]
    for value, number in zip(given, numbers, strict=True):
        if number is None or not 0 <= number < count:
            raise _must_be(name, f"positions of images, 0 to {count - 1}, or a mask", value)
    found = np.unique(np.array(numbers, np.int64))
    if len(found) > most:
        raise PetiteError(f"{name} has {len(found)} images, more than k, which is {most}")
    return found


def errors_by_label(class_errors: Any) -> Mapping[Any, Any] | None:
    """Check that the errors are a mapping from labels."""
    if class_errors is None or isinstance(class_errors, Mapping):
        return class_errors
    raise _must_be(
        "class_errors",
        "a mapping from each label to its error (of a pandas Series its to_dict())",
        class_errors,
    )


def share(name: str, value: Any) -> float:
    """A number from 0 to 1."""
    if _is_number(value) and 0 <= value <= 1:
        return float(value)
    raise _must_be(name, "a number from 0 to 1", value)


def _is_number(value: Any) -> bool:
    """Whether it is a real number. In NumPy, durations are whole numbers too."""
    return isinstance(value, Real) and not isinstance(value, bool | np.timedelta64)


def _whole(value: Any) -> int | None:
    """The value of a whole number of any type; None for anything else."""
    if not _is_number(value):
        return None
    try:
        whole = int(value)
    except (ValueError, OverflowError):  # NaN, infinity
        return None
    return whole if whole == value else None


def _array(name: str, value: Any) -> np.ndarray:
    """Convert to an array, without a copy if possible."""
    if hasattr(value, "toarray"):  # as SciPy's sparse matrices have
        raise PetiteError(
            f"{name} must be a dense array, got a {type(value).__name__}. Pass its toarray()."
        )
    if np.ma.is_masked(value):
        raise PetiteError(f"{name} must not have masked values")
    try:
        return np.asarray(value)
    except MemoryError:
        raise
    except Exception as error:  # lists of unequal length, tensors on a GPU, whatever has __array__
        raise PetiteError(f"{name} cannot be converted to an array: {error}") from error


def typed_array(name: str, value: ArrayLike) -> np.ndarray:
    """Convert to an array; a list of text and other values stays one of objects.

    NumPy alone would make text of them all: NaN would be the text "nan", and 1 the text "1".
    """
    array = _array(name, value)
    if array.dtype.kind == "U" and not hasattr(value, "dtype"):
        return np.asarray(value, object)
    return array


def _numbers(name: str, array: np.ndarray) -> np.ndarray:
    """Convert an array to a dtype of real numbers."""
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "O":
        # Otherwise text and dates would be converted too, or fail with NumPy's messages.
        odd = [value for value in array.flat if not _is_number(value)]
        if not odd:
            try:
                return array.astype(np.float64)
            except OverflowError:
                raise PetiteError(f"{name} must be finite float64 numbers") from None
        raise _must_be(name, "numbers", odd[0])
    raise PetiteError(f"{name} must be numbers, got {array.dtype}")


def _must_be(name: str, expected: str, value: Any) -> PetiteError:
    return PetiteError(f"{name} must be {expected}, got {_shown(value)}")


def _shown(value: Any) -> str:
    """A short text for any value in a message."""
    kind = type(value).__name__
    if shape := getattr(value, "shape", ()):
        return f"{kind} of shape {shape}"
    try:
        return reprlib.repr(value)
    except ValueError:  # whole numbers of more digits than Python writes
        return kind
