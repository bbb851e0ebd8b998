"""The size of a configuration: a few lines of YAML can expand to billions of values."""

from typing import Any

from petite.util.errors import PetiteError

# More values than any configuration needs.
MOST_VALUES = 100_000


def check_size(mapping: dict[str, Any]) -> None:
    """Refuse a configuration of more than MOST_VALUES values, or one that contains itself.

    YAML can name a list and repeat it ten times in another list, which is repeated ten times, and
    so on. That needs little memory, but going through it does not end.

    Raises
    ------
    PetiteError
    """
    for key, group in mapping.items():
        values, count = [group], 0
        while values:
            value = values.pop()
            count += 1
            if count > MOST_VALUES:
                raise PetiteError(
                    f"the configuration has a problem: {key} holds more than {MOST_VALUES} values. "
                    "Look for a YAML alias (*name) that is repeated or contains itself"
                )
            if isinstance(value, dict):
                values += value.values()
            elif isinstance(value, list | tuple):
                values += value
