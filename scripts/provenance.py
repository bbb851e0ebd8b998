"""Record the origin of a run's results, so that others can reproduce them."""

import argparse
import json
from pathlib import Path

from petite.data.source_job import reason_gone
from petite.evaluation.declared import RECORD
from petite.evaluation.runs import read_csv
from petite.util.files import read_json, write_json
from petite.util.job import argument_parser, run
from petite.util.notices import notice
from petite.util.provenance import names_of, provenance

CHECKOUT = Path(__file__).resolve().parents[1]


def main(args: argparse.Namespace) -> None:
    inputs = {"index": args.manifest.parent / "index.parquet", "split": args.split}
    inputs |= dict(zip(names_of(args.files), args.files, strict=True))
    present = {name: path for name, path in inputs.items() if not reason_gone(path)}
    made = provenance(args.settings, read_csv(args.runs), args.manifest, present, CHECKOUT)
    if reason := made["petite"].get("reason"):
        notice(f"provenance.json has no commit of Petite: {reason}")
    # For a source that is gone, the digest of the last run.
    gone = inputs.keys() - present.keys()
    made["inputs"] |= {name: args.known[name] for name in sorted(gone) if name in args.known}
    declared = args.runs.with_name(RECORD)
    made["declared"] = read_json(declared) if declared.exists() else {}
    write_json(args.output, made)


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: the whole configuration
    parser.add_argument("--runs", type=Path, required=True, help="runs.csv")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--files", type=Path, nargs="*", default=[], help="files of the user")
    parser.add_argument(
        "--known",
        type=json.loads,
        default={},
        help="JSON: digests, by name, of files that are gone",
    )
    parser.add_argument("--output", type=Path, required=True)
    run(main, parser)
