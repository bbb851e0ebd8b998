"""The wording of all messages is in one file, where a change of it shows up in review.

`make messages` updates the file. No other test depends on the wording.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = REPOSITORY / "scripts"
FILE = REPOSITORY / "tests/messages.txt"
HEAD = "The wording of all messages by module; {} is filled in. Updated by `make messages`.\n"

# Functions and methods that take a message or a part of one: errors, notices, lists of problems.
TAKES_MESSAGE = re.compile(
    r"\w*(Error|Entry|Files|Refused)|add|append|changed|error|notice|warning"
)
GIVES_MESSAGE = ("str | None", "PetiteError")
# In these modules all functions that return a text make a message or a part of one.
OF_MESSAGES = re.compile(r".*(hints|messages|notices|signs)")


def all_messages() -> str:
    """The content of the file."""
    blocks = [HEAD]
    for path in sorted(SCRIPTS.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        parts = message_parts(tree, bool(OF_MESSAGES.fullmatch(path.stem)))
        lines = dict.fromkeys(text for part in parts for text in templates(part))
        if lines:
            blocks.append("\n".join([f"{path.relative_to(SCRIPTS)}", *(f"  {x}" for x in lines)]))
    return "\n\n".join(blocks) + "\n"


def message_parts(tree: ast.AST, any_text: bool = False) -> Iterator[ast.AST]:
    """The expressions of a module that make messages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if TAKES_MESSAGE.fullmatch(name):
                yield from node.args
        elif isinstance(node, ast.FunctionDef) and node.returns:
            result = ast.unparse(node.returns)
            if result in GIVES_MESSAGE or (any_text and result == "str"):
                yield from (inner for inner in ast.walk(node) if isinstance(inner, ast.Return))


def templates(part: ast.AST) -> Iterator[str]:
    """The texts in an expression that have a space, with {} for what is filled in."""
    text = ""
    if isinstance(part, ast.JoinedStr):
        for piece in part.values:
            text += str(piece.value) if isinstance(piece, ast.Constant) else "{}"
            if isinstance(piece, ast.FormattedValue):
                yield from templates(piece)
    elif isinstance(part, ast.Constant) and isinstance(part.value, str):
        text = part.value
    else:
        for child in ast.iter_child_nodes(part):
            yield from templates(child)
    if re.search(r"[^\W\d_]+ [^\W\d_]+|[^\W\d_]+ \{", text):
        yield repr(text)[1:-1].strip()


def test_the_wording_of_messages_is_that_of_the_file() -> None:
    assert FILE.read_text("utf-8") == all_messages(), "see the difference, then: make messages"


def test_errors_notices_and_hints_are_among_the_messages() -> None:
    text = (
        "def sign(x) -> str | None:\n    return f'{x} seem to be masks' if x else None\n"
        "notices.add('1 ' f'{n} {\"files are\" if n else \"\"} left out')\n"
        "raise PetiteError(f'cannot write {path}: ' + reason)\n"
    )
    found = [line for part in message_parts(ast.parse(text)) for line in templates(part)]
    expected = ["{} seem to be masks", "files are", "1 {} {} left out", "cannot write {}:"]
    assert sorted(found) == sorted(expected)


if __name__ == "__main__":
    FILE.write_text(all_messages(), "utf-8")
