"""What the scripts that check images by their embeddings share: their arguments and their files."""

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from petite.util.files import write_csv_and_parquet, write_json
from petite.util.job import argument_parser

logger = logging.getLogger(__name__)


def check_parser(description: str | None) -> argparse.ArgumentParser:
    """Make a parser of the arguments that these scripts share."""
    parser = argument_parser(description)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--embeddings", type=Path, nargs="*", default=[], help="of all shards")
    parser.add_argument(
        "--output", type=Path, required=True, help="a .csv; a .parquet and a .json next to it"
    )
    return parser


def write_check(output: Path, table: pd.DataFrame, record: Mapping[str, Any]) -> None:
    """Write the table of a check, and next to it its record, which also goes to the log."""
    logger.info("%s", record)
    write_csv_and_parquet(output, table)
    write_json(output.with_suffix(".json"), record)
