"""The share of images that was actually kept, if it differs from the requested fraction."""

from petite.util.formatting import percent, rounded_percent

# Tables show the kept share next to the fraction if it differs by more than this, relative to it.
NOTICEABLE = 0.1


def is_other_share(fraction: float, share: float | None) -> bool:
    """Whether the kept `share` differs noticeably from the requested `fraction`."""
    return share is not None and abs(share / fraction - 1) > NOTICEABLE


def kept(fraction: float, share: float | None) -> str:
    """The requested fraction, and the kept share if it differs: "10%", "10% (33%)"."""
    if share is None or not is_other_share(fraction, share):
        return percent(fraction)
    return f"{percent(fraction)} ({rounded_percent(share)})"


def why_other_share(fraction: float, share: float) -> str:
    """Why the kept share differs from the requested fraction."""
    if share > fraction:
        return "because each class has at least one"
    if fraction == 1:  # of all images
        return "because each seed has its own part of the training images"
    return "because the method kept fewer"
