"""The colors of the figures, darkened or lightened for the light and the dark theme."""

from collections.abc import Sequence

from petite.plots import style

LIGHT_PAGE, DARK_PAGE = "#ffffff", "#15181c"
# WCAG 2.2 requires 3:1 for graphics; more on dark, because lines are thin.
LEAST_CONTRAST = {LIGHT_PAGE: 3.0, DARK_PAGE: 4.0}
STEPS = 40
# Colors of no method are those of the report.
NEUTRAL = {
    style.INK: "--ink",
    style.QUIET: "--quiet",
    style.GRID: "--rule",
    style.TOLERATED: "--tolerated",
    LIGHT_PAGE: "--page",
}
# The values of these variables on dark, in templates/style.css.
NEUTRAL_ON_DARK = {
    style.INK: "#e8eaed",
    style.QUIET: "#a3abb4",
    style.GRID: "#363c44",
    style.TOLERATED: "#17352c",
    LIGHT_PAGE: DARK_PAGE,
}


def variable(color: str) -> str:
    """The CSS variable of a figure's color, whose value depends on the theme."""
    return NEUTRAL.get(color.lower(), f"--drawn-{color.lower().removeprefix('#')}")


def drawn_colors() -> dict[str, tuple[str, str]]:
    """The CSS variables of the methods' colors, with their values on light and dark."""
    colors = [*style.METHOD_COLORS.values(), *style.OKABE_ITO]
    return {variable(color): pair(color) for color in colors if color not in NEUTRAL}


def method_colors(methods: Sequence[str]) -> dict[str, str]:
    """The CSS variable of each method's color."""
    return {method: variable(style.method_color(method)) for method in methods}


def class_colors(count: int) -> list[tuple[str, str]]:
    """The colors of classes on light and dark; more than ten classes share colors."""
    used = min(count, len(style.CATEGORY_COLORS))
    return [pair(style.category_color(place)) for place in range(used)]


def pair(color: str) -> tuple[str, str]:
    """A figure's color with enough contrast on light and on dark."""
    return visible(color, LIGHT_PAGE), visible(color, DARK_PAGE)


def on_dark(color: str) -> str:
    """A figure's color in the dark theme, also if it is neutral."""
    return NEUTRAL_ON_DARK.get(color.lower()) or visible(color, DARK_PAGE)


def visible(color: str, page: str) -> str:
    """`color`, mixed with the least white (on dark) or black that gives LEAST_CONTRAST."""
    other = 255 if page == DARK_PAGE else 0
    for step in range(STEPS + 1):
        share = step / STEPS
        mixed = [channel + share * (other - channel) for channel in _channels(color)]
        text = "#" + "".join(f"{round(channel):02x}" for channel in mixed)
        if contrast(text, page) >= LEAST_CONTRAST[page]:
            break
    return text


def contrast(one: str, other: str) -> float:
    """The contrast of two colors as WCAG defines it, 1 to 21."""
    lighter, darker = sorted([_luminance(one), _luminance(other)], reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (channel / 255 for channel in _channels(color))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
