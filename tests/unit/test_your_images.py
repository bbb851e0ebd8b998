"""docs/your-images.md: what it tells newcomers to write can be written."""

import re
from pathlib import Path

import pytest
import yaml

from petite.config import load
from petite.data.groups import named_groups, problem

PAGE = Path(__file__).resolve().parents[2] / "docs/your-images.md"
TEXT = PAGE.read_text(encoding="utf-8")
PATTERNS = re.findall(r"^\| `([^`]+)`[^|]*\| `'([^`]+)'` \|$", TEXT, flags=re.MULTILINE)
YAML = re.findall(r"^ *```yaml\n(.*?)^ *```$", TEXT, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("name", "pattern"), PATTERNS)
def test_each_pattern_finds_a_group_in_its_example(name: str, pattern: str) -> None:
    assert problem(pattern) is None
    assert len(named_groups([name], pattern).names) == 1


@pytest.mark.parametrize("block", YAML)
def test_each_setting_is_yaml_of_groups_of_settings_or_lists_of_images(block: str) -> None:
    settings = yaml.safe_load(block)
    lists = {name: settings.pop(name) for name in ("keep", "exclude") if name in settings}
    assert all(isinstance(value, dict) for value in settings.values())
    assert settings or load({"methods": {"random": {"fractions": [0.1]}}, **lists})


def test_there_are_ten_surprises_each_with_what_is_seen_and_why() -> None:
    surprises = re.split(r"^## \d+\. ", TEXT, flags=re.MULTILINE)[1:]
    assert len(surprises) == 10
    assert all("**You see**" in text and "**Why.**" in text for text in surprises)
    assert len(PATTERNS) == 5 and len(YAML) > 10
