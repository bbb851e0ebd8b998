"""The recommendation is data that round-trips, and three renderers say the same of it.

recommendations/ holds recorded recommendations of different kinds, and what each renderer makes of
them. After a change of the wording, run this file as a program to write the latter again, and read
the difference.
"""

import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petite.evaluation.chance import Cause
from petite.evaluation.recommendation import (
    SCHEMA,
    Answers,
    Caution,
    FindingKind,
    Gap,
    Recommendation,
    StepKind,
    Subset,
)
from petite.evaluation.rendering import as_markdown, as_text
from petite.evaluation.sentences import CAUSES, FINDINGS, NOT_LEARNED, STEPS
from petite.evaluation.wording import Wording, disagreement, gap_sentences
from petite.report.answer import answer
from petite.report.page import environment
from petite.util.errors import PetiteError

RECORDED = sorted((Path(__file__).parent / "recommendations").glob("*.json"))
HOSTILE = "</script><b>&{tolerance}"


def recorded(path: Path) -> Recommendation:
    return Answers.from_json(json.loads(path.read_text("utf-8"))).first


def as_html(recommendation: Recommendation) -> str:
    """What the page shows of it, without the page."""
    template = (
        '{% import "answer.html" as said %}{{ said.answer(answer) }}'
        "{% for part in answer.beside %}{{ said.section(part) }}{% endfor %}"
        "{% for part in answer.tables %}{{ said.table(part) }}{% endfor %}"
        "{{ said.section(answer.curve) }}"
    )
    return environment().from_string(template).render(answer=answer(recommendation))


RENDERERS = {".txt": as_text, ".md": as_markdown, ".html": as_html}


# ----------------------------------------------------------------------------------- the record


FINITE = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(float, FINITE)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), st.builds(Recommendation), min_size=1, max_size=2))
def test_any_recommendation_survives_its_file(judges: dict[str, Recommendation]) -> None:
    text = json.dumps(Answers(judges).to_json())
    assert Answers.from_json(json.loads(text)) == Answers(judges)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_recommendation_is_read_and_written_again_as_it_was(path: Path) -> None:
    values = json.loads(path.read_text("utf-8"))
    assert Answers.from_json(values).to_json() == values
    assert values["schema"] == SCHEMA


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"schema": SCHEMA + 1}, f"schema {SCHEMA + 1}"),
        ({"schema": None}, "schema None"),
        ({"kind": "keep_some"}, "kind"),
        ({"kept": {"method": "random"}}, "kept.fraction"),
        ({"findings": [{"kind": "equivalent", "seeds": "three"}]}, "findings.0.seeds"),
    ],
)
def test_a_file_that_is_no_recommendation_is_refused_by_its_key(change, named: str) -> None:
    values = json.loads(RECORDED[0].read_text("utf-8"))
    if "schema" in change:
        values |= change
    else:
        values["judges"]["scratch"] |= change
    with pytest.raises(PetiteError, match=named):
        Answers.from_json(values)


# -------------------------------------------------------------------------------- the renderers


@pytest.mark.parametrize("suffix", RENDERERS)
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_recommendation_reads_as_it_did(path: Path, suffix: str) -> None:
    expected = path.with_suffix(suffix).read_text("utf-8")
    assert RENDERERS[suffix](recorded(path)) == expected


def test_recommendations_of_all_kinds_are_recorded() -> None:
    kinds = {recorded(path).kind for path in RECORDED}
    assert kinds == {"keep_subset", "keep_all", "keep_largest", "keep_none"}


def test_every_kind_has_its_sentence() -> None:
    assert {*FINDINGS} | {*NOT_LEARNED} == {*get_args(FindingKind)}
    assert {*STEPS} == {*get_args(StepKind)}
    assert {*CAUSES} == {*get_args(Cause)}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_text_fits_the_terminal_and_nothing_is_left_unfilled(path: Path) -> None:
    text = as_text(recorded(path))
    assert max(map(len, text.splitlines())) <= 100
    for render in RENDERERS.values():
        said = render(recorded(path)).replace("{fractions: []}", "")
        assert "nan" not in said and "None" not in said
        assert not {"{", "}"} & set(said.replace("methods: {herding: }", ""))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_tables_of_markdown_have_as_many_cells_in_each_row(path: Path) -> None:
    blocks = [block for block in as_markdown(recorded(path)).split("\n\n") if block[0] == "|"]
    found = recorded(path)
    assert len(blocks) == (
        bool(found.chance)
        + any(one.random for one in found.comparisons)
        + any(one.full for one in found.comparisons)
    )
    for block in blocks:
        assert len({line.count("|") for line in block.splitlines()}) == 1


def hostile(value: Any) -> Any:
    """A record in which every name of a class is HTML."""
    if isinstance(value, tuple):
        return tuple(map(hostile, value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    found = replace(value, **{one.name: hostile(getattr(value, one.name)) for one in fields(value)})
    names = {"never": 1, "guessed": 1, "classes": 1}
    for field in (one.name for one in fields(value)):
        if field == "constant":
            found = replace(found, constant=HOSTILE)
        elif field in names and isinstance(getattr(found, field), tuple):
            found = replace(found, **{field: (HOSTILE,) * len(getattr(found, field))})
    return found


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_no_html_of_a_name_reaches_the_page(path: Path) -> None:
    html = as_html(hostile(recorded(path)))
    assert "</script>" not in html and "<b>" not in html
    if recorded(path).chance:
        assert "&lt;/script&gt;" in html


@pytest.mark.parametrize(
    ("bounds", "is_clear"), [((0.02, 0.3), True), ((-0.01, 0.4), False), (None, False)]
)
def test_a_method_that_beats_random_on_few_test_images_does_so_on_these(
    bounds: tuple[float, float] | None, is_clear: bool
) -> None:
    found = recorded(Path(__file__).parent / "recommendations/keep_subset.json")
    cited = found.comparison(Subset("herding", 0.1))
    assert cited.random is not None
    difference = replace(cited.random.difference, seeds_and_images=bounds)
    changed = replace(cited, random=replace(cited.random, difference=difference))
    comparisons = tuple(changed if one == cited else one for one in found.comparisons)
    basis = found.basis if bounds else replace(found.basis, test_images=None)
    said = as_markdown(replace(found, comparisons=comparisons, basis=basis))
    assert ("better than random at this size on these test images (+19.9" in said) != is_clear
    too_few = "They are too few to show it for other images (95% interval over seeds and test "
    assert (too_few + "images -1.0 to +40.0)." in said) == (not is_clear and bounds is not None)


def test_negative_numbers_have_a_minus_on_the_page_and_a_hyphen_in_the_terminal() -> None:
    path = next(path for path in RECORDED if path.stem == "keep_all")
    assert "(−2.0 points, 90% interval −2.1 to −1.9)" in as_html(recorded(path))
    assert "(-2.0 points, 90% interval -2.1 to -1.9)" in " ".join(as_text(recorded(path)).split())


def test_names_written_from_right_to_left_are_isolated_on_the_page() -> None:
    path = next(path for path in RECORDED if path.stem == "nothing_learned")
    found = recorded(path)
    assert found.chance
    turned = replace(found, chance=replace(found.chance, constant="חתול"))
    assert "\u2068חתול\u2069" in as_html(turned)
    assert "\u2068" not in as_text(turned) and "חתול" in as_text(turned)


# --------------------------------------------------------------------- sentences that must agree


def test_one_is_said_in_the_singular_and_two_in_the_plural() -> None:
    found = recorded(next(path for path in RECORDED if path.stem == "keep_all_for_now_with_gaps"))
    once = replace(found, findings=tuple(replace(one, seeds=(1, 1)) for one in found.findings))
    assert "1 seed is too few to show that a subset does as well" in as_text(once).replace(
        "\n", " "
    )
    some = replace(found, findings=tuple(replace(one, seeds=(1, 3)) for one in found.findings))
    assert "1 to 3 seeds are too few to show" in as_text(some).replace("\n", " ")
    (compared,) = (one for one in found.comparisons if one.random)
    two = replace(found, comparisons=(*found.comparisons, replace(compared, method="other")))
    assert "1 comparison with random, 3 seeds: too few seeds." in Wording(found).how_sure()
    assert "2 comparisons with random, 3 seeds each: 2 with too few seeds." in (
        Wording(two).how_sure()
    )
    for count, have in ((1, "1 of 7 runs"), (2, "2 of 7 runs")):
        caution = Caution("runs_with_one_answer", found.findings[0].subset, 85, count, of=7)  # type: ignore[arg-type]
        said = Wording(replace(found, cautions=(caution,))).how_sure()[0]
        assert f"{have} trained on" in said and said.endswith(
            "gives the same answer for all images."
            if count == 1
            else "give the same answer for all images."
        )


def test_what_is_left_out_is_named_with_the_numbers_of_its_models() -> None:
    path = next(path for path in RECORDED if path.stem == "keep_all_as_no_subset_learned")
    found = recorded(path)
    random = replace(found, left_out=found.left_out[:1])
    said = " ".join(as_text(random).split())
    reason = "is left out because its models are not shown to beat a constant answer."
    assert f"The subset random at 10% {reason}" in said
    sure = " ".join(Wording(random).how_sure())
    assert "random at 10% (balanced accuracy 50.0%; never answered: " in sure and reason in sure
    blind = replace(
        random, left_out=tuple(replace(one, accuracy_p=0, balanced_p=0) for one in random.left_out)
    )
    assert "its models never answer some of the classes" in as_text(blind).replace("\n", " ")


# ------------------------------------------------------------------------------------ the gaps


def test_a_whole_table_lacks_nothing() -> None:
    assert gap_sentences([]) == []


def test_what_is_missing_is_named_with_why_and_how_to_switch_it_off() -> None:
    text = " ".join(
        map(
            str,
            gap_sentences(
                [
                    Gap("random", 0.5, 3, 5, ("train/random/0.5/seeds-3-4",)),
                    Gap("herding", 0.1, 0, 5, ("features/own",)),
                    Gap("d2", 0.1, 0, 5, ()),
                ]
            ),
        )
    )
    random, herding, d2 = text.split("Missing: ")[1].split(". ")[0].split("; ")
    assert "random at 50% (3 of 5 seeds" in random and "train/random/0.5/seeds-3-4" in random
    assert "herding at 10%" in herding and "features/own" in herding
    assert "d2 at 10%" in d2 and "failed" not in d2
    assert "methods: {herding: {fractions: []}}" in text


def test_of_many_gaps_the_first_are_named() -> None:
    gaps = [Gap(f"method_{n}", 0.1, 0, 1, ()) for n in range(9)]
    text = " ".join(map(str, gap_sentences(gaps)))
    assert "method_4" in text
    assert "method_5" not in text
    assert "and 4 more" in text


KEPT, ALL = (recorded(path) for path in RECORDED if path.stem in ("keep_subset", "keep_all"))
AGREE, DISAGREE = "agree", "disagree"


@pytest.mark.parametrize(
    ("judges", "starts", "verbs"),
    [
        ({"probe": KEPT, "scratch": KEPT}, ["The judges agree"], [AGREE]),
        ({"probe": KEPT, "scratch": ALL}, ["The judges disagree"], [DISAGREE]),
        (
            {"scratch": KEPT, "scratch_soft": ALL},
            ["Trained from scratch, ", "Trained from scratch on soft labels, "],
            [],
        ),
        (
            {"probe": KEPT, "scratch": KEPT, "probe_soft": ALL},
            ["The judges on hard labels agree", "By a linear probe on soft labels, "],
            [AGREE],
        ),
        (
            {"scratch": KEPT, "probe_soft": ALL, "scratch_soft": KEPT},
            ["Trained from scratch, ", "The judges on soft labels disagree"],
            [DISAGREE],
        ),
        ({"probe_soft": KEPT, "scratch_soft": KEPT}, ["The judges on soft labels agree"], [AGREE]),
    ],
)
def test_judges_on_hard_and_on_soft_labels_are_not_compared(
    judges: dict[str, Recommendation], starts: list[str], verbs: list[str]
) -> None:
    said = disagreement(Answers(judges))
    assert said.startswith(starts[0])
    assert all(f". {start}" in said for start in starts[1:])
    assert [verb for verb in (AGREE, DISAGREE) if f" {verb}:" in said] == verbs


if __name__ == "__main__":
    for file in RECORDED:
        for suffix, render in RENDERERS.items():
            file.with_suffix(suffix).write_text(render(recorded(file)), "utf-8")
