"""Compare the subsets over several splits."""

import argparse
from pathlib import Path

from petite.data.split_names import TEST
from petite.data.splits import training_images
from petite.evaluation.runs import of_judge, read_csv
from petite.evaluation.splits import OneSplit, of_all_judges
from petite.util.files import read_table, write_csv_and_parquet
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    splits = [read_table(path) for path in args.splits]
    runs = [read_csv(path) for path in args.runs]
    judges = {
        judge: [
            OneSplit(
                of_judge(table, judge),
                len(training_images(split)),
                int((split["split"] == TEST).sum()),
            )
            for table, split in zip(runs, splits, strict=True)
        ]
        for judge in runs[0]["judge"].unique()
    }
    settings = args.settings
    table = of_all_judges(judges, settings["tolerance"], settings["metric"])
    write_csv_and_parquet(args.output, table)


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: tolerance, metric
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="a table of each split")
    parser.add_argument("--splits", type=Path, nargs="+", required=True, help="the split of each")
    parser.add_argument("--output", type=Path, required=True, help=".csv; also written as .parquet")
    run(main, parser)
