"""The share of the images that was really kept, where it is another than the one asked for."""

from petite.util.formatting import percent, rounded_percent

# The kept share is given beside the fraction where it differs from it by more than this part.
NOTICEABLE = 0.1


def is_other_share(fraction: float, share: float | None) -> bool:
    """Whether the `share` that was kept differs noticeably from the `fraction` asked for."""
    return share is not None and abs(share / fraction - 1) > NOTICEABLE


def kept(fraction: float, share: float | None) -> str:
    """The fraction asked for, and the real share where it is another: "10%", "10% (33%)"."""
    if share is None or not is_other_share(fraction, share):
        return percent(fraction)
    return f"{percent(fraction)} ({rounded_percent(share)})"


def why_other_share(fraction: float, share: float) -> str:
    """Why the share that was kept is another than the one asked for."""
    if share > fraction:
        return "as each class has at least one"
    return "as the method kept fewer"
