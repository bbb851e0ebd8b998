"""Collect the runs of all training jobs, and write the tables and the recommendation."""

import argparse
import json
from pathlib import Path

from petite.data.splits import training_images
from petite.evaluation.chance import AgainstChance, Circumstances
from petite.evaluation.costs import cost_ledger
from petite.evaluation.decision import recommend
from petite.evaluation.learning_curve import random_curve
from petite.evaluation.metrics import is_unequal, metric_for, test_counts, with_measures
from petite.evaluation.recommendation import Gap
from petite.evaluation.rendering import as_markdown, as_text
from petite.evaluation.runs import Predictions, collect
from petite.evaluation.summary import summarize
from petite.evaluation.tables import markdown_table, terminal_table
from petite.evaluation.verdicts import compare
from petite.evaluation.wording import gap_sentences
from petite.util.files import (
    read_json,
    read_table,
    write_csv_and_parquet,
    write_json,
    write_text,
)
from petite.util.job import argument_parser, run

# Found by their names: with a thousand jobs, a command with all paths would be too long.
NEXT_TO_RUNS = (".history.csv", ".predictions.npz")


def main(args: argparse.Namespace) -> None:
    tolerance = args.settings["tolerance"]
    histories, files = ([path.with_suffix(suffix) for path in args.runs] for suffix in NEXT_TO_RUNS)
    runs, history = collect(args.runs, histories)
    training, manifest = training_images(read_table(args.split)), read_json(args.manifest)
    runs = with_measures(runs, len(training))
    counts, predictions = test_counts(runs), Predictions(files)
    metric = metric_for(counts, args.settings["metric"])
    summary = summarize(runs, metric)
    curve = random_curve(runs, metric)
    verdicts = compare(runs, tolerance, curve, predictions, metric)
    class_sizes = training["label"].value_counts()
    circumstances = Circumstances(
        image_size=manifest["image_size"],
        flips=args.settings["flips"],
        largest_class=int(class_sizes.max()),
        smallest_class=int(class_sizes.min()),
    )
    chance = AgainstChance(runs, predictions, manifest["classes"], circumstances)
    gaps = [Gap(**gap | {"failed": tuple(gap["failed"])}) for gap in args.gaps]
    recommendation = recommend(runs, verdicts, tolerance, curve, chance, gaps)
    table = terminal_table(summary, balanced=is_unequal(counts))
    markdown = markdown_table(summary, args.dataset)
    missing = " ".join(map(str, gap_sentences(gaps)))
    write_csv_and_parquet(args.output_runs, runs)
    write_csv_and_parquet(args.output_history, history)
    write_csv_and_parquet(args.output_summary, summary)
    write_csv_and_parquet(args.output_verdicts, verdicts)
    write_csv_and_parquet(args.output_costs, cost_ledger(runs))
    write_text(args.output_markdown, markdown + (f"\n**{missing}**\n" if missing else ""))
    write_json(args.output_recommendation, recommendation.to_json())
    write_text(args.output_answer, as_markdown(recommendation))
    write_text(args.output_text, f"{table}\n\n{as_text(recommendation)}")


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--runs",
        type=Path,
        nargs="+",
        required=True,
        help="CSV files of runs; .history.csv and .predictions.npz are next to each",
    )
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    parser.add_argument("--dataset", required=True, help="the name of the data set")
    parser.add_argument(
        "--gaps",
        type=json.loads,
        default=[],
        help="JSON: what is missing, see petite.evaluation.recommendation.Gap",
    )
    # CSV files; each is written as .parquet as well.
    parser.add_argument("--output-runs", type=Path, required=True)
    parser.add_argument("--output-history", type=Path, required=True)
    parser.add_argument("--output-summary", type=Path, required=True)
    parser.add_argument("--output-verdicts", type=Path, required=True)
    parser.add_argument("--output-costs", type=Path, required=True)
    parser.add_argument("--output-markdown", type=Path, required=True, help="the summary's table")
    parser.add_argument("--output-recommendation", type=Path, required=True, help="as JSON")
    parser.add_argument("--output-answer", type=Path, required=True, help="the same as Markdown")
    parser.add_argument("--output-text", type=Path, required=True, help="for the terminal")
    run(main, parser)
