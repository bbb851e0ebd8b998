"""Open a page in a real browser, light and dark, wide and narrow, with the checks of every page."""

from collections.abc import Iterator
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

WIDE, NARROW = 1300, 360


def opened_pages(browser: Browser, path: Path) -> Iterator[Page]:
    """Yield the page in each way; it must load nothing, complain of nothing and fit the window."""
    for scheme in ("light", "dark"):
        for width in (WIDE, NARROW):
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme
            )
            opened = context.new_page()
            complaints: list[str] = []
            requests: list[str] = []
            opened.on("console", lambda message, said=complaints: said.append(message.text))
            opened.on("pageerror", lambda error, said=complaints: said.append(str(error)))
            opened.on("request", lambda request, seen=requests: seen.append(request.url))
            opened.goto(path.as_uri())
            assert complaints == []
            assert not [url for url in requests if url.startswith("http")]
            assert opened.evaluate("document.documentElement.scrollWidth") <= width
            yield opened
            if width == WIDE:
                assert Axe().run(opened).violations_count == 0
            context.close()
