"""Forecast the time, memory and disk space of the run here, and the differences it can show."""

import argparse
import logging
import os
import sys
import tempfile
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
from petite.forecast import slopes
from petite.forecast.forecast import BUSY, as_table, forecast, in_words, stages
from petite.forecast.history import Timing, read_history, write_history
from petite.forecast.jobs import Costs, embed_key
from petite.forecast.planning import DryRun, planned_run
from petite.forecast.timing import with_timings
from petite.networks.backbones import Backbone, needs_keras, open_backbone
from petite.networks.backend import load_keras
from petite.selection.estimate import Speeds, as_text, calibrate, estimate_entries
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
    load = os.getloadavg()[0]
    speeds = calibrate()
    rows = estimate_entries(
        labels, speeds, args.settings["entries"], widths, args.settings["partitions"]
    )
    sys.stdout.write(as_text(rows))
    tested = split[split["split"] == TEST]
    groups = test_groups(split)
    numbers = None if groups is None else group_numbers(groups, tested["image_id"].to_numpy())
    design = args.settings["design"]
    looks = Looks.of(design.pop("looks", None))
    images = planned_images(
        tested["label"].to_numpy(), **args.settings["tests"], groups=numbers, looks=looks
    )
    text = f"{planned(**design, looks=looks)} {images}"
    sys.stdout.write("\n" + textwrap.fill(text, TERMINAL_COLUMNS) + "\n")
    embedding = None
    if args.shard:
        embedding = embedding_cost(args, args.settings["embed"])
        sys.stdout.write("\n" + textwrap.fill(embedding.as_text(), TERMINAL_COLUMNS) + "\n")
    dry_run = DryRun(**args.settings["forecast"])
    if dry_run.command:
        table, text = whole_run(args, dry_run, dry_run.command, speeds, embedding)
        if load > BUSY * (os.cpu_count() or 1):
            text += (
                f" Other processes use this machine (load {load:.1f}): until they end, the run "
                "takes longer."
            )
        sys.stdout.write(f"\n{table}\n{textwrap.fill(text, TERMINAL_COLUMNS)}\n")


def whole_run(
    args: argparse.Namespace,
    dry_run: DryRun,
    command: list[str],
    speeds: Speeds,
    embedding: EmbeddingCost | None,
) -> tuple[str, str]:
    """The stages of the whole run, and its time, memory and disk space."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        planned, planning = planned_run(command, dry_run.variable, file)
    jobs, facts = planned.jobs, planned.facts
    path = Path(dry_run.history)

    def open_network(side: int) -> Backbone:
        named = args.settings["embed"]["backbone"] | {"image_size": side}
        return open_backbone(weights=args.weights, threads=facts.threads, **named)

    due = {job.rule for job in jobs if job.is_due}
    history = with_timings(read_history(path), facts, due, open_network)
    if embedding:
        timing = Timing(embedding.start, 0.0, embedding.each, 0.0)
        history = history.with_timing(embed_key(facts), timing)
    write_history(path, history)
    costs = Costs(facts, history, speeds, speed=speeds.steps / slopes.LOOPS)
    whole = forecast(jobs, costs, dry_run.cores)
    logging.info(
        "the whole run: %.1f s, %.1f s of cores, %.0f bytes of memory, %.0f bytes of disk",
        *(whole.seconds + planning, whole.core_seconds + planning, whole.memory, whole.disk),
    )
    return as_table(stages(jobs, costs)), in_words(whole, jobs, planned.later, costs, planning)


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
