"""Describe an exported subset and how it was made: as JSON and as Markdown."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypedDict

import pandas as pd

import petite
from petite.data.container import container_bytes, without_copies
from petite.data.store import Store
from petite.export.images import SUFFIXES, class_folders
from petite.export.soft import (
    SoftRecord,
    about_soft_labels,
    files_of,
    loading_lines,
    soft_record,
)
from petite.subsets.synthetic import is_whole
from petite.training.soft_labels import SoftLabels
from petite.util.encoded_names import ORIGINAL, encoding_in_words, encoding_of
from petite.util.formatting import byte_size, counted, listed, number

FORMAT = 1
# These differ each time that the subset is selected.
OMITTED = {"seconds", "proxy_seconds", "memory_forecast"}

FILES = {
    "folder": "`images/`: a folder of image files for each class",
    "zip": "`images.zip`: that folder, with this page and the manifest, in one file",
    "npz": "`images.npz`: pixels as they were trained on, labels, weights and ids, for NumPy",
    "parquet": "`images.parquet`: the image files and the manifest in one table, for Hugging Face",
    "container": "`container/`: the image files of each class in one file, and an index with their "
    "bytes; `read_container.py` reads them",
}
KERAS, DATASETS, TORCHVISION = "Keras", "datasets", "torchvision"
# The files that a library reads from a folder; it ignores others.
READ_FROM_FOLDERS = {
    KERAS: {".jpg", ".png", ".gif", ".bmp"},
    DATASETS: {*SUFFIXES.values()} - {".avif", ".qoi"},
    TORCHVISION: {".jpg", ".png", ".webp", ".bmp", ".ppm", ".tif"},
}
# `{images}` is the folder of images, `{folders}` the folders of the classes.
LOADING_A_FOLDER = {
    KERAS: """import keras
images = keras.utils.image_dataset_from_directory("{images}", class_names={folders})""",
    # Explicit, because otherwise folders and files called "test" or "val" become other splits.
    DATASETS: """from datasets import load_dataset
images = load_dataset("imagefolder", data_files={"train": "{images}/**"}, split="train")""",
    TORCHVISION: """from torchvision.datasets import ImageFolder
images = ImageFolder("{images}")""",
}
# If a library reads none of the files.
LOADING_BY_PILLOW = """from PIL import Image, ImageOps
import numpy as np
size, bilinear = ({size}, {size}), Image.Resampling.BILINEAR
files = [ImageOps.exif_transpose(Image.open("{images}/" + file)) for file in manifest["file"]]
images = np.stack([np.asarray(file.convert("{mode}").resize(size, bilinear)) for file in files])
labels, weights = manifest["label"].to_numpy(), manifest["weight"].to_numpy()"""
UNPACKING = """import zipfile
zipfile.ZipFile("images.zip").extractall("unpacked")"""
LOADING = {
    "npz": [
        """import numpy as np
kept = np.load("images.npz")
kept["images"], kept["labels"], kept["weights"], kept["image_ids"], kept["class_names"]"""
    ],
    "parquet": [
        """from datasets import load_dataset
images = load_dataset("parquet", data_files="images.parquet", split="train")"""
    ],
    "container": [
        """from read_container import read_container
images, labels, weights, class_names = read_container("container", {size}, {channels})"""
    ],
}
# If some images are transformed copies.
WITH_COPIES = """from read_container import read_container
from petite.subsets.augmentation import render
images, labels, weights, class_names = read_container("container", {size}, {channels}, render)"""
# Names stay text, including those that look like numbers or missing values.
LOADING_THE_MANIFEST = """import pandas as pd
text = dict.fromkeys(["file", "image_id", "class_name", "origin", "recipe", "sha256"], str)
manifest = pd.read_csv("manifest.csv", dtype=text, keep_default_na=False)"""


@dataclass(frozen=True)
class About:
    """Facts about an exported subset.

    Attributes
    ----------
    dataset, source : str
        Name and source of the data set.
    label : str
        Name of the method's entry in the configuration, and of the encoding if there is one.
    fraction : float
        The fraction of the training images.
    seed : int
        Seed of the selection.
    record : dict
        Content of the JSON file next to the subset's table.
    training_images : int
        Number of training images that the subset was chosen from.
    why : str or None
        The recommendation, if the export follows it.
    leaked : int
        Images of the subset that leak into the validation or test set (split.leaks: keep).
    """

    dataset: str
    source: str
    label: str
    fraction: float
    seed: int
    record: dict[str, Any]
    training_images: int
    why: str | None = None
    leaked: int = 0


class StoreRecord(TypedDict):
    """The store in an export's manifest.json."""

    digest: str
    image_size: int
    channels: int


class ManifestRecord(TypedDict):
    """Content of an export's manifest.json."""

    format: int
    petite: str  # version
    dataset: str
    source: str
    method: str
    fraction: float
    seed: int
    images: int  # without transformed copies
    rows: int
    training_images: int
    classes: list[str]
    class_folders: list[str]
    encoding: str
    bytes: int | None  # of a container of these images; None without files
    selection: dict[str, Any]
    soft_labels: SoftRecord | None
    store: StoreRecord
    why: str | None


def manifest_record(
    about: About, manifest: pd.DataFrame, store: Store, soft: SoftLabels | None = None
) -> ManifestRecord:
    """Content of manifest.json: how the subset was made; equal for equal subsets."""
    return {
        "format": FORMAT,
        "petite": petite.__version__,
        "dataset": about.dataset,
        "source": about.source,
        "method": about.label,
        "fraction": about.fraction,
        "seed": about.seed,
        "images": int(((manifest["recipe"] == "") | manifest["recipe"].map(is_whole)).sum()),
        "rows": len(manifest),
        "training_images": about.training_images,
        "classes": store.classes,
        "class_folders": class_folders(store.classes),
        "encoding": encoding_of(about.label),
        "bytes": bytes_of(about, manifest, store, soft),
        "selection": _selection(about),
        "soft_labels": soft_record(soft) if soft else None,
        "store": {
            "digest": store.manifest["digest"],
            "image_size": store.image_size,
            "channels": store.channels,
        },
        "why": about.why,
    }


def data_card(
    about: About,
    manifest: pd.DataFrame,
    store: Store,
    formats: Sequence[str],
    soft: SoftLabels | None = None,
) -> str:
    """The data card, a page of Markdown about the exported subset."""
    made = int((manifest["recipe"] != "").sum())
    real = len(manifest) - made
    total = bytes_of(about, manifest, store, soft)
    by = (
        f"by the method `{about.label}` at fraction {about.fraction:g}, selection seed "
        f"{about.seed}, with Petite {petite.__version__}."
    )
    if real:
        copies = f" {made:,} further images are transformed copies of them." if made else ""
        title, begin = f"{real:,} of {about.training_images:,} training images", f"Chosen {by}"
    else:
        copies, begin = "", f"Made {by}"
        title = f"{made:,} images made of {about.training_images:,} training images"
    lines = [f"# {about.dataset}: {title}", "", begin + copies]
    if about.why:
        lines += ["", f"Why this subset: {about.why}"]
    if soft:
        lines += ["", about_soft_labels(soft, formats)]
    lines += [
        "",
        f"{'It is a part' if real else 'They are made of images'} of the training set. "
        f"{_use_of_others(about.leaked)} The images are from the "
        f"source `{about.source}`, whose license and terms apply to them.",
        "",
        "## Classes",
        "",
        "| label | class | folder | images |",
        "|--:|:--|:--|--:|",
    ]
    counts = manifest["label"].value_counts()
    folders = class_folders(store.classes)
    for label, (name, folder) in enumerate(zip(store.classes, folders, strict=True)):
        lines.append(f"| {label} | {_cell(name)} | {folder} | {counts.get(label, 0):,} |")
    lines += ["", "## Files", "", *(f"- {FILES[name]}" for name in formats)]
    if soft:
        lines.append(f"- {files_of(soft)}")
    lines += [
        "- `manifest.csv`: for each image its file, original path (`image_id`), class, weight, "
        "recipe, SHA-256 and bytes; all other files have the same order",
        "- `manifest.json`: how the subset was made, for programs",
        "",
        *([_about_bytes(manifest, total, soft)] if total else []),
        *_remarks(manifest, store, encoding_of(about.label)),
        "",
        "## Loading",
        "",
        "All of these give the labels of the table above. Those that read a folder name the "
        "classes by their folders.",
        "",
    ]
    soft_lines = loading_lines(soft, formats) if soft else []
    for code in [*_loading(manifest, store, formats), *soft_lines]:
        lines += ["```python", code, "```", ""]
    selection = json.dumps(_selection(about), ensure_ascii=False, sort_keys=True, indent=2)
    lines += ["## How it was chosen", "", "```json", selection, "```"]
    return "\n".join(lines) + "\n"


def bytes_of(
    about: About, manifest: pd.DataFrame, store: Store, soft: SoftLabels | None = None
) -> int | None:
    """The bytes of a container of the exported images, as the run counts them; None without files.

    Images of a source without files count as the PNG files that are written for them.
    """
    real, copies = without_copies(manifest)
    if not real["bytes"].all():
        return None
    columns = real["label"], real["bytes"], real["weight"]
    stored = soft.stored if soft else None
    return container_bytes(encoding_of(about.label), store.classes, *columns, stored, copies)


def _about_bytes(manifest: pd.DataFrame, total: int, soft: SoftLabels | None) -> str:
    """The bytes of the images, and of what holds them."""
    real, copies = without_copies(manifest)
    parts = ["its index", *(["the recipes of the copies"] if copies else [])]
    if soft:
        parts.append(f"{number(len(real) * soft.bytes_per_image)} bytes of soft labels")
    sentences = [
        f"The {counted(len(real), 'image')} have {number(real['bytes'].sum())} bytes, and "
        f"{number(total)} bytes ({byte_size(total)}) as a container with {listed(parts)}.",
        "A folder has the same bytes in its files, but takes whole blocks of the disk.",
    ]
    if copies:
        size = byte_size(manifest["bytes"].sum())
        sentences[1] = f"Other formats hold the copies as images, {size} in all."
    return " ".join(sentences) + "\n"


def _loading(manifest: pd.DataFrame, store: Store, formats: Sequence[str]) -> list[str]:
    """The lines of Python that load each format."""
    suffixes = {PurePosixPath(file).suffix for file in manifest["file"]}
    found = [LOADING_THE_MANIFEST]
    for name in formats:
        if name in ("folder", "zip"):
            images = "images" if name == "folder" else "unpacked/images"
            found += [] if name == "folder" else [UNPACKING]
            able = [library for library, read in READ_FROM_FOLDERS.items() if suffixes & read]
            codes = [LOADING_A_FOLDER[library] for library in able]
            codes += [] if KERAS in able else [LOADING_BY_PILLOW]
            found += [code.replace("{images}", images) for code in codes]
        else:
            found += LOADING[name]
    values = {
        "{folders}": str(class_folders(store.classes)),
        "{size}": str(store.image_size),
        "{channels}": str(store.channels),
        "{mode}": "RGB" if store.channels == 3 else "L",
    }
    if (manifest["recipe"] != "").any():
        found = [WITH_COPIES if code in LOADING["container"] else code for code in found]
    for key, value in values.items():
        found = [code.replace(key, value) for code in found]
    return found


def _use_of_others(leaked: int) -> str:
    """Whether the validation and test sets can evaluate models that are trained on the subset."""
    if not leaked:
        return (
            "It has no image of the validation and test sets, so these can still evaluate models "
            "that are trained on it."
        )
    are = f"{counted(leaked, 'image')} of it {'has' if leaked == 1 else 'have'}"
    return (
        f"{are} a duplicate, or another image of the same group, in the validation or test set "
        "(`split.leaks: keep`), so the accuracy of models on these is too high."
    )


def _cell(name: str) -> str:
    """A name, escaped for a table of Markdown."""
    return re.sub(r"([\\|<`])", r"\\\1", " ".join(name.splitlines()))


def _selection(about: About) -> dict[str, Any]:
    """The record of the selection without times and memory."""
    return {name: value for name, value in about.record.items() if name not in OMITTED}


def _remarks(manifest: pd.DataFrame, store: Store, encoding: str) -> list[str]:
    """Remarks for training on the subset."""
    weights = manifest["weight"]
    remarks = [
        "All images have the same weight."
        if weights.nunique() == 1
        else f"Images have weights, {weights.min():.4g} to {weights.max():.4g}: use them as sample "
        "weights in training (a folder and a zip have them in the manifest only).",
        f"An `.npz` file, and training from scratch in Petite, have images of "
        f"{store.image_size}×{store.image_size} pixels, "
        f"{'RGB' if store.channels == 3 else 'gray'}. "
        + (
            "Image files are the originals, byte for byte, or PNG if the source has no files."
            if encoding == ORIGINAL
            else f"Image files are {encoding_in_words(encoding)}, byte for byte as Petite trained."
        ),
    ]
    if (manifest["recipe"] != "").any():
        remarks.append("Images with a recipe are made from the stored pixels and have their size.")
    return [f"{remark}\n" for remark in [*remarks, *ignored_files(manifest)]]


def ignored_files(manifest: pd.DataFrame) -> list[str]:
    """How many files of a folder each library ignores, in a sentence; [] if they read all."""
    suffixes = manifest["file"].map(lambda file: PurePosixPath(file).suffix)
    sentences = []
    for library, read in READ_FROM_FOLDERS.items():
        left_out = suffixes[~suffixes.isin(read)]
        if len(left_out):
            sentences.append(
                f"{library} ignores {counted(len(left_out), 'file')} in a folder "
                f"({', '.join(sorted(set(left_out)))}), because it does not read these formats."
            )
    return sentences
