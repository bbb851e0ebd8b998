"""Collect the runs of all training jobs, and write the tables and the recommendation."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from petite.data.splits import test_groups, training_images
from petite.evaluation.chance import Circumstances
from petite.evaluation.costs import Embedding
from petite.evaluation.declared import Plan, read_records, write_records
from petite.evaluation.judged import (
    by_judge,
    evaluate,
    of_all_judges,
    summaries_as_markdown,
    summaries_as_text,
)
from petite.evaluation.looks import Looks
from petite.evaluation.recommendation import Answers, Gap, read_cuts
from petite.evaluation.rendering import all_as_markdown, all_as_text
from petite.evaluation.runs import of_judge, read_csv
from petite.evaluation.splits import in_the_answer
from petite.util.files import (
    read_json,
    read_table,
    write_csv_and_parquet,
    write_text,
)
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    split, manifest = read_table(args.split), read_json(args.manifest)
    training = training_images(split)
    gaps = [Gap(**gap | {"failed": tuple(gap["failed"])}) for gap in args.gaps]
    sizes = training["label"].value_counts()
    folder = args.output_recommendation.parent
    records = read_records(folder)
    other_splits = [read_csv(path) for path in args.other_splits]
    embedding = embedding_of(
        args.embeddings, args.encoded_embeddings, len(training), args.settings.get("embedded", {})
    )
    judged = {
        judge: evaluate(
            paths,
            len(training),
            manifest["classes"],
            Circumstances(
                **args.settings["seen"][judge],
                largest_class=int(sizes.max()),
                smallest_class=int(sizes.min()),
            ),
            args.settings["tolerance"],
            args.settings["metric"],
            [gap for gap in gaps if gap.judge == judge],
            test_groups(split),
            Looks.of(args.settings.get("looks", {}).get(judge)),
            plan_of(args.plans[judge]) if judge in args.plans else None,
            records.get(judge),
            embedding,
            [of_judge(table, judge) for table in other_splits],
        )
        for judge, paths in by_judge(args.runs).items()
    }
    over = read_table(args.splits) if args.splits else None
    if over is None:
        for suffix in (".csv", ".parquet"):  # of a run that had several splits
            (folder / f"splits{suffix}").unlink(missing_ok=True)
    cuts = read_cuts(args.settings.get("budget", {}))
    answers = Answers(
        {
            judge: replace(
                found.recommendation,
                over_splits=() if over is None else in_the_answer(over, judge),
                cut=cuts.get(judge),
            )
            for judge, found in judged.items()
        }
    )
    for name, output in (
        ("runs", args.output_runs),
        ("history", args.output_history),
        ("summary", args.output_summary),
        ("verdicts", args.output_verdicts),
        ("costs", args.output_costs),
    ):
        write_csv_and_parquet(output, of_all_judges(judged, name))
    write_text(args.output_markdown, summaries_as_markdown(judged, args.dataset))
    # With unsorted keys: the first judge counts.
    write_text(
        args.output_recommendation,
        json.dumps(answers.to_json(), indent=2, ensure_ascii=False) + "\n",
    )
    write_text(args.output_answer, all_as_markdown(answers))
    # Of a judge that is not used now, the last record stays.
    records |= {judge: found.record for judge, found in judged.items() if found.record}
    if records:
        write_records(folder, records)
    write_text(args.output_text, summaries_as_text(judged) + "\n\n" + all_as_text(answers))


def embedding_of(
    records: Sequence[Path], encoded: Sequence[Path], training: int, embedded: dict[str, Any]
) -> Embedding:
    """What embedding the images took, by the records of the originals and the encoded images.

    training: the number of training images. embedded: `methods` and `of_proxy` of an Embedding.
    """
    originals = list(map(read_json, records))
    seconds = sum(record["seconds"] for record in originals)
    images = sum(record["images"] for record in originals)
    return Embedding(
        seconds + sum(read_json(path)["seconds"] for path in encoded),
        seconds * training / max(1, images),
        frozenset(embedded.get("methods", ())),
        embedded.get("of_proxy", False),
    )


def plan_of(values: dict[str, Any]) -> Plan:
    """A plan as JSON has it."""
    cases = tuple((str(label), float(fraction)) for label, fraction in values["cases"])
    return Plan(
        seeds=values["seeds"],
        cases=cases,
        settings=values["settings"],
        splits=values["splits"],
    )


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
    parser.add_argument("--splits", type=Path, help="splits.parquet, if there are several splits")
    parser.add_argument(
        "--other-splits", type=Path, nargs="*", default=[], help="the runs of each other split"
    )
    parser.add_argument(
        "--embeddings", type=Path, nargs="*", default=[], help="records of the embeddings"
    )
    parser.add_argument(
        "--encoded-embeddings", type=Path, nargs="*", default=[], help="those of encoded images"
    )
    parser.add_argument("--dataset", required=True, help="the name of the data set")
    parser.add_argument(
        "--gaps",
        type=json.loads,
        default=[],
        help="JSON: what is missing, see petite.evaluation.recommendation.Gap",
    )
    parser.add_argument(
        "--plans",
        type=json.loads,
        default={},
        help="JSON: petite.evaluation.declared.Plan of each judge",
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
