"""Make the subset of a method at one fraction: from its ranking, or selected for this size."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd

from petite.data.store import Store
from petite.subsets import augmentation
from petite.subsets.chains import SelectionJob, choose
from petite.subsets.records import SelectionRecord, SubsetRecord
from petite.subsets.subset_job import add_arguments, add_candidates, selection_job
from petite.subsets.tables import augmented, cut, recipe_bytes, stored_bytes, subset_table
from petite.util.errors import PetiteError
from petite.util.files import read_json, read_table, write_json, write_table
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    store, job = Store.open(args.manifest), selection_job(args)
    ranked, selected = chosen(job, args.ranking, args.candidates)
    subset = subset_table(ranked, job.train, store.classes)
    images = len(subset)
    last = job.steps[-1]
    if last.method == augmentation.NAME:
        if images >= job.k:
            raise PetiteError(
                f"{images} of {job.k} images are real, because each class keeps at least one, so "
                "augmentation adds none. Use a larger fraction, or remove this one"
            )
        settings = augmentation.Settings(ratio=(job.k - images) / images, **last.settings)
        subset = augmented(subset, args.seed, settings)
    write_table(args.output, subset)
    record: SubsetRecord = {
        **selected,
        "fraction": args.fraction,
        "images": images,
        "rows": len(subset),
        "stored_bytes": stored_bytes(images, store.shape) + recipe_bytes(subset),
    }
    write_json(args.output.with_suffix(".json"), record)
    logger.info("%d of %d images are kept", images, len(job.train))


def chosen(
    job: SelectionJob, ranking: Path | None, candidates: list[Path]
) -> tuple[pd.DataFrame, SelectionRecord]:
    """The table of the selected images by rank, and its record."""
    if ranking:
        return cut(read_table(ranking), job.train, job.k), read_json(ranking.with_suffix(".json"))
    selecting = [step for step in job.steps if step.method != augmentation.NAME]
    return choose(replace(job, steps=selecting), candidates)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    add_arguments(parser)
    add_candidates(parser)
    parser.add_argument("--ranking", type=Path, help="the output of rank.py, if the method ranks")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    run(main, parser)
