"""Notices: what a step finds out that its user should know, though nothing failed.

A notice is logged at its own level. The terminal shows it when the job ends, and the step writes it
next to its output, where the page finds it. What the user asked for is not a notice, and what is
wrong is a PetiteError.
"""

import logging

# Between INFO and WARNING: for the user, unlike many warnings of libraries.
NOTICE = 25
logging.addLevelName(NOTICE, "NOTICE")

logger = logging.getLogger(__name__)


def notice(text: str) -> str:
    """Log a notice, which says what was found and what to do, and return it as one line."""
    line = " ".join(text.split())
    logger.log(NOTICE, "%s", line)
    return line


class Notices(list[str]):
    """The notices of one step, in the order in which they were found."""

    def add(self, text: str) -> None:
        """Log a notice and keep it."""
        self.append(notice(text))
