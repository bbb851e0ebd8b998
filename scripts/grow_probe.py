"""Judge kept images with some of the new ones by a probe, once for each seed."""

import argparse
from pathlib import Path

from petite.data.splits import kept_images, training_images
from petite.data.store import Store
from petite.subsets.chains import SelectionJob, Step
from petite.subsets.growing import number_added
from petite.training.judge_job import add_judge, judge_job
from petite.training.judges import ProbeSettings
from petite.training.probe_job import ProbeData, ProbeOutputs, part_of_new, run_probe_job
from petite.training.settings import checked
from petite.util import memory
from petite.util.files import read_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    split = read_table(args.split)
    probe = checked(ProbeSettings, args.settings["probe"], "the settings of the probe")
    run_probe_job(
        judge_job(args),
        ProbeData(Store.open(args.manifest), split, args.embeddings),
        selections(args, probe.pool_share),
        probe,
        args.threads,
        ProbeOutputs(args.output_runs, args.output_history, args.output_predictions),
        part_of_new,
    )


def selections(args: argparse.Namespace, pool_share: float) -> list[SelectionJob]:
    """The selection of each seed: the kept images, and a share of the new ones."""
    split = read_table(args.split)
    train, kept = training_images(split), kept_images(split)
    new = len(train) - len(kept)
    # As many as the size asks for, if as many are drawn: the same number with each seed.
    part = len(part_of_new(train, pool_share, args.seeds[0], kept)) - len(kept)
    added = min(number_added(args.fraction, new), part) if args.fraction else 0
    features = dict(text.split("=", 1) for text in args.features)
    return [
        SelectionJob(
            train=train,
            k=len(kept) + added,
            steps=[Step(**args.settings["step"])],
            seed=seed,
            features={space: Path(path) for space, path in features.items()},
            max_memory=None if args.max_memory is None else memory.parse(args.max_memory),
            kept=kept,
        )
        for seed in args.seeds
    ]


if __name__ == "__main__":
    # settings: step (of the selection) and probe
    parser = argument_parser(__doc__)
    add_judge(parser)
    parser.add_argument("--fraction", type=float, required=True, help="share of the new images")
    parser.add_argument("--split", type=Path, required=True, help="of the kept and new images")
    parser.add_argument("--embeddings", type=Path, nargs="+", required=True, help="of all shards")
    parser.add_argument("--features", nargs="*", default=[], metavar="SPACE=PATH")
    parser.add_argument("--max-memory", help="such as 6 GB; default: half of the free memory")
    run(main, parser)
