"""The page of new images in a real browser."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pages import opened_pages
from playwright.sync_api import Browser
from pools import store_of, write_picture

from petite.evaluation.gains import COLUMNS
from petite.evaluation.verdicts import BETTER, NOT_DISTINGUISHABLE
from petite.report.grow import Inputs, page
from petite.training.grow_list import ListRecord
from petite.util.files import write_text

NAMES = ["plain.jpg", "<b>&amp;\"'.jpg", "חתול.jpg", "a" * 200 + ".jpg", "two\nlines.jpg", "7.jpg"]


def gains() -> pd.DataFrame:
    rows = [("order", "kept", BETTER), ("random", "kept", NOT_DISTINGUISHABLE)]
    values = dict.fromkeys(COLUMNS, 0.02) | {"judge": "probe", "metric": "accuracy", "added": 3}
    return pd.DataFrame(
        [values | {"case": case, "against": other, "verdict": said} for case, other, said in rows]
    )


def inputs(folder: Path, judged: bool) -> Inputs:
    for number, name in enumerate(NAMES):
        write_picture(folder / "new/Cat" / name, number)
    write_picture(folder / "old/Cat/1.png", 50)
    store = store_of("unlabeled", folder / "new", folder / "a")
    ids = store.index["image_id"]
    images = pd.DataFrame(
        {
            "rank": pd.array([1, 2, 3, 4, 5, None], "Int64"),
            "file": ids.str.split("/", n=1).str[1],
            "class": "Cat",
            "nearest": ["Cat/1.png", *ids.iloc[:4].str.split("/", n=1).str[1], ""],
            "nearest_is": ["kept", *4 * ["new"], ""],
            "distance": np.linspace(0, 1, 6),
            "set_aside": [*5 * [""], "duplicate of a test image"],
            "reason": [*5 * [""], "near duplicate of a test image: Cat/2.png"],
            "copy_of": "",
            "image_id": ids,
        }
    )
    record: ListRecord = {
        "method": "herding",
        "settings": {},
        "quota": "proportional",
        "space": "backbone",
        "kept": 12,
        "new": 5,
        "set_aside": {"duplicate of a test image": 1},
        "usual_distance": 3.0,
        "seconds": 0.1,
    }
    return Inputs(
        images,
        record,
        gains() if judged else pd.DataFrame(columns=COLUMNS),
        ["5 of 6 new images can be added.", "Adding 3 of 5 new images: +2.0 points [+1.0, +3.0]."],
        store,
        ["A note."],
        "a run",
        "a folder",
        "random:0.1",
        "herding",
        "the embeddings of a network",
        0.9,
    )


@pytest.mark.parametrize("judged", [True, False])
def test_the_page_shows_the_answer_the_order_and_what_is_set_aside(
    tmp_path: Path, browser: Browser, judged: bool
) -> None:
    path = tmp_path / "page.html"
    write_text(path, page(inputs(tmp_path, judged)))
    for opened in opened_pages(browser, path):
        tiles = opened.locator(".sheet li")
        assert tiles.count() == 5
        assert "kept" in tiles.first.inner_text()
        assert "no. 1" in tiles.nth(1).inner_text()
        text = opened.locator("main").inner_text()
        assert "random:0.1" in text and "herding" in text and "a folder" in text
        assert "Duplicate of a test image (1)" in text
        assert "A note." in text
        assert opened.locator("#gains tbody tr").count() == (2 if judged else 0)
        assert ("90%" in text) == judged
