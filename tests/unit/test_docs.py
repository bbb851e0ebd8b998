"""What the pages of docs/ say to write works: settings, commands, code, links and pictures.

Sphinx is not needed. The code of docs/extend.md is run by tests/workflow/test_new_entries.py.
"""

import importlib.util
import re
import shlex
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from snakemake.cli import get_argument_parser

from petite import config
from petite.config.layers import Layer, command_line, read_layer, resolve
from petite.data.sources import listing, open_source
from petite.evaluation import verdicts
from petite.features.embedding_program import Program, embed_shard_by_program
from petite.util.errors import PetiteError

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGES = {
    str(path.relative_to(REPOSITORY)): path.read_text("utf-8")
    for path in [
        *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "config/README.md")),
        *sorted(DOCS.rglob("*.md")),
    ]
    # These are written at each build.
    if path.name not in ("settings.md", "rules.md")
}
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.M | re.S)


def blocks(language: str) -> list[Any]:
    """The fenced blocks in a language, each with its page."""
    return [
        pytest.param(page, re.sub(rf"^{indent}", "", text, flags=re.M), id=f"{page}-{number}")
        for page, whole in PAGES.items()
        for number, (indent, kind, text) in enumerate(BLOCK.findall(whole))
        if kind == language
    ]


def module_at(path: Path) -> ModuleType:
    """A module that is not in the library."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ------------------------------------------------------------------------------------ settings

OF_A_PROFILE = {"set-resources"}
# Entries that exist once the code of that page is added: tests/workflow/test_new_entries.py.
NEW = "docs/extend.md"


def check(*written: Layer) -> None:
    """Whether settings are valid above the default, or those of a folder of photographs."""
    default = read_layer(REPOSITORY / "config.yaml", "default")
    config.load(resolve(default, written, REPOSITORY / "workflow/config").values)


@pytest.mark.parametrize(("page", "text"), blocks("yaml"))
def test_settings_on_a_page_are_valid(page: str, text: str) -> None:
    values = yaml.safe_load(text)
    if page != NEW and not values.keys() <= OF_A_PROFILE:
        check(Layer("a folder", {"folder": "photos"}), Layer(page, values))


# ------------------------------------------------------------------------------------ commands

RULES = {
    name
    for path in (REPOSITORY / "workflow/rules").glob("*.smk")
    for name in re.findall(r"^\s*(?:rule|checkpoint) (\w+):", path.read_text("utf-8"), re.M)
}
WITHOUT_RULE = "watch"  # workflow/rules/watch.smk
COMMANDS = [
    pytest.param(page, line, id=f"{page}-{number}")
    for page, whole in PAGES.items()
    for number, line in enumerate(
        line
        for _, language, text in BLOCK.findall(whole)
        if not language
        for line in text.replace("\\\n", " ").splitlines()
        if line.strip().startswith(("snakemake ", "python "))
    )
]


@cache
def parser() -> Any:
    return get_argument_parser()


def overlays(page: str, names: list[Path]) -> list[Layer]:
    """The settings of configuration files: in the repository, or on the page by their name."""
    found = []
    for name in names:
        if (REPOSITORY / name).is_file():
            found.append(read_layer(REPOSITORY / name))
            continue
        if name.parts[0] == "results":  # a run makes it
            continue
        assert "/" not in str(name), f"{name} does not exist"
        shown = re.search(rf"^# {name}\n(.*?)^```", PAGES[page], re.M | re.S)
        found.append(Layer(str(name), yaml.safe_load(shown[1]) if shown else {}))
    return found


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_a_command_names_targets_options_and_settings_that_exist(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[0] == "python":
        assert (REPOSITORY / words[1]).is_file(), words[1]
        return
    wanted = parser().parse_args(words[1:])
    for target in wanted.targets:
        assert target in RULES | {WITHOUT_RULE} or target.startswith("results/"), target
    for profile in wanted.profile or []:
        assert (REPOSITORY / profile).is_dir(), profile
    check(*overlays(page, wanted.configfile or []), command_line(wanted.config or []))


# ---------------------------------------------------------------------------------------- code

# Pages whose code is run by other tests, and code of other programs.
RUN_ELSEWHERE = {
    "README.md": "the first lines of docs/methods.md",
    "docs/reference/python.md": "the first lines of docs/methods.md",
    "docs/methods.md": "tests/unit/selection/test_selection_arguments.py",
    "docs/results-in-python.md": "tests/unit/results/test_results.py",
    "docs/other-workflows.md": "tests/workflow/test_other_workflows.py",
    NEW: "tests/workflow/test_new_entries.py",
}


@pytest.mark.parametrize(
    ("page", "text"),
    [block for block in blocks("python") if block.values[0] not in RUN_ELSEWHERE],
)
def test_code_on_a_page_runs(
    page: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "torchvision" in text:
        pytest.importorskip("torchvision")
    monkeypatch.chdir(tmp_path)
    index = pd.DataFrame({"image_id": ["cat/1.jpg"], "status": ["bad"], "reason": ["empty file"]})
    (tmp_path / "results/plants/store").mkdir(parents=True)
    index.to_parquet("results/plants/store/index.parquet")
    index.to_parquet("runs.parquet")
    index.to_csv("runs.csv", index=False)
    for name in ("cat/1", "dog/1"):
        path = tmp_path / f"results/photos/export/best/images/{name}.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(path)
    exec(compile(text, page, "exec"), {})


def test_pages_that_other_tests_run_have_code() -> None:
    with_code = {block.values[0] for block in blocks("python")}
    assert RUN_ELSEWHERE.keys() <= with_code


RED, PATCHES, POOLED = 0, 0, -1  # the column with the mean of red pixels, in tests/stand_ins/


@pytest.mark.parametrize(
    ("name", "model", "column"),
    [
        ("timm.yaml", None, RED),
        ("dinov2.yaml", None, POOLED),
        ("dinov2.yaml", "no-pooler", PATCHES),
        ("dinov2.yaml", "untrained-pooler", PATCHES),
    ],
)
def test_the_programs_for_embeddings_give_a_row_for_each_image(
    name: str, model: str | None, column: int, embed: Any
) -> None:
    made, rows = embed(name, model)
    red = [10 * int(Path(image_id).stem) / 255 for image_id in rows["image_id"]]
    np.testing.assert_allclose(made[:, column], red, atol=0.01)


def test_a_network_of_which_a_layer_has_no_weights_is_refused(embed: Any) -> None:
    with pytest.raises(PetiteError, match=r"untrained.*layer\.1\.weight"):
        embed("dinov2.yaml", "untrained")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty images, each with a red of its own."""
    for number in range(20):
        path = tmp_path / f"photos/{'ab'[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 30), (10 * number, 0, 0)).save(path)
    return tmp_path / "photos"


@pytest.fixture
def embed(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Embed the images by the command of a file on the page, with stand-ins for the networks."""

    def run(name: str, model: str | None) -> tuple[np.ndarray, pd.DataFrame]:
        (layer,) = overlays("docs/embeddings.md", [Path(name)])
        backbone = layer.values["backbone"]
        command = backbone["command"].replace("python ", f"'{sys.executable}' ", 1)
        if model:
            command = re.sub(r"--model \S+", f"--model {model}", command)
        monkeypatch.chdir(REPOSITORY)
        monkeypatch.setenv("PYTHONPATH", str(REPOSITORY / "tests/stand_ins"))
        program = Program(command, backbone["image_size"], threads=2, max_seconds=60)
        path = photos.parent / "1-of-1.npy"
        with open_source("folder", photos) as source:
            rows = listing(source, classes=None, limit_per_class=None, max_bad_share=0.5)
            embed_shard_by_program(source, rows, program, path)
        return np.load(path), rows

    return run


# --------------------------------------------------------------------------------------- links


def anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(BLOCK, "", text), re.M)
    return {re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-") for name in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_to_files_and_headings_lead_somewhere(page: str) -> None:
    text = re.sub(BLOCK, "", PAGES[page])
    links = re.findall(r"\]\((?!https?:)([^)\s]+)\)", text)
    for link in links:
        name, _, anchor = link.partition("#")
        path = ((REPOSITORY / page).parent / name).resolve() if name else REPOSITORY / page
        written = path.name in ("settings.md", "rules.md")
        assert written or path.exists(), link
        if anchor and not written:
            assert anchor in anchors(path.read_text("utf-8")), link


# ----------------------------------------------------------------------------------- reference


@cache
def reference() -> ModuleType:
    return module_at(DOCS / "_ext/petite_reference.py")


def test_every_setting_is_documented_with_what_it_takes() -> None:
    found = [setting for _, _, settings in reference().sections() for setting in settings]
    assert [setting.name for setting in found if not setting.meaning] == []
    assert [setting.name for setting in found if not setting.kind] == []


def test_placeholders_in_the_reference_are_shown_and_not_taken_for_html() -> None:
    for page in (reference().settings_page(), reference().rules_page()):
        assert not re.search(r"<\w+>", re.sub(r"`[^`]*`", "", page))
        assert re.search(r"results/&lt;\w+>/", page)


def names_in(values: dict[str, Any], prefix: str = "") -> list[str]:
    """The full names of the keys of a configuration."""
    return [
        name
        for key, value in values.items()
        for name in (
            names_in(value, f"{prefix}{key}.")
            if isinstance(value, dict) and value
            else [f"{prefix}{key}"]
        )
    ]


def test_every_key_of_the_default_configuration_is_in_the_reference() -> None:
    page = reference().settings_page()
    values = read_layer(REPOSITORY / "config.yaml").values
    methods = values.pop("methods")
    for name in names_in(values):
        assert f"`{name}`" in page or f"`{name.rpartition('.')[0]}`" in page, name
    for entry in methods.values():
        for name in names_in(entry, "methods.LABEL."):
            assert f"`{name}`" in page or f"`{name.rpartition('.')[0]}`" in page, name


def test_every_rule_is_in_the_reference_and_every_file_of_rules_says_what_it_does() -> None:
    page = reference().rules_page()
    for name in RULES:
        assert f"`{name}`" in page, name
    for section in page.split("\n## ")[1:]:
        title, words, *_ = [line for line in section.splitlines() if line]
        assert not words.startswith("`"), title


VERDICTS = [value for name, value in vars(verdicts).items() if name.isupper() and " " in str(value)]


@pytest.mark.parametrize("verdict", [value for value in VERDICTS if isinstance(value, str)])
def test_every_verdict_is_in_the_glossary_or_its_explanation(verdict: str) -> None:
    assert f"*{verdict}*" in PAGES["docs/glossary.md"] + PAGES["docs/evidence.md"]


# ------------------------------------------------------------------------- pictures and numbers


@cache
def pictures() -> ModuleType:
    return module_at(REPOSITORY / "benchmarks/pictures.py")


def test_the_page_of_pictures_shows_all_ten_in_order() -> None:
    shown = re.findall(r"\(figures/([\w-]+)\.svg\)", PAGES["docs/evidence-in-pictures.md"])
    assert shown == list(pictures().PICTURES) and len(shown) == 10


def drawing(path: Path) -> tuple[str, np.ndarray]:
    """An SVG without numbers, and its numbers, of which processors differ in the last digits."""
    text = re.sub(r'(?:id|href|clip-path)="[^"]*"', "", path.read_text("utf-8"))
    number = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
    return re.sub(number, "", text), np.array(re.findall(number, text), np.float64)


@pytest.mark.parametrize("name", [*pictures().PICTURES, *pictures().RESULT_FIGURES])
def test_a_picture_is_what_its_program_draws(name: str, tmp_path: Path) -> None:
    words, numbers = drawing(pictures().write(name, tmp_path))
    committed, expected = drawing(DOCS / f"figures/{name}.svg")
    assert words == committed, f"run `python benchmarks/pictures.py {name}`"
    np.testing.assert_allclose(numbers, expected, atol=0.01)


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "benchmarks/results").glob("*.csv")), ids=lambda path: path.name
)
def test_a_table_of_results_is_read_and_a_page_links_it(path: Path) -> None:
    assert len(pd.read_csv(path))
    assert any(f"results/{path.name}" in text for text in PAGES.values()), "link it from a page"
