"""Names and counts of a layout, as parts of messages."""

import json
from collections import Counter
from collections.abc import Sequence

from petite.data.sources.layout import Layout
from petite.util.formatting import listed

SHOWN = 10  # names in a message


def empty_folders(layout: Layout, names: Sequence[str]) -> str:
    """List folders without images, each with its contents."""
    sides = {name: layout.empty[name] for name in names}
    return shown(
        [f"{name} ({f'only {by_kind(side)}' if side else 'empty'})" for name, side in sides.items()]
    )


def by_kind(counts: Counter[str]) -> str:
    """List the number of files of each kind, the most frequent first."""
    return shown([f"{count} {kind}" for kind, count in counts.most_common()])


def classes_setting(chosen: Sequence[str]) -> str:
    """Write the setting that names these classes, as YAML."""
    quoted = [json.dumps(name, ensure_ascii=False) for name in chosen[:SHOWN]]
    more = ", ..." if len(chosen) > SHOWN else ""
    return f"dataset.classes: [{', '.join(quoted)}{more}]"


def shown(names: Sequence[str], most: int = SHOWN) -> str:
    """List some names."""
    return listed(names, most)
