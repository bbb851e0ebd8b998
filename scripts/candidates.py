"""Select the candidates of one partition: the first stage of a selection from large classes."""

import argparse
import logging

from petite.subsets.chains import candidates_of
from petite.subsets.subset_job import add_output, add_selection, one_step_jobs
from petite.util.files import write_json, write_table
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    [job] = one_step_jobs(args)
    table, record = candidates_of(job, args.part)
    write_table(args.output, table)
    write_json(args.output.with_suffix(".json"), record)
    logger.info("%s: %d candidates from part %d", job.steps[0].method, len(table), args.part)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    add_selection(parser)
    add_output(parser)
    parser.add_argument(
        "--seed", dest="seeds", type=int, nargs=1, required=True, help="of the selection"
    )
    parser.add_argument(
        "--part", type=int, required=True, help="the number of the partition, from 0"
    )
    run(main, parser)
