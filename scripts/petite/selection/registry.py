"""The selection methods by name.

A new method is a function in a module of its family in `methods/`, with an entry in that module's
`METHODS`. A new family is a new module there.
"""

from typing import Any

import numpy as np
from pydantic import ValidationError

from petite.selection import arguments, methods
from petite.selection.base import Method, MethodSettings
from petite.util.discovery import modules_in
from petite.util.errors import PetiteError
from petite.util.hints import unknown
from petite.util.validation import problems_of

# No setting counts further; costs are worked out in floats, which are exact up to here.
MOST = 2**53

METHODS: dict[str, Method] = {
    method.name: method
    for module in modules_in(methods)
    for method in getattr(module, "METHODS", ())
}


def named(method: str) -> Method:
    """The method of this name. Raises PetiteError when there is none."""
    method = arguments.text("method", method)
    if method not in METHODS:
        raise PetiteError(unknown(method, METHODS, "selection method"))
    return METHODS[method]


def checked_settings(method: Method, settings: dict[str, Any]) -> MethodSettings:
    """A method's settings, typed. Raises PetiteError with all that is wrong."""
    if "random_state" in settings:
        raise PetiteError("random_state is called seed here: give seed=")
    # As grids of parameters hold them.
    plain = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in settings.items()
    }
    for name, value in plain.items():
        if isinstance(value, int) and abs(value) > MOST:
            raise PetiteError(f"{name} must be {MOST} at most")
    try:
        return method.settings(**plain)
    except ValidationError as error:
        known = ", ".join(method.settings.model_fields) or "none"
        raise PetiteError(
            f"the settings of '{method.name}' do not fit: {problems_of(error)} (it has: {known})"
        ) from None
