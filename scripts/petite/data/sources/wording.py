"""Names and counts of a layout in a sentence."""

import json
from collections import Counter
from collections.abc import Sequence

from petite.data.sources.layout import Layout

SHOWN = 10  # names in a message


def empty_folders(layout: Layout, names: Sequence[str]) -> str:
    """Folders without images in a sentence, each with what is in it."""
    sides = {name: layout.empty[name] for name in names}
    return shown(
        [f"{name} ({f'only {by_kind(side)}' if side else 'empty'})" for name, side in sides.items()]
    )


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def by_kind(counts: Counter[str]) -> str:
    return shown([f"{count} {kind}" for kind, count in counts.most_common()])


def classes_setting(chosen: Sequence[str]) -> str:
    quoted = [json.dumps(name, ensure_ascii=False) for name in chosen[:SHOWN]]
    more = ", ..." if len(chosen) > SHOWN else ""
    return f"dataset.classes: [{', '.join(quoted)}{more}]"


def shown(names: Sequence[str], most: int = SHOWN) -> str:
    """Some names in a sentence: the first of them, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
