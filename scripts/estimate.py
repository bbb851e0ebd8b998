"""Forecast the time, memory and disk space of the run here, and the differences it can show."""

import argparse
import logging
import os
import resource
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
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
from petite.forecast.facts import Facts, PlannedJob
from petite.forecast.forecast import BUSY, as_table, forecast, in_words, stages
from petite.forecast.history import History, Timing, read_history, write_history
from petite.forecast.jobs import Costs, embed_key, fine_tune_key, scratch_key
from petite.forecast.timing import timed
from petite.networks.backbones import needs_keras, open_backbone
from petite.networks.backend import load_keras
from petite.selection.estimate import Speeds, as_text, calibrate, estimate_entries
from petite.training.fine_tune import FineTuner
from petite.training.loop import ScratchTrainer, Trainer
from petite.training.scores import gradient_width
from petite.training.settings import TrainingSettings
from petite.util.errors import PetiteError
from petite.util.files import read_json, read_table
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
    if args.settings["forecast"]["command"]:
        table, text = whole_run(args, speeds, embedding)
        if load > BUSY * (os.cpu_count() or 1):
            text += (
                f" Other processes use this machine (load {load:.1f}): until they end, the run "
                "takes longer."
            )
        sys.stdout.write(f"\n{table}\n{textwrap.fill(text, TERMINAL_COLUMNS)}\n")


def whole_run(
    args: argparse.Namespace, speeds: Speeds, embedding: EmbeddingCost | None
) -> tuple[str, str]:
    """The stages of the whole run, and its time, memory and disk space."""
    settings = args.settings["forecast"]
    planned, planning = planned_run(settings)
    facts = Facts(**planned["facts"])
    jobs, later = ([_job(fields) for fields in planned[name]] for name in ("jobs", "later"))
    path = Path(settings["history"])
    history = with_timings(
        read_history(path), facts, {job.rule for job in jobs if job.is_due}, args
    )
    if embedding:
        timing = Timing(embedding.start, 0.0, embedding.each, 0.0)
        history = history.with_timing(embed_key(facts), timing)
    write_history(path, history)
    costs = Costs(facts, history, speeds, speed=speeds.steps / slopes.LOOPS)
    whole = forecast(jobs, costs, settings["cores"])
    logging.info(
        "the whole run: %.1f s, %.1f s of cores, %.0f bytes of memory, %.0f bytes of disk",
        *(whole.seconds + planning, whole.core_seconds + planning, whole.memory, whole.disk),
    )
    return as_table(stages(jobs, costs)), in_words(whole, jobs, later, costs, planning)


def planned_run(settings: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """The jobs of the whole run with what decides their time, and the seconds of planning it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jobs.json"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        finished = subprocess.run(
            settings["command"],
            env={**os.environ, settings["variable"]: str(file)},
            capture_output=True,
            text=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if finished.returncode or not file.exists():
            raise PetiteError(f"the run cannot be planned: {finished.stderr.strip()[-1000:]}")
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return read_json(file), seconds


def _job(fields: dict[str, Any]) -> PlannedJob:
    return PlannedJob(**{**fields, "needs": tuple(fields["needs"])})


def with_timings(
    history: History, facts: Facts, rules: set[str], args: argparse.Namespace
) -> History:
    """Time some steps of each network that the run trains."""
    makes: dict[str, Callable[[], Trainer]] = {}
    classes = [str(number) for number in range(facts.classes)]
    if "train" in rules or ("proxy" in rules and not facts.proxy_is_linear):
        makes[scratch_key(facts)] = lambda: ScratchTrainer(
            facts.side, facts.channels, classes, facts.training_settings, args.threads
        )
    if "fine_tune" in rules:
        tuning = facts.fine_tuning
        named = args.settings["embed"]["backbone"] | {"image_size": tuning.image_size}
        makes[fine_tune_key(facts)] = lambda: FineTuner(
            open_backbone(weights=args.weights, threads=args.threads, **named),
            facts.side,
            facts.channels,
            classes,
            tuning,
            args.threads,
        )
    was_loaded = "keras" in sys.modules  # to measure the embedding
    began = time.process_time()
    if makes:
        backend = facts.training_settings.backend
        load_keras(facts.fine_tuning.backend if "fine_tune" in rules else backend, args.threads)
    loading = slopes.START + time.process_time() - began
    if was_loaded:
        loading = slopes.START_OF_KERAS
    for key, make in makes.items():
        # A network that cannot be trained is reported by the run itself.
        with suppress(PetiteError):
            timing = timed(make, facts.side, facts.channels, facts.classes, loading)
            history = history.with_timing(key, timing)
    return history


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
