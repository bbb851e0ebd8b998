"""Collect the runs of one split, of all judges, in a table."""

import argparse
from pathlib import Path

import pandas as pd

from petite.evaluation.judged import by_judge
from petite.evaluation.runs import collect
from petite.util.files import write_csv
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    tables = [collect(paths, [])[0] for paths in by_judge(args.runs).values()]
    write_csv(args.output, pd.concat(tables, ignore_index=True))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="CSV of each job")
    parser.add_argument("--output", type=Path, required=True, help=".csv")
    run(main, parser)
