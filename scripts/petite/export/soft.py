"""The soft labels of an exported subset: their files, and what its card says of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np

from petite.data.container import SoftFormat
from petite.training.batches import SoftTargets
from petite.training.soft_labels import SoftLabels
from petite.util.files import atomic_path
from petite.util.formatting import counted, listed

FILE = (
    "`soft_labels.npz`: the soft labels of the images, in the order of the manifest: "
    "`probabilities`, float16 (image, label, class)"
)
FILE_OF_VIEWS = (
    ", and `views`, uint8 (image, label, {bytes}), the augmented view that each is of, which "
    "`soft_views.py` makes again"
)
LOADING = """import numpy as np
soft = np.load("soft_labels.npz")  # in the order of manifest.csv, as images.npz"""
LOADING_OF_A_CONTAINER = """from read_container import read_soft_labels
soft = read_soft_labels("container")  # in the order of read_container"""
TRAINING = """def fit(model, images, soft, epochs, **options):
    targets = soft["probabilities"][:, 0].astype("float32")
    targets /= targets.sum(axis=1, keepdims=True)  # float16 has rounded them
    return model.fit(images, targets, epochs=epochs, **options)"""
TRAINING_ON_VIEWS = """from soft_views import soft_view
def fit(model, images, soft, epochs, **options):
    for epoch in range(epochs):  # the next view in each
        number = epoch % {views}
        shown = soft_view(images, soft["views"][:, number], {crop_padding}, {brightness})
        targets = soft["probabilities"][:, number].astype("float32")
        targets /= targets.sum(axis=1, keepdims=True)  # float16 has rounded them
        model.fit(shown, targets, epochs=epoch + 1, initial_epoch=epoch, **options)"""
LOSS = """import keras
def loss(targets, logits):  # for a model whose last layer has no softmax
    cool = keras.losses.categorical_crossentropy(targets, logits / {T}, from_logits=True)
    return cool * {T}**2"""


class SoftRows(NamedTuple):
    """The soft labels of a manifest's images, in its order, and how a container stores them."""

    targets: SoftTargets
    stored: SoftFormat


class SoftRecord(TypedDict):
    """The soft labels in an export's manifest.json."""

    labels: int  # of each image
    views: int  # 0: of the image itself
    crop_padding: float | None  # of the views
    brightness: float
    temperature: float
    bytes_per_image: int
    teacher_images: int
    teacher_networks: int  # 0: a probe


def soft_record(soft: SoftLabels) -> SoftRecord:
    """What manifest.json says of them."""
    stored = soft.stored
    return {
        "labels": stored.labels,
        "temperature": stored.temperature,
        "views": soft.views,
        "crop_padding": stored.crop_padding,
        "brightness": stored.brightness,
        "bytes_per_image": soft.bytes_per_image,
        "teacher_images": soft.teacher.images,
        "teacher_networks": len(soft.teacher.seeds),
    }


def files_of(soft: SoftLabels) -> str:
    """What the card says of the file."""
    of_views = FILE_OF_VIEWS.replace("{bytes}", str(soft.stored.view_bytes))
    return FILE + (of_views if soft.views else "")


def write_soft_labels(path: Path, targets: SoftTargets) -> None:
    """Write soft labels, and the views that they are of, for `numpy.load`; without pickle."""
    views: dict[str, Any] = {"views": targets.views.drawn} if targets.views else {}
    with atomic_path(path) as temporary:
        np.savez(temporary, probabilities=targets.probabilities, **views)


def about_soft_labels(soft: SoftLabels, formats: Sequence[str]) -> str:
    """How to use them, for the card."""
    networks = len(soft.teacher.seeds)
    teacher = counted(networks, "network") if networks else "a probe"
    places = ["in `soft_labels.npz`"]
    if "parquet" in formats:
        columns = (
            "the columns `soft_labels` and `soft_views`"
            if soft.views
            else "the column `soft_labels`"
        )
        places.append(f"in {columns} of images.parquet")
    if "container" in formats:
        places.append("in the container")
    sentences = [
        "These images are for training on soft labels, the class probabilities of a teacher "
        f"({teacher} trained on all {soft.teacher.images:,} training images): on the labels of the "
        "table above, models may be less accurate.",
        f"They are {listed(places)}, and take {soft.bytes_per_image:,} bytes for each image.",
    ]
    if not soft.teacher.seeds:
        sentences.append(
            "The teacher is a linear classifier on embeddings, so train one on embeddings too."
        )
    if soft.views:
        sentences.append(
            f"Each image has {soft.views} augmented views with a label each. In each pass, train "
            "on the next view, and do not shift, mirror or brighten it further."
        )
    if soft.temperature != 1:
        sentences.append(
            f"They are at temperature {soft.temperature:g}, at which the loss compares them."
        )
    return " ".join(sentences)


def loading_lines(soft: SoftLabels, formats: Sequence[str]) -> list[str]:
    """The lines of Python that load them and train a model of Keras on them."""
    found = [LOADING]
    found += [LOADING_OF_A_CONTAINER] if "container" in formats else []
    found += [TRAINING_ON_VIEWS if soft.views else TRAINING]
    found += [LOSS] if soft.temperature != 1 else []
    stored = soft.stored
    values = {
        "views": soft.views,
        "crop_padding": stored.crop_padding,
        "brightness": stored.brightness,
        "T": stored.temperature,
    }
    for key, value in values.items():
        found = [code.replace(f"{{{key}}}", str(value)) for code in found]
    return found
