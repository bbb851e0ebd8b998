"""Legacy PyTorch files: tensors are read, and nothing that a file names is run."""

import builtins
import io
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from petite.networks.backbones.torch_file import MAGIC, PROTOCOL, STORAGE_TYPES, read_tensors
from petite.util.errors import PetiteError

SYSTEM = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"int": 4}}


def _rebuild_tensor_v2(*arguments: Any) -> None:
    """What a pickle names in place of PyTorch's function."""


_rebuild_tensor_v2.__module__ = "torch._utils"
STORAGE_CLASSES = {name: type(name, (), {"__module__": "torch"}) for name in STORAGE_TYPES}
STORAGE_CLASSES["BFloat16Storage"] = type("BFloat16Storage", (), {"__module__": "torch"})


@dataclass
class Storage:
    kind: str
    key: Any
    count: int


@dataclass
class Tensor:
    """A tensor as PyTorch pickles it."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self.storage, self.offset, self.shape, self.strides, False, OrderedDict())
        return _rebuild_tensor_v2, arguments


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class TorchPickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, Storage):
            return None
        return ("storage", STORAGE_CLASSES[value.kind], value.key, "cpu", value.count, None)


@contextmanager
def torch_can_be_named() -> Iterator[None]:
    """While pickling, modules must be there under the names that go into the pickle."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    vars(torch).update(STORAGE_CLASSES, _utils=utils)
    vars(utils)["_rebuild_tensor_v2"] = _rebuild_tensor_v2
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        yield
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


def pickled(value: Any, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    with torch_can_be_named():
        TorchPickler(file, protocol).dump(value)
    return file.getvalue()


def stored(values: NDArray[Any]) -> bytes:
    return len(values).to_bytes(8, "little") + values.tobytes()


def legacy_file(
    tensors: Any,
    *storages: NDArray[Any],
    keys: Any = None,
    magic: Any = MAGIC,
    protocol: Any = PROTOCOL,
    system: Any = SYSTEM,
) -> bytes:
    """A file of tensors whose storages have the keys "0", "1", ..."""
    names = [str(number) for number in range(len(storages))]
    parts = [magic, protocol, system, tensors, names if keys is None else keys]
    return b"".join([*map(pickled, parts), *map(stored, storages)])


VALUES = np.arange(24, dtype="<f4")


def tensor(
    shape: Any = (2, 3), strides: Any = (3, 1), offset: Any = 0, kind: str = "FloatStorage"
) -> Tensor:
    return Tensor(Storage(kind, "0", 24), offset, shape, strides)


def test_strided_tensors_of_one_storage_are_read() -> None:
    tensors = OrderedDict(
        whole=tensor((4, 6), (6, 1)),
        transposed=tensor((6, 4), (1, 6)),
        column=tensor((4,), (6,), offset=2),
        scalar=tensor((), (), offset=7),
        empty=tensor((0, 3), (3, 1)),
        repeated=tensor((2, 6), (0, 1)),
    )
    read = read_tensors(legacy_file(tensors, VALUES), "file")
    matrix = VALUES.reshape(4, 6)
    assert list(read) == list(tensors)
    np.testing.assert_array_equal(read["whole"], matrix)
    np.testing.assert_array_equal(read["transposed"], matrix.T)
    np.testing.assert_array_equal(read["column"], matrix[:, 2])
    np.testing.assert_array_equal(read["repeated"], matrix[[0, 0]])
    assert read["scalar"] == 7 and read["scalar"].shape == ()
    assert read["empty"].shape == (0, 3)
    assert all(array.flags.c_contiguous for array in read.values())


@pytest.mark.parametrize("kind", STORAGE_TYPES)
def test_all_types_that_numpy_has_are_read(kind: str) -> None:
    values = np.array([0, 1, 1, 0, 1, 0], STORAGE_TYPES[kind])
    read = read_tensors(legacy_file({"x": tensor(kind=kind)}, values), "file")["x"]
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values.reshape(2, 3))


def test_metadata_of_the_dictionary_does_not_count() -> None:
    tensors = OrderedDict(x=tensor())
    vars(tensors)["_metadata"] = OrderedDict({"": {"version": 1}})
    assert list(read_tensors(legacy_file(tensors, VALUES), "file")) == ["x"]


# --- files that run code


def run_eval(ran: Path) -> Call:
    return Call(builtins.eval, f"open({str(ran)!r}, 'w')")


def run_system(ran: Path) -> Call:
    return Call(os.system, f"touch '{ran}'")


ATTACKS: dict[str, Callable[[Path], tuple[Any, str]]] = {
    "os.system": lambda ran: (run_system(ran), "system"),
    "eval": lambda ran: (run_eval(ran), "eval"),
    "exec": lambda ran: (Call(exec, f"open({str(ran)!r}, 'w')"), "exec"),
    "subprocess": lambda ran: (Call(subprocess.Popen, ["touch", str(ran)]), "Popen"),
    "open": lambda ran: (Call(open, str(ran), "w"), "open"),
    "import": lambda ran: (Call(__import__, "os"), "__import__"),
    "as a value": lambda ran: ({"x": tensor(), "y": run_eval(ran)}, "eval"),
    "as a storage": lambda ran: ({"x": Tensor(run_eval(ran), 0, (1,), (1,))}, "eval"),
    "as a shape": lambda ran: ({"x": tensor(shape=run_eval(ran))}, "eval"),
    "as a key of a storage": lambda ran: (
        {"x": Tensor(Storage("FloatStorage", run_eval(ran), 24), 0, (1,), (1,))},
        "eval",
    ),
    "in a call in a call": lambda ran: (
        {"x": Call(OrderedDict, [("a", Call(OrderedDict, [("b", run_system(ran))]))])},
        "system",
    ),
    "as metadata": lambda ran: (Call(OrderedDict, run_eval(ran)), "eval"),
    "a method": lambda ran: (Call(OrderedDict.fromkeys, "ab"), "getattr"),
}


@pytest.mark.parametrize("place", ["magic", "protocol", "system", "tensors", "keys"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_file_that_names_other_code_is_refused_and_does_not_run_it(
    attack: str, place: str, tmp_path: Path
) -> None:
    value, name = ATTACKS[attack](tmp_path / "ran")
    parts = {"tensors": {"x": tensor()}, place: value}
    data = legacy_file(parts.pop("tensors"), VALUES, **parts)
    with pytest.raises(PetiteError, match=rf"asks for \w+\.{name},"):
        read_tensors(data, "file")
    assert not (tmp_path / "ran").exists()


def test_the_attacks_do_run_in_a_plain_unpickler(tmp_path: Path) -> None:
    for number, attack in enumerate(["os.system", "eval", "exec", "open"]):
        ran = tmp_path / str(number)
        pickle.loads(pickle.dumps(ATTACKS[attack](ran)[0]))
        assert ran.exists()


def test_code_named_as_newer_pickles_do_is_refused(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    header = b"".join(map(pickled, [MAGIC, PROTOCOL, SYSTEM]))
    for value in (run_eval(ran), Call(OrderedDict.fromkeys, "ab")):
        with pytest.raises(PetiteError, match="asks for"):
            read_tensors(header + pickled(value, protocol=4), "file")
    assert not ran.exists()


def test_a_class_of_torch_that_is_no_storage_is_refused() -> None:
    data = legacy_file({"x": tensor(kind="BFloat16Storage")}, VALUES)
    with pytest.raises(PetiteError, match=r"torch\.BFloat16Storage"):
        read_tensors(data, "file")


# --- files that are something else


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut short"),
        (b"PK\x03\x04 and so on", "zip format"),
        (b"<html>not found</html>", "damaged or of another format"),
        (b"version https://git-lfs.github.com/spec/v1\n", "damaged or of another format"),
        (legacy_file({}, magic=12), "does not begin"),
        (legacy_file({}, magic="PyTorch"), "does not begin"),
        (legacy_file({}, protocol=1002), "protocol 1002"),
        (legacy_file({}, system={"little_endian": False}), "another order"),
        (legacy_file({}, system=[]), "another order"),
        (legacy_file([1, 2]), "other than a dictionary"),
        (legacy_file({"x": tensor()}, VALUES, keys={"0": 1}), "other than a dictionary"),
        (legacy_file({"x": tensor()}, VALUES, keys=[["0"]]), "other than a dictionary"),
        (legacy_file({"epoch": 3}), "'epoch'"),
        (legacy_file({"model": {"x": tensor()}}, VALUES), "'model'"),
        (legacy_file({"x": tensor()}, VALUES, VALUES), "belong to no tensor"),
        (legacy_file({"x": tensor()}), "missing"),
        (legacy_file({"x": tensor((5, 5), (5, 1))}, VALUES), "beyond its values"),
        (legacy_file({"x": tensor(offset=20)}, VALUES), "beyond its values"),
        (legacy_file({"x": tensor(offset=-1)}, VALUES), "beyond its values"),
        (legacy_file({"x": tensor(strides=(-3, 1))}, VALUES), "beyond its values"),
        (legacy_file({"x": tensor((2, -3))}, VALUES), "beyond its values"),
        (legacy_file({"x": tensor((2**40, 2**40), (0, 0))}, VALUES), "beyond its values"),
        (legacy_file({"x": tensor((2, 3), (1,))}, VALUES), "damaged"),
        (legacy_file({"x": tensor(offset=1.5)}, VALUES), "damaged"),
        (legacy_file({"x": tensor(shape=("2", "3"))}, VALUES), "damaged"),
        (legacy_file({"x": tensor(shape=6)}, VALUES), "damaged"),
        (legacy_file({"x": Tensor("0", 0, (1,), (1,))}, VALUES), "damaged"),
        (legacy_file({"x": Tensor(Storage("FloatStorage", 0, 1), 0, (), ())}), "damaged"),
        (b"\x80\x02]r\xff\xff\xff\xff.", "more memory"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "cut short"),
        (b"\x80\x02X\x07\x00\x00\x00storageQ.", "damaged"),
    ],
)
def test_what_is_no_file_of_tensors_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(PetiteError, match=reason) as raised:
        read_tensors(data, "weights.pth")
    assert "weights.pth" in str(raised.value)


SMALL = legacy_file(OrderedDict(x=tensor(), y=tensor((4, 6), (6, 1))), VALUES)


def test_a_file_that_is_cut_anywhere_is_refused() -> None:
    read_tensors(SMALL, "file")
    for length in range(len(SMALL)):
        with pytest.raises(PetiteError):
            read_tensors(SMALL[:length], "file")


def test_a_file_with_any_byte_changed_gives_tensors_or_is_refused() -> None:
    rng = np.random.default_rng(0)
    refused = 0
    for place in range(len(SMALL)):
        for value in rng.integers(0, 256, 8):
            changed = SMALL[:place] + bytes([value]) + SMALL[place + 1 :]
            try:
                tensors = read_tensors(changed, "file")
            except PetiteError:
                refused += 1
            else:
                assert all(isinstance(array, np.ndarray) for array in tensors.values())
    assert refused > len(SMALL)
