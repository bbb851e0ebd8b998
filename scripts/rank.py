"""Rank training images by a method, for one seed and up to the largest fraction."""

import argparse
import logging

from petite.subsets.chains import choose
from petite.subsets.subset_job import add_arguments, add_candidates, one_step_job
from petite.util.files import write_json, write_table
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    job = one_step_job(args)
    ranked, record = choose(job, args.candidates)
    write_table(args.output, ranked)
    write_json(args.output.with_suffix(".json"), record)
    logger.info("%s ranked %d images in %.2f s", job.steps[0].method, job.k, record["seconds"])


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    add_arguments(parser)
    add_candidates(parser)
    run(main, parser)
