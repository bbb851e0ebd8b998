"""Colours: those of the figures, of the same hues but dark or light enough for either screen."""

from collections.abc import Sequence

from petite.plots import style

LIGHT_PAGE, DARK_PAGE, DARK_INK = "#ffffff", "#15181c", "#e8eaed"
# WCAG 2.2 asks for 3:1 of what a graphic is read by; some more on dark, since lines are thin.
LEAST_CONTRAST = {LIGHT_PAGE: 3.0, DARK_PAGE: 4.0}
STEPS = 40


def method_colours(methods: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The colours of each method on light and on dark."""
    return {method: pair(style.method_colour(method)) for method in methods}


def class_colours(count: int) -> list[tuple[str, str]]:
    """The colours of classes on light and on dark, as many as there are; classes share them."""
    used = min(count, len(style.CATEGORY_COLOURS))
    return [pair(style.category_colour(place)) for place in range(used)]


def pair(colour: str) -> tuple[str, str]:
    """A figure's colour as it stands out from a light page, and from a dark one."""
    # What is drawn in ink stays ink: a grey would look like that of random.
    dark = DARK_INK if colour == style.INK else visible(colour, DARK_PAGE)
    return visible(colour, LIGHT_PAGE), dark


def visible(colour: str, page: str) -> str:
    """`colour`, mixed with as little white (on dark) or black as gives it LEAST_CONTRAST."""
    other = 255 if page == DARK_PAGE else 0
    for step in range(STEPS + 1):
        share = step / STEPS
        mixed = [channel + share * (other - channel) for channel in _channels(colour)]
        text = "#" + "".join(f"{round(channel):02x}" for channel in mixed)
        if contrast(text, page) >= LEAST_CONTRAST[page]:
            break
    return text


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG defines it, 1 to 21."""
    lighter, darker = sorted([_luminance(one), _luminance(other)], reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
