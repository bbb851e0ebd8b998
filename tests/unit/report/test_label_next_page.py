"""The page of a pool in a real browser."""

from pathlib import Path

import numpy as np
import pytest
from pages import opened_pages
from playwright.sync_api import Browser
from pools import store_of, write_picture

from petite.data.pool import pool_images
from petite.report.label_next import Inputs, page
from petite.training.label_next import PoolFeatures, choose_next
from petite.util.files import write_text

NAMES = ["plain.jpg", "<b>&amp;\"'.jpg", "חתול.jpg", "a" * 200 + ".jpg", "two\nlines.jpg", "7.jpg"]


def inputs(folder: Path, labeled: bool, method: str) -> Inputs:
    for number, name in enumerate(NAMES):
        write_picture(folder / "pool" / name, number)
    write_picture(folder / "pool/again.png", 0)
    (folder / "pool/broken.jpg").write_bytes(b"x")
    store = store_of("unlabeled", folder / "pool", folder / "a")
    images = pool_images(store, None, 6)
    known = ["Cat/1.jpg", "Dog/1.jpg"] if labeled else []
    features = np.random.default_rng(0).normal(size=(len(known) + len(images), 3))
    uncertainty = np.linspace(0, 1, len(images)) if method == "uncertainty" else None
    settings = {"score": "margin"} if method == "uncertainty" else {}
    pool = PoolFeatures(images, known, features.astype(np.float32), "backbone")
    table, record = choose_next(pool, 6, method, settings, uncertainty=uncertainty)
    if uncertainty is None:
        table = table.drop(columns="value")
    known_store = store if labeled else None
    names = ("a run", "a pool", method, "a network")
    return Inputs(table, record, store, known_store, ["A note."], *names)


@pytest.mark.parametrize(("labeled", "method"), [(False, "k_dpp"), (True, "uncertainty")])
def test_the_page_shows_all_chosen_images_and_what_it_does_not_say(
    tmp_path: Path, browser: Browser, labeled: bool, method: str
) -> None:
    shown = inputs(tmp_path, labeled, method)
    path = tmp_path / "page.html"
    write_text(path, page(shown))
    for opened in opened_pages(browser, path):
        tiles = opened.locator(".sheet li")
        assert tiles.count() == 6
        assert opened.locator(".sheet .thumb").first.bounding_box()["width"] > 50
        text = opened.locator("main").inner_text()
        assert "No accuracy was measured" in text
        assert "a pool" in text and method in text
        assert ("labeled" in tiles.first.inner_text()) == labeled
        assert ("uncertainty" in tiles.first.inner_text()) == (method == "uncertainty")
