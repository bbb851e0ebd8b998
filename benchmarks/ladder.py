"""Measure what each change of the training gives a network that has few photos, from scratch.

    snakemake --cores all --configfile workflow/config/petimages.yaml --config name=ladder64 \\
        --until split
    python benchmarks/ladder.py --run results/ladder64 --output benchmarks/results/ladder.csv

Each rung is the training of workflow/config/petimages.yaml for 1,600 steps, with the changes that
it names, joined by " + ". For each seed, a network is trained on a random part of the training
images and judged on `JUDGED` images that are not in this part: the validation images and other
training images. The test images are never read. A seed has the same part and judged images in
all rungs, and the same initial weights in those of one network and backend. Rows that the output
has are not made again.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from petite.data.splits import training_images, validation_images
from petite.data.store import Store
from petite.selection import select
from petite.training.loop import ScratchTrainer
from petite.training.scratch import check_settings
from petite.util.seeds import generator

PRESET = Path(__file__).parents[1] / "workflow" / "config" / "petimages.yaml"
JUDGED = 3_000

CHANGES: dict[str, dict[str, Any]] = {
    "1,600 steps": {"budget": {"steps": 1600, "epochs": None}, "evaluations": 1},
    "4,000 steps": {"budget": {"steps": 4000, "epochs": None}},
    "brightness 0.4": {"brightness": 0.4},
    "weight decay 0.1": {"weight_decay": 0.1},
    "weight decay 0.2": {"weight_decay": 0.2},
    "mixup 0.4": {"mixup": 0.4},
    "cutmix 1": {"cutmix": 1.0},
    "shifts of 0.2": {"crop_padding": 0.2},
    "parts of 0.5": {"crop_area": 0.5},
    "parts of 0.25": {"crop_area": 0.25},
    "full size": {"phases": []},
    "wider": {
        "compact": {
            "widths": [48, 72, 144, 288, 384],
            "halvings": [0, 1, 1, 1],
            "residual_blocks": [0, 1, 1, 0],
            "residual_convolutions": 1,
        }
    },
}
BASE = "1,600 steps"
ALONE = ("brightness 0.4", "weight decay 0.1", "mixup 0.4", "cutmix 1", "parts of 0.25")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="a run whose images are split")
    parser.add_argument("--output", type=Path, required=True, help="a CSV file, which grows")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rungs", nargs="+", default=[BASE, *ALONE], help='such as "A + B"')
    parser.add_argument("--fraction", type=float, default=0.1, help="of the training images")
    parser.add_argument("--backend", default="tensorflow", choices=("tensorflow", "jax"))
    args = parser.parse_args()
    store = Store.open(args.run / "store" / "manifest.json")
    split = pd.read_parquet(args.run / "splits" / "0.parquet")
    side, backend = store.shape[0], {"backend": args.backend}
    for rung in args.rungs:
        for seed in args.seeds:
            key = {"rung": rung, "side": side, "fraction": args.fraction, "seed": seed, **backend}
            if not is_done(args.output, key):
                changed = {**changes(rung), **backend}
                row = {**key, **trained(store, split, args.fraction, seed, changed)}
                append(args.output, row)
                print(row, flush=True)


def changes(rung: str) -> dict[str, Any]:
    """The settings that a rung changes."""
    return {
        key: value for name in (BASE, *rung.split(" + ")) for key, value in CHANGES[name].items()
    }


def trained(
    store: Store, split: pd.DataFrame, fraction: float, seed: int, changed: dict[str, Any]
) -> dict[str, Any]:
    """Train on a random part of the training images; the accuracy on images that are not in it."""
    train = training_images(split)
    count = round(fraction * len(train))
    chosen = select(None, train["label"], count, "random", seed).indices
    others = np.setdiff1d(np.arange(len(train)), chosen)
    held_out = validation_images(store, split)
    drawn = generator(seed, "ladder").permutation(others)[: JUDGED - len(held_out.labels)]

    settings = check_settings({**yaml.safe_load(PRESET.read_text("utf-8"))["training"], **changed})
    size, _, channels = store.shape
    trainer = ScratchTrainer(size, channels, list(store.classes), settings)
    images = store.images(train["image_id"].iloc[chosen])
    judged = np.concatenate(
        [
            store.images(train["image_id"].iloc[drawn]),
            held_out.images[np.arange(len(held_out.labels))],
        ]
    )
    labels = train["label"].to_numpy()
    run = trainer.train(
        images,
        labels[chosen],
        judged,
        np.r_[labels[drawn], held_out.labels],
        seed,
        name=str(changed),
    )
    last = run.history[-1]
    return {
        "accuracy": round(last["validation_accuracy"], 4),
        "loss": round(last["validation_loss"], 4),
        "train_accuracy": round(run.train_accuracy, 4),
        "seconds": round(run.train_seconds),
        "precision": trainer.settings.precision,
    }


def is_done(path: Path, key: dict[str, Any]) -> bool:
    """Whether the output has the row with this key."""
    if not path.exists():
        return False
    table = pd.read_csv(path)
    return bool((table[list(key)] == list(key.values())).all(axis=1).any())


def append(path: Path, row: dict[str, Any]) -> None:
    """Add a row; runs side by side may write to the same file."""
    with path.open("a") as file:
        pd.DataFrame([row]).to_csv(file, header=file.tell() == 0, index=False)


if __name__ == "__main__":
    main()
