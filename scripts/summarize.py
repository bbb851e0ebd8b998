"""Gather the runs of all training jobs and sum them up in tables."""

import argparse
from pathlib import Path

from petite.evidence import collect, markdown_table, summarize, terminal_table
from petite.files import write_csv, write_text
from petite.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    runs, histories = collect(args.runs, args.histories)
    summary = summarize(runs)
    write_csv(args.output_runs, runs)
    write_csv(args.output_history, histories)
    write_csv(args.output_summary, summary)
    write_text(args.output_markdown, markdown_table(summary, args.dataset))
    if args.output_text:
        write_text(args.output_text, terminal_table(summary) + "\n")


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="CSV files of runs")
    parser.add_argument(
        "--histories", type=Path, nargs="+", required=True, help="CSV files of their histories"
    )
    parser.add_argument("--dataset", required=True, help="the name of the data set, for the title")
    parser.add_argument("--output-runs", type=Path, required=True)
    parser.add_argument("--output-history", type=Path, required=True)
    parser.add_argument("--output-summary", type=Path, required=True)
    parser.add_argument("--output-markdown", type=Path, required=True)
    parser.add_argument("--output-text", type=Path, help="the table for the terminal")
    run(main, parser)
