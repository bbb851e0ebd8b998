"""Write where a run's results come from, so that another can make them again."""

import argparse
import json
from pathlib import Path

from petite.data.source_job import reason_gone
from petite.evaluation.runs import read_csv
from petite.util.files import write_json
from petite.util.job import argument_parser, run
from petite.util.notices import notice
from petite.util.provenance import provenance

CHECKOUT = Path(__file__).resolve().parents[1]


def main(args: argparse.Namespace) -> None:
    inputs = {"index": args.manifest.parent / "index.parquet", "split": args.split}
    # With the folder: LSUN's databases are all called data.mdb.
    inputs |= {f"{path.parent.name}/{path.name}": path for path in args.files}
    there = {name: path for name, path in inputs.items() if not reason_gone(path)}
    made = provenance(args.settings, read_csv(args.runs), args.manifest, there, CHECKOUT)
    if reason := made["petite"].get("reason"):
        notice(f"provenance.json names no commit of Petite: {reason}")
    # Of a source that is gone by now the digest that was taken when it was there.
    gone = inputs.keys() - there.keys()
    made["inputs"] |= {name: args.known[name] for name in sorted(gone) if name in args.known}
    write_json(args.output, made)


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: the whole configuration
    parser.add_argument("--runs", type=Path, required=True, help="runs.csv")
    parser.add_argument("--manifest", type=Path, required=True, help="of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--files", type=Path, nargs="*", default=[], help="what the user gave")
    parser.add_argument(
        "--known",
        type=json.loads,
        default={},
        help="digests by name, as JSON, of files that are gone",
    )
    parser.add_argument("--output", type=Path, required=True)
    run(main, parser)
