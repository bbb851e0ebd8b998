"""Pages of the reference that are written from the workflow itself at each build.

`reference/settings.md` has a table for each section of config.yaml, from its comments, and
`reference/rules.md` one for each file of rules, from its head and its rules.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sphinx.application import Sphinx

REPOSITORY = Path(__file__).resolve().parents[2]
LINE = re.compile(r"(?P<indent> *)(?P<key>[\w-]+):(?P<value>[^#]*?)(?:\s+#\s*(?P<comment>.*))?$")


class Setting(NamedTuple):
    """A key of config.yaml by its full name, its default as text, and its comment."""

    name: str
    default: str
    comment: str


def settings() -> Iterator[Setting]:
    """All keys of config.yaml in their order, with the comments on their lines."""
    parents: list[tuple[int, str]] = []
    found: list[Setting] = []
    for line in (REPOSITORY / "config.yaml").read_text("utf-8").splitlines():
        continued = re.match(r"\s+#\s?(.*)$", line)
        if continued and found and len(line) - len(line.lstrip()) > 20:
            last = found[-1]
            found[-1] = last._replace(comment=f"{last.comment} {continued[1].strip()}".strip())
            continue
        matched = LINE.match(line)
        if not matched:
            continue
        indent = len(matched["indent"])
        parents = [parent for parent in parents if parent[0] < indent]
        name = ".".join([*(key for _, key in parents), matched["key"]])
        parents.append((indent, matched["key"]))
        found.append(Setting(name, matched["value"].strip(), matched["comment"] or ""))
    yield from found


def cell(text: str) -> str:
    """Text of a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("<", "&lt;") or " "


def settings_page() -> str:
    """The page of all settings: a table for each section."""
    lines = [
        "# Settings",
        "",
        "Every setting of `config.yaml` with its default. A file of yours needs only what differs.",
        "",
    ]
    section = ""
    for setting in settings():
        top = setting.name.split(".")[0]
        if top != section:
            section = top
            lines += ["", f"## {section}", "", "| setting | default | meaning |", "|---|---|---|"]
        default = f"`{cell(setting.default)}`" if setting.default else " "
        lines.append(f"| `{setting.name}` | {default} | {cell(setting.comment)} |")
    return "\n".join(lines) + "\n"


def rules_page() -> str:
    """The page of all rules: the head of each file of rules, and the names of its rules."""
    lines = ["# Rules", "", "Each stage of the workflow has a file in `workflow/rules/`.", ""]
    for path in sorted((REPOSITORY / "workflow/rules").glob("*.smk")):
        text = path.read_text("utf-8")
        rules = re.findall(r"^\s*(?:rule|checkpoint|use rule \w+ as) (\w+)(?: with)?:", text, re.M)
        if not rules:
            continue
        head = re.match(r"(?:#.*\n)+", text)
        words = " ".join(line[1:].strip() for line in head[0].splitlines()) if head else ""
        lines += [f"## {path.stem}", "", words, "", ", ".join(f"`{name}`" for name in rules), ""]
    return "\n".join(lines)


def write_pages(app: Sphinx) -> None:
    """Write the pages, unless they are as they should be."""
    folder = Path(app.srcdir) / "reference"
    for name, text in {"settings": settings_page(), "rules": rules_page()}.items():
        path = folder / f"{name}.md"
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
