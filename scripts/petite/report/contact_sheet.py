"""The sheet of images in order, of the pages that say what to label next and what to add."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from petite.data.store import Store
from petite.report import sprites
from petite.util.formatting import number

MOST_SHOWN = 1_000
SIDE = 96  # pixels of a thumbnail at most
LONGEST_PATH = 60

# What is said of an image, from its row and the ranks of all shown files.
Lines = Callable[[dict[str, Any], dict[str, int]], list[str]]


def contact_sheet(images: pd.DataFrame, store: Store, lines: Lines) -> dict[str, Any]:
    """The variables of `pool/sheet.html` and of the sentence above it.

    Parameters
    ----------
    images : DataFrame
        With image_id, file and rank, in their order; the first `MOST_SHOWN` are shown.
    store : Store
        Of their pixels.
    lines : callable
    """
    shown = images.head(MOST_SHOWN)
    sheet = sprites.sheet(sprites.thumbnails(store.images(shown["image_id"]), SIDE))
    ranks = dict(zip(shown["file"], shown["rank"], strict=True))
    rows: list[dict[str, Any]] = list(shown.to_dict("records"))  # type: ignore[arg-type]
    return {
        "count": number(len(images)),
        "shown": number(len(shown)),
        "all_shown": len(shown) == len(images),
        "sheet": sheet,
        "tiles": [
            {
                "rank": number(row["rank"]),
                "name": row["file"],
                "lines": lines(row, ranks),
                **sheet.place(place),
            }
            for place, row in enumerate(rows)
        ],
    }


def distance(value: float) -> str:
    """A distance with three digits."""
    return f"{value:.3g}"
