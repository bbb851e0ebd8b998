"""Files with the tables of several seeds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from petite.subsets.seed_tables import SeedTable, seeds_of, tables_of, write_seed_tables
from petite.util.errors import PetiteError
from petite.util.files import ROWS_IN_GROUP, read_json, read_table, write_table


def some_table(seed: int, rows: int = 5) -> pd.DataFrame:
    names = [f"cat/{seed} {row}.jpg" for row in range(rows)]
    return pd.DataFrame(
        {
            "image_id": names,
            "rank": np.arange(rows, dtype=np.int64),
            "label": np.zeros(rows, dtype=np.int16),
            "weight": np.linspace(0, 1, rows) + seed,
            "recipe": "",
        }
    )


def written(path: Path, *seeds: int) -> Path:
    write_seed_tables(path, [(some_table(seed), {"seed": seed, "of": "it"}) for seed in seeds])
    return path


def test_what_is_read_of_a_seed_is_what_was_written(tmp_path: Path) -> None:
    path = written(tmp_path / "made/seeds-3-5.parquet", 3, 4, 5)
    assert seeds_of(path) == [3, 4, 5]
    for seed in (3, 4, 5):
        alone = tmp_path / "alone.parquet"
        write_table(alone, some_table(seed))
        pd.testing.assert_frame_equal(SeedTable(path, seed).read(), read_table(alone))
        assert SeedTable(path, seed).record() == {"seed": seed, "of": "it"}
    assert read_table(path)["seed"].tolist() == [3] * 5 + [4] * 5 + [5] * 5
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "seeds-3-5.json",
        "seeds-3-5.parquet",
    ]


def test_the_same_tables_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = (written(tmp_path / name, 0, 1) for name in ("a.parquet", "b.parquet"))
    assert one.read_bytes() == other.read_bytes()
    assert read_json(one.with_suffix(".json")) == read_json(other.with_suffix(".json"))


def test_each_seed_has_row_groups_of_its_own_so_that_no_other_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.parquet"
    rows = ROWS_IN_GROUP + 1
    write_seed_tables(path, ((some_table(seed, rows), {"seed": seed}) for seed in (0, 1)))
    file = pq.ParquetFile(path)
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    ranges = [group.column(0).statistics for group in groups]
    assert [(one.min, one.max) for one in ranges] == [(0, 0), (0, 0), (1, 1), (1, 1)]
    pd.testing.assert_frame_equal(SeedTable(path, 1).read(), some_table(1, rows))


def test_the_tables_of_seeds_are_found_in_several_files(tmp_path: Path) -> None:
    first = written(tmp_path / "seeds-0-2.parquet", 0, 1, 2)
    second = written(tmp_path / "seeds-3-4.parquet", 3, 4)
    found = tables_of([first, second], [2, 3])
    assert found == [SeedTable(first, 2), SeedTable(second, 3)]


def test_a_deterministic_selection_is_for_all_seeds(tmp_path: Path) -> None:
    path = written(tmp_path / "seeds-0-0.parquet", 0)
    assert tables_of([path], [7, 8]) == [SeedTable(path, 0)] * 2


def test_a_seed_without_a_table_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "seeds-0-1.parquet", 0, 1)
    with pytest.raises(PetiteError, match=r"seed 2 in .*seeds-0-1\.parquet"):
        tables_of([path], [1, 2])
    with pytest.raises(PetiteError, match=r"seeds-0-1\.parquet.* seed 2"):
        SeedTable(path, 2).record()


def test_nothing_is_written_if_a_seed_fails(tmp_path: Path) -> None:
    def parts():  # type: ignore[no-untyped-def]
        yield some_table(0), {"seed": 0}
        raise PetiteError("the second seed cannot be selected")

    with pytest.raises(PetiteError, match="second seed"):
        write_seed_tables(tmp_path / "seeds-0-1.parquet", parts())
    assert list(tmp_path.iterdir()) == []
