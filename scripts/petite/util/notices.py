"""What a step finds out that its user should know, though nothing failed.

A notice is logged at a level of its own. The terminal shows it when the job ends, and the step
writes it beside its output, from where the page shows it. A fact that the user asked for is no
notice; nor is what is wrong: that is a PetiteError.
"""

import logging

# Between INFO and WARNING: for the user, where a warning of a library may not be.
NOTICE = 25
logging.addLevelName(NOTICE, "NOTICE")

logger = logging.getLogger(__name__)


def notice(text: str) -> str:
    """Log a notice, one line of plain text that says what was found and what to do; returns it."""
    line = " ".join(text.split())
    logger.log(NOTICE, "%s", line)
    return line


class Notices(list[str]):
    """The notices of one step, in the order in which they were found."""

    def add(self, text: str) -> None:
        """Log a notice and keep it."""
        self.append(notice(text))
