"""A small store of noise with embeddings, as the steps that read both find them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from petite.data.store import Store, shard_record, write_shard
from petite.features.io import image_ids_digest
from petite.util.files import write_json, write_table

SIDE, DIMENSIONS = 4, 6
CLASSES = ["a", "b"]


class EmbeddedStore(NamedTuple):
    """Images of two classes in turn, with embeddings that tell the classes apart.

    Attributes
    ----------
    manifest, embeddings : Path
    images : DataFrame
        image_id and label of all images.
    """

    manifest: Path
    embeddings: Path
    images: pd.DataFrame

    def open(self) -> Store:
        return Store.open(self.manifest)


def embedded_store(folder: Path, count: int, bright: int = 0) -> EmbeddedStore:
    """Write the store and its embeddings to a folder.

    bright: how much brighter the images of the second class are.
    """
    rng = np.random.default_rng(0)
    labels = np.arange(count) % len(CLASSES)
    ids = [f"{CLASSES[label]}/{number}.png" for number, label in enumerate(labels)]
    pixels = folder / "shards/1-of-1.npy"
    noise = rng.integers(0, 256 - bright, (count, SIDE, SIDE, 3), np.uint8)
    write_shard(pixels, noise + (bright * labels).astype(np.uint8)[:, None, None, None])
    index = pd.DataFrame(
        {
            "image_id": ids,
            "class_name": [CLASSES[label] for label in labels],
            "label": labels.astype(np.int16),
            "status": "ok",
            "copy_group": np.arange(count),
            "shard": np.zeros(count, np.int32),
            "row": np.arange(count),
        }
    )
    write_table(folder / "index.parquet", index)
    write_table(pixels.with_suffix(".parquet"), index[["image_id"]])
    about = {"format": 1, "classes": CLASSES, "image_size": SIDE, "channels": 3}
    write_json(folder / "manifest.json", about | {"shards": [shard_record(pixels, folder)]})
    embeddings = folder / "embeddings.npy"
    found = rng.normal(size=(count, DIMENSIONS)) + 3 * labels[:, None]
    np.save(embeddings, found.astype(np.float32))
    record = {"backbone": "noise", "digest": "0", "dimensions": DIMENSIONS, "unread": {}}
    record |= {"image_ids_sha256": image_ids_digest(ids), "seconds": 0.0, "images": count}
    write_json(embeddings.with_suffix(".json"), record)
    return EmbeddedStore(folder / "manifest.json", embeddings, index[["image_id", "label"]])
