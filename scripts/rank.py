"""The order in which a method would keep training images, for one seed, as far as is needed."""

import argparse
import logging

from petite.subsets.subset_job import (
    add_arguments,
    add_candidates,
    only_step,
    resources,
    training_table,
)
from petite.subsets.tables import choose, subset_size
from petite.util.files import write_json, write_table
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    train, step = training_table(args), only_step(args)
    k = subset_size(args.fraction, train)
    ranked, record = choose(train, k, [step], args.seed, resources(args), args.candidates)
    write_table(args.output, ranked)
    write_json(args.output.with_suffix(".json"), record)
    logger.info("%s ranked %d images in %.2f s", step.method, k, record["seconds"])


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    add_arguments(parser)
    add_candidates(parser)
    run(main, parser)
