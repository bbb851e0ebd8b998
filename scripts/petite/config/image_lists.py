"""The keys `keep` and `exclude`: images that every subset contains, and that none does."""

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from petite.config.values import UserPath, check_no_wildcard

# The list is an argument of a command.
MOST_LETTERS = 50_000


def _checked(given: Any) -> Any:
    if given is None:
        return []
    if isinstance(given, str):
        if not given.strip():
            raise ValueError("is empty: give a list in brackets, or the path of a file")
        check_no_wildcard(given)
        return given
    if not isinstance(given, list):
        raise PydanticCustomError(
            "image_list", "must be a list of image ids and patterns, or the path of a file of them"
        )
    for entry in given:
        if not isinstance(entry, str):
            raise ValueError(f"{entry!r} is not text: write image ids and patterns in quotes")
        if not entry.strip():
            raise ValueError("has an empty entry: remove it")
    if (letters := sum(map(len, given))) > MOST_LETTERS:
        raise ValueError(
            f"its {len(given)} entries have {letters:,} letters, more than {MOST_LETTERS:,}: put "
            "them into a file, one per line, and give its path"
        )
    return given


ImageList = Annotated[
    list[str] | UserPath,
    BeforeValidator(_checked),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}),
]
