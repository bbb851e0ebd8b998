"""Which source reads a path that was given to `folder` or `archive`."""

import os
import re
import shlex
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from petite.data.sources.layout import is_hidden, side_kind

# The source of a folder with such a file: a Dataset of the library `datasets`, or several.
OF_DATASETS = ("state.json", "dataset_dict.json")
OF_SUFFIX = {".parquet": "parquet", ".npz": "npz", ".tar": "webdataset"}
MOST_FILES = 100_000
MOST_MEMBERS = 40
DEPTH = 3


def right_source(path: Path) -> str:
    """Say which source reads a path whose images are rows of files.

    Returns
    -------
    str
        A sentence such as "... write parquet=data"; "" if it is not such a path.
    """
    kind, place = _kind(path)
    if not kind:
        return ""
    return f"It looks like the source '{kind}': write {kind}={shlex.quote(str(place))}"


def _kind(path: Path) -> tuple[str, Path]:
    if path.is_file():
        kind = OF_SUFFIX.get(path.suffix.lower(), "")
        return (kind if kind != "webdataset" or _has_labels(path) else ""), path
    if any((path / name).is_file() for name in OF_DATASETS):
        return "huggingface", path
    found: Counter[str] = Counter()
    example = {}
    for file in islice(_files(path), MOST_FILES):
        suffix = file.suffix.lower()
        if suffix in OF_SUFFIX:
            found[suffix] += 1
            example[suffix] = file
        elif side_kind(file.name) is None:
            return "", path  # it may be an image
    if len(found) != 1:
        return "", path
    suffix, count = found.popitem()
    if suffix == ".npz":
        return ("npz", example[suffix]) if count == 1 else ("", path)
    if suffix == ".tar" and not _has_labels(example[suffix]):
        return "", path
    return OF_SUFFIX[suffix], path


def _files(path: Path) -> Iterator[Path]:
    """The files of a folder, down to a depth."""
    for folder, names, files in os.walk(path):
        inside = Path(folder).relative_to(path).parts
        names[:] = [name for name in names if not is_hidden(name) and len(inside) < DEPTH]
        yield from (Path(folder, name) for name in files if not is_hidden(name))


def _has_labels(path: Path) -> bool:
    """Whether a tar seems to have labels next to images, under the same keys."""
    with suppress(tarfile.TarError, OSError), tarfile.open(path, "r:") as tar:
        names = [info.name.removeprefix("./") for info in islice(tar, MOST_MEMBERS)]
        suffixes = {name.rpartition(".")[2].lower() for name in names}
        # A tar of class folders may have a .json next to each image.
        is_flat = not any("/" in name for name in names)
        keys = Counter(re.sub(r"\.[^/]*$", "", name) for name in names)
        return max(keys.values(), default=0) > 1 and (
            "cls" in suffixes or (is_flat and bool({"json", "txt"} & suffixes))
        )
    return False
