"""The first screen in words: the question, the answer, how sure it is, and what to beware of."""

import re
from typing import Any, NamedTuple

import pandas as pd
from markdown_it import MarkdownIt

from petite.evaluation import ENOUGH_RUNS
from petite.evaluation.metrics import IN_WORDS, compared_metric
from petite.report.inputs import Inputs
from petite.report.words import name, number

IMBALANCE = 1.5  # the largest class has so many times the images of the smallest
FEW_TEST_IMAGES = 1000
SET_ASIDE = 0.05  # share of the files
A_LIST = 3  # sentences or more of a paragraph are listed


class Part(NamedTuple):
    """A part of the answer. Asides, the figures in brackets, are printed less loud."""

    text: str
    aside: bool


class Answer(NamedTuple):
    """The answer in a sentence, divided into what is said first and the rest of it.

    beside, evidence: HTML of what stands beside it, and of the evidence for it.
    """

    first: list[Part]
    rest: list[Part]
    beside: str
    evidence: str


def answer(inputs: Inputs) -> Answer:
    """The recommendation of the run."""
    sentence, beside, evidence = _from_markdown(inputs.recommendation)
    first, rest = _divided(sentence)
    return Answer(_parts(first), _parts(rest), beside, evidence)


def _divided(sentence: str) -> tuple[str, str]:
    """The sentence before and after its first colon or semicolon outside of brackets.

    They stand in lines of their own, so that what follows begins with a capital, if it is a word.
    """
    depth = 0
    for place, letter in enumerate(sentence):
        depth += (letter == "(") - (letter == ")")
        if letter in ":;" and not depth and sentence[place + 1 : place + 2] == " ":
            rest = sentence[place + 2 :]
            word = rest.split(" ", 1)[0]
            return sentence[:place], rest[0].upper() + rest[1:] if word.isalpha() else rest
    return sentence, ""


def _parts(text: str) -> list[Part]:
    """Text divided at its outer brackets; such as "(50%)" are too short to be an aside."""
    parts = [Part("", False)]
    depth = 0
    for letter in text:
        if letter == "(" and not depth:
            parts.append(Part("", True))
        parts[-1] = Part(parts[-1].text + letter, parts[-1].aside)
        depth += (letter == "(") - (letter == ")")
        if letter == ")" and not depth:
            parts.append(Part("", False))
    return [Part(part.text, part.aside and " " in part.text) for part in parts if part.text]


def _from_markdown(text: str) -> tuple[str, str, str]:
    """The first paragraph is the answer, sections of plain words go beside it, tables below.

    No HTML in it is let through: names of classes and methods come from the user's files.
    """
    introduction, *sections = re.split(r"^##\s+", _with_minus(text), flags=re.M)
    paragraphs = [line for line in introduction.split("\n\n") if not line.startswith("#")]
    sentence = " ".join(paragraphs).strip().strip("*").replace("\n", " ")
    tables = next((n for n, part in enumerate(sections) if "\n|" in part), len(sections))
    beside, evidence = (
        MarkdownIt("js-default").render("".join(f"### {part}" for part in parts))
        for parts in (map(_listed, sections[:tables]), sections[tables:])
    )
    return sentence or "The run came to no recommendation.", beside, _scrolling(evidence)


def _with_minus(text: str) -> str:
    """Hyphens before numbers become minus signs; those in words, dates and ranges stay."""
    return re.sub(r"(?<![\w.|-])-(?=\d)", "−", text)


def _listed(section: str) -> str:
    """A section with its long paragraphs as lists of sentences, which are easier to take in."""
    paragraphs = section.split("\n\n")
    for place, paragraph in enumerate(paragraphs):
        sentences = re.split(r"(?<=\.)\s+(?=[A-Z0-9])", paragraph.strip())
        if len(sentences) >= A_LIST:
            paragraphs[place] = "\n".join(f"- {sentence}" for sentence in sentences) + "\n"
    return "\n\n".join(paragraphs)


def _scrolling(html: str) -> str:
    """Tables in boxes that scroll by themselves, so that the page need not."""
    box = '<div class="scroll" tabindex="0" role="group" aria-label="Table">'
    return html.replace("<table>", f"{box}<table>").replace("</table>", "</table></div>")


def warnings(inputs: Inputs) -> list[str]:
    """What a reader should beware of, each a sentence."""
    found = [_few_seeds(inputs.summary), *_about_images(inputs), _small_test(inputs)]
    return [text for text in found if text]


def _few_seeds(summary: pd.DataFrame) -> str:
    few = summary[summary["runs"] < ENOUGH_RUNS]
    if few.empty:
        return ""
    how_many = "All rows" if len(few) == len(summary) else f"{len(few)} of {len(summary)} rows"
    return (
        f"{how_many} of the table rest on fewer than {ENOUGH_RUNS} seeds. No outcome of so few "
        f"could show a difference at the 5% level."
    )


def _about_images(inputs: Inputs) -> list[str]:
    index, metric = inputs.store.index, IN_WORDS[compared_metric(inputs.summary)]
    counts = inputs.train["label"].value_counts()
    texts = []
    if counts.max() > IMBALANCE * counts.min():
        ends = counts.index[0], counts.index[-1]
        most, least = (name(inputs.store.classes[label]) for label in ends)
        texts.append(
            f"The classes differ in size: {number(counts.max())} training images of {most}, "
            f"{number(counts.min())} of {least}. Accuracy says more about the large ones, balanced "
            f"accuracy as much about each. Runs are compared in {metric}."
        )
    conflicts = int(index["reason"].str.startswith("label conflict").sum())
    if conflicts:
        texts.append(
            f"Copies filed under different classes were set aside ({number(conflicts)} in "
            "all). Look at them below and mend their labels."
        )
    aside = int((index["status"] == "set_aside").sum())
    if aside > SET_ASIDE * len(index):
        texts.append(
            f"{number(aside)} of {number(len(index))} files were set aside. What the rest says may "
            "not hold for them."
        )
    return texts


def _small_test(inputs: Inputs) -> str:
    count = int((inputs.split["split"] == "test").sum())
    if count >= FEW_TEST_IMAGES:
        return ""
    return (
        f"There are {number(count)} test images: one of them is {100 / count:.2g} points. On other "
        "images of the kind, all accuracies may be some points higher or lower."
    )


def facts(inputs: Inputs) -> list[tuple[str, Any]]:
    """The run in five numbers, for the line under the question."""
    runs = inputs.summary["runs"]
    seeds = number(runs.max()) if runs.min() == runs.max() else f"{runs.min()}–{runs.max()}"
    return [
        ("training images", number(len(inputs.train))),
        ("test images", number((inputs.split["split"] == "test").sum())),
        ("classes", number(len(inputs.store.classes))),
        ("methods", number(inputs.summary["method"].nunique())),
        ("seeds each", seeds),
    ]
