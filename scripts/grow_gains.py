"""Compare the runs with new images to those without, for each judge, and write the answer."""

import argparse
from pathlib import Path

import pandas as pd

from petite.data.splits import test_groups
from petite.evaluation.gains import COLUMNS, answer, gains
from petite.evaluation.judged import by_judge
from petite.util.files import read_table, write_csv_and_parquet, write_text
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    split, images = read_table(args.split), read_table(args.images)
    new = int((images["kind"] == "").sum())
    tables, lines = [pd.DataFrame(columns=COLUMNS)], []
    for paths in by_judge(args.runs).values():
        gained = gains(paths, args.settings["metric"], test_groups(split))
        tables.append(gained)
        lines += answer(gained, new)
    if len(tables) == 1:
        lines = ["No gain was measured: no judge of this run can judge new images."]
    table = pd.concat(tables[1:] or tables, ignore_index=True)
    write_csv_and_parquet(args.output, table)
    aside = images.loc[images["kind"] != "", "kind"].value_counts()
    why = ", ".join(f"{kind} ({count})" for kind, count in aside.items())
    heading = f"{new} of {len(images)} new images can be added."
    heading += f" Set aside: {why}." if why else ""
    write_text(args.output_text, "\n".join([heading, *lines]) + "\n")


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: metric
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="CSV files of runs")
    parser.add_argument("--split", type=Path, required=True, help="of the run")
    parser.add_argument("--images", type=Path, required=True, help="of grow_images.py")
    parser.add_argument("--output", type=Path, required=True, help=".csv; also writes .parquet")
    parser.add_argument("--output-text", type=Path, required=True, help="the answer in words")
    run(main, parser)
