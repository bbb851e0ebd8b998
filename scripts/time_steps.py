"""Time some steps of the networks of a run that is being planned, for forecasts on this machine."""

import argparse
from pathlib import Path

from petite.forecast.history import read_history, write_history
from petite.forecast.planning import read_run
from petite.forecast.timing import with_timings
from petite.networks.backbones import Backbone, open_backbone
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    planned = read_run(args.run)
    network = planned.network

    def open_network(side: int) -> Backbone:
        assert network is not None
        return open_backbone(
            network.name,
            Path(network.weights) if network.weights else None,
            image_size=side,
            scaling=network.scaling,
            threads=planned.facts.threads,
        )

    rules = {job.rule for job in planned.jobs}
    history = with_timings(
        read_history(args.history), planned.facts, rules, open_network if network else None
    )
    write_history(args.history, history)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--run", type=Path, required=True, help="JSON of the run and its jobs")
    parser.add_argument("--history", type=Path, required=True, help="JSON of what is known")
    run(main, parser)
