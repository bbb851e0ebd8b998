"""What the page says of label errors, near duplicates, cues and dropped images."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from test_report import IMAGES, invented_run

from petite.data.given_split import LEAK_COLUMNS
from petite.evaluation.cues import check_cues
from petite.report import checks
from petite.report.checks import nearest_kept
from petite.report.inputs import Case, Inputs
from petite.report.page import page
from petite.util.files import write_json, write_table, write_text

HERDING = Case("herding", 0.1)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return invented_run(tmp_path_factory.mktemp("run"))


def with_checks(
    inputs: Inputs, folder: Path, errors: int = 30, own: float | None = 4.0, space: str = "backbone"
) -> Inputs:
    """The run with files of all checks; errors: likely label errors of training images.

    space: where they were found.
    """
    split = inputs.split
    train, test = (
        split[split["split"] == part].reset_index(drop=True) for part in ("train", "test")
    )
    rows = pd.concat([train.head(errors), test.head(2)], ignore_index=True)
    write_table(
        folder / "label_errors.parquet",
        pd.DataFrame(
            {
                "part": rows["split"],
                "rank": [*range(1, errors + 1), 1, 2],
                "image_id": rows["image_id"],
                "label": "cat",
                "answer": "<dog>",
                "probability": 0.98,
                "doubt": np.linspace(0.97, 0.1, len(rows)),
                "listed": True,
            }
        ),
    )
    planted = {"images": 1000, "repeats": 2, "changed": 100, "listed": 120, "found": 93}
    record = {
        "checked": 54,
        "not_checked": 2,
        "agreeing": 20,
        "space": space,
        "listed": {"train": errors, "validation": 0, "test": 2},
        "planted": planted | {"threshold": 0.1, "own": own},
    }
    write_json(folder / "label_errors.json", record)
    pairs = {
        "part": "test",
        "image_id": test["image_id"].head(3),
        "label": "cat",
        "train_image_id": train["image_id"].head(3),
        "train_label": "<dog>",
        "similarity": [0.99, 0.95, 0.5],
        "listed": [True, True, False],
    }
    write_table(folder / "near_duplicates.parquet", pd.DataFrame(pairs))
    record = {
        "threshold": 0.9,
        "found": {"mirrored": 1.0, "cropped to 80%": 0.75},
        "altered": 240,
        "ordinary": 0.1,
        "listed": {"test": 2},
        "images": {"test": 30},
    }
    write_json(folder / "near_duplicates.json", record)
    labels = np.arange(200) % 2
    measured = {"bytes": labels + np.arange(200) / 1000, "width": np.arange(200) // 2 % 3}
    write_table(folder / "cues.parquet", check_cues(measured, labels))
    return dataclasses.replace(inputs, checks={path.name: path for path in folder.iterdir()})


def section(html: str, name: str) -> str:
    return html.split(f'<section id="{name}"')[1].split("</section>")[0]


def test_the_page_shows_all_checks_with_how_far_to_trust_them(inputs, tmp_path):
    html = page(with_checks(inputs, tmp_path))
    shown = section(html, "checks")
    assert 'href="#checks"' in html
    assert "34 of 54 training images" in shown and "2 images could not be checked" in shown
    assert "100 labels (5% each time)" in shown
    assert "93 of them (93%)" in shown and "120 listed" in shown
    assert "at most about 4 of the 1,000 labels" in shown
    assert len(re.findall(r"answer .*&lt;dog&gt;.* \(98%\)", shown)) == 24 + 2
    assert "2 test images also have a label" in shown
    assert "2 of 30 test images nearly repeat" in shown
    assert "similarity of 0.90 finds 75% of those cropped to 80%, 100% of those mirrored" in shown
    assert "3 test images would be listed" in shown
    assert re.search(r'<th scope="row">file size</th><td>100</td>', shown)
    assert shown.count("warned") == 1
    warnings = html.split('class="warnings"')[1].split("</ul>")[0]
    assert "File size alone predicts the class of 100% of the images (chance: 50%)" in warnings


@pytest.mark.parametrize(
    ("leaks", "may_be_in_two"),
    [
        ([], False),
        ([["copy", "test", False], ["copy", "train", True]], False),
        ([["group", "test", False], ["group", "train", False]], False),
        ([["copy", "test", False], ["copy", "train", False]], True),
    ],
)
def test_duplicates_are_said_to_be_in_one_part_unless_leaks_were_kept(
    inputs, tmp_path, leaks, may_be_in_two
):
    rows = [[1, kind, "", f"a/{part}", "a", part, gone] for kind, part, gone in leaks]
    table = pd.DataFrame(rows, columns=LEAK_COLUMNS)
    full = dataclasses.replace(with_checks(inputs, tmp_path), leaks=table)
    found = checks.checks(full, HERDING)["pairs"]["found"]
    assert ("never in two parts" in found) == (not may_be_in_two)
    assert ("split.leaks" in found) == may_be_in_two


def test_without_files_of_checks_there_is_no_section(inputs):
    html = page(inputs)
    assert 'id="checks"' not in html and "#checks" not in html


def test_a_run_without_embeddings_says_what_its_checks_need(inputs, tmp_path):
    full = with_checks(inputs, tmp_path)
    cues = {"cues.parquet": full.checks["cues.parquet"]}
    html = page(dataclasses.replace(full, checks=cues))
    assert "judges: {probe: {}}" in section(html, "checks")
    assert "checks: {label_errors: random_conv}" in section(html, "checks")
    off = {**full.config, "checks": {"label_errors": False, "near_duplicates": False}}
    html = page(dataclasses.replace(full, checks=cues, config=off))
    assert "judges: {probe: {}}" not in section(html, "checks")


@pytest.mark.parametrize(("own", "shown"), [(None, 50), (40.0, 50), (14.0, 28), (0.5, 24)])
def test_twice_as_many_errors_are_shown_as_there_may_be(inputs, tmp_path, own, shown):
    found = checks.checks(with_checks(inputs, tmp_path, errors=50, own=own), HERDING)
    assert len(found["errors"]["groups"][0]) == shown


def test_a_check_that_found_nothing_says_so(inputs, tmp_path):
    full = with_checks(inputs, tmp_path)
    for name in ("label_errors", "near_duplicates"):
        table = pd.read_parquet(full.checks[f"{name}.parquet"])
        write_table(full.checks[f"{name}.parquet"], table.assign(listed=False))
    planted = {"images": 56, "repeats": 2, "changed": 100, "listed": 0, "found": 0}
    nothing = {"train": 0, "validation": 0, "test": 0}
    write_json(
        full.checks["label_errors.json"],
        {"checked": 56, "not_checked": 0, "agreeing": 50, "listed": nothing, "space": "backbone"}
        | {"planted": planted | {"threshold": None, "own": None}},
    )
    shown = section(page(full), "checks")
    assert "None of them counts as a likely error" in shown
    assert "do not show the classes well enough" in shown


def test_the_page_says_in_which_space_labels_were_checked_without_embeddings(inputs, tmp_path):
    full = with_checks(inputs, tmp_path, space="random_conv")
    shown = section(page(full), "checks")
    assert "A probe on features of the space random_conv that had not seen" in shown
    pairs = {name: path for name, path in full.checks.items() if "near" not in name}
    shown = section(page(dataclasses.replace(full, checks=pairs)), "checks")
    assert (
        "Near duplicates across the parts are found" in shown
        and "checks: {label_errors" not in shown
    )


def test_each_dropped_image_is_next_to_the_nearest_kept_one(inputs):
    found = checks.checks(inputs, HERDING)["stand_ins"]
    kept = inputs.recommendation.kept
    case = Case(kept.method, kept.fraction) if kept else HERDING
    if inputs.chosen[case].all():
        case = HERDING
    chosen, ids = inputs.chosen[case], inputs.train["image_id"].to_numpy()
    place = {image_id: row for row, image_id in enumerate(ids)}
    assert len(found["groups"]) == min(24, (~chosen).sum())
    distances = []
    for dropped, stand_in in found["groups"]:
        row, other = place[dropped["name"]], place[stand_in["name"]]
        assert not chosen[row] and chosen[other]
        far = np.linalg.norm(inputs.features[chosen] - inputs.features[row], axis=1)
        distances.append(np.linalg.norm(inputs.features[other] - inputs.features[row]))
        assert distances[-1] == pytest.approx(far.min(), abs=1e-4)
    assert distances == sorted(distances)
    every = [
        np.linalg.norm(inputs.features[chosen] - row, axis=1).min()
        for row in inputs.features[~chosen]
    ]
    assert distances[-1] == pytest.approx(max(every), abs=1e-4)
    assert "What stands for a dropped image" in section(page(inputs), "plane")


def test_embeddings_pair_images_where_the_run_has_them(inputs):
    embeddings = np.random.default_rng(9).normal(size=(len(inputs.train), 5)).astype(np.float32)
    with_them = dataclasses.replace(inputs, embeddings=embeddings)
    one, other = (checks.checks(each, HERDING)["stand_ins"] for each in (inputs, with_them))
    assert "by features of the space pixels" in one["found"]
    assert "by embedding" in other["found"]
    assert one["groups"] != other["groups"]


def test_blocks_find_the_nearest_kept_image(monkeypatch):
    monkeypatch.setattr(checks, "BLOCK_BYTES", 100)
    rng = np.random.default_rng(0)
    dropped, kept = (rng.normal(size=(n, 4)).astype(np.float32) for n in (31, 17))
    rows, squared = nearest_kept(dropped, kept)
    expected = ((dropped[:, None] - kept) ** 2).sum(axis=2)
    np.testing.assert_array_equal(rows, expected.argmin(axis=1))
    np.testing.assert_allclose(squared, expected.min(axis=1), rtol=1e-3, atol=1e-5)


def test_a_thousand_images_do_not_make_the_page_heavy(inputs, tmp_path):
    assert IMAGES < 1000
    plain, full = len(page(inputs)), len(page(with_checks(inputs, tmp_path, errors=50)))
    assert full - plain < 100_000


@pytest.mark.parametrize("width", [380, 1400])
def test_the_checks_fit_the_screen_and_axe_finds_nothing_serious(inputs, tmp_path, browser, width):
    path = tmp_path / "report.html"
    (tmp_path / "checks").mkdir()
    write_text(path, page(with_checks(inputs, tmp_path / "checks")))
    with browser.new_context(viewport={"width": width, "height": 900}) as context:
        shown = context.new_page()
        shown.goto(path.as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        assert shown.locator("#checks .thumb.of-checks").count() == 24 + 2 + 4
        assert shown.locator("#plane .groups .thumb.of-checks").first.is_visible()
        found = Axe().run(shown, context="#checks").response["violations"]
        serious = [each["id"] for each in found if each["impact"] in ("serious", "critical")]
        assert serious == []
