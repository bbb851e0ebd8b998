"""Make the subsets of a method at one fraction: from its rankings, or selected for this size."""

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from petite.data.store import Store
from petite.subsets import augmentation
from petite.subsets.chains import SelectionJob, choose
from petite.subsets.records import SelectionRecord, SubsetRecord
from petite.subsets.seed_tables import SeedTable, tables_of, write_seed_tables
from petite.subsets.subset_job import add_arguments, candidates_by_seed, selection_jobs
from petite.subsets.tables import augmented, cut, recipe_bytes, stored_bytes, subset_table
from petite.util.errors import PetiteError
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    write_seed_tables(args.output, subsets(args))


def subsets(args: argparse.Namespace) -> Iterator[tuple[pd.DataFrame, SubsetRecord]]:
    """The subset of each seed, and its record."""
    store, jobs = Store.open(args.manifest), selection_jobs(args)
    rankings = tables_of(args.ranking, args.seeds) if args.ranking else [None] * len(jobs)
    for job, ranking, candidates in zip(jobs, rankings, candidates_by_seed(args), strict=True):
        yield made(job, args.fraction, store, *chosen(job, ranking, candidates))


def made(
    job: SelectionJob,
    fraction: float,
    store: Store,
    ranked: pd.DataFrame,
    selected: SelectionRecord,
) -> tuple[pd.DataFrame, SubsetRecord]:
    """The subset of one seed, and its record."""
    subset = subset_table(ranked, job.train, store.classes)
    images = len(subset)
    subset = with_new_images(subset, job)
    record: SubsetRecord = {
        **selected,
        "fraction": fraction,
        "images": images,
        "rows": len(subset),
        "stored_bytes": stored_bytes(images, store.shape) + recipe_bytes(subset),
    }
    logger.info("seed %d: %d of %d images are kept", job.seed, images, len(job.train))
    return subset, record


def chosen(
    job: SelectionJob, ranking: SeedTable | None, candidates: Sequence[Path]
) -> tuple[pd.DataFrame, SelectionRecord]:
    """The table of the selected images by rank, and its record."""
    if ranking:
        return cut(ranking.read(), job.train, job.k), ranking.record()
    selecting = [step for step in job.steps if step.method != augmentation.NAME]
    return choose(replace(job, steps=selecting), candidates)


def with_new_images(subset: pd.DataFrame, job: SelectionJob) -> pd.DataFrame:
    """The subset with the recipes of augmentation, if that is the last step of a chain."""
    last, images = job.steps[-1], len(subset)
    if last.method != augmentation.NAME:
        return subset
    if images >= job.k:
        raise PetiteError(
            f"{images} of {job.k} images are real, because each class keeps at least one, so "
            "augmentation adds none. Use a larger fraction, or remove this one"
        )
    settings = augmentation.Settings(ratio=(job.k - images) / images, **last.settings)
    return augmented(subset, job.seed, settings)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    add_arguments(parser)
    parser.add_argument(
        "--ranking", type=Path, nargs="*", default=[], help="by rank.py, if the method ranks"
    )
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    run(main, parser)
