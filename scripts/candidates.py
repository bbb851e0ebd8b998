"""The first stage of a selection from large classes: the candidates of one partition."""

import argparse
import logging

from petite.subsets.subset_job import add_arguments, only_step, resources, training_table
from petite.subsets.tables import candidates_of, subset_size
from petite.util.files import write_json, write_table
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    train, step = training_table(args), only_step(args)
    k = subset_size(args.fraction, train)
    table, record = candidates_of(train, k, step, args.seed, resources(args), args.part)
    write_table(args.output, table)
    write_json(args.output.with_suffix(".json"), record)
    logger.info("%s: %d candidates from part %d", step.method, len(table), args.part)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    add_arguments(parser)
    parser.add_argument("--part", type=int, required=True, help="which partition, from 0")
    run(main, parser)
