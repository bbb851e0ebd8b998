"""Predict the time and memory of all selections here, and the differences that runs can show."""

import argparse
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np

from petite.data.shard_job import add_shard, shard_of
from petite.data.source_job import opened
from petite.data.splits import TEST, test_groups, training_images
from petite.evaluation.design import planned, planned_images
from petite.evaluation.groups import group_numbers
from petite.evaluation.looks import Looks
from petite.features.embedding_cost import EmbeddingCost, measured_times
from petite.features.own import own_dimensions
from petite.networks.backbones import needs_keras, open_backbone
from petite.networks.backend import load_keras
from petite.selection.estimate import as_text, calibrate, estimate_entries
from petite.training.scores import gradient_width
from petite.training.settings import TrainingSettings
from petite.util.files import read_table
from petite.util.job import argument_parser, peak_memory_bytes, run

TERMINAL_COLUMNS = 100
# Images from which the time of an embedding is measured.
MOST_MEASURED = 1_024


def main(args: argparse.Namespace) -> None:
    split = read_table(args.split)
    labels = training_images(split)["label"].to_numpy()
    widths = widths_of(args.settings, len(np.unique(labels)))
    rows = estimate_entries(
        labels, calibrate(), args.settings["entries"], widths, args.settings["partitions"]
    )
    sys.stdout.write(as_text(rows))
    tested = split[split["split"] == TEST]
    groups = test_groups(split)
    numbers = None if groups is None else group_numbers(groups, tested["image_id"].to_numpy())
    design = args.settings["design"]
    looks = Looks.of(design.pop("looks", None))
    images = planned_images(tested["label"].to_numpy(), **args.settings["tests"], groups=numbers)
    text = f"{planned(**design, looks=looks)} {images}"
    sys.stdout.write("\n" + textwrap.fill(text, TERMINAL_COLUMNS) + "\n")
    if args.shard:
        text = embedding_cost(args, args.settings["embed"]).as_text()
        sys.stdout.write("\n" + textwrap.fill(text, TERMINAL_COLUMNS) + "\n")


def embedding_cost(args: argparse.Namespace, settings: dict[str, Any]) -> EmbeddingCost:
    """The cost of embedding all images, from some of them."""
    began = time.perf_counter()
    if needs_keras(settings["backbone"]["name"]):
        load_keras("tensorflow", args.threads)
    backbone = open_backbone(weights=args.weights, threads=args.threads, **settings["backbone"])
    with opened(args, settings["max_bytes"]) as source:
        rows, reading = shard_of(source, args, settings)
        sample = rows.sample(min(len(rows), MOST_MEASURED), random_state=0).sort_index()
        opening = time.perf_counter() - began
        start, each = measured_times(source, sample["image_id"].tolist(), backbone, **reading)
    return EmbeddingCost(
        images=len(rows),
        jobs=settings["jobs"],
        start=opening + start,
        each=each,
        memory=peak_memory_bytes(),
        disk=4 * len(rows) * backbone.dimensions,
    )


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
    # Where a shard is given (all images), its embedding is estimated. settings: "embed", those of
    # embed.py and jobs.
    add_shard(parser, required=False)
    parser.add_argument("--weights", type=Path, help="the weights of the backbone")
    run(main, parser)
