# Functions of common.smk: what a search within a budget of bytes found, which decides the rest of the run.

# None without a budget, and in a table of what is done when some methods failed.
BYTES = None if PARTIAL else ASKED.bytes
SEARCH_RECORD = f"results/{ASKED.dataset.name}/bytes/search.json"


def winner_on_disk():
    return read_winner(Path(placed(SEARCH_RECORD)))


# What the last search found, before this run; if its files are due, they are made first.
WINNER = or_exit(winner_on_disk) if BYTES else None


def config_with_winner():
    """The configuration of the run. Without a winner, only the search can follow it."""
    if BYTES is None:
        return ASKED
    check_winner_can_be_judged(ASKED)
    if WINNER:
        return config_of_winner(ASKED, WINNER)
    if ASKED.export != BEST:
        raise PetiteError(
            f"export: what can be exported is known after the search within a budget of bytes: "
            f"run without export={ASKED.export} first"
        )
    return ASKED


def winner_is_new():
    """Whether the search found another winner than the rules are made for; an input function waits for it."""
    checkpoints.search_bytes.get()
    return BUDGETED is UNPLANNED or winner_on_disk() != WINNER


def check_search_is_over():
    """Raise PetiteError where the runs of a new winner are asked for."""
    if BYTES and winner_is_new():
        raise PetiteError(
            "the search within the budget of bytes is over: rerun the same command, which judges "
            "what it found"
        )
