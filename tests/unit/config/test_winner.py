"""The configuration that judges what a search within a budget of bytes found."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from petite import config
from petite.config.winner import Winner, check_winner_can_be_judged, config_of_winner, read_winner
from petite.util.errors import PetiteError

REPOSITORY = Path(__file__).resolve().parents[3]
DEFAULT = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
WINNER = Winner(48, 20, 0.1234)


def asked(**sections: Any) -> config.Config:
    return config.load({**DEFAULT, "bytes": "10%", **sections})


def test_the_winner_is_compared_with_all_images_and_with_as_many_originals() -> None:
    judged = config_of_winner(asked(), WINNER)
    assert list(judged.runs_of("scratch")) == [
        ("full", 1.0),
        ("random", 0.1234),
        ("full@48px-webp-q20", 1.0),
        ("random@48px-webp-q20", 0.1234),
    ]
    assert judged.bytes is None


def test_where_all_images_have_room_no_random_ones_are_judged() -> None:
    judged = config_of_winner(asked(), Winner(48, 20, 1.0))
    assert list(judged.runs_of("scratch")) == [("full", 1.0), ("full@48px-webp-q20", 1.0)]


def test_a_judge_of_some_fractions_judges_the_winner() -> None:
    judges = {"scratch": {"fractions": [0.1]}, "probe": None}
    judged = config_of_winner(asked(judges=judges), WINNER)
    assert ("random@48px-webp-q20", 0.1234) in judged.runs_of("scratch")


def test_what_can_be_exported_is_known_when_there_is_a_winner() -> None:
    named = asked(export="random@48px-webp-q20:0.1234")
    check_winner_can_be_judged(named)
    assert config_of_winner(named, WINNER).export == "random@48px-webp-q20:0.1234"
    with pytest.raises(PetiteError, match=r"export: .*random:0\.1"):
        config_of_winner(asked(export="random:0.1"), WINNER)


def test_what_could_not_be_judged_is_refused_before_the_search() -> None:
    program = {"scratch": None, "mine": {"command": "python train.py {train} {test} {predictions}"}}
    with pytest.raises(PetiteError, match="bytes: "):
        check_winner_can_be_judged(asked(judges=program))


def test_the_winner_is_read_from_the_record_of_the_search(tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    assert read_winner(path) is None
    path.write_text("{}", "utf-8")  # of an earlier version
    assert read_winner(path) is None
    winner = {"side": 48, "codec": "webp", "quality": 20, "images": 1_234}
    path.write_text(json.dumps({"winner": winner, "training_images": 10_000}), "utf-8")
    assert read_winner(path) == WINNER


@pytest.mark.parametrize("text", ["", "{", "[]", '{"winner": {}, "training_images": 3}'])
def test_a_damaged_record_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "search.json"
    path.write_text(text, "utf-8")
    with pytest.raises(PetiteError, match=r"search\.json.* damaged"):
        read_winner(path)
