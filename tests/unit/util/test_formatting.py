"""Numbers, times and sizes are written in one way."""

import math

import pytest

from petite.util.formatting import (
    MINUS,
    NOTHING,
    bracketed,
    byte_size,
    elapsed_time,
    in_percent,
    listed,
    measured_time,
    points,
    seconds,
    signed,
    signed_bracketed,
)


@pytest.mark.parametrize("share", [-0.0004, 0.0, 0.0004, -0.0])
def test_a_difference_that_rounds_to_nought_has_no_sign(share: float) -> None:
    assert signed(share) == "0.0"


def test_a_minus_sign_is_asked_for() -> None:
    assert signed(-0.05) == "-5.0" and signed(-0.05, MINUS) == "−5.0"
    assert signed_bracketed(-0.05, 0.01, MINUS) == "[−5.0, +1.0]"


@pytest.mark.parametrize("write", [in_percent, signed, seconds, measured_time, byte_size])
def test_what_is_unknown_is_a_dash(write) -> None:
    assert write(math.nan) == NOTHING


@pytest.mark.parametrize("write", [bracketed, signed_bracketed])
def test_an_interval_without_a_bound_is_left_away(write) -> None:
    assert write(math.nan, 0.5) == write(0.5, math.nan) == ""


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.01, "1 point"), (0.009999, "1 point"), (0.1, "10 points"), (0.015, "1.5 points")],
)
def test_one_point_is_in_the_singular(share: float, text: str) -> None:
    assert points(share) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 KB"),
        (999_499, "999 KB"),
        (999_500, "1 MB"),
        (25_500_000, "25.5 MB"),
        (6e9, "6 GB"),
        (2e15, "2,000 TB"),
    ],
)
def test_bytes_have_three_digits_at_most(size: float, text: str) -> None:
    assert byte_size(size) == text


@pytest.mark.parametrize(
    ("duration", "measured", "elapsed"),
    [
        (0, "0.00 s", "0 s"),
        (0.004, "< 0.01 s", "0 s"),
        (7.6, "7.60 s", "8 s"),
        (59.6, "60 s", "1 min 0 s"),
        (119.4, "119 s", "1 min 59 s"),
        (200, "3 min", "3 min 20 s"),
        (7500, "2.1 h", "2 h 5 min"),
    ],
)
def test_times_have_the_unit_that_suits_them(duration, measured, elapsed) -> None:
    assert measured_time(duration) == measured
    assert elapsed_time(duration) == elapsed


def test_of_many_names_the_first_are_listed() -> None:
    assert listed([]) == "" and listed(["a"]) == "a"
    assert listed(list("abcdefghijkl")) == "a, b, c, d, e, f, g, h, i, j and 2 more"
