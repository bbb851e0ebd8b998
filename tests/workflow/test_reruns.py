"""What reruns when: one real run, then one change at a time and a dry run that lists what is due.

The table in docs/reruns.md is made from CASES: `make reruns` writes it, a test compares it.
"""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from loaded_python import LoadedPython
from PIL import Image
from smallest import smallest

from petite.data.sources import ALL_SOURCES
from petite.selection import METHODS
from petite.util.imports import imports

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs/reruns.md"
BEGIN, END = "<!-- written by `make reruns` from the tests -->\n", "<!-- end -->\n"

# Small, but with all kinds of selection: a method that ranks once, one that selects for each size,
# and one that uses the subsets of another; and three shards of a folder.
BASE = smallest(
    {"full": [], "random": [0.5, 0.25], "pca_grid": [0.25], "augmentation": [0.25]},
    steps=4,
    dataset={
        "name": "tiny",
        "source": "folder",
        "path": "pictures",
        "classes": None,
        "image_size": 8,
        "shards": 3,
    },
)

# The same with looks; one comparison, which the first look may leave open.
LOOKS = BASE | {
    "methods": {
        name: {"fractions": fractions}
        for name, fractions in {"full": [], "random": [0.25], "pca_grid": [0.25]}.items()
    }
    | {"augmentation": {"fractions": []}},
    "seeds": {"looks": [7, 9], "levels": [0.032, 0.018]},
    "seeds_per_job": 8,
}

OPTIONS = ("--configfile", "overlay.yaml", "--cores", "2")

# Jobs by name: the rule, and the method that it is about. A figure counts by its kind.
Jobs = dict[str, int]
FIGURES_OF_TABLES = {"figures accuracy": 1, "figures curves": 5, "figures differences": 1}
TABLES: Jobs = {"summarize": 1, "provenance": 1, **FIGURES_OF_TABLES, "report": 1}
TRAININGS: Jobs = {"train random": 2, "train pca_grid": 1, "train augmentation": 1}
TABLES_OF_LOOKS: Jobs = {**TABLES, "figures curves": 3}
GRID: Jobs = {"subset pca_grid": 1, "train pca_grid": 1, "figures plane": 3, "figures picks": 1}
SELECTIONS: Jobs = {
    "features": 1,
    "rank random": 1,
    "subset random": 2,
    "subset pca_grid": 1,
    "augment augmentation": 1,
    "figures plane": 3,
    "figures picks": 1,
    "figures augmented": 1,
}
AFTER_SPLIT = {"cues": 1, **SELECTIONS, **TRAININGS, **TABLES, "figures samples": 1}
AFTER_INDEX = {"split": 1, **AFTER_SPLIT, "figures set": 1, "figures stored": 1}
ONE_SHARD = {"listing": 1, "ingest": 1, "index": 1, **AFTER_INDEX}
LAST = {"summarize": "tables", "provenance": "", "figures": "figures", "report": "report"}
# A step writes the files of scripts/ that it loaded, under the name of its log.
SAYS_WHAT_IT_LOADED = """
import atexit, json, os, runpy, sys

here, sys.argv = os.path.dirname(__file__), sys.argv[1:]
script = sys.argv[0]
sys.path[0] = os.path.dirname(os.path.abspath(script))

def write():
    if "--log" in sys.argv:
        files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        files = [script, *(os.path.relpath(file) for file in files if file)]
        files = [file for file in files if file.startswith("scripts/")]
        log = sys.argv[sys.argv.index("--log") + 1]
        with open(os.path.join(here, log.replace("/", "_") + ".json"), "w") as file:
            json.dump({"script": script, "log": log, "files": files}, file)

atexit.register(write)
runpy.run_path(script, run_name="__main__")
"""
Edit = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """One change, as the page calls it, and what it makes due.

    `config` is laid over `base`, `edit` changes files of the checkout, `arguments` go to Snakemake.
    Of a run with looks, `due` are the jobs up to the first look, which decides on the others.
    A case `of_other_run` has no folder of classes: another test makes the change, and compares what
    is due up to the split.
    """

    what: str
    due: Jobs
    config: dict[str, Any] = field(default_factory=dict)
    edit: Edit | None = None
    arguments: tuple[str, ...] = ()
    base: dict[str, Any] = field(default_factory=lambda: BASE)
    of_other_run: bool = False


# In test_labels_workflow.py and test_parquet_workflow.py.
A_LABEL = Case(
    "a label in a table of labels",
    {"listing": 1, "ingest": 2, "index": 1, "split": 1},
    of_other_run=True,
)
A_WEIGHT = Case(
    "a weight, a group or a part of a split in a table of labels",
    {"listing": 1, "index": 1, "split": 1},
    of_other_run=True,
)
THE_COLUMNS = Case(
    "the columns of a source (`dataset.columns`)",
    {"listing": 1, "ingest": 3, "index": 1, "split": 1},
    of_other_run=True,
)


def up_to_split(jobs: Mapping[str, int]) -> Jobs:
    return {rule: jobs[rule] for rule in THE_COLUMNS.due if jobs.get(rule)}


def append(path: str, text: str) -> Edit:
    return append_to_each([path], text)


def append_to_each(paths: list[str], text: str) -> Edit:
    def edit(folder: Path) -> None:
        for path in paths:
            with (folder / path).open("a", encoding="utf-8") as file:
                file.write(text)

    return edit


def add_picture(folder: Path) -> None:
    first = folder / "pictures/cat/picture 0.jpg"
    # Bytes after the end of a JPEG are no part of the picture: a file of its own.
    (first.parent / "another.jpg").write_bytes(first.read_bytes() + b"another")


def remove_picture(folder: Path) -> None:
    (folder / "pictures/cat/picture 3.jpg").unlink()


def touch_everything(folder: Path) -> None:
    """As after a fresh clone: all of the code is newer than all results."""
    for part in ("Snakefile", "config.yaml", "scripts", "workflow"):
        for path in [folder / part, *(folder / part).rglob("*")]:
            os.utime(path)


def write_otherwise(folder: Path) -> None:
    """The same settings in another order and other words."""
    backwards = reversed_keys(BASE)
    text = yaml.safe_dump(backwards, sort_keys=False)
    assert "- 0.25\n" in text
    text = "# a comment\n" + text.replace("- 0.25\n", "- 0.250\n")
    (folder / "overlay.yaml").write_text(text, "utf-8")


def reversed_keys(mapping: Any) -> Any:
    if not isinstance(mapping, dict):
        return mapping
    return {key: reversed_keys(mapping[key]) for key in reversed(mapping)}


CASES = [
    Case(
        "a setting of one method",
        {**GRID, **TABLES},
        config={"methods": {"pca_grid": {"clusters": 3}}},
    ),
    Case(
        "an edit in one method's module",
        {**GRID, **TABLES},
        edit=append("scripts/petite/selection/methods/pca_grid.py", "# another thought\n"),
    ),
    Case(
        "a method added",
        {
            "rank herding": 1,
            "subset herding": 1,
            "train herding": 1,
            **TABLES,
            "figures curves": 6,
            "figures picks": 1,
        },
        config={"methods": {"herding": {"fractions": [0.25]}}},
    ),
    Case(
        "a method dropped",
        {**TABLES, "figures curves": 4, "figures picks": 1},
        config={"methods": {"pca_grid": {"fractions": []}}},
    ),
    Case(
        "a fraction added",
        {"subset random": 1, "train random": 1, **TABLES, "figures curves": 6},
        config={"methods": {"random": {"fractions": [0.5, 0.35, 0.25]}}},
    ),
    Case(
        "a seed added",
        {
            "rank random": 1,
            "subset random": 2,
            "subset pca_grid": 1,
            "augment augmentation": 1,
            **TRAININGS,
            **TABLES,
        },
        config={"seeds": 3},
    ),
    Case(
        "the learning rate, or another training setting",
        {**TRAININGS, **TABLES},
        config={"training": {"learning_rate": 0.003}},
    ),
    Case(
        "an edit in a module that trains",
        {**TRAININGS, **TABLES},
        # The second is one that the features draw on too, in another space.
        edit=append_to_each(
            ["scripts/petite/training/loop.py", "scripts/petite/networks/models.py"],
            "# another thought\n",
        ),
    ),
    Case(
        "the feature space",
        {"features": 1, **GRID, **TABLES},
        config={"features": {"dimensions": 3}},
    ),
    Case(
        "the split",
        {"split": 1, **AFTER_SPLIT},
        config={"split": {"seed": 1}},
    ),
    Case(
        "one more split (`split.repeats`); the others keep what they have",
        {
            "split": 1,
            **{job: count for job, count in SELECTIONS.items() if not job.startswith("figures")},
            **TRAININGS,
            "split_runs": 2,
            "splits": 1,
            **TABLES,
        },
        config={"split": {"repeats": 2}},
    ),
    Case(
        "a list of images to keep or to exclude",
        {
            "keep_lists": 1,
            "cues": 1,
            **{job: count for job, count in SELECTIONS.items() if job != "features"},
            **TRAININGS,
            **TABLES,
            "figures samples": 1,
        },
        config={"keep": ["cat/picture 1*.jpg"], "exclude": ["dog/picture 2?.jpg"]},
    ),
    Case(
        "what is done with a given split and its leaks",
        {"split": 1, **AFTER_SPLIT},
        config={"split": {"leaks": "keep"}},
    ),
    Case(
        "the longest time within a burst, without groups by time",
        {"report": 1},
        config={"split": {"group_seconds": 5}},
    ),
    Case(
        "the image size",
        {"ingest": 3, "index": 1, **AFTER_INDEX},
        config={"dataset": {"image_size": 9}},
    ),
    Case(
        "a file added to a folder of images",
        ONE_SHARD,
        edit=add_picture,
    ),
    Case(
        "a file in the folder changed",
        ONE_SHARD,
        edit=append("pictures/dog/picture 5.jpg", "another end"),
    ),
    Case(
        "a file in the folder removed",
        ONE_SHARD,
        edit=remove_picture,
    ),
    A_LABEL,
    A_WEIGHT,
    THE_COLUMNS,
    Case(
        "the tolerance or metric of the comparison",
        TABLES,
        config={"evidence": {"tolerance": 0.02, "metric": "balanced_accuracy"}},
    ),
    Case(
        "a label or color in the figures",
        {
            **FIGURES_OF_TABLES,
            "figures plane": 3,
            "figures picks": 1,
            "figures augmented": 1,
            "figures samples": 1,
            "figures set": 1,
            "figures stored": 1,
            "report": 1,
        },
        edit=append("scripts/petite/plots/style.py", "# another color\n"),
    ),
    Case(
        "threads, cores, memory, seeds per job",
        {},
        config={"training_threads": 2, "max_memory": "1 GB", "seeds_per_job": 1},
        arguments=("--cores", "1"),
    ),
    Case("looks: the same run again", {}, base=LOOKS),
    Case(
        "looks: one more at the end, or other levels",
        {"look": 1, **TABLES_OF_LOOKS},
        config={"seeds": {"looks": [7, 9, 10], "levels": [0.032, 0.009, 0.009]}},
        base=LOOKS,
    ),
    Case(
        "looks: a method added (all comparisons are declared again)",
        {
            "rank herding": 1,
            "subset herding": 1,
            "train herding": 1,
            "look": 1,
            **TABLES_OF_LOOKS,
            "figures curves": 4,
            "figures picks": 1,
        },
        config={"methods": {"herding": {"fractions": [0.25]}}},
        base=LOOKS,
    ),
    Case("the profile", {}, arguments=("--workflow-profile", "none")),
    Case(
        "comments, the order of keys, 0.30 for 0.3",
        {},
        edit=write_otherwise,
    ),
    Case("new modification times of the code (a touch, a fresh clone)", {}, edit=touch_everything),
    Case("the checkout moved to another folder", {}),  # as all cases are
]


def table() -> str:
    """The table of the page."""
    rows = [f"| {case.what} | {in_words(case.due)} |\n" for case in CASES]
    return "".join(["| change | what reruns |\n|---|---|\n", *rows])


def in_words(due: Jobs) -> str:
    """The rules that are due, of some methods where it is not all; then what they end in."""
    methods: dict[str, list[str]] = {}
    for job in due:
        rule, _, method = job.partition(" ")
        methods.setdefault(rule, []).append(method)
    last = [words for rule, words in LAST.items() if methods.pop(rule, None) and words]
    if not methods and not last:
        return "nothing"
    rules = list(methods)
    if "split" in rules and "splits" not in rules:
        shards = {1: "one shard's", 2: "one or two shards'"}.get(due.get("ingest"), "every shard's")
        words = [f"{shards} `{rule}`" if rule == "ingest" else f"`{rule}`" for rule in rules]
        return ", ".join(words[: rules.index("split") + 1]) + " and everything after it"
    by_method: dict[str, list[str]] = {}
    for rule, about in methods.items():
        everything = {job for job in AFTER_INDEX if job.startswith(f"{rule} ")}
        is_all = about == [""] or everything == {f"{rule} {method}" for method in about}
        by_method.setdefault("" if is_all else f" of {', '.join(about)}", []).append(f"`{rule}`")
    parts = [", ".join(rules) + of_method for of_method, rules in by_method.items()]
    if "look" in due:
        parts.append("trainings of what the looks leave open")
    return "; ".join([*parts, ", ".join(last)])


def with_table(text: str) -> str:
    """The page with the table as it is due between the two marks."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END, 1)[1]


def test_the_table_of_what_reruns_is_that_of_these_tests():
    text = PAGE.read_text("utf-8")
    assert with_table(text) == text, "docs/reruns.md has another table: run `make reruns`"


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory, copy_checkout, write_pictures, loaded_steps: LoadedPython
) -> Callable[..., Path]:
    """A function that gives a checkout in which a configuration ran once; see `finish`."""
    made: dict[str, Path] = {}

    def folder_of(config: dict[str, Any]) -> Path:
        key = json.dumps(config)
        if key not in made:
            folder = copy_checkout(tmp_path_factory.mktemp("reruns") / "checkout")
            made[key] = finish(folder, config, write_pictures, loaded_steps)
        return made[key]

    return folder_of


def finish(
    folder: Path,
    config: dict[str, Any],
    write_pictures: Callable[..., None],
    loaded_steps: LoadedPython,
) -> Path:
    """Run the workflow once in a checkout with its images, and record what its steps load."""
    write_pictures(folder / "pictures", ["cat", "dog"], 60)
    (folder / "overlay.yaml").write_text(yaml.safe_dump(config), "utf-8")
    (folder / "loaded").mkdir()
    says = folder / "loaded/says.py"
    says.write_text(SAYS_WHAT_IT_LOADED, "utf-8")
    # Each step begins with packages loaded, but with no module of Petite.
    ran = subprocess.run(
        [sys.executable, "-m", "snakemake", *OPTIONS],
        cwd=folder,
        env=loaded_steps.as_python(str(says)),
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return folder


def entries() -> set[str]:
    """The modules that registries load."""
    methods = {method.module for method in METHODS.values()}
    sources = {source.__module__ for source in ALL_SOURCES.values()}
    return methods | sources


def module_name(file: str) -> str:
    """`petite.util.files` of scripts/petite/util/files.py."""
    parts = Path(file).relative_to("scripts").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def modules_in(folder: Path, inputs: list[str]) -> set[str]:
    """The scripts among a job's inputs, and the modules whose digests are in one of them."""
    scripts = {Path(name).stem for name in inputs if name.endswith(".py")}
    lists = [folder / name for name in inputs if "petite-code" in name]
    assert lists, inputs
    return scripts | {
        line.split()[1] for path in lists for line in path.read_text("utf-8").splitlines()
    }


def reached(names: set[str], but_not: set[str] = frozenset()) -> set[str]:
    """What modules import, and what these import; `but_not` are not entered."""
    found: set[str] = set()
    due = set(names)
    while due:
        found |= due
        due = {other for name in due for other in imports(name)} - found - but_not
    return found


@pytest.mark.workflow
@pytest.mark.parametrize("config", [BASE, LOOKS], ids=["seeds", "looks"])
def test_every_module_that_a_step_loads_is_an_input_of_its_rule(finished, config):
    """But for what the registries load of methods, sources and figures that it does not use."""
    finished = finished(config)
    modules = {}
    for path in (finished / ".snakemake/metadata").iterdir():
        made = json.loads(path.read_text("utf-8"))
        modules[made["log"][0]] = modules_in(finished, made["input"])
    rules = set()
    for path in (finished / "loaded").glob("*.json"):
        step = json.loads(path.read_text("utf-8"))
        script = Path(step["script"]).stem
        loaded = {module_name(file) for file in step["files"]}
        assert len(loaded) > 5, step
        missing = loaded - modules[step["log"]]
        unused = entries() & missing
        assert missing <= reached(unused) - reached({script}, unused), step["log"]
        rules.add(step["log"].split("/")[3].removesuffix(".log"))
    assert rules >= {"ingest", "rank", "subset", "train", "summarize", "figures", "report"}
    assert ("look" in rules) == (config is LOOKS)


def merge(over: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(base)
    for key, value in over.items():
        is_mapping = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merge(value, result[key]) if is_mapping else value
    return result


def jobs_of(dry: subprocess.CompletedProcess[str]) -> Jobs:
    """What a dry run lists, by rule and method."""
    said = dry.stdout + dry.stderr
    assert dry.returncode == 0, said
    if "Nothing to be done" in said:
        return {}
    blocks = re.findall(r"^(?:rule|checkpoint) (\w+):\n((?: +\S.*\n)*)", said, re.MULTILINE)
    assert blocks, said
    jobs: Counter[str] = Counter()
    for rule, about in blocks:
        wildcards = dict(re.findall(r"(\w+)=([^,\n]+)", about.partition("wildcards: ")[2]))
        figure = wildcards.get("figure", "").split("_")[0]
        jobs[f"{rule} {wildcards.get('method', figure)}".rstrip()] += 1
    del jobs["all"]  # the target does no work
    return dict(jobs)


@pytest.mark.workflow
@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.of_other_run], ids=lambda case: case.what
)
def test_a_change_makes_these_jobs_due_and_no_others(finished, tmp_path, loaded_snakemake, case):
    folder = tmp_path / "moved"
    shutil.copytree(finished(case.base), folder, symlinks=True)
    (folder / "overlay.yaml").write_text(yaml.safe_dump(merge(case.config, case.base)), "utf-8")
    if case.edit:
        case.edit(folder)
    dry = loaded_snakemake(folder, *OPTIONS, "--dry-run", *case.arguments)
    assert jobs_of(dry) == case.due


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("kind", "depth", "shards"),
    [(np.uint16, "stretch", 3), (np.uint16, "each", 1), (np.uint8, "stretch", 1)],
)
def test_an_image_that_sets_the_range_of_counts_makes_all_shards_due(
    tmp_path, loaded_snakemake, kind, depth, shards
):
    """Every shard's pixels depend on a sampled image of more than 8 bits, and on no other's."""
    (tmp_path / "overlay.yaml").write_text(
        yaml.safe_dump(merge({"dataset": {"depth": depth}}, BASE)), "utf-8"
    )
    rng = np.random.default_rng(0)

    def write(name: str) -> None:
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 200, (16, 16)).astype(kind)).save(path)

    for number in range(12):
        write(f"{'ab'[number % 2]}/{number}.png")
    target = "results/tiny/store/manifest.json"
    ran = loaded_snakemake(tmp_path, *OPTIONS, target, "--snakefile", str(REPOSITORY / "Snakefile"))
    assert ran.returncode == 0, ran.stderr
    write("a/new.png")
    dry = loaded_snakemake(
        tmp_path, *OPTIONS, "--dry-run", target, "--snakefile", str(REPOSITORY / "Snakefile")
    )
    said = dry.stdout + dry.stderr
    assert len(re.findall(r"^rule ingest:", said, re.MULTILINE)) == shards, said


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
