"""What a source may say of an image beside its class: columns of the listing and of the split.

`split` is the part of a given split, `group` the name of a group of images that stay together,
`weight` the image's weight in training, and `keep` whether every subset contains it ("always") or
none does ("never").
"""

import pandas as pd

# The columns, each with the value of an image of which the source says nothing.
NOTHING_SAID: dict[str, str | float] = {"split": "", "group": "", "weight": 1.0, "keep": ""}


def annotated(listing: pd.DataFrame, annotations: pd.DataFrame | None) -> pd.DataFrame:
    """Add annotations to a listing.

    Parameters
    ----------
    listing : DataFrame
        image_id and other columns.
    annotations : DataFrame or None
        image_id and some of the columns NOTHING_SAID. It may omit images.

    Returns
    -------
    DataFrame
        The listing with these columns.
    """
    if annotations is None:
        return listing
    columns = [name for name in NOTHING_SAID if name in annotations]
    found = annotations.set_index("image_id")[columns].reindex(listing["image_id"])
    return listing.join(found.fillna(NOTHING_SAID).set_index(listing.index))


def annotations_of(listing: pd.DataFrame) -> pd.DataFrame:
    """The annotations in a listing: image_id, and those of NOTHING_SAID that it has."""
    return listing[["image_id", *(name for name in NOTHING_SAID if name in listing)]]
