"""Names from the user's files, as the report shows them."""

from petite.util.names import isolated, shortened

LONGEST_NAME = 60  # letters


def name(text: str, length: int = LONGEST_NAME) -> str:
    """A name from the user's files within a sentence: shortened and isolated."""
    return isolated(shortened(text, length))
