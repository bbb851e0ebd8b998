"""The images that no model is trained on, for checks of their labels and of duplicates."""

import pandas as pd

from petite.data.splits import TEST, VALIDATION, test_images, validation_images
from petite.data.store import Store


def held_out_images(store: Store, split: pd.DataFrame) -> pd.DataFrame:
    """List the images of the validation and test part: image_id, label and split.

    What is found among them is for people to look at. Nothing may be fitted to their labels.
    """
    parts = {VALIDATION: validation_images(store, split), TEST: test_images(store, split)}
    tables = [
        pd.DataFrame({"image_id": images.image_ids, "label": images.labels, "split": part})
        for part, images in parts.items()
    ]
    return pd.concat(tables, ignore_index=True)
