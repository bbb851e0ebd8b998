"""Check what the listing of a source already contradicts, before hours of decoding.

What depends on which images can be read, or on how they are divided, is checked after the split.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from petite.data.given_split import IGNORE, TRAIN, given_parts, names_of, refuse_repeats
from petite.data.groups import CAPTURE_TIME, COPIES, check_one_kind, found_groups
from petite.data.keep_lists import KEEP, Lists, check_named, matches
from petite.subsets.tables import check_room
from petite.util.errors import PetiteError
from petite.util.notices import Notices


def check_listing(
    listing: pd.DataFrame,
    split: Mapping[str, Any],
    lists: Lists,
    shares: Mapping[str, float],
    *,
    without_class: bool = False,
    needs_groups: bool = False,
) -> None:
    """Check the settings against the listing of the images.

    Parameters
    ----------
    listing : DataFrame
        See `petite.data.sources.listing`.
    split : mapping
        The settings `given`, `test`, `validation` and `groups` of the split, and `repeats` if
        it is not 1.
    lists : Lists
        Images to keep and to exclude.
    shares : mapping from str to float
        The share of the training images in each subset, by its name.
    without_class : bool
        See `petite.data.keep_lists.matches`.
    needs_groups : bool
        Whether a method has the quota of groups.

    Raises
    ------
    PetiteError
        If the settings contradict a given split, groups cannot be found, an entry of a list matches
        no image, or a subset has no room for the images to keep.
    """
    parts = None
    if split["given"] != IGNORE:
        parts = given_parts(listing, test=split["test"], validation=split["validation"])
    if parts is not None and split.get("repeats", 1) > 1:
        refuse_repeats()
    groups = split["groups"]
    check_one_kind(listing, groups)
    if groups not in (None, COPIES, CAPTURE_TIME):
        found_groups(names_of(listing), groups)
    if needs_groups and not groups and "group" not in listing:
        raise PetiteError(
            "methods: the quota 'group' needs groups of images: set split.groups, or another quota"
        )
    check_named(lists, listing["image_id"], without_class)
    in_train = pd.Series(True, listing.index) if parts is None else pd.Series(parts == TRAIN)
    named = matches(lists.keep, listing["image_id"], without_class).values()
    # Of a pattern, some images may be drawn for the test part.
    kept = {place for places in named if parts is not None or len(places) == 1 for place in places}
    if parts is not None and KEEP in listing:
        kept |= set((listing[KEEP] == "always").to_numpy().nonzero()[0].tolist())
    ids = listing["image_id"].iloc[sorted(kept)]
    train = listing.loc[in_train, ["image_id"]].assign(
        label=pd.factorize(listing["class_name"])[0][in_train]
    )
    # More images than will be left for training, so that no room is refused that there is.
    check_room(shares, train, set(ids) & set(train["image_id"]), Notices())
