"""Write where a run's results come from, so that another can make them again."""

import argparse
from pathlib import Path

from petite.evidence import read_csv
from petite.files import write_json
from petite.job import argument_parser, run
from petite.notices import notice
from petite.provenance import provenance

CHECKOUT = Path(__file__).resolve().parents[1]


def main(args: argparse.Namespace) -> None:
    inputs = {"index": args.manifest.parent / "index.parquet", "split": args.split}
    # With the folder: LSUN's databases are all called data.mdb.
    inputs |= {f"{path.parent.name}/{path.name}": path for path in args.files}
    made = provenance(args.settings, read_csv(args.runs), args.manifest, inputs, CHECKOUT)
    if reason := made["petite"].get("reason"):
        notice(f"provenance.json names no commit of Petite: {reason}")
    write_json(args.output, made)


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: the whole configuration
    parser.add_argument("--runs", type=Path, required=True, help="runs.csv")
    parser.add_argument("--manifest", type=Path, required=True, help="of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--files", type=Path, nargs="*", default=[], help="what the user gave")
    parser.add_argument("--output", type=Path, required=True)
    run(main, parser)
