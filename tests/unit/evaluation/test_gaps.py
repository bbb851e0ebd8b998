"""What a table lacks, in words."""

from petite.evaluation.gaps import Gap, gaps_text


def test_a_whole_table_lacks_nothing():
    assert gaps_text([]) == ""


def test_what_is_missing_is_named_with_why_and_how_to_switch_it_off():
    text = gaps_text(
        [
            Gap("random", 0.5, 3, 5, ["train/random/0.5/seeds-3-4"]),
            Gap("herding", 0.1, 0, 5, ["features/own"]),
            Gap("d2", 0.1, 0, 5, []),
        ]
    )
    assert "random at 50% (3 of 5 seeds are done), where train/random/0.5/seeds-3-4 failed" in text
    assert "herding at 10%, where features/own failed" in text
    assert "d2 at 10%, not begun" in text
    assert "methods: {herding: {fractions: []}}" in text


def test_of_many_gaps_the_first_are_named():
    text = gaps_text([Gap(f"method_{n}", 0.1, 0, 1, []) for n in range(9)])
    assert "method_4" in text
    assert "method_5" not in text
    assert "and 4 more" in text
