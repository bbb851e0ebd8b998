"""Lengths of time as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petite.util import duration
from petite.util.errors import PetiteError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90 s", 90),
        ("90s", 90),
        ("30 min", 1_800),
        ("30m", 1_800),
        (" 2 Hours ", 7_200),
        ("1.5 h", 5_400),
        ("1 h 30 min", 5_400),
        ("1h30min15s", 5_415),
        ("1 d 1 s", 86_401),
    ],
)
def test_a_time_is_the_sum_of_its_parts(text: str, seconds: float) -> None:
    assert duration.parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "30", "min", "0 min", "-5 min", "5 parsecs", "1:30", "nan min", "inf h"),
        *("1 h or 2", "30 min 1 h", "1 h 1 h", "1 h1", "1,5 h", "1e3 s", "٣ min", "1. h", ".5 h"),
        f"{'9' * 400} d",
    ],
)
def test_what_is_no_time_is_refused_with_what_was_written(text: str) -> None:
    with pytest.raises(PetiteError) as caught:
        duration.parse(text)
    assert f"'{text}'" in str(caught.value)


@given(st.floats(1, 1e7))
def test_a_time_that_suffices_is_read_back_and_is_hardly_longer(seconds: float) -> None:
    shown = duration.parse(duration.at_least(seconds))
    assert seconds <= shown <= 1.2 * seconds + 10
