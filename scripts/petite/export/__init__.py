"""Export a subset: its images as a folder, zip, NPZ, Parquet or container, and a data card.

`images` writes the files, class by class, under safe names. `formats` packs them for other
programs, of which `read_container` is one. `card` describes them. The same subset gives the same
bytes. `soft` writes the soft labels of the images, if they have any.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import ModuleType

import pandas as pd

from petite.data.encoded import EncodedImages
from petite.data.sources import Source
from petite.data.store import Store
from petite.export import read_container
from petite.export.card import About, data_card, manifest_record
from petite.export.formats import write_container, write_npz, write_parquet, write_zip
from petite.export.images import MANIFEST_COLUMNS, class_folders, write_images
from petite.export.soft import SoftRows, write_soft_labels
from petite.training import soft_views
from petite.training.soft_labels import SoftLabels
from petite.util.encoded_names import ORIGINAL
from petite.util.files import atomic_folder, write_csv, write_json, write_text

__all__ = [
    "MANIFEST_COLUMNS",
    "About",
    "class_folders",
    "export_subset",
]

FILES = {
    "folder": ["images"],
    "zip": ["images.zip"],
    "npz": ["images.npz"],
    "parquet": ["images.parquet"],
    "container": ["container", "read_container.py"],
}
OF_SOFT_LABELS = ["soft_labels.npz", "soft_views.py"]


def export_subset(
    out: Path,
    subset: pd.DataFrame,
    about: About,
    store: Store,
    source: Source | None,
    formats: Sequence[str],
    encoded: EncodedImages | None = None,
    soft: SoftLabels | None = None,
) -> pd.DataFrame:
    """Write a subset, its manifest and its data card to a folder.

    Parameters
    ----------
    out : Path
        The folder.
    subset : DataFrame
        With the columns `petite.subsets.tables.COLUMNS`.
    about : About
        Facts about the subset.
    store : Store
        The store that the subset was selected from.
    source : Source or None
        None if it is gone. Then only npz is possible, and the manifest names no files, unless the
        images are encoded.
    formats : sequence of {"folder", "zip", "npz", "parquet", "container"}
        The formats to write. Files of other formats from an earlier export are removed, because
        they may be of another subset.
    encoded : EncodedImages, optional
        Exported instead of the originals.
    soft : SoftLabels, optional
        Those of the judge that the subset is for, exported with every format.

    Returns
    -------
    DataFrame
        The manifest, see `write_images`.

    Raises
    ------
    PetiteError
        As `write_images`, and if `out` cannot be written.
    """
    _remove_others(out, formats)
    with _images_folder(out, keep="folder" in formats) as folder:
        manifest = write_images(folder, subset, store, source, encoded)
        documents = [out / name for name in ("README.md", "manifest.csv", "manifest.json")]
        write_text(documents[0], data_card(about, manifest, store, formats, soft))
        write_csv(documents[1], manifest)
        write_json(documents[2], manifest_record(about, manifest, store, soft))
        rows = SoftRows(soft.targets(subset), soft.stored) if soft else None
        if rows:
            documents.append(out / "soft_labels.npz")
            write_soft_labels(documents[-1], rows.targets)
            if rows.targets.views:
                documents.append(_copied(soft_views, out / "soft_views.py"))
        if "zip" in formats:
            write_zip(out / "images.zip", folder, manifest, documents)
        if "parquet" in formats:
            write_parquet(out / "images.parquet", folder, manifest, store.classes, rows)
        if "container" in formats:
            encoding = encoded.encoding if encoded else ORIGINAL
            with atomic_folder(out / "container") as container:
                write_container(container, folder, manifest, encoding, store.classes, rows)
            _copied(read_container, out / "read_container.py")
    if "npz" in formats:
        write_npz(out / "images.npz", subset, encoded.store if encoded else store)
    return manifest


def _remove_others(out: Path, formats: Sequence[str]) -> None:
    """Remove the files of other formats, except the folder of images, which is made in any case."""
    others = [FILES[name] for name in FILES.keys() - {"folder", *formats}]
    for path in chain(OF_SOFT_LABELS, *others):
        if (out / path).is_dir():
            shutil.rmtree(out / path)
        else:
            (out / path).unlink(missing_ok=True)


def _copied(module: ModuleType, path: Path) -> Path:
    """Copy a module that needs nothing of Petite, for those who load the export."""
    write_text(path, Path(str(module.__file__)).read_text(encoding="utf-8"))
    return path


@contextmanager
def _images_folder(out: Path, keep: bool) -> Iterator[Path]:
    """The folder `images` in `out`; without `keep` it is removed after the block."""
    with atomic_folder(out / "images") as folder:
        yield folder
    if not keep:
        shutil.rmtree(out / "images")
