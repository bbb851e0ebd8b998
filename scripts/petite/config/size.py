"""The size of a configuration: a few lines of YAML can stand for billions of values."""

from typing import Any

from petite.util.errors import PetiteError

# More values than any configuration needs.
MOST_VALUES = 100_000


def check_size(mapping: dict[str, Any]) -> None:
    """Raise PetiteError for a configuration of more than MOST_VALUES values, or within itself.

    YAML can name a list and use it again, ten times in a list that is used ten times and so on:
    little in memory, and endless for whoever goes through it.
    """
    for key, group in mapping.items():
        values, count = [group], 0
        while values:
            value = values.pop()
            count += 1
            if count > MOST_VALUES:
                raise PetiteError(
                    f"the configuration has a problem: {key} holds more than {MOST_VALUES} values. "
                    "Look for a YAML alias (*name) that is repeated, or that is within itself"
                )
            if isinstance(value, dict):
                values += value.values()
            elif isinstance(value, list | tuple):
                values += value
