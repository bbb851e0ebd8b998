"""Judges of a name of one's own in the configuration."""

import json
from typing import Any

import pytest

from petite import config
from petite.config.json_schema import json_schema
from petite.training.judges import judge_named
from petite.util.errors import PetiteError

COMMAND = "python train.py {train} {test} {predictions}"
METHODS = {"random": {"fractions": [0.5, 0.1]}, "augmentation": {"fractions": [0.1]}}


def loaded(judges: Any) -> config.Config:
    return config.load({"methods": METHODS, "seeds": 3, "judges": judges})


def test_a_program_is_a_judge_after_those_of_petite() -> None:
    found = loaded({"mine": {"command": COMMAND, "seeds": 5, "fractions": [0.1]}, "scratch": {}})
    assert list(found.judges.used) == ["scratch", "mine"]
    # It is given rendered images, so it judges augmented ones too.
    assert found.runs_of("mine") == {("random", 0.1): 5, ("augmentation", 0.1): 5}
    judge = judge_named("mine")
    assert (judge.rule, judge.selects, judge.has_models) == ("judge_program", False, False)
    assert "mine" in judge.words


def test_a_program_may_be_the_only_judge_and_null_disables_one() -> None:
    judges = {"scratch": None, "mine": {"command": COMMAND}, "other": None}
    assert list(loaded(judges).judges.used) == ["mine"]


def test_a_program_survives_the_record_of_the_configuration() -> None:
    found = loaded({"mine": {"command": COMMAND, "max_seconds": 60}})
    again = config.load(json.loads(json.dumps(found.model_dump(mode="json"))))
    assert again.judges == found.judges


@pytest.mark.parametrize(
    ("judges", "key", "said"),
    [
        ({"prob": {}}, "judges.prob", "'probe'"),
        ({"mine": {}}, "judges.mine", "command"),
        ({"my judge": {"command": COMMAND}}, "judges.my judge", "letters"),
        ({"a/../b": {"command": COMMAND}}, "judges.a/../b", "letters"),
        ({"mine": 3}, "judges.mine", "3"),
        ({"mine": {"command": COMMAND + " {seeds}"}}, "judges.mine.command", "'seeds'"),
        ({"mine": {"command": "a {train}"}}, "judges.mine.command", "{predictions}"),
        ({"mine": {"command": ["a", "b"]}}, "judges.mine.command", "text"),
        ({"mine": {"command": COMMAND, "max_secs": 3}}, "judges.mine.max_secs", "'max_seconds'"),
        ({"mine": {"command": COMMAND, "seeds": 0}}, "judges.mine.seeds", "0"),
        ({"mine": {"command": COMMAND, "fractions": [0.3]}}, "judges.mine.fractions", "0.3"),
        ({"mine": {"command": COMMAND, "image_size": True}}, "judges.mine.image_size", "true"),
    ],
)
def test_a_wrong_program_is_refused_by_its_key(judges: Any, key: str, said: str) -> None:
    with pytest.raises(PetiteError) as error:
        loaded(judges)
    assert key in str(error.value) and said in str(error.value)


def test_the_schema_takes_programs() -> None:
    section = json.loads(json_schema())["$defs"]["JudgesSection"]
    assert {"$ref": "#/$defs/ProgramSettings"} in section["additionalProperties"]["anyOf"]
