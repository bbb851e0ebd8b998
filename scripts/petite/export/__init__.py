"""Taking a subset away: its images as a folder, zip, NPZ or Parquet, with a manifest and a card.

`images` writes the files, class by class, under safe names; `formats` packs them for other
programs; `card` tells a reader what they are. The same subset gives the same bytes.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from petite.data.sources import Source
from petite.data.store import Store
from petite.export.card import About, data_card, manifest_record
from petite.export.formats import write_npz, write_parquet, write_zip
from petite.export.images import MANIFEST_COLUMNS, class_folders, write_images
from petite.util.files import atomic_folder, write_csv, write_json, write_text

__all__ = [
    "MANIFEST_COLUMNS",
    "About",
    "class_folders",
    "data_card",
    "export_subset",
    "manifest_record",
    "write_images",
]


def export_subset(
    out: Path,
    subset: pd.DataFrame,
    about: About,
    store: Store,
    source: Source | None,
    formats: Sequence[str],
) -> pd.DataFrame:
    """Write a subset and all that is told of it to the folder `out`.

    subset: see `petite.subsets.tables.COLUMNS`.
    formats: of folder, zip, npz and parquet, those that are wanted. What an earlier export left of
    the others is removed, since it may be another subset. source: None where it is gone: only npz
    can be made then, and the manifest names no files.

    Returns the manifest. Raises PetiteError as `write_images` does, and when `out` cannot be
    written.
    """
    for name in {"zip", "npz", "parquet"} - set(formats):
        (out / f"images.{name}").unlink(missing_ok=True)
    with _images_folder(out, keep="folder" in formats) as folder:
        manifest = write_images(folder, subset, store, source)
        beside = [out / name for name in ("README.md", "manifest.csv", "manifest.json")]
        write_text(beside[0], data_card(about, manifest, store, formats))
        write_csv(beside[1], manifest)
        write_json(beside[2], manifest_record(about, manifest, store))
        if "zip" in formats:
            write_zip(out / "images.zip", folder, manifest, beside)
        if "parquet" in formats:
            write_parquet(out / "images.parquet", folder, manifest, store.classes)
    if "npz" in formats:
        write_npz(out / "images.npz", manifest, store)
    return manifest


@contextmanager
def _images_folder(out: Path, keep: bool) -> Iterator[Path]:
    """The folder `images` of `out`; without `keep` it is there until files are packed from it."""
    with atomic_folder(out / "images") as folder:
        yield folder
    if not keep:
        shutil.rmtree(out / "images")
