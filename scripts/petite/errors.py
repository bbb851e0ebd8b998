"""The one exception for what a user can put right."""


class PetiteError(Exception):
    """A mistake or a condition that the user can mend.

    The message says what is wrong, where, and what to do; it is shown without a traceback.
    """
