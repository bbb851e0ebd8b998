"""Pictures of the pictures: what is kept and dropped, set aside, copied, and never understood."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from petite.plots.samples import in_turn, reason_kind, thumbnail
from petite.report import classes, sprites
from petite.report.inputs import Case, Inputs, Predictions
from petite.report.plane import middles
from petite.report.words import name
from petite.util.formatting import number

ACROSS = 24  # images kept, and as many dropped, of each class
LONGEST_NAME = 24  # letters of a class's name below a picture
MOST_SET_ASIDE = 24
MOST_LISTED = 200  # names of files that were set aside
MOST_GROUPS = 12  # groups of copies
MOST_IN_GROUP = 4
MOST_WRONG = 24
SIDE = 96  # pixels of these images at most: they are few, and to be looked at


class Tile(NamedTuple):
    """An image with its words; `picture` uint8 (side, side, 3), None where nothing decodes."""

    picture: np.ndarray | None
    name: str
    words: str


def picks(
    inputs: Inputs, shown: Case | None, pictured: np.ndarray, sheet: sprites.Sheet
) -> list[dict[str, Any]]:
    """For each class: places in the sheet of images that the case keeps, and of some it drops."""
    if shown is None:
        return []
    labels = inputs.train["label"].to_numpy()[pictured]
    kept = inputs.chosen[shown][pictured]
    names = inputs.train["image_id"].to_numpy()[pictured]
    rows = []
    for label in classes.shown(inputs):
        row: dict[str, Any] = {"class_name": inputs.store.classes[label], "label": label}
        for part, mask in (("kept", kept), ("dropped", ~kept)):
            members = np.flatnonzero(mask & (labels == label))
            members = members[middles(len(members), ACROSS)]
            row[part] = [{"name": names[place], **sheet.place(place)} for place in members.tolist()]
        rows.append(row)
    return rows


def galleries(inputs: Inputs) -> dict[str, Any]:
    """Set aside, copies, always wrong: each with its tiles, and one sheet for all of them."""
    aside, copies, wrong = set_aside(inputs), copied(inputs), always_wrong(inputs)
    tiles = [*aside["tiles"], *(tile for group in copies["groups"] for tile in group)]
    tiles += wrong["tiles"]
    side = max(
        (tile.picture.shape[0] for tile in tiles if tile.picture is not None),
        default=SIDE,
    )
    pictures = [sprites.thumbnail(tile.picture, side) for tile in tiles if tile.picture is not None]
    sheet = sprites.sheet(np.array(pictures, np.uint8).reshape(-1, side, side, 3))
    places = iter(range(len(pictures)))
    aside["tiles"] = _placed(aside["tiles"], sheet, places)
    copies["groups"] = [_placed(group, sheet, places) for group in copies["groups"]]
    wrong["tiles"] = _placed(wrong["tiles"], sheet, places)
    return {"sheet": sheet, "aside": aside, "copies": copies, "wrong": wrong}


def _placed(tiles: Sequence[Tile], sheet: sprites.Sheet, places: Any) -> list[dict[str, Any]]:
    """Tiles as the template takes them; those with a picture take the next place of the sheet."""
    return [
        {
            "name": tile.name,
            "words": tile.words,
            "place": None if tile.picture is None else sheet.place(next(places)),
        }
        for tile in tiles
    ]


def set_aside(inputs: Inputs) -> dict[str, Any]:
    """Files that were not used: how many for which reason, some pictures, and names."""
    index = inputs.store.index
    files = index[index["status"] == "set_aside"]
    beyond = int((index["status"] == "beyond_limit").sum())
    kinds = files["reason"].map(reason_kind)
    tiles = []
    if inputs.source is not None:
        for _, file in files.loc[in_turn(kinds, MOST_SET_ASIDE)].iterrows():
            image = thumbnail(inputs.source, file["image_id"], inputs.store.channels)
            picture = None if image is None else sprites.thumbnail(image, SIDE)
            tiles.append(Tile(picture, file["image_id"], file["reason"]))
    return {
        "count": number(len(files)),
        "of": number(len(index)),
        "beyond": number(beyond) if beyond else "",
        "any": len(files) > 0,
        "kinds": [(kind, number(count)) for kind, count in kinds.value_counts().items()],
        "tiles": tiles,
        "listed": list(files[["image_id", "reason"]].head(MOST_LISTED).itertuples(index=False)),
        "more": max(0, len(files) - MOST_LISTED),
    }


def copied(inputs: Inputs) -> dict[str, Any]:
    """Groups of images in use that are copies of one another; each group is in one part."""
    used = inputs.store.index[inputs.store.index["status"] == "ok"]
    sizes = used.groupby("copy_group")["image_id"].transform("size")
    repeated = used[sizes > 1]
    parts = inputs.split.set_index("image_id")["split"]
    groups = []
    for _, members in list(repeated.groupby("copy_group"))[:MOST_GROUPS]:
        members = members.head(MOST_IN_GROUP)
        pictures = sprites.thumbnails(inputs.store.images(members["image_id"]), SIDE)
        groups.append(
            [
                Tile(picture, image_id, str(parts.get(image_id, "")))
                for picture, image_id in zip(pictures, members["image_id"], strict=True)
            ]
        )
    return {
        "images": number(len(repeated)),
        "count": number(repeated["copy_group"].nunique()),
        "any": not repeated.empty,
        "shown": len(groups),
        "groups": groups,
    }


def always_wrong(inputs: Inputs) -> dict[str, Any]:
    """The test images that most models get wrong, and how many all of them do.

    The pixels of test images are read here after all training has ended, to be looked at by people.
    """
    told = mistakes(inputs.judged)
    if told.empty:
        return {"all": 0, "models": 0, "tiles": [], "images": 0}
    worst = told[told["wrong"] > 0].sort_values("wrong", ascending=False, kind="stable")
    worst = worst.head(MOST_WRONG)
    class_names = inputs.store.classes
    pictures = sprites.thumbnails(inputs.store.images(worst["image_id"]), SIDE)
    tiles = [
        Tile(
            picture,
            row["image_id"],
            f"{name(class_names[row['label']], LONGEST_NAME)}, taken for "
            f"{name(class_names[row['taken_for']], LONGEST_NAME)} "
            f"by {row['wrong']} of {row['models']}",
        )
        for picture, row in zip(pictures, worst.to_dict("records"), strict=True)
    ]
    return {
        "all": int((told["wrong"] == told["models"]).sum()),
        "models": int(told["models"].iloc[0]),
        "images": len(told),
        "tiles": tiles,
    }


def mistakes(predictions: Sequence[Predictions]) -> pd.DataFrame:
    """For each test image: image_id, label, models, wrong (how many), taken_for (most often)."""
    if not predictions:
        return pd.DataFrame(columns=["image_id", "label", "models", "wrong", "taken_for"])
    labels = predictions[0].labels
    answers = np.concatenate([found.answers for found in predictions])
    places = np.arange(len(labels))
    wrong_votes = np.zeros((predictions[0].classes, len(labels)), np.int32)
    for each in answers:
        wrong_votes[each, places] += 1
    wrong_votes[labels, places] = 0
    return pd.DataFrame(
        {
            "image_id": predictions[0].image_ids,
            "label": labels,
            "models": len(answers),
            "wrong": wrong_votes.sum(axis=0),
            "taken_for": wrong_votes.argmax(axis=0),
        }
    )
