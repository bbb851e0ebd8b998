"""Which images belong together: duplicates, and images of one group."""

from pathlib import Path

import numpy as np
import pandas as pd

from petite.data.store import Store, shard_record, write_shard
from petite.data.together import together
from petite.util.files import write_json, write_table


def test_duplicates_and_groups_are_joined(tmp_path: Path) -> None:
    write_shard(tmp_path / "shards/1.npy", np.zeros((7, 2, 2, 1), np.uint8))
    ids = ["a/p1_0", "a/p1_1", "a/x", "b/y", "b/z", "b/p2_0", "a/q"]
    index = {"image_id": ids, "copy_group": [0, 1, 2, 2, 4, 5, 6], "shard": 0, "row": range(7)}
    write_table(tmp_path / "index.parquet", pd.DataFrame(index))
    shards = [shard_record(tmp_path / "shards/1.npy", tmp_path)]
    about = {"format": 1, "classes": ["a", "b"], "image_size": 2, "channels": 1, "shards": shards}
    write_json(tmp_path / "manifest.json", about)
    store = Store.open(tmp_path / "manifest.json")
    split = pd.DataFrame({"image_id": ids[::-1]})

    def joined(**columns: list[str]) -> set[frozenset[str]]:
        table = split.assign(**columns)
        found = pd.Series(table["image_id"].to_numpy()).groupby(together(store, table))
        return {frozenset(members) for _, members in found if len(members) > 1}

    assert joined() == {frozenset({"a/x", "b/y"})}
    assert joined(group=[""] * 7) == joined()
    named = ["", "", "w", "w", "", "", ""]  # b/z and b/y
    assert joined(group=named) == {frozenset({"a/x", "b/y", "b/z"})}
