"""What the labels and images say about themselves: label errors, near duplicates and cues.

It also pairs dropped images with the kept image that stands for each of them.
"""

from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.given_split import kept_leaks
from petite.evaluation.cues import LEVEL, warnings_of
from petite.plots.samples import evenly
from petite.report import sprites
from petite.report.galleries import LONGEST_NAME, SIDE, PlacedTile, Tile, placed
from petite.report.inputs import Case, Inputs
from petite.report.words import name
from petite.selection.similarities import squared_distances
from petite.util.blocks import slices
from petite.util.encoded_names import method_of
from petite.util.files import read_json, read_table
from petite.util.formatting import (
    counted,
    listed,
    number,
    percent,
    probability,
    rounded_percent,
)

if TYPE_CHECKING:  # the report does not depend on how they are found
    from petite.evaluation.label_errors import LabelRecord, PlantedRecord
    from petite.evaluation.near_duplicates import PairRecord

MOST_ERRORS, FEWEST_ERRORS = 100, 24  # likely label errors in the gallery
MOST_HELD_OUT = 24
MOST_PAIRS = 24
MOST_DROPPED = 2_000  # dropped images whose nearest kept image is searched for
BLOCK_BYTES = 64 * 2**20
PARTS = ("validation", "test")


class CueRow(TypedDict):
    """A cue: its words, numbers in percent, the width of its bar, and whether it has a warning."""

    words: str
    accuracy: str
    skill: str
    p: str
    verdict: str
    warning: bool


class Cues(TypedDict):
    """The table of cues."""

    rows: list[CueRow]
    chance: str
    images: str


class Gallery(TypedDict):
    """What was found, how far to trust it, and groups of pictures."""

    found: str
    trust: str
    groups: list[list[PlacedTile]]


class Checks(TypedDict):
    """All checks, None for one that was not made, with one sheet for their pictures."""

    sheet: sprites.Sheet
    cues: Cues | None
    errors: Gallery | None
    held_out: Gallery | None
    pairs: Gallery | None
    stand_ins: Gallery | None
    skipped: str
    any: bool


class _Found(NamedTuple):
    """A gallery whose pictures have no place in a sheet yet."""

    found: str
    trust: str
    groups: list[list[Tile]]


def checks(inputs: Inputs, shown: Case | None) -> Checks:
    """The section's values.

    Parameters
    ----------
    inputs : Inputs
    shown : Case or None
        The subset whose dropped images are shown if none is recommended.
    """
    errors, held_out = _label_errors(inputs)
    pairs = _near_duplicates(inputs)
    case = _case_of_stand_ins(inputs, shown)
    stand_ins = _stand_ins(inputs, case) if case else None
    made = [gallery for gallery in (errors, held_out, pairs, stand_ins) if gallery]
    sheet, groups = placed([group for gallery in made for group in gallery.groups])
    due = iter(groups)

    def with_places(gallery: _Found | None) -> Gallery | None:
        if gallery is None:
            return None
        own = [next(due) for _ in gallery.groups]
        return {"found": gallery.found, "trust": gallery.trust, "groups": own}

    table, skipped = _cues(inputs), _skipped(inputs)
    return {
        "sheet": sheet,
        "cues": table,
        "errors": with_places(errors),  # in the order of `made`
        "held_out": with_places(held_out),
        "pairs": with_places(pairs),
        "stand_ins": with_places(stand_ins),
        "skipped": skipped,
        "any": bool(table or errors or pairs or skipped),
    }


def cue_warnings(inputs: Inputs) -> list[str]:
    """A warning for each cue that predicts far more than chance."""
    if "cues.parquet" not in inputs.checks:
        return []
    return [
        f"{text}. If the classes should not differ in this, a model may learn it in place of the "
        "content."
        for text in warnings_of(read_table(inputs.checks["cues.parquet"]))
    ]


def _cues(inputs: Inputs) -> Cues | None:
    if "cues.parquet" not in inputs.checks:
        return None
    table = read_table(inputs.checks["cues.parquet"])
    if table.empty:
        return None
    rows: list[CueRow] = []
    for row in table.to_dict("records"):
        is_shown = row["p_adjusted"] <= LEVEL
        rows.append(
            {
                "words": row["words"],
                "accuracy": f"{100 * row['balanced_accuracy']:.0f}",
                "skill": f"{100 * max(row['skill'], 0):.0f}",
                "p": probability(row["p_adjusted"]),
                "verdict": "warning"
                if row["warning"]
                else ("better than chance" if is_shown else "not distinguishable from chance"),
                "warning": bool(row["warning"]),
            }
        )
    first = table.iloc[0]
    return {
        "rows": rows,
        "chance": rounded_percent(float(first["chance"])),
        "images": number(int(first["images"])),
    }


def _label_errors(inputs: Inputs) -> tuple[_Found | None, _Found | None]:
    """Likely label errors of training images and of held-out images."""
    if "label_errors.parquet" not in inputs.checks:
        return None, None
    table = read_table(inputs.checks["label_errors.parquet"])
    record: LabelRecord = read_json(inputs.checks["label_errors.json"])
    own = record["planted"]["own"]
    wanted = MOST_ERRORS if own is None else int(np.clip(2 * own, FEWEST_ERRORS, MOST_ERRORS))
    likely = table[table["listed"]]
    train = likely[likely["part"] == "train"].head(wanted)
    others = likely[likely["part"].isin(PARTS)].sort_values("doubt", ascending=False)
    others = others.head(MOST_HELD_OUT)
    errors = _Found(
        _errors_in_words(record, len(train)),
        _trust_in_errors(record),
        [_error_tiles(inputs, train)],
    )
    if others.empty:
        return errors, None
    words = _held_out_in_words(record, len(others))
    return errors, _Found(words, "", [_error_tiles(inputs, others, with_part=True)])


def _errors_in_words(record: "LabelRecord", shown: int) -> str:
    checked, disagreeing = record["checked"], record["checked"] - record["agreeing"]
    count = record["listed"]["train"]
    text = (
        f"A probe{_on_features(record)} that had not seen the image gave another class than the "
        f"label for {number(disagreeing)} of {number(checked)} training images."
    )
    if record["not_checked"]:
        text += f" {counted(record['not_checked'], 'image')} could not be checked."
    if not count:
        return f"{text} None of them counts as a likely error."
    which = "They" if count == disagreeing else f"{number(count)} of them"
    first = f" The first {number(shown)} are shown." if shown < count else ""
    return (
        f"{text} {which} count as likely errors, the most likely first.{first} Look at an image "
        "before you change its label."
    )


def _on_features(record: "LabelRecord") -> str:
    is_embedding = record["space"] == "backbone"
    return "" if is_embedding else f" on features of the space {record['space']}"


def _trust_in_errors(record: "LabelRecord") -> str:
    planted: PlantedRecord = record["planted"]
    if not planted["changed"]:
        return "There are too few images to measure how far this can be trusted."
    runs = f" in {number(planted['repeats'])} searches" if planted["repeats"] > 1 else ""
    text = (
        f"How far to trust this: {number(planted['changed'])} labels "
        f"({rounded_percent(planted['changed'] / planted['images'] / planted['repeats'])}"
        f"{' each time' if runs else ''}) were changed at random on purpose{runs}"
    )
    if not planted["listed"]:
        return (
            f"{text}, and no list of likely errors had more changed labels than others. The "
            f"{'embeddings' if record['space'] == 'backbone' else 'features'} do not show the "
            "classes well enough."
        )
    recall = planted["found"] / planted["changed"]
    precision = planted["found"] / planted["listed"]
    text += (
        f", and {number(planted['found'])} of them ({rounded_percent(recall)}) were among the "
        f"{number(planted['listed'])} listed in the same way. So {rounded_percent(precision)} of "
        "that list were wrong labels."
    )
    if planted["own"] is None:
        return text
    return (
        f"{text} If other wrong labels look like these, at most about "
        f"{number(max(1, planted['own']))} of the {number(planted['images'])} labels are wrong."
    )


def _held_out_in_words(record: "LabelRecord", shown: int) -> str:
    listed_of = {part: record["listed"][part] for part in PARTS if record["listed"][part]}
    counts = [counted(count, f"{part} image") for part, count in listed_of.items()]
    more = f" The first {shown} are shown." if shown < sum(listed_of.values()) else ""
    return (
        f"By a probe on all training images, {' and '.join(counts)} also have a label that is "
        "likely wrong. All numbers of this report depend on these labels: correct them only for a "
        f"reason that you see in the image.{more}"
    )


def _error_tiles(inputs: Inputs, table: pd.DataFrame, with_part: bool = False) -> list[Tile]:
    return [
        Tile(
            picture,
            row["image_id"],
            f"{row['part'] + ', ' if with_part else ''}labeled "
            f"{name(row['label'], LONGEST_NAME)}, answer {name(row['answer'], LONGEST_NAME)} "
            f"({rounded_percent(row['probability'])})",
        )
        for picture, row in zip(
            _pictures(inputs, table["image_id"]), table.to_dict("records"), strict=True
        )
    ]


def _near_duplicates(inputs: Inputs) -> _Found | None:
    if "near_duplicates.parquet" not in inputs.checks:
        return None
    table = read_table(inputs.checks["near_duplicates.parquet"])
    record: PairRecord = read_json(inputs.checks["near_duplicates.json"])
    pairs = table[table["listed"]].head(MOST_PAIRS)
    groups = [
        [
            Tile(one, row["image_id"], f"{row['part']}, {name(row['label'], LONGEST_NAME)}"),
            Tile(
                other,
                row["train_image_id"],
                f"training, {name(row['train_label'], LONGEST_NAME)}, similarity "
                f"{row['similarity']:.2f}",
            ),
        ]
        for one, other, row in zip(
            _pictures(inputs, pairs["image_id"]),
            _pictures(inputs, pairs["train_image_id"]),
            pairs.to_dict("records"),
            strict=True,
        )
    ]
    in_two = (kept_leaks(inputs.leaks)["kind"] == "copy").any()
    words = _pairs_in_words(record, len(groups), bool(in_two))
    return _Found(words, _trust_in_pairs(record), groups)


def _pairs_in_words(record: "PairRecord", shown: int, in_two: bool) -> str:
    """What was found; in_two: whether images that are known to be duplicates are in two parts."""
    counts = [
        f"{number(record['listed'][part])} of {number(record['images'][part])} {part} images"
        for part in PARTS
        if part in record["images"]
    ]
    total = sum(record["listed"].values())
    text = f"{' and '.join(counts)} nearly repeat a training image"
    if not total:
        return f"{text}."
    more = f" The {shown} most similar pairs are shown." if shown < total else ""
    known = (
        "Known duplicates in two parts are among those compared (split.leaks: keep)."
        if in_two
        else "Images that are known to be duplicates are never in two parts."
    )
    return (
        f"{text}. A model may know them from training, so accuracies may be too high.{more} {known}"
    )


def _trust_in_pairs(record: "PairRecord") -> str:
    shares = [f"{rounded_percent(share)} of those {how}" for how, share in record["found"].items()]
    if not shares or record["threshold"] is None:
        return "No training image could be altered, so it is not known what this finds."
    text = (
        f"How far to trust this: {number(record['altered'])} copies of training images were "
        f"altered on purpose, and a similarity of {record['threshold']:.2f} finds {listed(shares)}."
    )
    if not record["ordinary"]:
        return f"{text} No training image that was tried is so similar to another one."
    expected = round(record["ordinary"] * record["images"].get("test", 0))
    return (
        f"{text} Also {rounded_percent(record['ordinary'])} of the training images are so similar "
        "to another one that is not known as a copy. At this rate, "
        f"{counted(expected, 'test image')} would be listed."
    )


def _case_of_stand_ins(inputs: Inputs, shown: Case | None) -> Case | None:
    """The recommended subset, if it drops images; else the one that the page shows first."""
    kept = inputs.recommendation.kept
    best = Case(method_of(kept.method), kept.fraction) if kept else None
    drop_some = [
        case for case, chosen in inputs.chosen.items() if chosen.any() and not chosen.all()
    ]
    return next((case for case in (best, shown) if case in drop_some), None)


def _stand_ins(inputs: Inputs, case: Case) -> _Found:
    """Dropped images, evenly from the best to the worst represented, with the nearest kept one."""
    kept = np.flatnonzero(inputs.chosen[case])
    dropped = np.flatnonzero(~inputs.chosen[case])
    searched = dropped[evenly(len(dropped), MOST_DROPPED)]
    space = inputs.features if inputs.embeddings is None else inputs.embeddings
    nearest, distance = nearest_kept(space[searched], space[kept])
    order = np.argsort(distance, kind="stable")
    order = order[evenly(len(order), MOST_PAIRS)]
    rows = np.column_stack([searched, kept[nearest]])[order].ravel().tolist()
    ids, labels = (inputs.train[column].to_numpy() for column in ("image_id", "label"))
    class_names = [name(text, LONGEST_NAME) for text in inputs.store.classes]
    tiles = [
        Tile(picture, ids[row], f"{('dropped', 'kept')[place % 2]}, {class_names[labels[row]]}")
        for place, (picture, row) in enumerate(
            zip(_pictures(inputs, pd.Series(ids[rows])), rows, strict=True)
        )
    ]
    is_embedding = inputs.embeddings is not None or inputs.space == "backbone"
    what = "embedding" if is_embedding else f"features of the space {inputs.space}"
    some = len(searched) < len(dropped)
    return _Found(
        f"Dropped images of {case.method}, {percent(case.fraction)}, each with the kept image "
        f"that is nearest to it by {what}. They are evenly spaced, from the one nearest to a "
        "kept image to the one that is farthest from all of them"
        f"{f', of {number(len(searched))} that were drawn' if some else ''}.",
        "",
        [tiles[start : start + 2] for start in range(0, len(tiles), 2)],
    )


def nearest_kept(
    dropped: NDArray[np.float32], kept: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each dropped image, the row of the nearest kept one and the squared distance.

    Parameters
    ----------
    dropped : ndarray of float32, shape (n, d)
    kept : ndarray of float32, shape (m, d)
        At least one. Distances are computed in blocks of BLOCK_BYTES.
    """
    rows = np.empty(len(dropped), np.int64)
    distances = np.empty(len(dropped), np.float32)
    for block in slices(len(dropped), 4 * len(kept), BLOCK_BYTES):
        squared = squared_distances(dropped[block], kept)
        rows[block] = squared.argmin(axis=1)
        distances[block] = squared.min(axis=1)
    return rows, distances


def _pictures(inputs: Inputs, image_ids: pd.Series) -> NDArray[np.uint8]:
    return sprites.thumbnails(inputs.store.images(image_ids), SIDE)


def _skipped(inputs: Inputs) -> str:
    """Why checks that the configuration asks for were not made."""
    wanted = inputs.config.get("checks", {})
    names = {
        "label_errors": "likely label errors",
        "near_duplicates": "near duplicates across the parts",
    }
    missing = [
        words
        for key, words in names.items()
        if wanted.get(key) and f"{key}.parquet" not in inputs.checks
    ]
    if not missing or not inputs.checks:
        return ""
    words = " and ".join(missing)
    other = (
        " For label errors by simpler features, set checks: {label_errors: random_conv}."
        if names["label_errors"] in missing
        else ""
    )
    return (
        f"{words[0].upper()}{words[1:]} are found by the embeddings of a pretrained network, which "
        "this run does not use. To add them, set judges: {probe: {}} or features: "
        f"{{space: backbone}}.{other}"
    )
