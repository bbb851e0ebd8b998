"""Judge a method at one fraction by a probe on embeddings, once for each seed."""

import argparse
from pathlib import Path

from petite.data.store import Store
from petite.subsets.subset_job import add_selection, selection_jobs
from petite.training.judges import ProbeSettings
from petite.training.probe_job import ProbeData, ProbeOutputs, run_probe_job
from petite.training.records import Job
from petite.training.settings import checked
from petite.util.files import read_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    run_probe_job(
        Job(
            judge=args.judge,
            dataset=args.dataset,
            method=args.method,
            fraction=args.fraction,
            split_seed=args.split_seed,
            seeds=args.seeds,
            subsets=[],
        ),
        ProbeData(Store.open(args.manifest), read_table(args.split), args.embeddings),
        selection_jobs(args),
        checked(ProbeSettings, args.settings["probe"], "the settings of the probe"),
        args.threads,
        ProbeOutputs(args.output_runs, args.output_history, args.output_predictions),
    )


if __name__ == "__main__":
    # settings: those of the selection, and `probe`
    parser = argument_parser(__doc__)
    add_selection(parser)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--embeddings", type=Path, nargs="+", required=True, help="of all shards")
    parser.add_argument("--judge", required=True, help="its name in the rows")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--method", required=True)
    parser.add_argument("--split-seed", type=int, required=True)
    parser.add_argument("--output-runs", type=Path, required=True)
    parser.add_argument("--output-history", type=Path, required=True)
    parser.add_argument("--output-predictions", type=Path, required=True)
    run(main, parser)
