"""Gather the runs of all training jobs, sum them up in tables, and say what they come down to."""

import argparse
import json
import textwrap
from dataclasses import asdict, replace
from pathlib import Path

from petite.data.splits import training_images
from petite.evaluation import (
    AgainstChance,
    Circumstances,
    Predictions,
    collect,
    compare,
    cost_ledger,
    is_unequal,
    markdown_table,
    metric_for,
    random_curve,
    recommend,
    recommendation_page,
    summarize,
    terminal_table,
    test_counts,
    with_measures,
)
from petite.evaluation.gaps import Gap, gaps_text
from petite.util.files import (
    read_json,
    read_table,
    write_csv_and_parquet,
    write_json,
    write_text,
)
from petite.util.job import argument_parser, run

TERMINAL_COLUMNS = 100
# Not named each by itself: with a thousand jobs the command would be too long for the system.
BESIDE_RUNS = (".history.csv", ".predictions.npz")


def main(args: argparse.Namespace) -> None:
    tolerance = args.settings["tolerance"]
    histories, files = ([path.with_suffix(suffix) for path in args.runs] for suffix in BESIDE_RUNS)
    runs, history = collect(args.runs, histories)
    training, manifest = training_images(read_table(args.split)), read_json(args.manifest)
    runs = with_measures(runs, len(training))
    counts, predictions = test_counts(runs), Predictions(files)
    metric = metric_for(counts, args.settings["metric"])
    summary = summarize(runs, metric)
    curve = random_curve(runs, metric)
    verdicts = compare(runs, tolerance, curve, predictions, metric)
    circumstances = Circumstances(
        manifest["image_size"],
        args.settings["flips"],
        training["label"].value_counts().tolist(),
    )
    against = AgainstChance(runs, predictions, manifest["classes"], circumstances)
    recommendation = recommend(runs, verdicts, tolerance, curve, against)
    missing = gaps_text([Gap(**gap) for gap in args.gaps])
    answer = f"{recommendation.answer} {missing}".strip()
    recommendation = replace(recommendation, answer=answer)
    page = recommendation_page(args.dataset, recommendation, verdicts, tolerance, curve, against)
    table = terminal_table(summary, balanced=is_unequal(counts))
    wrapped = textwrap.fill(answer, TERMINAL_COLUMNS, break_long_words=False)
    write_csv_and_parquet(args.output_runs, runs)
    write_csv_and_parquet(args.output_history, history)
    write_csv_and_parquet(args.output_summary, summary)
    write_csv_and_parquet(args.output_verdicts, verdicts)
    write_csv_and_parquet(args.output_costs, cost_ledger(runs))
    markdown = markdown_table(summary, args.dataset)
    write_text(args.output_markdown, markdown + (f"\n**{missing}**\n" if missing else ""))
    write_text(args.output_recommendation, page)
    write_json(args.output_choice, asdict(recommendation))
    write_text(args.output_text, f"{table}\n\n{wrapped}\n")


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--runs",
        type=Path,
        nargs="+",
        required=True,
        help="CSV files of runs; beside each are its .history.csv and .predictions.npz",
    )
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    parser.add_argument("--dataset", required=True, help="the name of the data set, for the title")
    parser.add_argument(
        "--gaps",
        type=json.loads,
        default=[],
        help="what is missing, as JSON; see petite.evaluation.gaps",
    )
    # CSV files; each is written as .parquet too.
    parser.add_argument("--output-runs", type=Path, required=True)
    parser.add_argument("--output-history", type=Path, required=True)
    parser.add_argument("--output-summary", type=Path, required=True)
    parser.add_argument("--output-verdicts", type=Path, required=True)
    parser.add_argument("--output-costs", type=Path, required=True)
    parser.add_argument("--output-markdown", type=Path, required=True, help="the summary's table")
    parser.add_argument("--output-recommendation", type=Path, required=True)
    parser.add_argument("--output-choice", type=Path, required=True, help="the same as JSON")
    parser.add_argument("--output-text", type=Path, required=True, help="for the terminal")
    run(main, parser)
