"""Names of classes and files as people can read them."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from petite.util.names import isolated, isolated_words, printable, shortened, told_apart


@given(st.text(min_size=1), st.integers(5, 30))
def test_a_shortened_name_fits_and_shows_both_ends(name, length):
    short = shortened(name, length)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in short)
    marks = sum(unicodedata.category(letter) in {"Mn", "Me", "Cf"} for letter in short)
    assert len(short) + wide - marks <= length + wide * marks
    assert short[0] == printable(name)[0] and short[-1] == printable(name)[-1]
    if len(printable(name)) * 2 <= length:
        assert short == printable(name)


def test_wide_letters_count_twice_and_accents_stay_on_their_letters():
    assert shortened("猫" * 20, 9) == "猫猫…猫猫"
    assert shortened("q\u0308" * 20, 5) == "q\u0308q\u0308…q\u0308q\u0308"
    assert shortened("cafe\u0301", 4) == "café"


def test_what_nobody_can_see_is_a_code_point():
    assert printable("two\nlines\t") == "twoU+000AlinesU+0009"
    assert printable("a\u202egpj") == "aU+202Egpj"
    assert printable("\udce9t\u00e9") == "U+DCE9té"


def test_only_names_from_right_to_left_are_isolated():
    assert isolated("cat (3)") == "cat (3)"
    for name in ("חתול", "قطة", "cat חתול"):
        assert isolated(name) == f"\u2068{name}\u2069"


def test_words_from_right_to_left_in_a_sentence_are_isolated_one_by_one():
    assert (
        isolated_words("חתול קטן: 3, كلب: 4 (5)")
        == "\u2068חתול קטן\u2069: 3, \u2068كلب\u2069: 4 (5)"
    )
    assert isolated_words("cat: 3") == "cat: 3"


def test_names_that_are_cut_to_the_same_get_their_numbers():
    names = {0: "a" * 50 + "1" + "b" * 50, 1: "a" * 50 + "2" + "b" * 50, 2: "cat"}
    assert told_apart(names, 12, shortened) == {0: "0: aaaa…bbbb", 1: "1: aaaa…bbbb", 2: "cat"}
