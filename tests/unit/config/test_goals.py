"""What the table of goals says to write can be written, and the page has the same table.

`make goals` updates the page.
"""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from petite import config
from petite.config.goals import COMMAND, GOALS, Goal, as_markdown, as_text
from petite.config.layers import Layer, command_line, read_layer, resolve

REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = REPOSITORY / "docs/goals.md"
BEGIN, END = "<!-- written by `make goals` -->\n", "<!-- end -->\n"
RULES = {
    name
    for path in (REPOSITORY / "workflow/rules").glob("*.smk")
    for name in re.findall(r"^\s*rule (\w+):", path.read_text("utf-8"), flags=re.MULTILINE)
}


def with_table(text: str) -> str:
    """The page with the table as it is due between the two marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}{as_markdown()}{END}{rest.split(END, 1)[1]}"


def written(goal: Goal) -> list[Layer]:
    """The settings of a goal, above those of a folder of photographs."""
    folder = Layer("a file", {"folder": "/data/photos"})
    if not goal.is_command:
        return [folder, Layer("a goal", yaml.safe_load(goal.use))]
    words = shlex.split(goal.use)
    place = words.index("--config") + 1
    return [command_line(words[place:])]


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.want)
def test_what_a_goal_says_to_write_is_a_valid_configuration(goal: Goal) -> None:
    default = read_layer(REPOSITORY / "config.yaml", "default")
    resolved = resolve(default, written(goal), REPOSITORY / "workflow/config")
    loaded = config.load(resolved.values)
    assert resolved.preset or not loaded.pool.labeled


@pytest.mark.parametrize("goal", [goal for goal in GOALS if goal.is_command], ids=lambda g: g.want)
def test_the_targets_of_a_goal_are_rules_and_its_paths_exist(goal: Goal) -> None:
    words = shlex.split(goal.use.removeprefix(COMMAND))
    words = words[: words.index("--config")]
    options = {"--cores": r"all|\d+", "--profile": r"workflow/profiles/\w+"}
    while words:
        word = words.pop(0)
        if word not in options:
            assert word in RULES or word == "watch"  # not a job, see rules/watch.smk
            continue
        value = words.pop(0)
        assert re.fullmatch(options[word], value)
        assert "/" not in value or (REPOSITORY / value).is_dir()


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.want)
def test_a_goal_leads_to_a_heading_of_a_page(goal: Goal) -> None:
    page, _, anchor = goal.read.partition("#")
    text = (REPOSITORY / "docs" / page).read_text("utf-8")
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-") for name in headings}
    assert not anchor or anchor in anchors


def test_no_goal_and_no_setting_is_there_twice() -> None:
    assert len({goal.want for goal in GOALS}) == len({goal.use for goal in GOALS}) == len(GOALS)


def test_the_page_has_the_table_of_the_goals() -> None:
    text = PAGE.read_text("utf-8")
    assert with_table(text) == text, "the goals have changed: run `make goals`"


def test_a_terminal_shows_every_goal_with_what_to_write_and_a_page_that_exists() -> None:
    lines = as_text().splitlines()
    assert lines[1::3] == [goal.want for goal in GOALS]
    assert [line.strip() for line in lines[2::3]] == [goal.use for goal in GOALS]
    assert all((REPOSITORY / line.strip()).is_file() for line in lines[3::3])


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
