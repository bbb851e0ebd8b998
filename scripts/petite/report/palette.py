"""Colours: those of the figures, and for dark screens the same hues, light enough to be seen."""

from collections.abc import Sequence

from petite.figures import style

DARK_PAGE, DARK_INK = "#15181c", "#e8eaed"
# WCAG 2.2 asks for 3:1 of what a graphic is read by; some more, since lines are thin.
LEAST_CONTRAST = 4.0
STEPS = 40


def method_colours(methods: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The colours of each method on light and on dark."""
    return {method: pair(style.method_colour(method)) for method in methods}


def class_colours(count: int) -> list[tuple[str, str]]:
    """The colours of each class on light and on dark."""
    return [pair(style.category_colour(place)) for place in range(count)]


def pair(colour: str) -> tuple[str, str]:
    """A figure's colour, and a paler one of its hue that stands out from a dark page."""
    # What is drawn in ink stays ink: a grey would look like that of random.
    return colour, DARK_INK if colour == style.INK else visible(colour, DARK_PAGE)


def visible(colour: str, background: str) -> str:
    """`colour`, mixed with as little white as gives it `LEAST_CONTRAST` on a dark background."""
    red, green, blue = _channels(colour)
    for step in range(STEPS + 1):
        share = step / STEPS
        mixed = [channel + share * (255 - channel) for channel in (red, green, blue)]
        text = "#" + "".join(f"{round(channel):02x}" for channel in mixed)
        if contrast(text, background) >= LEAST_CONTRAST:
            return text
    return "#ffffff"


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
