"""Files that hold the rankings or subsets of several seeds, which one job made.

Such a file is a Parquet table with the column `seed`. The JSON file next to it is the list of the
seeds' records.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from petite.util.errors import PetiteError
from petite.util.files import ROWS_IN_GROUP, atomic_path, read_json, write_json

SEED = "seed"


class SeedTable(NamedTuple):
    """The ranking or subset of one seed.

    Attributes
    ----------
    path : Path
        The file that holds it, and those of other seeds.
    seed : int
    """

    path: Path
    seed: int

    def read(self) -> pd.DataFrame:
        """Read the table of this seed, without the column `seed`."""
        table = pd.read_parquet(self.path, filters=[(SEED, "==", self.seed)])
        return table.drop(columns=SEED)

    def record(self) -> Any:
        """Read the record of this seed.

        Raises
        ------
        PetiteError
            If the file has no such seed.
        """
        for record in read_json(self.path.with_suffix(".json")):
            if record[SEED] == self.seed:
                return record
        raise PetiteError(f"'{self.path}' has no seed {self.seed}. Delete the file and rerun.")


def seeds_of(path: Path) -> list[int]:
    """List the seeds in a file."""
    return [record[SEED] for record in read_json(path.with_suffix(".json"))]


def tables_of(paths: Iterable[Path], seeds: Sequence[int]) -> list[SeedTable]:
    """Find the ranking or subset of each seed.

    Parameters
    ----------
    paths : iterable of Path
        The files that hold them. If they hold only one, it is for all seeds: the selection is
        deterministic.
    seeds : sequence of int

    Returns
    -------
    list of SeedTable
        One for each seed.

    Raises
    ------
    PetiteError
        If a seed is missing.
    """
    found = {seed: SeedTable(path, seed) for path in paths for seed in seeds_of(path)}
    if len(found) == 1:
        return [*found.values()] * len(seeds)
    if missing := [seed for seed in seeds if seed not in found]:
        files = ", ".join(f"'{path}'" for path in dict.fromkeys(one.path for one in found.values()))
        raise PetiteError(
            f"There is nothing for seed {missing[0]} in {files}, which have the seeds "
            f"{', '.join(map(str, sorted(found)))}. Give the file of each seed, or one for all."
        )
    return [found[seed] for seed in seeds]


def write_seed_tables(path: Path, parts: Iterable[tuple[pd.DataFrame, Mapping[str, Any]]]) -> None:
    """Write the tables of several seeds, and their records next to them.

    Each table is written before the next one is made, so that only one is in memory.

    Parameters
    ----------
    path : Path
        The .parquet file.
    parts : iterable of (DataFrame, mapping)
        The table and the record of each seed; the record has the seed.
    """
    records = []
    with atomic_path(path) as temporary, ExitStack() as stack:
        writer = None
        for table, record in parts:
            numbered = table.copy(deep=False)
            numbered.insert(0, SEED, record[SEED])
            rows = pa.Table.from_pandas(numbered, preserve_index=False)
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(temporary, rows.schema))
            writer.write_table(rows, row_group_size=ROWS_IN_GROUP)
            records.append(record)
            del table, numbered, rows  # before the next one is made
    write_json(path.with_suffix(".json"), records)
