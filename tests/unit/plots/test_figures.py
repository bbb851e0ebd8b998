"""Every figure is drawn from real files, says what it shows, and comes out the same each time."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image
from sklearn.datasets import load_digits

from petite.data.ingest import build_index, gather_shards, ingest_shard, make_manifest
from petite.data.sources import UnreadableEntry, listing, open_source
from petite.data.splits import training_images
from petite.data.splitting import split_images
from petite.data.store import Store, shard_record
from petite.evaluation.summary import summarize
from petite.plots import style
from petite.plots.accuracy import accuracy_picture
from petite.plots.calibration import calibration_bins, calibration_picture
from petite.plots.curves import accuracy_curves_picture
from petite.plots.plane import RANDOM_CELLS
from petite.plots.registry import FIGURES
from petite.plots.samples import evenly, in_turn, recipe_in_words
from petite.plots.style import method_color, method_marker, save, spread
from petite.selection import select
from petite.selection.methods.tilings import TILINGS
from petite.subsets import augmentation as recipes
from petite.subsets.tables import augmented as augmented_table
from petite.subsets.tables import ranking_table, subset_table
from petite.util.errors import PetiteError

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
CASES = {("full", 1.0): 0.95, ("random", 0.5): 0.93, ("random", 0.1): 0.85, ("pca_grid", 0.1): 0.86}


def make_runs(cases: dict[tuple[str, float], float], seeds: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "judge": "scratch", "dataset": "pets", "method": method, "fraction": fraction,
            "images": round(12_150 * fraction), "split_seed": 0, "training_seed": seed,
            "model": "compact", "backend": "tensorflow", "budget": "150 steps",
            "precision": "float32",
            "accuracy": accuracy + random.normal(0, 0.004), "loss": 0.3,
            "stored_bytes": 1_000_000, "select_seconds": 1.0, "train_seconds": 60.0,
        }
        for (method, fraction), accuracy in cases.items()
        for seed in range(seeds)
    )  # fmt: skip


def make_history(cases: dict[tuple[str, float], float], seeds: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": method, "fraction": fraction, "seed": seed, "epoch": step / (100 * fraction),
            "step": step, "accuracy": 1 - 0.5 * 0.98**step, "loss": 0.7 * 0.98**step + seed / 100,
            "validation_accuracy": accuracy - 0.4 * 0.98**step, "validation_loss": 0.5,
            "learning_rate": 0.1,
        }
        for (method, fraction), accuracy in cases.items()
        for seed in range(seeds)
        for step in range(25, 176, 25)
    )  # fmt: skip


def saved(figure: Figure, folder: Path, name: str = "figure") -> tuple[Path, Path]:
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    save(figure, png, svg)
    return png, svg


def words(svg: Path) -> str:
    """All text of an SVG, which must be well-formed XML."""
    return " ".join(text.strip() for text in ElementTree.parse(svg).getroot().itertext())


def drawn(figure: Figure, folder: Path) -> str:
    """Save a figure, check that it is a picture with something on it, and return its words."""
    png, svg = saved(figure, folder)
    with Image.open(png) as picture:
        assert picture.width > 1000
        dark = np.asarray(picture.convert("L")) < 200
        assert 0.002 < dark.mean() < 0.9
    return words(svg)


class World:
    """A small data set of real files, taken through the real steps up to the subsets."""

    def __init__(self, folder: Path, classes: int, channels: int) -> None:
        digits = load_digits()
        source = folder / "source"
        for label in range(classes):
            (source / f"class {label}").mkdir(parents=True)
            pictures = digits.images[digits.target == label][:24]
            for number, picture in enumerate(pictures):
                image = Image.fromarray((picture * 15).astype(np.uint8))
                image.convert("RGB").save(source / f"class {label}" / f"{number}.png")
        (source / "class 0" / "$_$.png").write_bytes(b"")  # no mathematics
        (source / "class 0" / "text.png").write_text("not an image")
        Image.new("RGB", (2, 2), "red").save(source / "class 1" / "tiny.png")

        self.source = open_source("folder", source)
        entries = listing(self.source, None, None, 0.2)
        store = folder / "store"
        shard = store / "shards" / "1-of-1.npy"
        table = ingest_shard(self.source, entries, shard, image_size=8, channels=channels)
        index = build_index(
            gather_shards(entries, [table]),
            [f"class {label}" for label in range(classes)],
            limit_per_class=None, max_bad_share=0.5, near_copy_distance=None,
        )  # fmt: skip
        index.to_parquet(store / "index.parquet")
        manifest = make_manifest(
            index,
            sorted(index["class_name"].unique()),
            [shard_record(shard, store)],
            8,
            channels,
            {},
        )
        self.manifest = store / "manifest.json"
        self.manifest.write_text(json.dumps(manifest))
        self.store = Store.open(self.manifest)
        self.split = split_images(index, test=0.1, validation=0.1, seed=0).table
        train = training_images(self.split)
        pixels = self.store.images(train["image_id"]).reshape(len(train), -1).astype(np.float32)
        centered = pixels - pixels.mean(axis=0)
        self.features = centered @ np.linalg.svd(centered, full_matrices=False)[2][:4].T
        ranking = select(self.features, train["label"].to_numpy(), 6 * classes, "pca_grid", seed=0)
        self.details = json.loads(json.dumps(ranking.details))
        self.subset = subset_table(ranking_table(ranking, train), train, self.store.classes)
        self.augmented = augmented_table(self.subset, 0, recipes.Settings(ratio=2.0))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"), classes=3, channels=3)


# -------------------------------------------------------------- accuracy and curves


def test_accuracy_names_every_method_fraction_and_number_of_images(tmp_path: Path) -> None:
    runs = make_runs(CASES, 6)
    text = drawn(FIGURES["accuracy_by_fraction"].draw(runs, summarize(runs)), tmp_path)
    for label in ["random", "pca_grid", "full set", "10%", "50%", "1,215", "6,075", "pets"]:
        assert label in text
    assert "too few for a claim" not in text


def named(axes: Axes, part: str) -> list:
    """What is drawn of a part of all methods."""
    return [each for each in axes.get_children() if str(each.get_gid()).startswith(f"{part}-")]


def test_accuracy_shows_every_run_as_a_dot() -> None:
    runs = make_runs(CASES, 3)
    figure = FIGURES["accuracy_by_fraction"].draw(runs, summarize(runs))
    [axes] = figure.axes
    heights = np.concatenate([dots.get_offsets()[:, 1] for dots in named(axes, "seeds")])
    assert sorted(heights) == pytest.approx(sorted(100 * runs["accuracy"]))


def test_accuracy_intervals_are_those_of_the_table() -> None:
    runs = make_runs(CASES, 3)
    summary = summarize(runs)
    [axes] = FIGURES["accuracy_by_fraction"].draw(runs, summary).axes
    bars = [line[:, 1] for lines in named(axes, "bars") for line in lines.get_segments()]
    expected = 100 * summary[["accuracy_low", "accuracy_high"]].to_numpy()
    np.testing.assert_allclose(sorted(map(tuple, bars)), sorted(map(tuple, expected)))


def test_many_methods_of_one_size_stay_within_the_picture() -> None:
    cases = {("full", 1.0): 0.9, ("random", 0.1): 0.8}
    runs = make_runs(cases | {(f"method_{number}", 0.1): 0.8 for number in range(30)}, 2)
    for width in (3.0, 7.0):
        [axes] = accuracy_picture(runs, summarize(runs), width).axes
        places = [x for marks in named(axes, "marks") for x in marks.get_offsets()[:, 0]]
        low, high = axes.get_xlim()
        assert len(places) == 32 and len(set(places)) > 16
        assert low <= min(places) <= max(places) <= high


def test_intervals_far_beyond_all_seeds_do_not_flatten_the_picture() -> None:
    runs = make_runs(CASES, 3)
    summary = summarize(runs)
    wild = summary.assign(accuracy_low=-2.0, accuracy_high=3.0)
    for table, cut in ((wild, True), (summary, False)):
        [axes] = FIGURES["accuracy_by_fraction"].draw(runs, table).axes
        low, high = axes.get_ylim()
        seeds = 100 * runs["accuracy"]
        assert seeds.min() - 2 * np.ptp(seeds) < low < high <= 101
        ends = np.concatenate([lines.get_segments() for lines in named(axes, "bars")])[..., 1]
        assert (ends.min() < low and ends.max() > high) == cut


def test_methods_that_collapse_do_not_flatten_the_picture_and_are_counted(tmp_path: Path) -> None:
    runs = make_runs(CASES | {("el2n", 0.1): 0.05, ("grand", 0.1): 0.2}, 3)
    runs["accuracy"] = runs["accuracy"].clip(lower=0)
    figure = FIGURES["accuracy_by_fraction"].draw(runs, summarize(runs))
    low, high = figure.axes[0].get_ylim()
    assert 55 < low < 80 and high > 95
    places = np.concatenate([marks.get_offsets()[:, 1] for marks in named(figure.axes[0], "marks")])
    assert (places >= low).all() and len(places) == 6
    assert "2 points below" in drawn(figure, tmp_path)


def test_fractions_without_room_for_their_names_have_ticks_without() -> None:
    runs = make_runs({("random", fraction): 0.8 for fraction in (1, 0.5, 0.49, 0.1)}, 2)
    [axes] = accuracy_picture(runs, summarize(runs), 3.0).axes
    texts = [label.get_text().split("\n")[0] for label in axes.get_xticklabels()]
    assert texts == ["100%", "50%", "", "10%"]


def test_a_wide_name_of_a_fraction_leaves_out_the_name_next_to_it() -> None:
    runs = make_runs({("random", fraction): 0.8 for fraction in (1, 0.5, 0.02)}, 2)
    summary = summarize(runs)
    summary.loc[summary["fraction"] == 1, "share"] = 0.89
    [axes] = accuracy_picture(runs, summary, 3.0).axes
    texts = [label.get_text().split("\n")[0] for label in axes.get_xticklabels()]
    assert texts == ["100% (89%)", "", "2%"]


def test_the_figures_show_and_name_the_metric_that_is_compared() -> None:
    runs = make_runs(CASES, 3)
    runs = runs.assign(balanced_accuracy=runs["accuracy"] / 2)
    summary = summarize(runs, "balanced_accuracy")
    [axes] = FIGURES["accuracy_by_fraction"].draw(runs, summary).axes
    assert axes.get_ylabel() == "balanced accuracy on the test images, %"
    heights = [height for dots in axes.collections for _, height in dots.get_offsets()]
    assert 100 * runs["balanced_accuracy"].max() == pytest.approx(max(heights))
    panels = FIGURES["differences"].draw(summary).axes
    assert "balanced accuracy on the test images" in " ".join(p.get_xlabel() for p in panels)


@pytest.mark.parametrize(
    ("cases", "seeds"),
    [
        ({("full", 1.0): 0.9}, 2),
        ({("random", 0.1): 0.8}, 1),
        ({("random", 0.1): 0.8, ("a_method_with_quite_a_long_name_of_many_letters", 0.1): 0.8}, 2),
        ({("random", 0.1): 1.0, ("full", 1.0): 1.0}, 2),
    ],
)
def test_accuracy_is_drawn_and_warns_where_there_is_little(
    cases: dict[tuple[str, float], float], seeds: int, tmp_path: Path
) -> None:
    runs = make_runs(cases, seeds)
    runs["accuracy"] = runs["accuracy"].clip(upper=1)
    text = drawn(FIGURES["accuracy_by_fraction"].draw(runs, summarize(runs)), tmp_path)
    assert "too few for a claim" in text


def test_an_axis_of_accuracy_never_spans_less_than_four_points() -> None:
    runs = make_runs({("random", 0.1): 0.8}, 3).assign(accuracy=[0.8, 0.8001, 0.8002])
    [axes] = FIGURES["accuracy_by_fraction"].draw(runs, summarize(runs)).axes
    low, high = axes.get_ylim()
    assert high - low >= 4


def test_accuracy_of_many_methods_names_those_of_the_paper_and_shows_the_others(
    tmp_path: Path,
) -> None:
    many = {(f"method_{number}", 0.1): 0.8 for number in range(12)}
    runs = make_runs(CASES | many, 2)
    text = drawn(FIGURES["accuracy_by_fraction"].draw(runs, summarize(runs)), tmp_path)
    assert "pca_grid" in text
    assert "method_3" not in text
    assert "12 further methods" in text


def test_long_names_of_methods_and_data_sets_leave_room_for_the_drawing(tmp_path: Path) -> None:
    name = "m" * 150
    cases = {("random", 0.1): 0.85, (name, 0.1): 0.86}
    runs = make_runs(cases, 6).assign(dataset="d" * 150)
    history = make_history(cases, 2)
    for figure in (
        FIGURES["differences"].draw(summarize(runs)),
        FIGURES["accuracy_by_fraction"].draw(runs, summarize(runs)),
        FIGURES["curves"].draw(history),
        FIGURES["curves"].draw(history, name, 0.1),
    ):
        text = drawn(figure, tmp_path)
        assert "m…m" in text and "m" * 50 not in text and "d" * 50 not in text
        for axes in figure.axes:
            assert axes.get_position().width > 0.3 / len(figure.axes)


def test_differences_tell_the_look_and_seeds_of_each_comparison(tmp_path: Path) -> None:
    summary = summarize(make_runs(CASES, 6))
    assert "look" not in drawn(FIGURES["differences"].draw(summary), tmp_path)
    at_looks = summary.assign(look=2.0, pairs=[10 + row for row in range(len(summary))])
    text = drawn(FIGURES["differences"].draw(at_looks), tmp_path)
    compared = at_looks[at_looks["difference_mean"].notna()]
    assert "the look at which the comparison was over" in " ".join(text.split())
    assert all(f"2 ({pairs} seeds)" in text for pairs in compared["pairs"])


def test_a_difference_beyond_the_axis_is_given_in_numbers(tmp_path: Path) -> None:
    cases = {(f"method_{number}", 0.1): 0.85 + number / 1000 for number in range(9)}
    summary = summarize(make_runs(CASES | cases | {("failing", 0.1): 0.3}, 6))
    assert "-55" in drawn(FIGURES["differences"].draw(summary), tmp_path)


def test_differences_have_a_panel_for_each_fraction_and_a_row_for_each_method(
    tmp_path: Path,
) -> None:
    cases = CASES | {("herding", 0.1): 0.80, ("herding", 0.5): 0.94}
    summary = summarize(make_runs(cases, 6))
    figure = FIGURES["differences"].draw(summary)
    assert [axes.get_title(loc="left").split(":")[0] for axes in figure.axes] == ["10%", "50%"]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["herding", "pca_grid"]
    text = drawn(figure, tmp_path)
    assert "minus that of random" in text


def test_differences_that_exclude_zero_are_colored_by_their_sign() -> None:
    summary = summarize(make_runs({**CASES, ("herding", 0.1): 0.80, ("zcore", 0.1): 0.95}, 6))
    [axes] = FIGURES["differences"].draw(summary).axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    dots = {names[int(line.get_ydata()[0])]: line.get_color() for line in axes.lines[1:]}  # type: ignore[index]
    assert dots["herding"] == style.OKABE_ITO[1]
    assert dots["zcore"] == style.OKABE_ITO[0]


def test_differences_without_random_are_refused() -> None:
    with pytest.raises(PetiteError, match="`random`"):
        FIGURES["differences"].draw(summarize(make_runs({("herding", 0.1): 0.8}, 3)))


def test_picks_have_a_panel_for_each_method_with_its_images(world: World, tmp_path: Path) -> None:
    half = world.subset.iloc[::2]
    figure = FIGURES["picks"].draw(
        world.features, world.split, {"pca_grid": world.subset, "half": half}, 0.1
    )
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["pca_grid", "half"]
    shown = [
        sum(len(dots.get_offsets()) for dots in axes.collections[1:])  # type: ignore[arg-type]
        for axes in figure.axes[:2]
    ]
    assert shown == [len(world.subset), len(half)]
    assert "10%" in drawn(figure, tmp_path)


@pytest.mark.parametrize("classes", [2, 5, 7, 8, 10])
def test_the_classes_of_picks_do_not_cover_the_title(classes: int) -> None:
    names = [str(label) for label in range(classes)]
    split = pd.DataFrame({"image_id": names, "label": range(classes), "split": "train"})
    kept = pd.DataFrame({"origin": names, "class_name": names})
    features = np.arange(2 * classes, dtype=np.float32).reshape(classes, 2)
    figure = FIGURES["picks"].draw(features, split, {"random": kept}, 0.25)
    figure.draw_without_rendering()
    title = figure._suptitle.get_window_extent()  # type: ignore[attr-defined]
    assert not title.overlaps(figure.legends[0].get_window_extent())


def test_picks_name_the_classes_in_the_order_of_their_labels() -> None:
    names = ["2", "10", "1"]
    split = pd.DataFrame({"image_id": ["a", "b", "c"], "label": [0, 1, 2], "split": "train"})
    kept = pd.DataFrame({"origin": ["c", "b", "a"], "class_name": names[::-1]})
    features = np.arange(6, dtype=np.float32).reshape(3, 2)
    figure = FIGURES["picks"].draw(features, split, {"random": kept[:2], "herding": kept}, 0.5)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == names


def test_curves_of_one_condition_have_a_line_for_each_run_and_the_mean(tmp_path: Path) -> None:
    figure = FIGURES["curves"].draw(make_history(CASES, 3), method="random", fraction=0.1)
    accuracy, loss = figure.axes[:2]
    for axes in (accuracy, loss):
        assert len(axes.lines) == 2 * (3 + 1)
    mean_of_training_loss = loss.lines[-1].get_ydata()
    assert mean_of_training_loss[0] == pytest.approx(0.7 * 0.98**25 + 0.01)
    text = drawn(figure, tmp_path)
    for label in ["random 10%, 3 runs", "validation", "training", "steps", "epochs", "loss"]:
        assert label in text


@pytest.mark.parametrize("count", [1, 7])
def test_the_overview_of_curves_has_every_condition(count: int, tmp_path: Path) -> None:
    cases = {("random", 1 / (place + 2)): 0.8 for place in range(count)}
    text = drawn(FIGURES["curves"].draw(make_history(cases, 2)), tmp_path)
    for _, fraction in cases:
        assert f"random {100 * fraction:.4g}%" in text


def test_curves_without_validation_images_are_drawn(tmp_path: Path) -> None:
    history = make_history(CASES, 2).assign(validation_accuracy=np.nan, validation_loss=np.nan)
    assert "random 10%" in drawn(FIGURES["curves"].draw(history), tmp_path)


def test_curves_of_an_unknown_condition_are_an_error_that_names_the_known() -> None:
    with pytest.raises(PetiteError, match=r"no learning curves of method el2n.*pca_grid at 0.1"):
        FIGURES["curves"].draw(make_history(CASES, 1), method="el2n", fraction=0.1)


def test_small_curves_share_the_scale_of_all_and_show_accuracy_alone() -> None:
    history = make_history(CASES, 3)
    pictures = [
        accuracy_curves_picture(history, history[history["method"] == method]).axes
        for method in ("full", "pca_grid")
    ]
    assert pictures[0][0].get_ylim() == pictures[1][0].get_ylim()
    for [axes] in pictures:
        assert len(axes.lines) == 2 * (3 + 1)
        assert {line.get_linestyle() for line in axes.lines if line.get_linewidth() > 1} == {
            "-", "--"
        }  # fmt: skip


def test_calibration_has_a_dot_for_each_bin_with_images_whose_area_is_their_number() -> None:
    confidence = np.array([0.52, 0.97, 0.98, 0.99])
    bins = calibration_bins(confidence, np.array([True, True, True, False]))
    assert bins["images"].tolist() == [1, 3]
    assert bins["right"].tolist() == pytest.approx([1, 2 / 3])
    [axes] = calibration_picture(bins, 2, "#0072B2").axes
    [dots] = named(axes, "dots")
    np.testing.assert_allclose(dots.get_offsets(), [[52, 100], [98, 200 / 3]])
    one, three = dots.get_sizes()
    assert three > 2 * one


# ------------------------------------------------------------------------ the plane


def test_clusters_have_a_panel_for_each_class(world: World, tmp_path: Path) -> None:
    figure = FIGURES["plane_clusters"].draw(
        world.features, world.split, world.subset, world.details
    )
    text = drawn(figure, tmp_path)
    for label in ["class 0", "class 1", "class 2", "cluster 0", "cluster 1"]:
        assert label in text
    dots = sum(len(group.get_offsets()) for axes in figure.axes for group in axes.collections)
    assert dots == len(world.features)


def test_each_grid_is_drawn_over_the_points_of_its_class_and_cluster(
    world: World, tmp_path: Path
) -> None:
    figure = FIGURES["plane_cells"].draw(world.features, world.split, world.subset, world.details)
    for axes, grid in zip(figure.axes, world.details["grids"], strict=True):
        _, members = axes.collections
        [cells] = axes.patches
        assert len(members.get_offsets()) == grid["images"]
        assert members.get_offsets()[:, 0].min() == pytest.approx(grid["x0"], rel=1e-5)
        assert members.get_offsets()[:, 1].max() == pytest.approx(grid["y1"], rel=1e-5)
        lines = cells.get_path().to_polygons(closed_only=False)
        assert len(lines) == (grid["side"] + 1) ** 2  # side + 1 across, and as many in each row
        assert f"{grid['side'] ** 2} cell" in axes.get_title(loc="left")
        assert f"{grid['chosen']} selected" in axes.get_title(loc="left")
    assert "cells" in drawn(figure, tmp_path)


def test_chosen_points_are_the_images_of_the_subset(world: World, tmp_path: Path) -> None:
    figure = FIGURES["plane_chosen"].draw(world.features, world.split, world.subset, world.details)
    for axes, (_, members) in zip(figure.axes, world.subset.groupby("label"), strict=True):
        _, chosen = axes.collections
        places = members[["plane_x", "plane_y"]].to_numpy()
        np.testing.assert_allclose(
            sorted(map(tuple, chosen.get_offsets())), sorted(map(tuple, places)), rtol=1e-5
        )
    count = len(training_images(world.split))
    assert f"{len(world.subset)} of {count} training images" in drawn(figure, tmp_path)


def lies_on(edge: np.ndarray, line: np.ndarray) -> bool:
    """Whether both ends (2, 2) are on the line from its first to its last point."""
    along = line[-1] - line[0]
    x, y = (edge - line[0]).T
    near = np.abs(x * along[1] - y * along[0]) <= 1e-6 * (along @ along)
    within = np.abs((edge - line[0]) @ along / (along @ along) - 0.5) <= 0.5 + 1e-6
    return bool((near & within).all())


@pytest.mark.parametrize(
    ("tiling", "plane"),
    [("triangle", "pca"), ("brick", "tsne"), ("parallelogram", "features")],
)
def test_cells_of_every_tiling_are_drawn_on_the_plane_that_they_divide(
    world: World, tiling: str, plane: str, tmp_path: Path
) -> None:
    # Columns the other way round are no principal components.
    features = world.features[:, ::-1].copy()
    train = training_images(world.split)
    labels = train["label"].to_numpy()
    ranking = select(
        features, labels, 18, "pca_grid", tiling=tiling, plane=plane, random_cells=True
    )
    details = json.loads(json.dumps(ranking.details))
    subset = subset_table(ranking_table(ranking, train), train, world.store.classes)
    figure = FIGURES["plane_cells"].draw(features, world.split, subset, details)
    for axes, grid in zip(figure.axes, details["grids"], strict=True):
        places = axes.collections[1].get_offsets()
        np.testing.assert_allclose(places.min(axis=0), [grid["x0"], grid["y0"]], rtol=1e-5)
        np.testing.assert_allclose(places.max(axis=0), [grid["x1"], grid["y1"]], rtol=1e-5)
        [cells] = axes.patches
        lines = cells.get_path().to_polygons(closed_only=False)
        box = np.array([grid[key] for key in ("x0", "y0", "x1", "y1")])
        for polygon in TILINGS[tiling].polygons(box, grid["side"]):
            for edge in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
                assert any(lies_on(np.array(edge), line) for line in lines)
    text = drawn(figure, tmp_path)
    assert {"pca": "component 1", "tsne": "t-SNE 1", "features": "feature 1"}[plane] in text
    assert RANDOM_CELLS in " ".join(text.split())
    figure = FIGURES["plane_chosen"].draw(features, world.split, subset, details)
    places = np.vstack([axes.collections[1].get_offsets() for axes in figure.axes])
    expected = subset[["plane_x", "plane_y"]].to_numpy()
    np.testing.assert_allclose(sorted(map(tuple, places)), sorted(map(tuple, expected)), rtol=1e-5)


def test_a_plane_of_one_feature_is_a_line(world: World, tmp_path: Path) -> None:
    figure = FIGURES["plane_chosen"].draw(
        world.features[:, :1], world.split, world.subset, world.details
    )
    assert "class 0" in drawn(figure, tmp_path)


def test_tables_of_different_runs_are_refused(world: World) -> None:
    with pytest.raises(PetiteError, match="features of 3 images"):
        FIGURES["plane_chosen"].draw(world.features[:3], world.split, world.subset, world.details)
    test_ids = world.split.loc[world.split["split"] == "test", "image_id"]
    leaked = world.subset.assign(image_id=[test_ids.iloc[0], *world.subset["image_id"][1:]])
    with pytest.raises(PetiteError, match="outside of the training split"):
        FIGURES["plane_chosen"].draw(world.features, world.split, leaked, world.details)
    with pytest.raises(PetiteError, match="no clusters and cells"):
        FIGURES["plane_cells"].draw(world.features, world.split, world.subset, {"method": "random"})
    other = {**world.details, "plane_points": {"x": [0.0], "y": [0.0]}}
    with pytest.raises(PetiteError, match="1 images"):
        FIGURES["plane_chosen"].draw(world.features, world.split, world.subset, other)


def test_many_points_are_pixels_in_the_svg_which_stays_small(tmp_path: Path) -> None:
    count = 13_500
    random = np.random.default_rng(0)
    ids = [f"Cat/{number}.jpg" for number in range(count)]
    split = pd.DataFrame({"image_id": ids, "label": np.arange(count) % 2, "split": "train"})
    subset = split[::10].assign(class_name=[["Cat", "Dog"][n % 2] for n in split["label"][::10]])
    subset = pd.concat([subset, split[1::100].assign(class_name="Dog")])
    features = random.normal(size=(count, 2)).astype(np.float32)
    details = {"plane": "pca", "centers": [], "grids": []}
    _, svg = saved(FIGURES["plane_chosen"].draw(features, split, subset, details), tmp_path)
    assert svg.stat().st_size < 1_000_000
    assert "13,500 training images" in words(svg)


# ------------------------------------------------------------------------- pictures


def test_samples_show_training_images_of_every_class(world: World, tmp_path: Path) -> None:
    figure = FIGURES["samples"].draw(world.store, world.split)
    train = set(training_images(world.split)["image_id"])
    known = {world.store.images([name])[0].tobytes() for name in train}
    assert len(figure.axes) == 3
    for axes in figure.axes:
        shown = np.asarray(axes.images[0].get_array())
        assert shown.shape == (8, 8 * 9 - 1, 3)
        assert all(shown[:, 9 * place : 9 * place + 8].tobytes() in known for place in range(8))
    text = drawn(figure, tmp_path)
    per_class = training_images(world.split)["label"].value_counts()
    for label, count in per_class.items():
        assert f"class {label}  ({count} training images)" in text


def test_ten_gray_classes_with_long_names_are_drawn(tmp_path: Path) -> None:
    world = World(tmp_path / "world", classes=10, channels=1)
    names = {f"class {n}": f"class {n} with a very long name " * 4 for n in range(10)}
    world.store.index["class_name"] = world.store.index["class_name"].map(names)
    world.subset["class_name"] = world.subset["class_name"].map(names)
    assert "class 9 with" in drawn(FIGURES["samples"].draw(world.store, world.split), tmp_path)
    figure = FIGURES["plane_clusters"].draw(
        world.features, world.split, world.subset, world.details
    )
    assert "cluster 1" in drawn(figure, tmp_path)


def test_augmented_images_are_rendered_beside_their_originals(world: World, tmp_path: Path) -> None:
    figure = FIGURES["augmented"].draw(world.store, world.augmented)
    shown = {
        np.asarray(axes.images[0].get_array()).tobytes() for axes in figure.axes if axes.images
    }
    expected = {
        recipes.render(world.store.images([row.origin])[0], row.recipe).tobytes()
        for row in world.augmented.itertuples()
    }
    assert shown <= expected
    originals = {world.store.images([name])[0].tobytes() for name in world.subset["image_id"]}
    assert shown & originals
    assert shown - originals
    text = drawn(figure, tmp_path)
    assert "class 0/" in text
    assert "factor" in text


def test_a_subset_without_augmented_images_is_refused(world: World) -> None:
    with pytest.raises(PetiteError, match="no augmented images"):
        FIGURES["augmented"].draw(world.store, world.subset)


def test_files_stand_beside_what_is_stored_of_them(world: World, tmp_path: Path) -> None:
    figure = FIGURES["stored"].draw(world.store, world.source)
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 24
    for file, stored in zip(shown[::2], shown[1::2], strict=True):
        image_id = file.get_title(loc="left")
        np.testing.assert_array_equal(
            np.asarray(stored.images[0].get_array()), world.store.images([image_id])[0]
        )
        expected = Image.open(world.source.path / image_id)
        np.testing.assert_array_equal(np.asarray(file.images[0].get_array()), expected)
    # Those of each class come first to last in turn.
    assert [axes.get_title(loc="left") for axes in shown[::8]] == [
        "class 0/0.png", "class 1/0.png", "class 2/0.png",
    ]  # fmt: skip
    text = drawn(figure, tmp_path)
    assert "8 × 8 pixels" in text and "gray levels" in text


def test_a_file_that_is_gone_is_a_tile_beside_what_is_stored_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def gone(image_id: str) -> bytes:
        raise UnreadableEntry("unreadable: no such file")

    monkeypatch.setattr(world.source, "read", gone)
    for source in (world.source, None):
        assert "cannot be" in drawn(FIGURES["stored"].draw(world.store, source), tmp_path)


def test_excluded_files_are_shown_with_reasons_if_they_decode(world: World, tmp_path: Path) -> None:
    figure = FIGURES["set_aside"].draw(world.store, world.source)
    by_name = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    assert set(by_name) == {"class 0/$_$.png", "class 0/text.png", "class 1/tiny.png"}
    assert np.asarray(by_name["class 1/tiny.png"].images[0].get_array())[50, 50].tolist() == [
        255, 0, 0,
    ]  # fmt: skip
    text = drawn(figure, tmp_path)
    assert f"3 of {len(world.store.index)} files excluded" in text
    for label in ["empty: no bytes", "not an image", "too small: 2x2", "cannot be"]:
        assert label in text


def test_a_clean_data_set_says_that_nothing_was_excluded(world: World, tmp_path: Path) -> None:
    store = Store.open(world.manifest)
    store.index = store.index[store.index["status"] == "ok"]
    png, svg = saved(FIGURES["set_aside"].draw(store, world.source), tmp_path)
    assert "No file was excluded" in words(svg)
    assert png.stat().st_size > 1000


# ---------------------------------------------------------------------------- style


def test_the_same_figure_gives_the_same_bytes(world: World, tmp_path: Path) -> None:
    runs = make_runs(CASES, 3)
    for name, make in {
        "accuracy": lambda: FIGURES["accuracy_by_fraction"].draw(runs, summarize(runs)),
        "chosen": lambda: FIGURES["plane_chosen"].draw(
            world.features, world.split, world.subset, world.details
        ),
    }.items():
        first, second = saved(make(), tmp_path, f"{name}1"), saved(make(), tmp_path, f"{name}2")
        for one, other in zip(first, second, strict=True):
            assert one.read_bytes() == other.read_bytes()


def test_a_method_keeps_its_color_whatever_else_is_drawn() -> None:
    few = make_runs({("random", 0.1): 0.8, ("herding", 0.1): 0.8}, 2)
    many = make_runs({(name, 0.1): 0.8 for name in ["random", "a", "b", "herding", "z"]}, 2)
    for runs in (few, many):
        [axes] = FIGURES["accuracy_by_fraction"].draw(runs, summarize(runs)).axes
        [label] = [text for text in axes.texts if text.get_text() == "herding"]
        assert to_hex(label.get_color()) == method_color("herding").lower()


def test_the_paper_methods_have_looks_of_their_own() -> None:
    names = ["full", "random", "pca_grid", "augmentation"]
    assert len({method_color(name) for name in names}) == 4
    assert len({(method_color(name), method_marker(name)) for name in names}) == 4


@given(st.lists(st.floats(0, 100), max_size=12), st.floats(0.1, 20))
def test_labels_are_spread_to_the_gap_in_their_order(places: list[float], gap: float) -> None:
    moved = spread(places, gap)
    order = np.argsort(places, kind="stable")
    assert (np.diff(np.array(moved)[order]) >= gap - 1e-6).all()
    # Together they stay where they are.
    assert sum(moved) == pytest.approx(sum(places), abs=1e-6)


def test_labels_with_room_stay_where_they_are() -> None:
    assert spread([10.0, 1.0, 5.0], 2.0) == [10.0, 1.0, 5.0]


@given(st.integers(1, 500), st.integers(1, 50))
def test_even_places_are_all_different_and_reach_both_ends(count: int, wanted: int) -> None:
    places = evenly(count, wanted)
    assert len(places) == min(count, wanted)
    assert places[0] == 0
    assert wanted == 1 or places[-1] == count - 1


def plane_inputs(classes: int, images: int) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame, dict]:
    """What the figures of the plane take, of classes of one size but for a large one."""
    labels = np.repeat(np.arange(classes), images)
    labels = np.concatenate([labels, np.full(30, classes // 2)])
    split = pd.DataFrame({"image_id": np.arange(len(labels)).astype(str), "label": labels})
    split["split"] = "train"
    features = np.random.default_rng(0).normal(size=(len(labels), 3)).astype(np.float32)
    ranking = select(features, labels, classes, "pca_grid", seed=0)
    names = [f"class {label:04d}" for label in range(classes)]
    train = training_images(split)
    subset = subset_table(ranking_table(ranking, train), train, names)
    return features, split, subset, json.loads(json.dumps(ranking.details))


@pytest.mark.parametrize("name", ["plane_clusters", "plane_cells", "plane_chosen"])
@pytest.mark.parametrize(("classes", "images"), [(1000, 5), (30, 4), (3, 20)])
def test_the_plane_of_any_number_of_classes_has_few_panels(
    name: str, classes: int, images: int, tmp_path: Path
) -> None:
    features, split, subset, details = plane_inputs(classes, images)
    figure = FIGURES[name].draw(features, split, subset, details)
    assert len(figure.axes) <= 32
    png, svg = saved(figure, tmp_path)
    with Image.open(png) as picture:
        assert picture.height < 5000
    assert svg.stat().st_size < 2_000_000
    assert f"class {classes // 2:04d}" in words(svg)  # the largest
    if classes == 1000:
        what = "boxes" if name == "plane_cells" else "classes"
        text = " ".join(words(svg).split())  # the note has several lines
        assert f"The 16 largest and the 16 smallest of 1,000 {what} are shown; 968" in text


@pytest.mark.parametrize("stretch", [(1, 1), (300, 1), (1, 300)])
def test_panels_of_the_plane_are_not_slivers(stretch: tuple[float, float], tmp_path: Path) -> None:
    features, split, subset, details = plane_inputs(3, 20)
    features[:, :2] *= stretch
    figure = FIGURES["plane_chosen"].draw(features, split, subset, details)
    saved(figure, tmp_path)
    for axes in figure.axes:
        box = axes.get_window_extent()
        assert 0.4 < box.height / box.width < 1.6


@pytest.mark.parametrize("classes", [1000, 21, 20, 4, 1])
def test_picks_name_the_classes_that_can_be_told_apart(classes: int, tmp_path: Path) -> None:
    _, split, _, _ = plane_inputs(classes, 5)
    names = np.char.add("class ", split["label"].to_numpy().astype(str))
    kept = pd.DataFrame({"origin": split["image_id"], "class_name": names}).iloc[::2]
    features = np.random.default_rng(0).normal(size=(len(split), 3)).astype(np.float32)
    figure = FIGURES["picks"].draw(features, split, {"random": kept}, 0.5)
    text = drawn(figure, tmp_path)
    assert figure.get_figheight() < 6
    looks = {
        (to_hex(dots.get_facecolors()[0]), dots.get_paths()[0].vertices.tobytes())
        for dots in figure.axes[0].collections[1:]
    }
    if classes > 20:
        assert f"of {classes:,} classes." in text and "class 0" not in text
        assert len(looks) == 1
    else:
        assert all(f"class {label}" in text for label in range(classes))
        assert len(looks) == classes


def test_samples_of_very_many_classes_show_the_largest_and_the_smallest(
    world: World, tmp_path: Path
) -> None:
    store = Store.open(world.manifest)
    train = training_images(world.split)
    labels = np.arange(len(store.index)) % 25
    names = [f"class {label}" for label in labels]
    store.index = store.index.assign(label=labels, class_name=names)
    figure = FIGURES["samples"].draw(store, world.split)
    assert len(figure.axes) == 20
    text = " ".join(drawn(figure, tmp_path).split())
    assert "The 10 largest and the 10 smallest of 25 classes are shown; 5 are left out." in text
    sizes = store.index[store.index["image_id"].isin(train["image_id"])]["label"].value_counts()
    for label in (sizes.idxmax(), sizes.idxmin()):
        assert f"class {label} ({sizes[label]} training" in text


def test_sizes_are_all_shown_or_from_both_ends() -> None:
    assert style.largest_and_smallest([3, 1, 2], 3) == [0, 1, 2]
    assert style.largest_and_smallest([3, 1, 2, 9], 3) == [3, 0, 1]
    assert style.largest_and_smallest([], 3) == []


def test_rare_kinds_have_their_turn() -> None:
    kinds = pd.Series(["a"] * 50 + ["b"] + ["c"] * 2)
    assert [kinds[place] for place in in_turn(kinds, 5)] == ["a", "b", "c", "a", "c"]


def test_a_recipe_reads_as_words() -> None:
    assert recipe_in_words('{"degrees": -12.4822, "transform": "rotation"}') == (
        "rotation\ndegrees -12.5"
    )
    assert recipe_in_words('{"transform": "horizontal_flip"}').strip() == "horizontal flip"


# --------------------------------------------------------------------------- script


def figures_script(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, SCRIPTS / "figures.py", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


SETTINGS = """
image.origin: lower
text.usetex: True
font.family: Comic Neue
savefig.dpi: 30
savefig.bbox: tight
axes.prop_cycle: cycler(color=["red"])
image.cmap: jet
svg.fonttype: path
figure.constrained_layout.use: False
backend: TkAgg
interactive: True
"""


@pytest.fixture(scope="module")
def drawn_plainly(world: World, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return drawn_with({}, world, tmp_path_factory.mktemp("plain"))


def drawn_with(environment: dict[str, str], world: World, folder: Path) -> list[bytes]:
    """The bytes of a figure from a process with `folder` as its home and working folder."""
    world.split.to_parquet(folder / "split.parquet")
    png, svg = folder / "a.png", folder / "a.svg"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MPL")}
    done = subprocess.run(
        [
            sys.executable, SCRIPTS / "figures.py", "--figure", "samples",
            "--input", "store", world.manifest, "--input", "split", folder / "split.parquet",
            "--output-png", png, "--output-svg", svg,
        ],
        cwd=folder, env={**kept, "HOME": str(folder), **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [png.read_bytes(), svg.read_bytes()]


@pytest.mark.parametrize(
    "place",
    ["matplotlibrc", ".config/matplotlib/matplotlibrc", ".matplotlib/matplotlibrc", "given.txt"],
)
def test_the_users_settings_of_matplotlib_change_no_figure(
    place: str, world: World, drawn_plainly: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SETTINGS)
    given = {"MATPLOTLIBRC": str(path)} if place == "given.txt" else {}
    assert drawn_with(given, world, tmp_path) == drawn_plainly


@pytest.mark.parametrize("name", ["TkAgg", "no such backend", "module://notebook.backend_inline"])
def test_the_users_backend_changes_no_figure(
    name: str, world: World, drawn_plainly: list[bytes], tmp_path: Path
) -> None:
    assert drawn_with({"MPLBACKEND": name}, world, tmp_path) == drawn_plainly


def test_a_home_that_cannot_be_written_to_or_read_changes_no_figure(
    world: World, drawn_plainly: list[bytes], tmp_path: Path
) -> None:
    settings = tmp_path / ".config/matplotlib/matplotlibrc"
    settings.parent.mkdir(parents=True)
    settings.write_bytes("font.family: Caf\xe9".encode("latin-1"))
    assert drawn_with({}, world, tmp_path) == drawn_plainly
    (tmp_path / "file").touch()
    unwritable = {"MPLCONFIGDIR": str(tmp_path / "file/matplotlib")}
    assert drawn_with(unwritable, world, tmp_path) == drawn_plainly


def test_the_settings_of_a_program_that_draws_a_figure_stay_as_they_were() -> None:
    with rc_context({"image.origin": "lower"}):
        summary = summarize(make_runs(CASES, 3))
        FIGURES["differences"].draw(summary)
        assert rcParams["image.origin"] == "lower"


def test_the_script_draws_a_figure_from_files(world: World, tmp_path: Path) -> None:
    done = figures_script(
        "--figure", "set_aside", "--input", "store", world.manifest,
        "--source", "folder", "--path", world.source.path,
        "--output-png", tmp_path / "a.png", "--output-svg", tmp_path / "a.svg",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "files excluded" in words(tmp_path / "a.svg")
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_the_script_names_the_input_that_is_missing(tmp_path: Path) -> None:
    done = figures_script(
        "--figure", "accuracy_by_fraction", "--input", "summary", tmp_path / "summary.csv",
        "--output-png", tmp_path / "a.png", "--output-svg", tmp_path / "a.svg",
    )  # fmt: skip
    assert done.returncode == 1
    assert "needs --input runs" in done.stderr
    assert "Traceback" not in done.stderr
