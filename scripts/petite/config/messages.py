"""Messages for the problems that pydantic finds, each with the key and the value."""

import json
import re
from collections.abc import Iterable
from datetime import date
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from petite.util.formatting import plural
from petite.util.hints import unknown

# Old spellings of keys and values, and the new ones.
RENAMED = {"neighbours": "neighbors", "grey": "gray"}
# The types that YAML gives no, 007, 1e3 and 2024-05-01.
NOT_TEXT = (bool, int, float, date)
LONGEST_VALUE = 60
# Parts of pydantic's locations that are not keys: of a mapping's key, and of kinds of values.
NOT_KEYS = ("[key]", "[number]", "[looks]")
# By pydantic's type of an error; other errors keep pydantic's message.
WORDS = {
    "missing": "is missing",
    "greater_than": "must be above {limit}",
    "greater_than_equal": "must be {limit} or more",
    "less_than": "must be below {limit}",
    "less_than_equal": "must be {limit} or less",
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "string_type": "must be text",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must have {min_length} values or more",
    "too_long": "must have {max_length} values or fewer",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "must be a list"),
    **dict.fromkeys(("dict_type", "model_type"), "must be a group of settings"),
}


def sentences(
    errors: Iterable[ErrorDetails], model: type[BaseModel], more_keys: Iterable[str] = ()
) -> list[str]:
    """Write one sentence per problem, in alphabetical order.

    Parameters
    ----------
    errors : iterable of ErrorDetails
        From `ValidationError.errors`.
    model : type of BaseModel
        What was validated; its keys are suggested in place of unknown ones.
    more_keys : iterable of str
        More keys that the model's group may have.

    Returns
    -------
    list of str
    """
    more_keys = tuple(more_keys)
    return sorted({text for item in errors for text in _sentences(item, model, more_keys)})


def _sentences(
    item: ErrorDetails, model: type[BaseModel], more_keys: tuple[str, ...]
) -> Iterable[str]:
    path = ".".join(_part(part) for part in item["loc"] if part not in NOT_KEYS)
    if item["type"] == "value_error":
        # A group's own checks begin with the key that is wrong in it.
        joint = "." if isinstance(item["input"], dict) else ": "
        where = f"{path}{joint}" if path else ""
        return [f"{where}{line}" for line in str(item["ctx"]["error"]).splitlines()]
    if item["type"] == "extra_forbidden" and item["loc"][-1] not in RENAMED:
        text = _unknown_key(item, model, more_keys)
    else:
        text = _sentence(item)
    return [f"{path}: {text}" if path else text]


def _unknown_key(item: ErrorDetails, model: type[BaseModel], more_keys: tuple[str, ...]) -> str:
    """What to write for an unknown key: the groups that have it, or the nearest known key."""
    # Snakemake takes dataset.image_size for one key.
    group, _, name = str(item["loc"][-1]).rpartition(".")
    groups = [
        known
        for known, field in model.model_fields.items()
        if (inner := _model_in(field.annotation)) and name in inner.model_fields
    ]
    groups = [group] if group in groups else groups
    if len(item["loc"]) == 1 and groups:
        value = _yaml(item["input"])
        ways = " or ".join(f"{group}: {{{name}: {value}}}" for group in groups)
        return f"'{name}' is in {plural(len(groups), 'a group', 'groups')}: write {ways}"
    return unknown(str(item["loc"][-1]), _keys(model, item["loc"], more_keys), "key")


def _part(part: int | str) -> str:
    """A part of a path, on one line."""
    text = str(part)
    return text if text.isprintable() else repr(text)


def _sentence(item: ErrorDetails) -> str:
    """What is wrong with a value."""
    kind, value = item["type"], item["input"]
    name = item["loc"][-1] if kind == "extra_forbidden" else value
    if kind in ("extra_forbidden", "literal_error") and isinstance(name, str) and name in RENAMED:
        return f"renamed to '{RENAMED[name]}'"
    text = item["msg"]
    if kind in WORDS:
        limit = text.rsplit(" ", 1)[-1]  # as written in the model: 0, not 0.0
        text = WORDS[kind].format(**item.get("ctx", {}), limit=limit)
    if kind == "missing":
        return text
    if kind in ("float_type", "float_parsing") and isinstance(value, str):
        found = re.fullmatch(r"\s*(\d+(?:[.,]\d+)?)\s*(%?)\s*", value)
        if found:  # 10% or 0,1
            number = float(found[1].replace(",", ".")) / (100 if found[2] else 1)
            return f"{text}, got {_yaml(value)}: write {number:g}"
    remedy = kind == "string_type" and isinstance(value, NOT_TEXT)
    return f"{text}, got {_yaml(value)}{': put it in quotes' if remedy else ''}"


def _yaml(value: Any) -> str:
    """A value as in YAML, shortened."""
    text = json.dumps(value, default=str, ensure_ascii=False, skipkeys=True)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def _keys(
    model: type[BaseModel], location: tuple[int | str, ...], more_keys: tuple[str, ...]
) -> list[str]:
    """The known keys of the group in which the last part of a location was written."""
    group = model
    for part in location[:-1]:
        if isinstance(part, str) and part in group.model_fields:
            group = _model_in(group.model_fields[part].annotation) or group
        elif others := group.__annotations__.get("__pydantic_extra__"):
            group = _model_in(others) or group
    return [*(more_keys if len(location) == 1 else ()), *group.model_fields]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The first model within a type, such as Phase in list[Phase]."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
