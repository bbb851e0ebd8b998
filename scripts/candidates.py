"""Select the candidates of one partition: the first stage of a selection from large classes."""

import argparse
import logging

from petite.subsets.chains import candidates_of
from petite.subsets.subset_job import add_arguments, one_step_job
from petite.util.files import write_json, write_table
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    job = one_step_job(args)
    table, record = candidates_of(job, args.part)
    write_table(args.output, table)
    write_json(args.output.with_suffix(".json"), record)
    logger.info("%s: %d candidates from part %d", job.steps[0].method, len(table), args.part)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    add_arguments(parser)
    parser.add_argument(
        "--part", type=int, required=True, help="the number of the partition, from 0"
    )
    run(main, parser)
