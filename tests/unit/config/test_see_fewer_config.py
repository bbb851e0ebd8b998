"""Methods that keep all images and see fewer, and judges on soft labels: what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from petite import config
from petite.config import Plan
from petite.training.seeing import InfoBatchSettings, Rs2Settings
from petite.util.errors import PetiteError

REPOSITORY = Path(__file__).resolve().parents[3]
DEFAULT = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))


def loaded(methods: dict[str, Any] | None = None, **sections: Any) -> config.Config:
    return config.load({**DEFAULT, "methods": {**DEFAULT["methods"], **(methods or {})}} | sections)


def test_what_sees_fewer_keeps_the_full_set_and_is_trained_as_it_says() -> None:
    tenth = {"method": "rs2", "seen": 0.1, "fractions": [1]}
    plan = Plan(loaded({"tenth": tenth, "infobatch": {"fractions": [1], "pruned": 0.3}}))
    assert plan.steps("tenth") == plan.steps("full")
    assert not plan.is_seeded("tenth") and plan.ranks("tenth") == plan.ranks("full")
    assert plan.seeing("tenth") == {"rs2": Rs2Settings(seen=0.1).model_dump()}
    assert plan.seeing("infobatch") == {"infobatch": InfoBatchSettings(pruned=0.3).model_dump()}
    assert plan.seeing("full") is None and plan.seeing("random@64px-webp-q40") is None
    assert ("tenth", 1.0) in plan.cases_of("scratch")


def test_only_judges_that_train_see_fewer_and_only_of_the_originals() -> None:
    small = {"side": 16, "codec": "webp", "quality": 30}
    found = loaded(
        {"rs2": {"fractions": [1]}},
        encodings=["original", small],
        judges={"scratch": {}, "fine_tune": {}, "probe": {}, "probe_soft": {}, "scratch_soft": {}},
    )
    for judge in ("scratch", "fine_tune", "scratch_soft"):
        assert [case for case in found.runs_of(judge) if "rs2" in case[0]] == [("rs2", 1.0)]
    for judge in ("probe", "probe_soft"):
        assert not [case for case in found.runs_of(judge) if "rs2" in case[0]]


@pytest.mark.parametrize(
    ("methods", "key", "value"),
    [
        ({"rs2": {"fractions": [0.1]}}, "methods.rs2.fractions", "[1]"),
        ({"rs2": {"fractions": [1], "seen": 1}}, "methods.rs2.seen", "1"),
        ({"rs2": {"fractions": [1], "seen": 0}}, "methods.rs2.seen", "0"),
        ({"rs2": {"fractions": [1], "seen": "10%"}}, "methods.rs2.seen", "10%"),
        ({"rs2": {"fractions": [1], "quota": "equal"}}, "methods.rs2.quota", "quota"),
        ({"infobatch": {"fractions": [1], "pruned": 1}}, "methods.infobatch.pruned", "1"),
        ({"infobatch": {"fractions": [1], "annealing": 2}}, "methods.infobatch.annealing", "2"),
        (
            {"infobatch": {"fractions": [1], "anealing": 1}},
            "methods.infobatch.anealing",
            "annealing",
        ),
        ({"rs2": {"fractions": [1]}, "full": {"fractions": []}}, "methods.rs2", "full"),
        (
            {
                "two": {
                    "steps": [{"method": "rs2", "share": 2}, {"method": "random"}],
                    "fractions": [0.1],
                }
            },
            "methods.two.steps.0.method",
            "rs2",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(
    methods: dict[str, Any], key: str, value: str
) -> None:
    with pytest.raises(PetiteError) as refused:
        loaded(methods)
    assert key in str(refused.value) and value in str(refused.value)


@pytest.mark.parametrize(
    ("judge", "settings", "key"),
    [
        ("scratch_soft", {"teachers": 0}, "teachers"),
        ("scratch_soft", {"teachers": True}, "teachers"),
        ("scratch_soft", {"views": 0}, "views"),
        ("scratch_soft", {"views": 2.5}, "views"),
        ("scratch_soft", {"temperature": 0}, "temperature"),
        ("scratch_soft", {"temprature": 2}, "temprature"),
        ("probe_soft", {"teachers": 2}, "teachers"),
        ("probe_soft", {"pool_share": 1}, "pool_share"),
    ],
)
def test_wrong_settings_of_judges_on_soft_labels_are_refused_by_their_key(
    judge: str, settings: dict[str, Any], key: str
) -> None:
    with pytest.raises(PetiteError, match=rf"judges\.{judge}\.{key}"):
        loaded(judges={judge: settings})


def test_a_probe_on_soft_labels_needs_what_a_probe_needs() -> None:
    with pytest.raises(PetiteError, match=r"judges\.probe_soft\.penalties"):
        loaded(judges="probe_soft", split={"validation": 0})
    with pytest.raises(PetiteError, match=r"judges\.probe_soft\.pool_share"):
        loaded({"random": {"fractions": [0.95]}}, judges="probe_soft")
    with pytest.raises(PetiteError, match=r"scratch_soft"):
        loaded(judges={"scratch_sofft": {}})


@pytest.mark.parametrize("judge", ["probe", "probe_soft"])
@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (["rs2"], ["passes"]),
        (["infobatch"], ["passes"]),
        (["augmentation"], ["embeddings"]),
        (["augmentation", "rs2"], ["embeddings", "passes"]),
    ],
)
def test_a_probe_that_judges_none_of_the_methods_says_why(
    judge: str, methods: list[str], said: list[str]
) -> None:
    entries = {name: {"fractions": [1 if name != "augmentation" else 0.5]} for name in methods}
    with pytest.raises(PetiteError) as refused:
        config.load({**DEFAULT, "methods": entries, "judges": judge})
    [problem] = [line for line in str(refused.value).splitlines() if f"judges.{judge}" in line]
    assert [word for word in ("embeddings", "passes") if word in problem] == said


@pytest.mark.parametrize("name", ["rs2", "infobatch"])
def test_they_choose_no_images_of_a_pool_and_order_no_new_ones(name: str) -> None:
    methods = {name: {"fractions": [1]}}
    with pytest.raises(PetiteError, match=name):
        loaded(methods, pool={"path": "pool", "methods": [name]})
    with pytest.raises(PetiteError, match=name):
        loaded(methods, grow={"path": "new", "kept": "random:0.1", "method": name})
