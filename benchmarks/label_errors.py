"""Measure how well wrong labels are found: labels are changed on purpose, and searched for.

Reads the store and the embeddings of a finished run, such as that of
`snakemake --cores all --config archive=petimages-15k.zip`. Changes 5% of the labels of its training
images at random, five times, and ranks all images by several scores of the same out-of-fold
probabilities. cleanlab is one of them if it is installed; Petite does not need it. Writes a CSV
file: for each repeat and score the precision and recall of a list as long as there are changed
labels, and of the list that Petite or cleanlab makes.

    python benchmarks/label_errors.py --results results/petimages \
        --output benchmarks/results/label_errors.csv
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.splits import TRAIN, training_images
from petite.data.store import Store
from petite.data.together import together
from petite.evaluation import label_errors
from petite.evaluation.label_errors import (
    PLANTED_SHARE,
    check_labels,
    folds_of,
    planted_check,
    with_changed_labels,
)
from petite.features.embedding import read_embeddings
from petite.training.probe import Embedded, fit_probe

REPEATS = 5


def probabilities_of(images: Embedded, folds: NDArray, penalty: float) -> NDArray[np.float64]:
    """The out-of-fold probabilities of all classes, (n, classes)."""
    found = np.zeros((len(images.labels), int(images.labels.max()) + 1))
    for fold in np.unique(folds):
        rest, held_out = folds != fold, folds == fold
        training = Embedded(images.embeddings[rest], images.labels[rest])
        nothing = Embedded(images.embeddings[:0], images.labels[:0])
        probe = fit_probe(training, nothing, [penalty])
        found[held_out] = probe.probabilities(images.embeddings[held_out])
    return found / found.sum(axis=1, keepdims=True)


def scores_of(probabilities: NDArray, labels: NDArray) -> dict[str, NDArray]:
    """Scores that are high for a likely error, by name."""
    rows = np.arange(len(labels))
    of_label = probabilities[rows, labels]
    others = probabilities.copy()
    others[rows, labels] = -1
    # The mean probability of a class among the images with its label.
    expected = np.array([probabilities[labels == k, k].mean() for k in range(others.shape[1])])
    adjusted = probabilities - expected
    adjusted_others = adjusted.copy()
    adjusted_others[rows, labels] = -np.inf
    return {
        "self-confidence": -of_label,
        "margin": others.max(axis=1) - of_label,
        "margin over class thresholds": adjusted_others.max(axis=1) - adjusted[rows, labels],
    }


def of_cleanlab(probabilities: NDArray, labels: NDArray) -> NDArray | None:
    """The rows that cleanlab lists, by its default method; None without it."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        return None
    return find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--results", type=Path, required=True, help="the folder of a finished run")
    parser.add_argument("--output", type=Path, required=True, help="a .csv file")
    args = parser.parse_args()
    store = Store.open(args.results / "store/manifest.json")
    split = pd.read_parquet(next(iter((args.results / "splits").glob("*.parquet"))))
    train = training_images(split)
    paths = [
        next((args.results / "embeddings").glob(f"*/{table.stem}.npy"))
        for table in store.shard_tables()
    ]
    embeddings, _ = read_embeddings(store, train["image_id"], paths)
    images = Embedded(embeddings, train["label"].to_numpy(np.int64))
    groups = together(store, split[split["split"] == TRAIN])
    started = time.perf_counter()
    check_labels(images, groups, Embedded(embeddings[:0], images.labels[:0]))
    seconds = time.perf_counter() - started
    count = round(PLANTED_SHARE * len(train))
    label_errors.LEAST_PLANTED = 1  # one search for each seed
    found = []
    for seed in range(REPEATS):
        folds = folds_of(images.labels, groups, seed)
        planted, penalty = planted_check(images, folds, seed)
        labels, changed = with_changed_labels(images.labels, count, seed)
        probabilities = probabilities_of(Embedded(embeddings, labels), folds, penalty)

        def add(score: str, rows: NDArray) -> None:
            hits = int(changed[rows].sum())  # noqa: B023  # called in this round
            found.append((seed, score, count, len(rows), hits / len(rows), hits / count))  # noqa: B023

        for score, values in scores_of(probabilities, labels).items():
            add(f"{score}, as many as changed", np.argsort(-values, kind="stable")[:count])
        doubts = 1 - probabilities[np.arange(len(labels)), labels]
        is_other = probabilities.argmax(axis=1) != labels
        add("Petite's list", np.flatnonzero(is_other & (doubts >= planted.threshold - 1e-6)))
        issues = of_cleanlab(probabilities, labels)
        if issues is not None:
            add("cleanlab's list", issues)
    columns = ["repeat", "list", "changed", "listed", "precision", "recall"]
    table = pd.DataFrame(found, columns=columns)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    table.round(4).to_csv(args.output, index=False, lineterminator="\n")
    print(f"{len(train)} training images, one check in {seconds:.1f} s")
    columns = ["listed", "precision", "recall"]
    print(table.groupby("list", sort=False)[columns].agg(["mean", "std"]).round(3).to_string())


if __name__ == "__main__":
    main()
