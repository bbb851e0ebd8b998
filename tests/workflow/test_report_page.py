"""The report of a real run in a real browser. Screenshots are in tests/output/report/."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.workflow

SCREENSHOTS = Path(__file__).resolve().parents[1] / "output/report"
MOST_BYTES = 5e6


@pytest.fixture(scope="module")
def report(tiny_run) -> Path:
    return tiny_run[0] / "results/tiny/report.html"


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        yield opened(context.new_page(), report)


def opened(page: Page, report: Path) -> Page:
    page.goto(report.as_uri())
    page.wait_for_selector("#plane-drawing[data-ready]")
    return page


def test_the_file_is_small(report):
    assert report.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("width", [380, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_quietly_and_fits_the_screen(browser, report, width, scheme):
    complaints, requests = [], []
    with browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme
    ) as context:
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if is_wrong(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        opened(page, report)
        keep_screenshots(page, f"{scheme}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not complaints
    assert [url for url in requests if not url.startswith(("data:", "blob:"))] == [report.as_uri()]


def keep_screenshots(page: Page, name: str) -> None:
    """The first screen, and each section."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}-0-first.png")
    for place, section in enumerate(page.locator("main > section[id]").all(), start=1):
        title = section.get_attribute("id")
        section.screenshot(path=SCREENSHOTS / f"{name}-{place}-{title}.png")


def is_wrong(said) -> bool:
    return said.type in ("error", "warning")


@pytest.mark.parametrize("width", [380, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, report, scheme, width):
    with browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme
    ) as context:
        page = opened(context.new_page(), report)
        # Closed details are checked too.
        page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        # The confusion matrix in its strongest colors.
        strongest = "(cell) => cell.style.setProperty('--share', '100%')"
        page.evaluate(f"document.querySelectorAll('.matrix td').forEach({strongest})")
        found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert not [(each["id"], each["nodes"][0]["html"]) for each in serious]


def test_the_first_screen_is_there_without_scripts(browser, report):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(report.as_uri())
        assert page.locator("#answer").inner_text()
        assert page.locator("svg.plot.wide").is_visible()
        assert page.locator(".results tbody tr").count() == 5
        assert page.locator(".pick .thumb").first.is_visible()
        assert not page.locator("#filters").is_visible()


def test_seeds_are_shown_on_demand_and_methods_can_be_hidden(page):
    dots = page.locator("svg.wide .seeds.method-random use").first
    assert not dots.is_visible()
    page.check("#shown-seeds")
    assert dots.is_visible()
    page.uncheck("#shown-random")
    assert not dots.is_visible()


def test_sorting_sorts_and_filtering_filters(page):
    images = page.locator(".results tbody td[data-name=images]")
    heading = page.locator("th[data-key=images]")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    falling = numbers(images)
    assert falling == sorted(falling, reverse=True)
    heading.get_by_role("button").press("Enter")
    assert numbers(images) == sorted(falling)
    heading.get_by_role("button").press("Enter")
    assert numbers(images) == falling
    page.fill("#filter-method", "GRID")
    shown = page.locator(".results tbody tr:visible")
    assert shown.count() == 1 and "pca_grid" in shown.inner_text()
    assert page.locator("#filtered").inner_text() == "1 of 5 rows"


def test_on_a_phone_a_menu_sorts_and_gives_the_first_order_back(browser, report):
    with browser.new_context(viewport={"width": 380, "height": 800}) as context:
        page = opened(context.new_page(), report)
        rows = page.locator(".results tbody tr")
        at_first = rows.all_inner_texts()
        page.select_option("#sort-by", "images")
        images = numbers(page.locator(".results tbody td[data-name=images]"))
        assert images == sorted(images, reverse=True)
        page.select_option("#sort-by", "accuracy")
        page.select_option("#sort-by", "")
        assert rows.all_inner_texts() == at_first


def numbers(cells) -> list[int]:
    return [int(text.replace(",", "")) for text in cells.all_inner_texts()]


def test_menu_and_slider_change_the_plane_and_the_pictures(page):
    drawing = page.locator("#plane-drawing")
    at_first = drawing.screenshot()
    page.select_option("#plane-method", "random")
    page.wait_for_timeout(300)
    small = int(drawing.get_attribute("data-kept"))
    of_random = drawing.screenshot()
    assert of_random != at_first
    page.locator("#plane-size").press("ArrowRight")
    page.wait_for_timeout(300)
    assert int(drawing.get_attribute("data-kept")) > small
    assert drawing.screenshot() != of_random
    assert "random keeps" in page.locator("#plane-words").inner_text()
    assert page.locator("#plane-size").get_attribute("aria-valuetext").startswith("25%")


def test_another_seed_and_one_class_alone_can_be_looked_at(page):
    drawing = page.locator("#plane-drawing")
    page.select_option("#plane-method", "random")
    words = page.locator("#picks-words")
    of_seed_0, kept = drawing.screenshot(), int(drawing.get_attribute("data-kept"))
    assert words.inner_text().endswith("seed 0")
    page.select_option("#plane-seed", "1")
    page.wait_for_timeout(300)
    assert words.inner_text().endswith("seed 1")
    assert drawing.screenshot() != of_seed_0
    page.select_option("#plane-class", "7")
    assert 0 < int(drawing.get_attribute("data-kept")) < kept


def test_the_controls_of_the_plane_work_from_the_keyboard(page):
    page.select_option("#plane-method", "random")
    page.locator("#plane-method").focus()
    for expected in ("plane-size", "plane-seed", "plane-class", "plane-rest"):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        assert focused.get_attribute("id") == expected
        outline = focused.evaluate("(element) => getComputedStyle(element).outlineWidth")
        assert outline == "3px"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowDown")
    assert page.locator("#picks-words").inner_text().endswith("seed 1")


def test_nothing_moves_for_those_who_ask_for_that(browser, report):
    with browser.new_context(reduced_motion="reduce") as context:
        page = opened(context.new_page(), report)
        moving = page.evaluate(
            "[...document.querySelectorAll('*')].filter((element) => "
            "parseFloat(getComputedStyle(element).transitionDuration) > 0).length"
        )
    assert moving == 0


def test_paper_is_light_and_has_the_table_but_no_controls(browser, report):
    with browser.new_context(color_scheme="dark") as context:
        page = opened(context.new_page(), report)
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        assert page.locator(".results thead").is_visible()
        assert page.locator(".pick .thumb").first.is_visible()
        for hidden in (".top", "#filters", "#plane-method", "#plane-drawing"):
            assert not page.locator(hidden).is_visible()
        pdf = page.pdf(path=SCREENSHOTS / "printed.pdf", format="A4", print_background=True)
    pages = re.findall(rb"/Type\s*/Page\b", pdf)
    assert 2 <= len(pages) <= 6


def test_the_cells_of_the_tiling_can_be_hidden(page):
    drawing = page.locator("#plane-drawing")
    with_cells = drawing.screenshot()
    page.uncheck("#plane-cells")
    page.wait_for_timeout(300)
    assert drawing.screenshot() != with_cells


def test_pointing_at_a_dot_shows_its_image(page):
    drawing = page.locator("#plane-drawing")
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    tip = page.locator("#plane-tip")
    for step in range(400):  # the dots fill the middle of the plane; one is soon met
        x = box["x"] + box["width"] * (0.2 + 0.6 * (step % 20) / 20)
        page.mouse.move(x, box["y"] + box["height"] * (0.2 + 0.6 * (step // 20) / 20))
        if tip.is_visible():
            break
    assert tip.is_visible()
    assert "kept" in tip.inner_text() or "dropped" in tip.inner_text()
    image = tip.locator(".thumb").evaluate("(thumb) => getComputedStyle(thumb).backgroundImage")
    assert image.startswith('url("data:image/webp')
    page.mouse.move(5, 5)
    page.wait_for_timeout(200)
    assert not tip.is_visible()


def test_each_case_has_its_curves_and_its_mistakes(page):
    page.select_option("#model-case", "pca_grid:0.1")
    panel = page.locator(".panel:visible")
    assert panel.count() == 1
    assert "pca_grid" in panel.inner_text()
    assert panel.locator("svg.plot").count() == 2
    assert panel.locator(".matrix td.right").count() == 3
