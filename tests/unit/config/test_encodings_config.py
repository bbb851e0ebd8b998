"""The key `encodings`: which cases it makes, and what is refused before anything runs."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import features

from petite import config
from petite.config import Plan
from petite.util.errors import PetiteError

REPOSITORY = Path(__file__).resolve().parents[3]
DEFAULT = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
SMALL = {"side": 16, "codec": "webp", "quality": 30}


def loaded(encodings: Any, **sections: Any) -> config.Config:
    return config.load({**DEFAULT, "encodings": encodings, **sections})


def test_originals_alone_are_the_default_and_change_no_case() -> None:
    without = {key: value for key, value in DEFAULT.items() if key != "encodings"}
    assert config.load(without) == config.load(DEFAULT)
    assert all("@" not in label for label, _ in config.load(DEFAULT).runs)


def test_every_method_is_judged_in_every_encoding() -> None:
    originals = list(loaded(["original"]).runs_of("scratch"))
    both = list(loaded(["original", SMALL]).runs_of("scratch"))
    assert both == [*originals, *((f"{label}@16px-webp-q30", share) for label, share in originals)]


def test_a_probe_judges_no_augmented_images_in_any_encoding() -> None:
    judged = loaded(["original", SMALL], judges={"scratch": None, "probe": {}}).runs_of("probe")
    assert judged and not any(label.startswith("augmentation") for label, _ in judged)


def test_without_originals_only_the_full_set_is_judged_in_them() -> None:
    cases = loaded([SMALL]).runs_of("scratch")
    assert [case for case in cases if "@" not in case[0]] == [("full", 1.0)]
    assert ("random@16px-webp-q30", 0.1) in cases


def test_encodings_share_the_subsets_and_their_selection() -> None:
    plan = Plan(loaded([SMALL], seeds=9))
    assert plan.subset_seeds("random", 0.1) == 9
    assert plan.steps("pca_grid@16px-webp-q30") == plan.steps("pca_grid")
    assert plan.is_seeded("random@16px-webp-q30")


@pytest.mark.parametrize(
    ("encodings", "key", "value"),
    [
        ([{**SMALL, "quality": 0}], "encodings.0.quality", "0"),
        ([{**SMALL, "quality": 101}], "encodings.0.quality", "101"),
        ([{**SMALL, "quality": 2.5}], "encodings.0.quality", "2.5"),
        ([{**SMALL, "quality": True}], "encodings.0.quality", "true"),
        ([{**SMALL, "side": 7}], "encodings.0.side", "7"),
        ([{**SMALL, "side": "64x64"}], "encodings.0.side", "64x64"),
        ([{**SMALL, "codec": "jpegxl"}], "encodings.0.codec", "jpegxl"),
        ([{**SMALL, "codec": "WebP"}], "encodings.0.codec", "WebP"),
        ([{**SMALL, "qualty": 3}], "encodings.0.qualty", "quality"),
        ([{"codec": "webp", "quality": 3}], "encodings.0.side", "webp"),
        ([{"codec": "webp", "side": 64}], "encodings.0.quality", "webp"),
        ([{"side": 64, "quality": 3}], "encodings.0.codec", "missing"),
        ([{"codec": "original", "side": 64}], "encodings.0.side", "originals"),
        ([SMALL, dict(SMALL)], "encodings", "16px-webp-q30"),
        (["original", "original"], "encodings", "original"),
        (["webp"], "encodings.0", "webp"),
        ([], "encodings", "1"),
        (SMALL, "encodings", "list"),
        ("original", "encodings", "original"),
        (None, "encodings", "null"),
    ],
)
def test_a_wrong_encoding_is_refused_with_its_key(encodings: Any, key: str, value: str) -> None:
    with pytest.raises(PetiteError) as refused:
        loaded(encodings)
    assert f"{key}: " in str(refused.value)
    assert value in str(refused.value)


def test_a_codec_that_pillow_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check = features.check
    monkeypatch.setattr(features, "check", lambda name: name != "avif" and check(name))
    assert loaded([SMALL])
    with pytest.raises(PetiteError, match=r"encodings\.0\.codec.*AVIF"):
        loaded([{**SMALL, "codec": "avif"}])


def test_encodings_that_nothing_is_judged_in_are_refused() -> None:
    program = {"command": "train.py {train} {test} {predictions}"}
    with pytest.raises(PetiteError, match="encodings: mine"):
        loaded([SMALL], judges={"scratch": None, "mine": program})


def test_a_program_judges_originals_beside_a_judge_of_encodings() -> None:
    program = {"command": "train.py {train} {test} {predictions}"}
    both = loaded(["original", SMALL], judges={"scratch": {}, "mine": program})
    assert all("@" not in label for label, _ in both.runs_of("mine"))
    assert any("@" in label for label, _ in both.runs_of("scratch"))


@pytest.mark.parametrize(
    "budget", ["10%", "10 %", "0.5%", "2 MB", "2MB", "2 mb", "600KB", "1e6 B", "2000000 b"]
)
def test_a_budget_is_a_number_of_bytes_or_a_percentage(budget: str) -> None:
    assert loaded(["original"], bytes=budget).bytes == budget
    assert loaded(["original"]).bytes is None


@pytest.mark.parametrize(
    "budget",
    ["0%", "100%", "150%", "-3%", "nan%", "inf%", "ten%", "%", "", "ten", "nan", "nan MB", "inf MB"]
    + ["0 MB", "-1 MB", "2 MiB", "2 megabytes", "2,5 MB", "MB", "0.1 B", "10% MB", "-2", "0"],
)
def test_a_budget_in_another_unit_or_above_the_originals_is_refused(budget: str) -> None:
    with pytest.raises(PetiteError) as refused:
        loaded(["original"], bytes=budget)
    assert f"bytes: '{budget}' is not a number of bytes" in str(refused.value)


@pytest.mark.parametrize("budget", [2, "2", 2_000_000, 2.5, 0.1, "1e6", 1e6])
def test_a_budget_without_a_unit_is_refused_and_asks_for_one(budget: Any) -> None:
    with pytest.raises(PetiteError, match=rf"bytes: '{budget}' has no unit"):
        loaded(["original"], bytes=budget)


@pytest.mark.parametrize("budget", [True, ["2 MB"], {"MB": 2}])
def test_a_budget_that_is_no_text_is_refused(budget: Any) -> None:
    with pytest.raises(PetiteError, match="bytes: "):
        loaded(["original"], bytes=budget)


def test_a_budget_below_two_images_is_refused() -> None:
    with pytest.raises(PetiteError, match="bytes: '80 B' has no room"):
        loaded(["original"], bytes="80 B")


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("encodings", ["original", SMALL]),
        ("split", {"repeats": 3}),
        ("grow", {"path": "new"}),
    ],
)
def test_what_a_search_would_not_follow_is_refused(section: str, value: Any) -> None:
    sections = {"encodings": ["original"], "bytes": "10%", "seeds": 7, section: value}
    with pytest.raises(PetiteError, match=rf"bytes: .*{section}"):
        loaded(**sections)


def test_a_search_needs_validation_images_and_a_judge_that_trains_here() -> None:
    with pytest.raises(PetiteError, match=r"bytes: .*split\.validation"):
        loaded(["original"], bytes="10%", split={"validation": 0})
    program = {"command": "train.py {train} {test} {predictions}"}
    with pytest.raises(PetiteError, match=r"bytes: .*mine"):
        loaded(["original"], bytes="10%", judges={"scratch": None, "probe": None, "mine": program})
