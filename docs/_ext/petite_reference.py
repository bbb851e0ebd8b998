"""Pages of the reference that are written from the workflow itself at each build.

`reference/settings.md` has every key of the typed configuration with its type, default and
description, and `reference/rules.md` the rules of each file, from its head.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from petite.config.json_schema import SHARED_KEYS, json_schema
from petite.config.schema import Config
from petite.util.validation import Strict

if TYPE_CHECKING:
    from sphinx.application import Sphinx

REPOSITORY = Path(__file__).resolve().parents[2]
Node = dict[str, Any]


class Setting(NamedTuple):
    """A key of the configuration by its full name, with its values in words."""

    name: str
    kind: str
    default: str
    meaning: str


SCHEMA: Node = json.loads(json_schema())
DEFINITIONS: Node = SCHEMA["$defs"]


def field_orders(model: type = Strict) -> dict[str, list[str]]:
    """The keys of each group in the order in which it declares them; the schema sorts them."""
    found = {model.__name__: list(getattr(model, "model_fields", {}))}
    for below in model.__subclasses__():
        found |= field_orders(below)
    return found


ORDERS = field_orders()


def resolved(node: Node) -> tuple[Node, str]:
    """A node behind its reference, with the keys of both, and the name of the group."""
    if "$ref" not in node:
        return node, ""
    name = node["$ref"].rsplit("/", 1)[-1]
    return DEFINITIONS[name] | {key: value for key, value in node.items() if key != "$ref"}, name


def choices(node: Node) -> list[Node]:
    """What a node may be: the alternatives, or itself."""
    return node.get("anyOf") or node.get("oneOf") or [node]


def bounds(node: Node) -> str:
    """The limits of a number in parentheses, or nothing."""
    if {"minimum", "maximum"} <= node.keys():
        return f" ({node['minimum']:,} to {node['maximum']:,})"
    words = {
        "exclusiveMinimum": "above {:,}",
        "minimum": "{:,} or more",
        "exclusiveMaximum": "below {:,}",
        "maximum": "at most {:,}",
    }
    limits = " and ".join(text.format(node[key]) for key, text in words.items() if key in node)
    return limits and f" ({limits})"


def kind_of(node: Node) -> str:
    """The values of a key, in words."""
    node, _ = resolved(node)
    if len(choices(node)) > 1:
        return " or ".join(kind_of(choice) for choice in choices(node))
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    if "prefixItems" in node:
        return "[" + ", ".join(kind_of(item) for item in node["prefixItems"]) + "]"
    kind = node.get("type", "")
    if kind == "array":
        return f"list of {kind_of(node['items'])}"
    if kind in ("integer", "number"):
        return kind + bounds(node)
    words = {"string": "text", "boolean": "true or false", "object": "group"}
    return words.get(kind, kind)


def written(value: Any) -> str:
    """A default as it would be written in YAML."""
    return json.dumps(value) if not isinstance(value, str) else value


def group_in(node: Node) -> tuple[Node, str] | None:
    """The group of settings that a node is, or may be; None for a value."""
    for choice in choices(node):
        group, name = resolved(choice)
        if "properties" in group:
            return group, name
    return None


def settings_in(group: Node, name: str, prefix: str) -> Iterator[Setting]:
    """The keys of a group, and those of the groups in it."""
    keys = group["properties"]
    for key in sorted(keys, key=lambda key: ORDERS.get(name, [*keys]).index(key)):
        yield from settings_of(keys[key], f"{prefix}.{key}")
    others = group.get("additionalProperties")
    if isinstance(others, dict) and (programs := group_in(others)):
        yield from settings_in(*programs, f"{prefix}.NAME")


def settings_of(node: Node, name: str) -> Iterator[Setting]:
    """A key, and the keys in it if it is a group."""
    node, _ = resolved(node)
    group = group_in(node)
    is_plain = group is None or len(choices(node)) > 1
    if is_plain or node.get("description"):
        kind = kind_of(node) if is_plain else "group"
        has_default = "default" in node and is_plain
        default = written(node["default"]) if has_default else ""
        yield Setting(name, kind, default, node.get("description", ""))
    if group:
        yield from settings_in(*group, name)


def sections() -> Iterator[tuple[str, str, list[Setting]]]:
    """The name, the introduction and the settings of each section, in the order of the config."""
    for name in Config.model_fields:
        node = SCHEMA["properties"][name]
        if name == "methods":
            yield from method_sections()
        elif set(node) == {"$ref"}:  # a group that is always there
            group, kind = resolved(node)
            introduction = group["description"].split("\n")[0]
            yield name, introduction, list(settings_in(group, kind, name))
        else:
            yield name, "", list(settings_of(node, name))


def method_sections() -> Iterator[tuple[str, str, list[Setting]]]:
    """The keys that all entries of `methods` have, and then those of each kind of method."""
    shared = [Setting("methods.LABEL.method", "text", "the label", "the method of this entry")]
    for key in SHARED_KEYS:
        shared += settings_of(DEFINITIONS[key], f"methods.LABEL.{key}")
    chain = DEFINITIONS["chain"]["properties"]["steps"]
    shared.append(Setting("methods.LABEL.steps", "list of steps", "", chain["description"]))
    yield "methods", "What is compared, by label.", shared
    for group in DEFINITIONS.values():
        names = group.get("properties", {}).get("method", {}).get("enum", [])
        own = {
            key: value
            for key, value in group.get("properties", {}).items()
            if key not in ("method", *SHARED_KEYS)
        }
        if names and own and "description" in group:
            found = settings_in({"properties": own}, "", "methods.LABEL")
            yield f"methods: {', '.join(names)}", "", list(found)


def plain(text: str) -> str:
    """Text in which `<name>` is shown, and not taken for HTML; code between backticks stays."""
    parts = text.split("`")
    return "`".join(
        part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts)
    )


def settings_page() -> str:
    """The page of all settings: the values of each, its default and its meaning."""
    lines = [
        "# Settings",
        "",
        "Every key of the configuration. A file of yours needs only what differs from the default. "
        "`config.yaml` shows the values of the default run, with comments.",
    ]
    for name, introduction, settings in sections():
        lines += ["", f"## {name}", "", introduction]
        for setting in settings:
            default = f"; default: `{setting.default}`" if setting.default else ""
            lines += ["", f"`{setting.name}`", f": {plain(setting.meaning)}"]
            lines += ["", f"  {setting.kind}{default}"]
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
        names = ", ".join(f"`{name}`" for name in rules)
        lines += [f"## {path.stem}", "", plain(words), "", names, ""]
    return "\n".join(lines)


def write_pages(app: "Sphinx") -> None:
    """Write the pages, unless they are as they should be."""
    folder = Path(app.srcdir) / "reference"
    for name, text in {"settings": settings_page(), "rules": rules_page()}.items():
        path = folder / f"{name}.md"
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def setup(app: "Sphinx") -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
