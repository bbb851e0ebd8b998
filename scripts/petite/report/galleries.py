"""Galleries: images kept and dropped, excluded files, leaks, duplicates, and mistakes of models."""

from collections.abc import Iterator, Sequence
from typing import Generic, NamedTuple, TypedDict, TypeVar

import numpy as np
import pandas as pd

from petite.data.given_split import kept_leaks
from petite.plots.samples import in_turn, reason_kind, thumbnail
from petite.report import classes, sprites
from petite.report.inputs import Case, Inputs, Predictions
from petite.report.plane import middles
from petite.report.words import name
from petite.subsets.augmentation import render_subset
from petite.subsets.synthetic import made_of
from petite.util.formatting import number, percent

T = TypeVar("T")

ACROSS = 24  # images kept, and as many dropped, of each class
LONGEST_NAME = 24  # letters of a class's name below a picture
MOST_EXCLUDED = 24
MOST_LISTED = 200  # names of excluded files
MOST_GROUPS = 12  # groups of duplicates
MOST_IN_GROUP = 4
MOST_WRONG = 24
MOST_MADE = 8  # images of each class
SIDE = 96  # pixels at most of these images, which are few


class Tile(NamedTuple):
    """An image with its caption; `picture` is uint8 (side, side, 3), None if nothing decodes."""

    picture: np.ndarray | None
    name: str
    words: str


class PlacedTile(TypedDict):
    """A tile with its place in the sheet, None if it has no picture."""

    name: str
    words: str
    place: sprites.Place | None


class Pick(sprites.Place):
    """An image of the sheet with its name."""

    name: str


class Picks(TypedDict):
    """Some images of one class that a method keeps and drops."""

    class_name: str
    label: int
    kept: list[Pick]
    dropped: list[Pick]


class Excluded(TypedDict, Generic[T]):
    """Excluded files: their number, the reasons, some pictures, and names with reasons.

    `beyond` is the number of files beyond the limit per class, "" if there are none; `more` is the
    number of files that are not listed.
    """

    count: str
    of: str
    beyond: str
    any: bool
    kinds: list[tuple[str, str]]
    tiles: list[T]
    listed: list[tuple[str, str]]
    more: int


class Duplicates(TypedDict, Generic[T]):
    """Groups of duplicates: how many images and groups, and some of them."""

    images: str
    count: str
    any: bool
    shown: int
    groups: list[list[T]]


class Leaking(TypedDict, Generic[T]):
    """Images that leak between the parts of a given split: how many leaks, and some of them.

    `kept` is whether they are still in training.
    """

    images: str
    count: str
    dropped: str
    kept: bool
    any: bool
    shown: int
    leaks: list[list[T]]


class Wrong(TypedDict, Generic[T]):
    """Misclassified test images; `all` is how many of `images` all `models` get wrong."""

    all: int
    models: int
    images: int
    tiles: list[T]


class Made(TypedDict, Generic[T]):
    """Images that a method made: its name, its share, how many images, and some of each class."""

    method: str
    share: str
    count: str
    tiles: list[T]


class Galleries(TypedDict):
    """All galleries, with one sheet for their pictures."""

    sheet: sprites.Sheet
    made: list[Made[PlacedTile]]
    most_made: int
    excluded: Excluded[PlacedTile]
    leaking: Leaking[PlacedTile]
    duplicates: Duplicates[PlacedTile]
    wrong: Wrong[PlacedTile]


def picks(
    inputs: Inputs, shown: Case | None, pictured: np.ndarray, sheet: sprites.Sheet
) -> list[Picks]:
    """For each class, some images that the case keeps and some that it drops.

    Parameters
    ----------
    inputs : Inputs
    shown : Case or None
        The case; None gives no rows.
    pictured : ndarray of int, shape (n_pictured,)
        The training images in the sheet, in its order.
    sheet : Sheet
    """
    if shown is None:
        return []
    labels = inputs.train["label"].to_numpy()[pictured]
    kept = inputs.chosen[shown][pictured]
    names = inputs.train["image_id"].to_numpy()[pictured]
    rows: list[Picks] = []
    for label in classes.shown(inputs):
        parts: list[list[Pick]] = []
        for mask in (kept, ~kept):
            members = np.flatnonzero(mask & (labels == label))
            members = members[middles(len(members), ACROSS)]
            parts.append(
                [{"name": names[place], **sheet.place(place)} for place in members.tolist()]
            )
        rows.append(
            Picks(
                class_name=inputs.store.classes[label],
                label=label,
                kept=parts[0],
                dropped=parts[1],
            )
        )
    return rows


def galleries(inputs: Inputs) -> Galleries:
    """Excluded files, leaks, duplicates and misclassified images, with one sheet for all."""
    excluded, repeated, wrong = excluded_files(inputs), duplicates(inputs), misclassified(inputs)
    leaks, made = leaking(inputs), made_images(inputs)
    sheet, groups = placed(
        [
            *(excluded["tiles"], wrong["tiles"], *leaks["leaks"], *repeated["groups"]),
            *(one["tiles"] for one in made),
        ]
    )
    first = 2 + len(leaks["leaks"])  # of the duplicates
    last = first + len(repeated["groups"])
    return {
        "sheet": sheet,
        "made": [{**one, "tiles": own} for one, own in zip(made, groups[last:], strict=True)],
        "most_made": MOST_MADE,
        "excluded": {**excluded, "tiles": groups[0]},
        "wrong": {**wrong, "tiles": groups[1]},
        "leaking": {**leaks, "leaks": groups[2:first]},
        "duplicates": {**repeated, "groups": groups[first:last]},
    }


def placed(groups: Sequence[Sequence[Tile]]) -> tuple[sprites.Sheet, list[list[PlacedTile]]]:
    """Join the pictures of all tiles in one sheet: the sheet, and the tiles of each group."""
    pictures = [tile.picture for group in groups for tile in group if tile.picture is not None]
    side = max((picture.shape[0] for picture in pictures), default=SIDE)
    alike = [sprites.thumbnail(picture, side) for picture in pictures]
    sheet = sprites.sheet(np.array(alike, np.uint8).reshape(-1, side, side, 3))
    places = iter(range(len(pictures)))
    return sheet, [_placed(group, sheet, places) for group in groups]


def _placed(tiles: Sequence[Tile], sheet: sprites.Sheet, places: Iterator[int]) -> list[PlacedTile]:
    """Tiles for the template; those with a picture take the next place of the sheet."""
    return [
        {
            "name": tile.name,
            "words": tile.words,
            "place": None if tile.picture is None else sheet.place(next(places)),
        }
        for tile in tiles
    ]


def made_images(inputs: Inputs) -> list[Made[Tile]]:
    """Some images of each subset that a method made as a whole; of its first seed."""
    found: list[Made[Tile]] = []
    for case in inputs.cases:
        seeds = inputs.by_seed.get(case)
        if not seeds or inputs.chosen[case].any():
            continue
        table = seeds[min(seeds)].read()
        of_shown = table[table["label"].isin(classes.shown(inputs))]
        some = of_shown.groupby("label").head(MOST_MADE)
        recipes = some["recipe"].tolist()
        origins = inputs.store.images(some["origin"])
        pictures = sprites.thumbnails(render_subset(origins, recipes, inputs.store.images), SIDE)
        tiles = [
            Tile(picture, name(class_name, LONGEST_NAME), made_of(recipe, origin))
            for picture, class_name, recipe, origin in zip(
                pictures, some["class_name"], recipes, some["origin"], strict=True
            )
        ]
        found.append(
            {
                "method": case.method,
                "share": percent(case.fraction),
                "count": number(len(table)),
                "tiles": tiles,
            }
        )
    return found


def excluded_files(inputs: Inputs) -> Excluded[Tile]:
    """The files that the store excludes."""
    index = inputs.store.index
    files = index[index["status"] == "set_aside"]
    beyond = int((index["status"] == "beyond_limit").sum())
    kinds = files["reason"].map(reason_kind)
    tiles = []
    if inputs.source is not None:
        for _, file in files.loc[in_turn(kinds, MOST_EXCLUDED)].iterrows():
            image = thumbnail(inputs.source, file["image_id"], inputs.store.channels)
            picture = None if image is None else sprites.thumbnail(image, SIDE)
            tiles.append(Tile(picture, file["image_id"], file["reason"]))
    return {
        "count": number(len(files)),
        "of": number(len(index)),
        "beyond": number(beyond) if beyond else "",
        "any": len(files) > 0,
        "kinds": [(str(kind), number(count)) for kind, count in kinds.value_counts().items()],
        "tiles": tiles,
        "listed": list(files[["image_id", "reason"]].head(MOST_LISTED).itertuples(index=False)),
        "more": max(0, len(files) - MOST_LISTED),
    }


def leaking(inputs: Inputs) -> Leaking[Tile]:
    """The images that leak between the parts of a given split."""
    table = inputs.leaks
    # Of each leak, images of all its parts.
    turn = table.groupby(["leak", "split"]).cumcount()
    ordered = table.assign(turn=turn).sort_values(["leak", "turn"], kind="stable")
    shown = ordered[ordered["leak"] <= MOST_GROUPS].groupby("leak").head(MOST_IN_GROUP)
    pictures = (
        sprites.thumbnails(inputs.store.images(shown["image_id"]), SIDE) if len(shown) else ()
    )
    tiles: dict[int, list[Tile]] = {}
    for picture, row in zip(pictures, shown.to_dict("records"), strict=True):
        group = f", group {row['group']}" if row["kind"] == "group" else ""
        words = f"{row['split']}{group}{', dropped' if row['is_dropped'] else ''}"
        tiles.setdefault(row["leak"], []).append(Tile(picture, row["image_id"], words))
    dropped = int(table["is_dropped"].astype(bool).sum())
    return {
        "images": number(len(table)),
        "count": number(table["leak"].nunique()),
        "dropped": number(dropped),
        "kept": not kept_leaks(table).empty,
        "any": not table.empty,
        "shown": len(tiles),
        "leaks": list(tiles.values()),
    }


def duplicates(inputs: Inputs) -> Duplicates[Tile]:
    """Groups of duplicates among the images in use, with their part of the split."""
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
                Tile(picture, image_id, str(parts.get(image_id, "dropped")))
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


def misclassified(inputs: Inputs) -> Wrong[Tile]:
    """The test images that most models get wrong, and the number that all models get wrong.

    The pixels of test images are read here, after all training has ended, for people to look at.
    """
    images = mistakes(inputs.judged)
    if images.empty:
        return {"all": 0, "models": 0, "tiles": [], "images": 0}
    worst = images[images["wrong"] > 0].sort_values("wrong", ascending=False, kind="stable")
    worst = worst.head(MOST_WRONG)
    class_names = inputs.store.classes
    pictures = sprites.thumbnails(inputs.store.images(worst["image_id"]), SIDE)
    tiles = [
        Tile(
            picture,
            row["image_id"],
            f"{name(class_names[row['label']], LONGEST_NAME)}, predicted as "
            f"{name(class_names[row['taken_for']], LONGEST_NAME)} "
            f"by {row['wrong']} of {row['models']} models",
        )
        for picture, row in zip(pictures, worst.to_dict("records"), strict=True)
    ]
    return {
        "all": int((images["wrong"] == images["models"]).sum()),
        "models": int(images["models"].iloc[0]),
        "images": len(images),
        "tiles": tiles,
    }


def mistakes(predictions: Sequence[Predictions]) -> pd.DataFrame:
    """Counts of wrong predictions for each test image.

    Returns
    -------
    DataFrame
        Columns image_id, label, models (how many there are), wrong (how many of them are wrong)
        and taken_for (the most frequent wrong class).
    """
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
