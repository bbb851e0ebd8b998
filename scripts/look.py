"""Test the comparisons with the seeds so far, and list what needs more of them."""

import argparse
from pathlib import Path

from petite.data.splits import test_groups
from petite.evaluation.judged import by_judge, open_cases
from petite.evaluation.looks import Looks
from petite.util.files import read_table, write_json
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    found = {}
    groups = test_groups(read_table(args.split))
    for judge, paths in by_judge(args.runs).items():
        if looks := Looks.of(args.settings["looks"].get(judge)):
            found[judge] = open_cases(
                paths,
                looks,
                args.settings["tolerance"],
                args.settings["metric"],
                groups,
                args.seeds,
            )
    write_json(args.output, {"open": found})


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: looks by judge, tolerance, metric
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="CSV of each job")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--seeds", type=int, required=True, help="number of seeds of the look")
    parser.add_argument("--output", type=Path, required=True, help=".json")
    run(main, parser)
