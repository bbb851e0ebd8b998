"""What an exported subset is and how it was made: for programs as JSON, for people as Markdown."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

import petite
from petite.data.store import Store
from petite.export.images import class_folders

FORMAT = 1
# How long a selection took is another number each time.
NOT_TOLD = {"seconds", "proxy_seconds", "memory_forecast"}

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
    # Said in so many words, or folders and files called "test" or "val" would be other splits.
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
# Names stay text, also those that look like numbers or like missing values.
LOADING_THE_MANIFEST = """import pandas as pd
text = dict.fromkeys(["file", "image_id", "class_name", "origin", "recipe", "sha256"], str)
manifest = pd.read_csv("manifest.csv", dtype=text, keep_default_na=False)"""
# The files that a library reads from a folder; it leaves out others.
READ_FROM_FOLDERS = {
    "Keras": {".jpg", ".png", ".gif", ".bmp"},
    "torchvision": {".jpg", ".png", ".webp", ".bmp", ".ppm", ".tif"},
}


@dataclass(frozen=True)
class About:
    """What an export is of.

    label: the entry of the configuration that chose; record: of the selection, as it lies beside
    the subset. training_images: how many training images there were to choose from. why: the
    recommendation, where it was followed.
    """

    dataset: str
    source: str
    label: str
    fraction: float
    seed: int
    record: dict[str, Any]
    training_images: int
    why: str | None = None


def manifest_record(about: About, manifest: pd.DataFrame, store: Store) -> dict[str, Any]:
    """How the subset was made, and of what: the same for the same subset."""
    return {
        "format": FORMAT,
        "petite": petite.__version__,
        "dataset": about.dataset,
        "source": about.source,
        "method": about.label,
        "fraction": about.fraction,
        "seed": about.seed,
        "images": int((manifest["recipe"] == "").sum()),
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
    """A page of Markdown about the exported subset."""
    made = int((manifest["recipe"] != "").sum())
    real = len(manifest) - made
    lines = [
        f"# {about.dataset}: {real:,} of {about.training_images:,} training images",
        "",
        f"Chosen by the method `{about.label}` at fraction {about.fraction:g}, selection seed "
        f"{about.seed}, with Petite {petite.__version__}."
        + (f" {made:,} further images are transformed copies of them." if made else ""),
    ]
    if about.why:
        lines += ["", f"Why this subset: {about.why}"]
    lines += [
        "",
        "It is a part of the training images: no image of the validation and test parts is in it, "
        "so that those can still judge what is trained on it. The images come from the source "
        f"`{about.source}`, whose license and terms go with them.",
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
        "recipe, SHA-256 and bytes; its rows are in the order of all other files",
        "- `manifest.json`: how the subset was made, for programs",
        "",
        *_remarks(manifest, store),
        "",
        "## Loading",
        "",
        "All of these give the labels of the table above; those that read a folder call the "
        "classes by their folders.",
        "",
    ]
    for code in (LOADING_THE_MANIFEST, *(code for name in formats for code in LOADING[name])):
        lines += ["```python", code.replace("{folders}", str(folders)), "```", ""]
    selection = json.dumps(_selection(about), ensure_ascii=False, sort_keys=True, indent=2)
    lines += ["## How it was chosen", "", "```json", selection, "```"]
    return "\n".join(lines) + "\n"


def _cell(name: str) -> str:
    """A name as text in a table of Markdown."""
    return re.sub(r"([\\|<`])", r"\\\1", " ".join(name.splitlines()))


def _selection(about: About) -> dict[str, Any]:
    return {name: value for name, value in about.record.items() if name not in NOT_TOLD}


def _remarks(manifest: pd.DataFrame, store: Store) -> list[str]:
    """What to know before training on it."""
    weights = manifest["weight"]
    remarks = [
        "All images weigh the same."
        if weights.nunique() == 1
        else f"Images have weights, {weights.min():.4g} to {weights.max():.4g}: give them to the "
        "training as sample weights (a folder and a zip have them in the manifest alone).",
        f"The pixels that Petite trained on are {store.image_size}×{store.image_size}, "
        f"{'RGB' if store.channels == 3 else 'gray'}; image files are the originals, byte for "
        "byte, or PNG where the source has no files.",
    ]
    if (manifest["recipe"] != "").any():
        remarks.append("Transformed copies are made of the stored pixels and have their size.")
    suffixes = manifest["file"].map(lambda file: PurePosixPath(file).suffix)
    for library, read in READ_FROM_FOLDERS.items():
        left_out = suffixes[~suffixes.isin(read)]
        if len(left_out):
            remarks.append(
                f"{library} leaves {len(left_out):,} files out of a folder "
                f"({', '.join(sorted(set(left_out)))}): it does not read their kind there."
            )
    return [f"{remark}\n" for remark in remarks]
