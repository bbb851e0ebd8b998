"""Reports of invented runs with unusual names and many classes, in a real browser."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from test_report import invented_run

from petite.report.page import page
from petite.util.files import write_text

MOST_BYTES = 5e6

RIGHT_TO_LEFT = ["חתול קטן", "كلب صغير", "cat"]
LONG = ["a" * 250, "cat_" * 60, "word " * 45, "猫" * 80]
AWKWARD = ["<b>&amp;\"'", "a\u202egpj", "two\nlines", "$x^2$ {{ b }} \\ %", "cafe\u0301"]
MANY = [f"id{number:04d}" for number in range(1000)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that makes the report of a run with these classes and images, each once."""
    made: dict[str, Path] = {}

    def make(classes: list[str], images: int, method: str = "herding") -> Path:
        key = f"{classes[0]} of {len(classes)} {method}"
        if key not in made:
            folder = tmp_path_factory.mktemp("run")
            notices = [f"3 files of {name}: 4 gray levels." for name in classes[:3]]
            run = invented_run(folder, classes, images, method, notices=notices)
            made[key] = folder / "report.html"
            write_text(made[key], page(run))
        return made[key]

    return make


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Page]]:
    contexts = []

    def open_page(report: Path, width: int = 1400, scheme: str = "light") -> Page:
        contexts.append(
            browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        )
        page = contexts[-1].new_page()
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(report.as_uri())
        page.wait_for_selector("#plane-drawing[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()


def place_of(page: Page, selector: str, before: str, text: str) -> float:
    """The x of the middle of a text that comes after another."""
    return page.evaluate(
        """([selector, before, text]) => {
            for (const element of document.querySelectorAll(selector)) {
                const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
                while (walker.nextNode()) {
                    const all = walker.currentNode.textContent;
                    const at = all.indexOf(text, all.indexOf(before));
                    if (at < 0) continue;
                    const range = document.createRange();
                    range.setStart(walker.currentNode, at);
                    range.setEnd(walker.currentNode, at + text.length);
                    const box = range.getBoundingClientRect();
                    return (box.left + box.right) / 2;
                }
            }
            throw new Error(`${text} is not in ${selector}`);
        }""",
        [selector, before, text],
    )


def in_order(page: Page, selector: str, *texts: str) -> bool:
    befores = ["", *texts]
    places = [place_of(page, selector, *pair) for pair in zip(befores, texts, strict=False)]
    return places == sorted(places)


def test_counts_follow_their_names_in_any_direction_of_writing(report, opened):
    page = opened(report(RIGHT_TO_LEFT, 90))
    one, other, _ = RIGHT_TO_LEFT
    words = page.locator("#plane-words").inner_text()
    counts = [words.split(name)[1].lstrip("\u2069: ")[0] for name in RIGHT_TO_LEFT]
    texts = [one, f": {counts[0]}", other, f": {counts[1]}", "cat", f": {counts[2]}"]
    assert in_order(page, "#plane-words", "keeps", *texts)
    assert in_order(page, "#notices li:nth-child(1)", "3 files of", one, ": 4 gray")
    taken = page.locator(".tiles li > span:last-child", has_text=", predicted as").all_inner_texts()
    assert taken
    assert all(text.count("\u2068") == text.count("\u2069") for text in taken)
    assert in_order(page, ".facts dt", "(mostly", one)
    for name in RIGHT_TO_LEFT:
        assert page.locator(".matrix th bdi", has_text=name).count()
        assert page.locator(".classes bdi", has_text=name).count() == 1
    page.select_option("#plane-class", "1")
    assert page.locator(".pick:visible h4").all_inner_texts() == [other]


@pytest.mark.parametrize("width", [380, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "classes", [LONG, AWKWARD, RIGHT_TO_LEFT, MANY], ids=lambda names: names[0][:3]
)
def test_any_names_fit_the_screen(report, opened, classes, scheme, width):
    page = opened(report(classes, 10 * max(len(classes), 9)), width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """(width) => [...document.querySelectorAll("main *")].filter((element) =>
            !element.closest(".scroll, .matrix, pre") &&
            element.getBoundingClientRect().right > width).map((element) => element.outerHTML)""",
        width,
    )
    assert outside == []
    assert not page.complaints


def test_the_table_is_as_wide_as_its_section_on_screens_of_any_width(report, opened):
    page = opened(report(RIGHT_TO_LEFT, 90))
    for width in (700, 950, 1200, 1201, 1280, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        table, section = page.evaluate(
            """["table.results", "#table"].map((selector) =>
                document.querySelector(selector).getBoundingClientRect().right)"""
        )
        assert table <= section + 1, width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("classes", [MANY, RIGHT_TO_LEFT], ids=["many", "right to left"])
def test_axe_finds_nothing_serious(report, opened, classes, scheme):
    page = opened(report(classes, 10 * max(len(classes), 9)), scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
    page.select_option("#plane-class", "1")
    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert not [(each["id"], each["nodes"][0]["html"]) for each in serious]


@pytest.mark.parametrize("width", [380, 1400])
def test_a_long_name_of_a_method_fits_the_screen(report, opened, width):
    page = opened(report(RIGHT_TO_LEFT, 90, "m" * 150), width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.select_option("#model-case", index=3)
    page.select_option("#plane-method", index=0)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_long_name_is_cut_and_the_whole_of_it_is_at_hand(report, opened):
    page = opened(report(LONG, 90))
    name = page.locator(".classes bdi").first
    assert len(name.inner_text()) == 60
    assert name.get_attribute("title") == LONG[0]


def test_awkward_names_are_shown_on_one_line_as_they_are(report, opened):
    page = opened(report(AWKWARD, 90))
    shown = page.locator(".classes bdi").all_inner_texts()
    assert shown == ["<b>&amp;\"'", "aU+202Egpj", "twoU+000Alines", "$x^2$ {{ b }} \\ %", "café"]


def test_a_thousand_classes_make_a_small_page_that_shows_the_worst_and_the_best(report, opened):
    path = report(MANY, 10_000)
    assert path.stat().st_size < MOST_BYTES
    page = opened(path)
    assert page.locator(".pick:visible").count() == 20
    assert "980 are left out" in page.locator("#plane").inner_text()
    assert page.locator(".classes").count() == 0
    assert "of each of 1,000 classes" in page.locator("#plane-words").inner_text()
    panel = page.locator(".panel:visible")
    assert panel.locator(".ranked li").count() == 10
    assert "990 classes between them are left out." in panel.inner_text()
    assert page.evaluate("document.querySelectorAll('*').length") < 12_000


def test_any_of_a_thousand_classes_can_be_looked_at_alone(report, opened):
    page = opened(report(MANY, 10_000))
    for label in ("500", "501"):
        page.select_option("#plane-class", label)
        shown = page.locator(".pick:visible")
        assert shown.locator("h4").all_inner_texts() == [f"id0{label}"]
        names = shown.locator(".thumb").evaluate_all("all => all.map((thumb) => thumb.title)")
        assert not page.locator("#picks-shown").is_visible()
        assert names and all(name.startswith(f"id0{label}/") for name in names)
    page.select_option("#plane-class", "")
    assert page.locator(".pick:visible").count() == 20
    assert page.locator("#plane-drawing").get_attribute("data-kept") == "700"


def test_rows_are_sorted_by_the_column_that_is_clicked(report, opened):
    page = opened(report(RIGHT_TO_LEFT, 90))
    first = page.locator(".results tbody tr").first
    keys = page.locator(".results thead th").evaluate_all("all => all.map((th) => th.dataset.key)")
    assert json.loads(first.get_attribute("data-sort") or "")[keys.index("share")] == 1
    for key in ("difference", "verdict"):
        page.locator("th[data-key=method] button").click()
        page.locator("th[data-key=method] button").click()
        assert first.get_attribute("data-method") == "random"
        page.locator(f"th[data-key={key}] button").click()
        assert first.get_attribute("data-method") == "herding"  # the only one with a value


def test_notices_are_near_the_top_and_on_paper_and_only_where_there_are_some(
    report, opened, tmp_path
):
    page = opened(report(RIGHT_TO_LEFT, 90))
    sections = page.locator("main > section").evaluate_all("all => all.map((one) => one.id)")
    assert sections[:3] == ["", "notices", "table"]
    assert page.locator("#notices li").count() == 3
    page.emulate_media(media="print")
    assert page.locator("#notices li").first.is_visible()
    without = tmp_path / "report.html"
    write_text(without, page_without_notices(tmp_path))
    assert opened(without).locator("#notices").count() == 0


def page_without_notices(folder: Path) -> str:
    return page(invented_run(folder / "run"))


def computed(page: Page, selector: str, name: str) -> str:
    """A property as the browser draws it, of the first element that the selector finds."""
    return page.locator(selector).first.evaluate(
        "(element, name) => getComputedStyle(element)[name]", name
    )


def test_the_picture_is_drawn_in_the_colors_of_light_and_of_dark(report, opened):
    for scheme in ("light", "dark"):
        page = opened(report(RIGHT_TO_LEFT, 90), scheme=scheme)
        ink = computed(page, "body", "color")
        assert computed(page, "svg.wide text", "fill") == ink
        assert computed(page, "svg.wide .bars.method-full path", "stroke") == ink
        herding = computed(page, ".legend .method-herding svg", "fill")
        assert computed(page, "svg.wide .bars.method-herding path", "stroke") == herding
        seen = [computed(page, f"svg.{name}", "display") for name in ("wide", "narrow")]
        assert seen == ["block", "none"]


def test_a_mark_at_the_pointer_has_its_numbers_and_the_legend_puts_others_back(report, opened):
    page = opened(report(RIGHT_TO_LEFT, 90))
    words = page.locator("svg.wide .marks.method-herding use").evaluate(
        """(mark) => {
            const box = mark.getBoundingClientRect();
            const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
            return document.elementFromPoint(x, y).closest(":has(> title)").textContent;
        }"""
    )
    assert words.startswith("herding 10%, 7 images: 63.5% [")
    page.locator(".legend .method-herding").hover()
    page.wait_for_function(
        "getComputedStyle(document.querySelector('svg.wide .marks.method-random')).opacity < .2"
    )
    assert computed(page, "svg.wide .marks.method-herding", "opacity") == "1"
    page.uncheck("#shown-herding")
    for part in ("marks", "bars", "line", "seeds"):
        assert computed(page, f"svg.wide .{part}.method-herding", "display") == "none"
