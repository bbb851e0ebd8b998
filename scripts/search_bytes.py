"""Search for the encoding of random images that learns most within a budget of bytes."""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

from petite.data.shard_job import reading_of
from petite.data.source_job import add_source, opened
from petite.data.splits import validation_images
from petite.data.store import Store
from petite.features.embedding import read_embeddings
from petite.networks.backbones import needs_keras, open_backbone
from petite.networks.backend import load_keras
from petite.subsets.subset_job import add_selection, selection_jobs
from petite.training import fine_tune, scratch
from petite.training.byte_search_job import (
    Images,
    Judge,
    ProbeJudge,
    SearchRecord,
    TrainingJudge,
    Trainings,
    run_search,
)
from petite.training.judges import FINE_TUNE, PROBE
from petite.training.loop import ScratchTrainer
from petite.training.probe import Embedded
from petite.util.encoded_names import encoding_in_words, encoding_name
from petite.util.files import read_table, sha256_of, write_json, write_text
from petite.util.formatting import byte_size, counted, in_percent
from petite.util.job import argument_parser, run

SAID = """\
Within {budget}: {images} at random as {encoding}, {bytes}.
Found by {runs} at {points} sides and qualities: {accuracy}% on the validation images, by {judge}.
"""


def main(args: argparse.Namespace) -> None:
    settings = args.settings
    store = Store.open(args.manifest)
    with opened(args, settings["max_bytes"]) as source:
        reading = reading_of(source, settings, lambda: store.index["image_id"])
        args.seeds = [0]
        [selection] = selection_jobs(args)
        images = Images(source, reading, store, selection)
        most = int(settings["pool_share"] * len(selection.train))
        kept = Trainings(args.trainings, digest_of(args))
        found = run_search(
            settings["budget"], settings["judge"], images, judge(args, store), most, kept
        )
    write_json(args.output, found)
    write_text(args.output_text, in_words(found))


def digest_of(args: argparse.Namespace) -> str:
    """The digest of what decides the result of a training: settings, images, networks and code."""
    files = [*args.code, args.manifest, args.split, *args.embeddings, *filter(None, [args.weights])]
    parts = [json.dumps(args.settings, sort_keys=True), *map(sha256_of, files)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def judge(args: argparse.Namespace, store: Store) -> Judge:
    """The judge of the settings."""
    settings = args.settings
    size, _, channels = store.shape
    held_out = validation_images(store, read_table(args.split))
    if settings["judge"] == PROBE:
        if needs_keras(settings["backbone"]["name"]):
            load_keras("tensorflow", args.threads)
        backbone = open_backbone(weights=args.weights, threads=args.threads, **settings["backbone"])
        embeddings, _ = read_embeddings(store, held_out.image_ids, args.embeddings)
        validation = Embedded(embeddings, held_out.labels.astype(np.int64))
        penalties = settings["own"]["penalties"]
        return ProbeJudge(backbone.embedder(), validation, penalties, backbone.image_size)
    if settings["judge"] == FINE_TUNE:
        own = fine_tune.check_settings(settings["own"])
        load_keras(own.backend, args.threads)
        named = settings["backbone"] | {"image_size": own.image_size}
        backbone = open_backbone(weights=args.weights, threads=args.threads, **named)
        tuner = fine_tune.FineTuner(
            backbone, size, channels, list(store.classes), own, args.threads
        )
        return TrainingJudge(tuner, held_out, size, channels)
    trainer = ScratchTrainer(
        size, channels, list(store.classes), scratch.check_settings(settings["own"]), args.threads
    )
    return TrainingJudge(trainer, held_out, size, channels)


def in_words(found: SearchRecord) -> str:
    """What was found, for the terminal."""
    winner = found["winner"]
    name = encoding_name(winner["side"], winner["codec"], winner["quality"])
    return SAID.format(
        budget=byte_size(found["budget"]),
        images=counted(winner["images"], "image"),
        encoding=encoding_in_words(name),
        bytes=byte_size(winner["bytes"]),
        runs=counted(found["runs"], "training"),
        points=len(found["points"]),
        accuracy=in_percent(winner["validation_accuracy"]),
        judge=found["judge"],
    )


if __name__ == "__main__":
    # settings: budget, judge, own (its settings), backbone, pool_share,
    # steps (of random), max_bytes, and how images are read
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    add_source(parser)
    add_selection(parser)
    parser.add_argument("--embeddings", type=Path, nargs="*", default=[], help="of all shards")
    parser.add_argument("--weights", type=Path, help="the weights of the backbone")
    parser.add_argument("--output", type=Path, required=True, help="the JSON of all points")
    parser.add_argument("--trainings", type=Path, required=True, help="where trainings are kept")
    parser.add_argument("--code", type=Path, nargs="*", default=[], help="what trainings depend on")
    parser.add_argument("--output-text", type=Path, required=True, help="the result in words")
    run(main, parser)
