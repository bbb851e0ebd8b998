"""American spelling and plain English in all text of the repository."""

import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = {".py", ".smk", ".md", ".rst", ".yaml", ".json", ".html", ".css", ".js", ".in", ".toml", ""}
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs")
DOCUMENTS += ("config.yaml", "workflow", "Snakefile", "Makefile", "envs", "config", "SECURITY.md")
CODE = ("scripts", "tests", "benchmarks", "examples", "pyproject.toml")
VERBS = (
    "character|custom|discret|final|general|harmon|initial|local|maxim|memor|minim|normal|optim|"
    "organ|parallel|penal|prior|quant|random|raster|real|recogn|regular|serial|special|stabil|"
    "standard|summar|symmetr|synchron|token|util|vector|visual"
)
BRITISH = [
    *("colour", "neighbour", "grey", "centre", "centring", "behaviour", "favour", "honour"),
    *("labell(?:ed(?!by)|ing)", "modell(?:ed|ing)", "travell", "(?-i:cancelled)", "signalling"),
    rf"(?:{VERBS})is(?:e[drs]?|ing|ation)\b",
    *(r"analys(?:ed?|ing)\b", "catalogue", "licence", "anticlockwise", "artefact", "judgement"),
    r"\b(?:learnt|spelt|burnt|whilst|amongst|towards)\b",
]
# Old spellings that are meant: keys that were renamed, and folders of users.
QUOTED = [
    '{"neighbours": "neighbors", "grey": "gray"}',
    "`neighbors` replaces `neighbours`",
    "`dataset.color: gray` replaces `grey`",
    '("grey", "RGB", None, 3)',
    '"Unlabelled data"',
]
# Turns that slow a reader down, and what to write instead.
TURNS = {
    "by lot": "at random",
    "anew": "again, or a verb with re-",
    "(?:fore)?told": "said, shown",
    "mend(?:s|ed|ing)?": "fix",
    "so many": "this many, or a number",
    "that is meant": "leave it out",
    "stands? beside": "is next to",
    "what (?:it|that|they) takes?": "cost, time and memory",
    "(?<!there )is no(?! longer)": "is not, unknown",
    "as it suits": "automatic",
    "comes? of": "is from, uses",
    "lies?": "is",
    "shall": "must, will",
    "goes? without": "omit",
}


@cache
def texts(places: tuple[str, ...]) -> dict[str, str]:
    """The text of every file that a person writes below these places, by name."""
    files = {}
    for place in places:
        path = REPOSITORY / place
        assert path.exists(), place
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            is_made = {"__pycache__", "output"} & set(file.parts)
            if file.is_file() and file.suffix in TEXT and not is_made and file != Path(__file__):
                files[str(file.relative_to(REPOSITORY))] = file.read_text("utf-8")
    return files


def found(patterns: str, places: tuple[str, ...]) -> list[str]:
    """The lines with a pattern and their places, without `QUOTED`."""
    lines = []
    pattern = re.compile(patterns, re.IGNORECASE)
    for name, text in texts(places).items():
        if not pattern.search(text):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            kept = line
            for quoted in QUOTED:
                kept = kept.replace(quoted, "")
            if match := pattern.search(kept):
                lines.append(f"{name}:{number}: '{match[0]}' in {line.strip()[:100]}")
    return lines


@pytest.mark.parametrize("word", BRITISH)
def test_spelling_is_american(word: str) -> None:
    assert found(word, (*DOCUMENTS, *CODE)) == []


@pytest.mark.parametrize("turn", TURNS)
def test_documents_and_code_use_plain_turns(turn: str) -> None:
    assert found(rf"\b(?:{turn})\b", (*DOCUMENTS, *CODE)) == [], f"write: {TURNS[turn]}"


@pytest.mark.parametrize("quoted", QUOTED)
def test_every_exception_is_used(quoted: str) -> None:
    assert any(quoted in text for text in texts((*DOCUMENTS, *CODE)).values())


@pytest.mark.parametrize(
    "text", ["nearest_centre", "an Optimiser", "unlabelled", "METHOD_COLOURS", "learnt", "analyse"]
)
def test_british_words_are_found_within_names_and_inflected(text: str) -> None:
    assert any(re.search(word, text, re.IGNORECASE) for word in BRITISH)


@pytest.mark.parametrize(
    "text", ["aria-labelledby", "CANCELLED", "optimistic", "specialist", "surprises", "analyses"]
)
def test_american_words_pass(text: str) -> None:
    assert not any(re.search(word, text, re.IGNORECASE) for word in BRITISH)
