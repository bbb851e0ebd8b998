"""Judge a method at one fraction by a probe on embeddings, once for each seed."""

import argparse
from pathlib import Path

from petite.data.encoded import add_encoded, encoded_images
from petite.data.store import Store
from petite.subsets.subset_job import add_selection, selection_jobs
from petite.training.judge_job import add_judge, judge_job
from petite.training.judges import ProbeSettings
from petite.training.probe_job import ProbeData, ProbeOutputs, run_probe_job
from petite.training.settings import checked
from petite.training.soft_labels import add_soft_labels, soft_labels
from petite.util.files import read_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    store = Store.open(args.manifest)
    run_probe_job(
        judge_job(args),
        ProbeData(
            store,
            read_table(args.split),
            args.embeddings,
            encoded_images(args, store),
            args.encoded_embeddings,
            soft_labels(args),
        ),
        selection_jobs(args),
        checked(ProbeSettings, args.settings["probe"], "the settings of the probe"),
        args.threads,
        ProbeOutputs(args.output_runs, args.output_history, args.output_predictions),
    )


if __name__ == "__main__":
    # settings: those of the selection, and `probe`
    parser = argument_parser(__doc__)
    add_judge(parser)
    add_selection(parser)
    parser.add_argument("--embeddings", type=Path, nargs="+", required=True, help="of all shards")
    add_encoded(parser)
    parser.add_argument(
        "--encoded-embeddings", type=Path, nargs="*", default=[], help="of the encoded shards"
    )
    add_soft_labels(parser)
    run(main, parser)
