"""Write the images of a subset to class folders, under names that are safe on any system."""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from petite.data.decoding.formats import format_of
from petite.data.encoded import EncodedImages
from petite.data.encoded_shard import read_encoded
from petite.data.pictures import png
from petite.data.sources import Source, UnreadableEntry
from petite.data.store import Store
from petite.subsets.augmentation import render
from petite.subsets.synthetic import without_pixels
from petite.util.errors import PetiteError

MANIFEST_COLUMNS = [
    "file",
    "image_id",
    "class_name",
    "label",
    "weight",
    "rank",
    "origin",
    "recipe",
    "sha256",
    "bytes",
]
SUFFIXES = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "GIF": ".gif",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "PPM": ".ppm",
    "AVIF": ".avif",
    "JPEG2000": ".jp2",
    "TGA": ".tga",
    "QOI": ".qoi",
}
REMEDY = "Restore the original images, or rerun the workflow on the present ones."
LONGEST_NAME = 60
# Words that Hugging Face's `datasets` takes for splits, if no letters are next to them.
SPLIT_WORDS = re.compile(
    "(?<![A-Za-z])(train|training|validation|valid|dev|val|test|testing|eval|evaluation)(?![A-Za-z])"
)
RENDERED_AT_ONCE = 256
# Windows opens a device under these names, in any folder.
RESERVED = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(10)}


def class_folders(classes: Sequence[str]) -> list[str]:
    """A folder name for each class, such that sorting by name gives the order of the labels.

    Most programs number classes by the alphabetical order of their folders, so they get the labels
    that the models were trained with. The folder has the name of its class, unless that is unsafe
    or not unique. If the names are in another order, all begin with the label.

    Letters lose their accents, other characters than letters, digits, "_" and "-" become "-", and
    names that differ only in case or not at all get their label as a suffix.
    """
    folders: list[str] = []
    taken: set[str] = set()
    for label, name in enumerate(classes):
        folder = _safe(name) or f"class-{label}"
        while folder.lower() in taken | RESERVED:
            folder += f"-{label}"
        taken.add(folder.lower())
        folders.append(folder)
    # Some programs ignore case when sorting.
    if folders == sorted(folders) == sorted(folders, key=str.lower):
        return folders
    digits = len(str(len(classes) - 1))
    return [f"{label:0{digits}d}-{_safe(name) or 'class'}" for label, name in enumerate(classes)]


def write_images(
    folder: Path,
    subset: pd.DataFrame,
    store: Store,
    source: Source | None,
    encoded: EncodedImages | None = None,
) -> pd.DataFrame:
    """Write the images of a subset as `folder`/<class>/<row>-<name>.<suffix>.

    Originals and encoded images are written byte for byte, with the suffix of their real format.
    Images of a source without files, and images that recipes make from stored ones, are written as
    PNG without loss. File names begin with the number of their row, so that they are unique.

    Parameters
    ----------
    folder : Path
        An empty folder.
    subset : DataFrame
        With the columns `petite.subsets.tables.COLUMNS`.
    store : Store
        The store that the subset was selected from.
    source : Source or None
        The originals. Without a source no file is written, unless the images are encoded.
    encoded : EncodedImages, optional
        Written instead of the originals.

    Returns
    -------
    DataFrame
        The manifest, a row for each row of the subset, with MANIFEST_COLUMNS: `file` is the path
        below `folder`; `sha256` and `bytes` are of that file. Without a source these are empty.
        Recipes are without the pixels that they may hold, which are in the file.

    Raises
    ------
    PetiteError
        If an original is missing, cannot be read or has changed since it was read into the store.
    """
    manifest = subset[[column for column in MANIFEST_COLUMNS if column in subset]].reset_index(
        drop=True
    )
    listed = manifest["recipe"].map(without_pixels)
    if encoded is not None:
        files = _encoded_files(manifest, encoded)
    elif source is not None:
        files = _files(manifest, store, source)
    else:
        return manifest.assign(file="", recipe=listed, sha256="", bytes=0)[MANIFEST_COLUMNS]
    names = class_folders(store.classes)
    for name in names:
        (folder / name).mkdir(parents=True)
    digits = len(str(len(subset) - 1))
    written: dict[int, tuple[str, str, int]] = {}
    for row, data, suffix in files:
        label, origin = int(manifest["label"][row]), str(manifest["origin"][row])
        # The suffix that augmentation adds to an id distinguishes its images.
        stem = PurePosixPath(origin).stem + manifest["image_id"][row].removeprefix(origin)
        name = "-".join(filter(None, [f"{row:0{digits}d}", _safe_stem(stem)]))
        file = f"{names[label]}/{name}{suffix}"
        (folder / file).write_bytes(data)
        written[row] = file, hashlib.sha256(data).hexdigest(), len(data)
    facts = pd.DataFrame.from_dict(written, "index", columns=["file", "sha256", "bytes"])
    return manifest.assign(recipe=listed).join(facts)[MANIFEST_COLUMNS]


def _safe(name: str) -> str:
    """A file name without suffix that is safe on any system; may be empty.

    Hugging Face's `datasets` ignores folders that begin with two underscores.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_]+", "-", plain)[:LONGEST_NAME].strip("-_")


def _safe_stem(name: str) -> str:
    """A safe file name without suffix and without words that look like splits.

    Hugging Face's `datasets` would divide a folder by them.
    """
    return re.sub(r"-{2,}", "-", SPLIT_WORDS.sub("", _safe(name))).strip("-_")


def _files(rows: pd.DataFrame, store: Store, source: Source) -> Iterator[tuple[int, bytes, str]]:
    """Yield row, bytes and suffix of each image's file, in an order that reads fast."""
    real = rows[rows["recipe"] == ""]
    row_of = dict(zip(real["image_id"], real.index, strict=True))
    positions = store.positions(row_of)
    expected = dict(zip(row_of, store.index["sha256"].to_numpy()[positions], strict=True))
    for image_id, data in source.read_many(list(row_of)):
        if isinstance(data, UnreadableEntry):
            raise PetiteError(f"{image_id} can no longer be read: {data.reason}. {REMEDY}")
        content = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
        if hashlib.sha256(content).hexdigest() != expected[image_id]:
            raise PetiteError(f"{image_id} has changed since it was read. {REMEDY}")
        if isinstance(data, bytes):
            yield row_of[image_id], data, _suffix(data)
        else:
            yield row_of[image_id], png(data), ".png"
    yield from _rendered(rows, store)


def _encoded_files(rows: pd.DataFrame, encoded: EncodedImages) -> Iterator[tuple[int, bytes, str]]:
    """The same of encoded images; copies are rendered from the decoded ones."""
    real = rows[rows["recipe"] == ""]
    row_of = dict(zip(real["image_id"], real.index, strict=True))
    for image_id, data in read_encoded(encoded.tables, row_of):
        yield row_of[image_id], data, _suffix(data)
    yield from _rendered(rows, encoded.store)


def _rendered(rows: pd.DataFrame, store: Store) -> Iterator[tuple[int, bytes, str]]:
    """Yield the copies that recipes make."""
    made = rows[rows["recipe"] != ""]
    for start in range(0, len(made), RENDERED_AT_ONCE):
        part = made.iloc[start : start + RENDERED_AT_ONCE]
        for row, recipe, pixels in zip(
            part.index, part["recipe"], store.images(part["origin"]), strict=True
        ):
            yield row, png(render(pixels, recipe, store.images)), ".png"


def _suffix(data: bytes) -> str:
    """The suffix for the real format of the bytes, whatever the original's name."""
    return SUFFIXES[str(format_of(data))]
