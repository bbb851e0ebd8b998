"""Predict the time and memory of all selections here, and the differences that runs can show."""

import argparse
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from petite.data.splits import TEST, training_images
from petite.evaluation.design import planned, planned_images
from petite.features.own import own_dimensions
from petite.selection.estimate import as_text, calibrate, estimate_entries
from petite.training.scores import gradient_width
from petite.training.settings import TrainingSettings
from petite.util.files import read_table
from petite.util.job import argument_parser, run

TERMINAL_COLUMNS = 100


def main(args: argparse.Namespace) -> None:
    split = read_table(args.split)
    labels = training_images(split)["label"].to_numpy()
    widths = widths_of(args.settings, len(np.unique(labels)))
    rows = estimate_entries(
        labels, calibrate(), args.settings["entries"], widths, args.settings["partitions"]
    )
    sys.stdout.write(as_text(rows))
    tested = split.loc[split["split"] == TEST, "label"].to_numpy()
    text = (
        f"{planned(**args.settings['design'])} {planned_images(tested, **args.settings['tests'])}"
    )
    sys.stdout.write("\n" + textwrap.fill(text, TERMINAL_COLUMNS) + "\n")


def widths_of(settings: dict[str, Any], classes: int) -> dict[str, int]:
    """The number of features of an image, by feature space."""
    widths = dict.fromkeys(("pixels", "random_conv"), settings["dimensions"])
    widths |= {"backbone": settings["embedding"]}
    if settings["proxy_of"] == "embeddings":
        last = settings["embedding"]
        widths |= {"proxy": classes}
    else:
        last = TrainingSettings.model_validate(settings["training"]).feature_width()
        widths |= {"proxy": last}
    widths |= {"gradients": gradient_width(last, classes)}
    return widths | ({"own": own_dimensions(Path(settings["own"]))} if settings["own"] else {})


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    run(main, parser)
