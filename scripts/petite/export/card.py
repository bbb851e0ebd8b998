"""Describe an exported subset and how it was made: as JSON and as Markdown."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypedDict

import pandas as pd

import petite
from petite.data.store import Store
from petite.export.images import class_folders
from petite.subsets.synthetic import is_whole
from petite.util.formatting import counted

FORMAT = 1
# These differ each time that the subset is selected.
OMITTED = {"seconds", "proxy_seconds", "memory_forecast"}

FILES = {
    "folder": "`images/`: a folder of image files for each class",
    "zip": "`images.zip`: that folder, with this page and the manifest, in one file",
    "npz": "`images.npz`: pixels as they were trained on, labels, weights and ids, for NumPy",
    "parquet": "`images.parquet`: the image files and the manifest in one table, for Hugging Face",
}
# One library each; `{images}` is the folder of images, `{folders}` the folders of the classes.
LOADING_A_FOLDER = (
    """import keras
images = keras.utils.image_dataset_from_directory("{images}", class_names={folders})""",
    # Explicit, because otherwise folders and files called "test" or "val" become other splits.
    """from datasets import load_dataset
images = load_dataset("imagefolder", data_files={"train": "{images}/**"}, split="train")""",
    """from torchvision.datasets import ImageFolder
images = ImageFolder("{images}")""",
)
UNPACKING = """import zipfile
zipfile.ZipFile("images.zip").extractall("unpacked")"""
LOADING = {
    "folder": [code.replace("{images}", "images") for code in LOADING_A_FOLDER],
    "zip": [UNPACKING, *(code.replace("{images}", "unpacked/images") for code in LOADING_A_FOLDER)],
    "npz": [
        """import numpy as np
kept = np.load("images.npz")
kept["images"], kept["labels"], kept["weights"], kept["image_ids"], kept["class_names"]"""
    ],
    "parquet": [
        """from datasets import load_dataset
images = load_dataset("parquet", data_files="images.parquet", split="train")"""
    ],
}
# Names stay text, including those that look like numbers or missing values.
LOADING_THE_MANIFEST = """import pandas as pd
text = dict.fromkeys(["file", "image_id", "class_name", "origin", "recipe", "sha256"], str)
manifest = pd.read_csv("manifest.csv", dtype=text, keep_default_na=False)"""
NO_SOFT_LABELS = (
    "The recommendation is for training on soft labels, which are in `soft_labels/` of the results "
    "and not in this export: on the labels of this export, models may be less accurate."
)
# The files that a library reads from a folder; it ignores others.
READ_FROM_FOLDERS = {
    "Keras": {".jpg", ".png", ".gif", ".bmp"},
    "torchvision": {".jpg", ".png", ".webp", ".bmp", ".ppm", ".tif"},
}


@dataclass(frozen=True)
class About:
    """Facts about an exported subset.

    Attributes
    ----------
    dataset, source : str
        Name and source of the data set.
    label : str
        Name of the method's entry in the configuration.
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
    on_soft_labels : bool
        Whether the recommendation is that of a judge on soft labels, which are not exported.
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
    on_soft_labels: bool = False


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
    selection: dict[str, Any]
    store: StoreRecord
    why: str | None


def manifest_record(about: About, manifest: pd.DataFrame, store: Store) -> ManifestRecord:
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
        "selection": _selection(about),
        "store": {
            "digest": store.manifest["digest"],
            "image_size": store.image_size,
            "channels": store.channels,
        },
        "why": about.why,
    }


def data_card(about: About, manifest: pd.DataFrame, store: Store, formats: Sequence[str]) -> str:
    """The data card, a page of Markdown about the exported subset."""
    made = int((manifest["recipe"] != "").sum())
    real = len(manifest) - made
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
    if about.on_soft_labels:
        lines += ["", NO_SOFT_LABELS]
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
    lines += [
        "- `manifest.csv`: for each image its file, original path (`image_id`), class, weight, "
        "recipe, SHA-256 and bytes; all other files have the same order",
        "- `manifest.json`: how the subset was made, for programs",
        "",
        *_remarks(manifest, store),
        "",
        "## Loading",
        "",
        "All of these give the labels of the table above. Those that read a folder name the "
        "classes by their folders.",
        "",
    ]
    for code in (LOADING_THE_MANIFEST, *(code for name in formats for code in LOADING[name])):
        lines += ["```python", code.replace("{folders}", str(folders)), "```", ""]
    selection = json.dumps(_selection(about), ensure_ascii=False, sort_keys=True, indent=2)
    lines += ["## How it was chosen", "", "```json", selection, "```"]
    return "\n".join(lines) + "\n"


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


def _remarks(manifest: pd.DataFrame, store: Store) -> list[str]:
    """Remarks for training on the subset."""
    weights = manifest["weight"]
    remarks = [
        "All images have the same weight."
        if weights.nunique() == 1
        else f"Images have weights, {weights.min():.4g} to {weights.max():.4g}: use them as sample "
        "weights in training (a folder and a zip have them in the manifest only).",
        f"Petite trained on images of {store.image_size}×{store.image_size} pixels, "
        f"{'RGB' if store.channels == 3 else 'gray'}. Image files are the originals, byte for "
        "byte, or PNG if the source has no files.",
    ]
    if (manifest["recipe"] != "").any():
        remarks.append("Images with a recipe are made from the stored pixels and have their size.")
    suffixes = manifest["file"].map(lambda file: PurePosixPath(file).suffix)
    for library, read in READ_FROM_FOLDERS.items():
        left_out = suffixes[~suffixes.isin(read)]
        if len(left_out):
            remarks.append(
                f"{library} ignores {counted(len(left_out), 'file')} in a folder "
                f"({', '.join(sorted(set(left_out)))}), because it does not read these formats."
            )
    return [f"{remark}\n" for remark in remarks]
