"""Reads the tensors of a legacy PyTorch file without PyTorch, and runs no code that it names.

Such a file (`torch.save` before 1.6) is a sequence of pickles: a magic number, the version of the
protocol, the writer's byte order, the dictionary of tensors and the keys of their storages. Then
comes each storage: an int64 count and as many raw values. A pickle is code: it names functions to
call. Here it may name those that build a dictionary of tensors, and no others.
"""

import io
import pickle
import pickletools
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from petite.util.errors import PetiteError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
ZIP_BEGINS = b"PK\x03\x04"

# The storage types by the name that a pickle calls them; NumPy has no bfloat16.
STORAGE_TYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}


def read_tensors(data: bytes, name: str) -> dict[str, NDArray[Any]]:
    """Read all tensors of a legacy PyTorch file that holds a dictionary of them.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        What the file is called in error messages.

    Returns
    -------
    dict of str to ndarray
        Contiguous arrays of the tensors' shapes and dtypes, in the order of the file.

    Raises
    ------
    PetiteError
        The file is of another format, is cut short or damaged, or names a class or function that
        a dictionary of tensors does not need.
    """
    if data.startswith(ZIP_BEGINS):
        raise PetiteError(
            f"{name}: this is PyTorch's zip format, and only the legacy format is read: save it "
            "with torch.save(..., _use_new_zipfile_serialization=False)"
        )
    file = io.BytesIO(data)
    try:
        _read_header(file)
        tensors = _Unpickler(file).load()
        keys = _Unpickler(file).load()
        _check_types(tensors, keys)
        types = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
        storages = {key: _read_storage(file, types.get(key)) for key in keys}
        return {key: _strided(tensor, storages) for key, tensor in tensors.items()}
    except _Unreadable as error:
        raise PetiteError(f"{name}: {error}: download it again, or use another file") from error


class _Unreadable(Exception):
    """Why the file cannot be read."""


class _Storage(NamedTuple):
    key: str
    dtype: str


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int  # values
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # values


class _RebuildTensor:
    """Stands in for torch._utils._rebuild_tensor_v2; a pickle can set no attribute of it."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> _Tensor:
        are_numbers = all(type(value) is int for value in (offset, *shape, *strides))
        if type(storage) is not _Storage or not are_numbers or len(shape) != len(strides):
            raise pickle.UnpicklingError("a tensor without a valid storage, shape or strides")
        return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Builds dictionaries of tensors, and nothing else."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self._file = file

    def load(self) -> Any:
        try:
            self._check_sizes()
            return super().load()
        except _Unreadable:
            raise
        except Exception as error:  # a broken pickle can raise nearly anything
            if self._file.tell() == len(self._file.getbuffer()):
                raise _Unreadable("the file is cut short") from error
            raise _Unreadable(f"the file is damaged or of another format ({error})") from error

    def _check_sizes(self) -> None:
        """Raise unless the pickle is whole, and takes no more memory than its length explains.

        A few bytes can ask for a memo of billions of entries.
        """
        begin, most = self._file.tell(), len(self._file.getbuffer())
        for opcode, argument, _ in pickletools.genops(self._file):
            if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > most:
                raise _Unreadable("the file is damaged: it asks for more memory than it explains")
        self._file.seek(begin)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _RebuildTensor()
        if module == "torch" and name in STORAGE_TYPES:
            return STORAGE_TYPES[name]
        raise _Unreadable(f"the file asks for {module}.{name}, which tensors do not need")

    def persistent_load(self, description: Any) -> _Storage:
        """A storage: ("storage", its type, key, device, number of values[, view])."""
        kind, dtype, key, _device, _count = description[:5]
        is_storage = kind == "storage" and dtype in STORAGE_TYPES.values() and type(key) is str
        if not is_storage or any(description[5:]):
            raise pickle.UnpicklingError("a storage of an unknown kind")
        return _Storage(key, dtype)


def _read_header(file: io.BytesIO) -> None:
    """Read up to the tensors; raises _Unreadable unless this is the legacy format."""
    if _Unpickler(file).load() != MAGIC:
        raise _Unreadable("the file does not begin as a legacy PyTorch file")
    if (protocol := _Unpickler(file).load()) != PROTOCOL:
        raise _Unreadable(f"the file is of protocol {protocol}, and only {PROTOCOL} is read")
    system = _Unpickler(file).load()
    if not (isinstance(system, dict) and system.get("little_endian") is True):
        raise _Unreadable("the file was written with the bytes of numbers in another order")


def _check_types(tensors: Any, keys: Any) -> None:
    are_keys = isinstance(keys, list) and all(type(key) is str for key in keys)
    if not isinstance(tensors, dict) or not are_keys:
        raise _Unreadable("the file holds something other than a dictionary of tensors")
    for key, tensor in tensors.items():
        if type(tensor) is not _Tensor:
            raise _Unreadable(f"the file holds '{key}', which is not a tensor")


def _read_storage(file: io.BytesIO, dtype: str | None) -> NDArray[Any]:
    """The next storage; `dtype` is None for one that no tensor uses, whose size is not known."""
    if dtype is None:
        raise _Unreadable("the file holds values that belong to no tensor")
    count = int.from_bytes(file.read(8), "little", signed=True)
    size = count * np.dtype(dtype).itemsize
    if not 0 <= size <= len(file.getbuffer()) - file.tell():
        raise _Unreadable("the file is cut short")
    return np.frombuffer(file.read(size), dtype)


def _strided(tensor: _Tensor, storages: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """A copy of a tensor's values; raises _Unreadable where it reaches beyond its storage."""
    values = storages.get(tensor.storage.key)
    if values is None:
        raise _Unreadable("the file is cut short: a tensor's values are missing")
    reach = tensor.offset + sum(
        (side - 1) * stride for side, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    is_within = min(tensor.offset, *tensor.shape, *tensor.strides, 0) == 0 and reach < len(values)
    if not is_within or np.prod(tensor.shape, dtype=object) > len(values):
        raise _Unreadable("the file is damaged: a tensor reaches beyond its values")
    strides = [stride * values.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, strides)
    return view.copy()
