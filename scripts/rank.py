"""Rank training images by a method, for each seed and up to the largest fraction."""

import argparse
import logging
from collections.abc import Iterator

import pandas as pd

from petite.subsets.chains import choose
from petite.subsets.records import SelectionRecord
from petite.subsets.seed_tables import write_seed_tables
from petite.subsets.subset_job import add_arguments, candidates_by_seed, one_step_jobs
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    write_seed_tables(args.output, rankings(args))


def rankings(args: argparse.Namespace) -> Iterator[tuple[pd.DataFrame, SelectionRecord]]:
    """The ranking table of each seed, and its record."""
    for job, candidates in zip(one_step_jobs(args), candidates_by_seed(args), strict=True):
        logger.info("%s, seed %d: ranks %d images", job.steps[0].method, job.seed, job.k)
        yield choose(job, candidates)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    add_arguments(parser)
    run(main, parser)
