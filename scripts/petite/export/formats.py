"""Pack a subset's images into one file, for programs that do not read folders."""

import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib import format as npy
from numpy.typing import NDArray

from petite.data.container import container_index, without_copies
from petite.data.store import Store
from petite.export.soft import SoftRows
from petite.subsets.augmentation import render_subset
from petite.util.files import atomic_path

AT_ONCE = 256  # images
# Hugging Face's readers load one row group at a time.
ROW_GROUP = 100
UNIX = 3  # zip's code of the system
READABLE = 0o100644  # a plain file that all may read


def write_zip(path: Path, folder: Path, manifest: pd.DataFrame, others: Sequence[Path]) -> None:
    """Write the manifest's files as images/<file>, and `others` next to it. Times are fixed."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for other in others:
            _add(archive, other.name, other.read_bytes(), zipfile.ZIP_DEFLATED)
        # Images are compressed already.
        for file in manifest["file"]:
            _add(archive, f"images/{file}", (folder / file).read_bytes(), zipfile.ZIP_STORED)


def _add(archive: zipfile.ZipFile, name: str, data: bytes, compression: int) -> None:
    info = zipfile.ZipInfo(name)  # its time is 1980, the earliest in a zip
    info.create_system = UNIX
    info.external_attr = READABLE << 16
    info.compress_type = compression
    archive.writestr(info, data)


def write_container(
    path: Path,
    folder: Path,
    manifest: pd.DataFrame,
    encoding: str,
    classes: Sequence[str],
    soft: SoftRows | None = None,
) -> None:
    """Write the images of each class as one file, and the index; see `petite.data.container`.

    Parameters
    ----------
    path : Path
        An empty folder.
    folder : Path
        That of the images.
    manifest : DataFrame
    encoding : str
        Its name.
    classes : sequence of str
    soft : SoftRows, optional
        Written in the order of the images, without those of copies.
    """
    real, copies = without_copies(manifest)
    for label in range(len(classes)):
        with (path / f"{label}.images").open("wb") as file:
            for name in real.loc[real["label"] == label, "file"]:
                file.write((folder / name).read_bytes())
    columns = real["label"], real["bytes"], real["weight"]
    index = container_index(encoding, classes, *columns, soft.stored if soft else None, copies)
    (path / "index.json").write_bytes(index)
    if soft:
        rows = real.index[np.argsort(real["label"].to_numpy(), kind="stable")]
        probabilities = soft.targets.probabilities[rows].astype("<f2")
        (path / "soft_labels.float16").write_bytes(probabilities.tobytes())
        if soft.targets.views:
            (path / "soft_views.uint8").write_bytes(soft.targets.views.drawn[rows].tobytes())


def write_npz(path: Path, subset: pd.DataFrame, store: Store) -> None:
    """Write the images as they are used in training, for `numpy.load`.

    The arrays are images, uint8 (n, size, size, channels), with recipes applied; labels, int64
    (n,); weights, float64 (n,); image_ids, str (n,); class_names, str (classes,). The file contains
    no pickle. AT_ONCE images are in memory at a time.
    """
    arrays = {
        "labels": subset["label"].to_numpy(np.int64),
        "weights": subset["weight"].to_numpy(np.float64),
        "image_ids": subset["image_id"].to_numpy(dtype=str),
        "class_names": np.array(store.classes, dtype=str),
    }
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with archive.open(zipfile.ZipInfo("images.npy"), "w", force_zip64=True) as file:
            shape = (len(subset), *store.shape)
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            npy.write_array_header_1_0(file, header)
            for batch in _pixels(subset, store):
                file.write(batch.tobytes())
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                npy.write_array(file, array, allow_pickle=False)


def _pixels(subset: pd.DataFrame, store: Store) -> Iterator[np.ndarray]:
    """Yield the images in batches, with recipes applied."""
    for start in range(0, len(subset), AT_ONCE):
        part = subset.iloc[start : start + AT_ONCE]
        origins = store.images(part["origin"])
        yield render_subset(origins, part["recipe"].tolist(), store.images)


def write_parquet(
    path: Path,
    folder: Path,
    manifest: pd.DataFrame,
    classes: Sequence[str],
    soft: SoftRows | None = None,
) -> None:
    """Write the manifest with the files' bytes, for Hugging Face's `datasets`.

    Columns: image (struct of bytes and path), label (a ClassLabel), and those of the manifest; with
    soft labels also soft_labels, lists (label, class), and soft_views, lists (label, 3 or 6).
    """
    text = ["image_id", "class_name", "origin", "recipe", "sha256"]
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": list(classes), "_type": "ClassLabel"},
        **{name: {"dtype": "string", "_type": "Value"} for name in text},
        "weight": {"dtype": "float64", "_type": "Value"},
        "rank": {"dtype": "int64", "_type": "Value"},
    }
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    types = {"image": image, "label": pa.int64(), "weight": pa.float64(), "rank": pa.int64()}
    arrays: dict[str, NDArray] = {}
    if soft:
        arrays["soft_labels"] = soft.targets.probabilities
        if soft.targets.views:
            arrays["soft_views"] = soft.targets.views.drawn
    for name, array in arrays.items():
        value = {"dtype": str(array.dtype), "_type": "Value"}
        features[name] = {"_type": "List", "feature": {"_type": "List", "feature": value}}
        types[name] = pa.list_(pa.list_(pa.from_numpy_dtype(array.dtype)))
    about = json.dumps({"info": {"features": features}}, ensure_ascii=False)
    schema = pa.schema([(name, types.get(name, pa.string())) for name in features])
    schema = schema.with_metadata({"huggingface": about})
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for start in range(0, len(manifest), ROW_GROUP):
            part = manifest.iloc[start : start + ROW_GROUP]
            images = [
                {"bytes": (folder / file).read_bytes(), "path": file} for file in part["file"]
            ]
            lists = {
                # Arrow takes lists of lists of NumPy's numbers, and no arrays of more dimensions.
                name: [[*one] for one in array[start : start + ROW_GROUP]]
                for name, array in arrays.items()
            }
            own = {"image": images, **lists}
            table = {name: own[name] if name in own else part[name] for name in features}
            writer.write_table(pa.Table.from_pydict(table, schema=schema))
