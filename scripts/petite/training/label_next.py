"""Choose which images of a pool without labels to label next."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.sources.base import UNLABELED
from petite.data.splits import training_images, validation_images, weights_of
from petite.data.store import Store
from petite.features.embedding import StoredEmbeddings, read_embeddings
from petite.selection import checked_settings, named, select
from petite.training import scores
from petite.training.probe import Embedded, fit_probe
from petite.util.errors import PetiteError
from petite.util.formatting import counted

LABELED, CHOSEN = "labeled", "chosen"
SCORES = {
    "least_confidence": scores.least_confidence,
    "margin": scores.margin,
    "entropy": scores.entropy,
}
# Images of the pool whose probabilities are computed at a time.
AT_ONCE = 8_192
# Pairs of images for the usual distance.
PAIRS = 10_000
COLUMNS = [
    "rank", "file", "value", "nearest", "nearest_is", "distance", "copy_of", "copy", "copies",
    "image_id",
]  # fmt: skip


class ChoiceRecord(TypedDict):
    """The content of the JSON file next to a list: how it was chosen.

    `complements` says whether the method started from the labeled images, `space_matters` whether
    it compared features, and `uncertainty` whether it chose by one. `ranks` says whether a smaller
    number of images would be the first of these. `usual_distance` is the median distance of two
    images of the pool.
    """

    method: str
    settings: dict[str, Any]
    space: str
    seed: int
    images: int
    candidates: int
    readable: int
    copies_of_labeled: int
    copies_in_pool: int
    labeled: int
    complements: bool
    space_matters: bool
    uncertainty: bool
    ranks: bool
    usual_distance: float
    seconds: float


@dataclass(frozen=True)
class PoolFeatures:
    """What a method compares.

    Attributes
    ----------
    images : DataFrame
        The readable images of the pool, see `petite.data.pool.pool_images`.
    labeled : sequence of str
        Ids of the labeled images, m of them.
    features : ndarray of float32, shape (m + n, d)
        Of the labeled images, then of the pool's.
    space : str
    """

    images: pd.DataFrame
    labeled: Sequence[str]
    features: NDArray[np.float32]
    space: str


def choose_next(
    pool: PoolFeatures,
    k: int,
    method: str,
    settings: dict[str, Any],
    *,
    keep_copies: bool = False,
    seed: int = 0,
    uncertainty: NDArray[np.float64] | None = None,
    max_memory: int | None = None,
) -> tuple[pd.DataFrame, ChoiceRecord]:
    """Choose k images of a pool.

    Methods that can complement images which are kept start from the labeled ones.

    Parameters
    ----------
    pool : PoolFeatures
    k : int
        How many to choose.
    method : str
        A name in `petite.selection.METHODS`.
    settings : dict
        The method's own.
    keep_copies : bool
        Whether to choose from duplicates of labeled images and of each other too.
    seed : int
    uncertainty : ndarray of float64, shape (n,), optional
        The score that the method needs, of each image of the pool.
    max_memory : int, optional
        See `petite.selection.select`.

    Returns
    -------
    DataFrame
        The chosen images in order, with COLUMNS: rank (from 1), file, value (the uncertainty, NaN
        for other methods), nearest (the nearest image among the labeled and those chosen earlier),
        nearest_is ("labeled", "chosen" or ""), distance to it, copy_of (the id of a labeled image,
        or the file of one of the pool) and copy (see `pool_images`), copies (how many other files
        of the pool are duplicates of it) and image_id.
    ChoiceRecord

    Raises
    ------
    PetiteError
        If there are fewer than k images to choose from, and as `select`.
    """
    images, first = pool.images, len(pool.labeled)
    is_copy = (images["copy_of"] != "").to_numpy()
    candidates = np.arange(len(images)) if keep_copies else np.flatnonzero(~is_copy)
    if k > len(candidates):
        left_out = f", without {counted(int(is_copy.sum()), 'duplicate')}" if is_copy.any() else ""
        raise PetiteError(
            f"pool.images: {k} is more than the {len(candidates)} images of the pool that can be "
            f"chosen{'' if keep_copies else left_out}: choose fewer, or give a larger pool"
        )
    traits = named(method).traits(checked_settings(named(method), settings))
    # Other methods would choose as if there were no labeled images.
    start = first if traits.complements else 0
    rows = np.concatenate([np.arange(start), first + candidates])
    ranking = select(
        pool.features if len(rows) == len(pool.features) else pool.features[rows],
        np.zeros(len(rows), np.int64),
        start + k,
        method,
        seed,
        None if uncertainty is None else uncertainty[candidates],
        kept=np.arange(start),
        max_memory=max_memory,
        **settings,
    )
    chosen = rows[ranking.indices[start:]] - first
    table = images.iloc[chosen].reset_index(drop=True)
    table.insert(0, "rank", np.arange(1, k + 1))
    table["value"] = np.nan if uncertainty is None else uncertainty[chosen]
    nearest, table["distance"] = nearest_before(pool.features, first, first + chosen)
    names = np.array([*pool.labeled, *images["file"]], dtype=object)
    table["nearest"] = np.where(nearest < 0, "", names[nearest])
    table["nearest_is"] = np.where(nearest < 0, "", np.where(nearest < first, LABELED, CHOSEN))
    table["copies"] = copies_of(images)[chosen]
    in_pool = table["copy_of"].str.removeprefix(f"{UNLABELED}/")
    table["copy_of"] = table["copy_of"].where(table["of_labeled"], in_pool)
    record: ChoiceRecord = {
        "method": ranking.method,
        "settings": ranking.settings,
        "space": pool.space,
        "seed": seed,
        "images": k,
        "candidates": len(candidates),
        "readable": len(images),
        "copies_of_labeled": int(images["of_labeled"].sum()),
        "copies_in_pool": int((is_copy & ~images["of_labeled"]).sum()),
        "labeled": first,
        "complements": bool(start),
        "space_matters": traits.features is not None,
        "uncertainty": uncertainty is not None,
        "ranks": traits.ranks,
        "usual_distance": usual_distance(pool.features[first:]),
        "seconds": ranking.seconds,
    }
    return table[COLUMNS], record


def nearest_before(
    features: NDArray[np.float32], first: int, chosen: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the nearest image of each chosen one among the labeled and those chosen before it.

    Parameters
    ----------
    features : ndarray of float32, shape (n, d)
    first : int
        The labeled images are the first rows.
    chosen : ndarray of int64, shape (k,)
        Rows of the chosen images in order.

    Returns
    -------
    nearest : ndarray of int64, shape (k,)
        The row of the nearest image; -1 for the first one without labeled images.
    distance : ndarray of float64, shape (k,)
        NaN for it.
    """
    known = np.concatenate([np.arange(first), chosen])
    points = features[known] - features[known].mean(axis=0)
    squares = np.vecdot(points, points)
    nearest = np.full(len(chosen), -1, np.int64)
    distance = np.full(len(chosen), np.nan)
    for place in range(len(chosen)):
        own, before = first + place, points[: first + place]
        if not len(before):
            continue
        best = int(np.argmin(squares[:own] - 2 * (before @ points[own])))
        nearest[place] = known[best]
        distance[place] = np.linalg.norm(points[best] - points[own])
    return nearest, distance


def copies_of(images: pd.DataFrame) -> NDArray[np.int64]:
    """Count the other files of the pool that are duplicates of each image."""
    group = images["copy_of"].where(images["copy_of"] != "", images["image_id"])
    return np.asarray(group.map(group.value_counts()) - 1, dtype=np.int64)


def usual_distance(features: NDArray[np.float32]) -> float:
    """The median distance of two images, drawn at random with a fixed seed."""
    rng = np.random.default_rng(0)
    one, other = rng.integers(len(features), size=(2, PAIRS))
    return float(np.median(np.linalg.norm(features[one] - features[other], axis=1)))


def uncertainty_of(
    name: str,
    store: Store,
    split: pd.DataFrame,
    embeddings: Sequence[Path],
    pool: StoredEmbeddings,
    penalties: Sequence[float],
) -> NDArray[np.float64]:
    """Train a probe on the labeled images, and compute how uncertain it is of each of the pool.

    It is trained on the training part, and its penalty is chosen on the validation part. The test
    part stays unseen.

    Parameters
    ----------
    name : str
        In SCORES.
    store, split
        Of the labeled images.
    embeddings : sequence of Path
        Of the labeled images, all shards.
    pool : StoredEmbeddings
        Read in blocks.
    penalties : sequence of float
        See `petite.training.probe.fit_probe`.

    Returns
    -------
    ndarray of float64, shape (n,)
        Higher is less certain.
    """
    train = training_images(split)
    known, _ = read_embeddings(store, train["image_id"], embeddings)
    held_out = validation_images(store, split)
    checked, _ = read_embeddings(store, held_out.image_ids, embeddings)
    probe = fit_probe(
        Embedded(known, train["label"].to_numpy(np.int64)),
        Embedded(checked, held_out.labels.astype(np.int64)),
        penalties,
        weights_of(train),
    )
    score = SCORES[name]
    blocks = [score(probe.probabilities(block)) for block in pool.blocks(AT_ONCE)]
    return np.concatenate(blocks).astype(np.float64)
