"""The whole workflow, run on a tiny configuration."""

import json
import re
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from petite.data.store import Store

pytestmark = pytest.mark.workflow

SUMMARY_COLUMNS = (
    "method fraction share images runs accuracy_mean accuracy_sd accuracy_low accuracy_high "
    "balanced_accuracy_mean balanced_accuracy_low balanced_accuracy_high "
    "worst_class_accuracy_mean metric pairs look "
    "difference_mean difference_low difference_high loss_mean stored_bytes select_seconds_mean "
    "train_seconds_mean"
).split()


@pytest.fixture(scope="module")
def results(tiny_run) -> Path:
    return tiny_run[0] / "results/tiny"


def test_summary_has_a_row_for_each_method_and_fraction(results):
    summary = pd.read_csv(results / "summary.csv")
    assert list(summary.columns) == ["judge", *SUMMARY_COLUMNS]
    assert set(zip(summary.method, summary.fraction, strict=True)) == {
        ("full", 1.0),
        ("random", 0.25),
        ("random", 0.1),
        ("pca_grid", 0.1),
        ("augmentation", 0.1),
    }
    assert (summary.runs == 2).all()


DOCUMENTED = re.findall(
    r"^## (\w+)$|^\| (`\w+`(?:, `\w+`)*) \| ([a-z ]+) \|",
    (Path(__file__).resolve().parents[2] / "docs/tables.md").read_text("utf-8"),
    re.M,
)
IS_TYPE = {
    "text": pa.types.is_large_string,
    "integer": pa.types.is_integer,
    "number": lambda kind: pa.types.is_integer(kind) or pa.types.is_floating(kind),
    "true or false": pa.types.is_boolean,
}


@pytest.mark.parametrize(
    ("section", "path"),
    [
        *(
            (name, f"{name}.parquet")
            for name in ("runs", "summary", "verdicts", "costs", "history")
        ),
        ("subsets", "subsets/random/0.1/seeds-0-1.parquet"),
        ("splits", "splits/0.parquet"),
        ("store", "store/index.parquet"),
    ],
)
def test_the_docs_list_every_column_of_a_table_with_its_type(results, section, path):
    documented, current = {}, ""
    for title, names, kind in DOCUMENTED:
        current = title or current
        if current == section:
            documented |= dict.fromkeys(re.findall(r"\w+", names), kind)
    schema = pq.read_schema(results / path)
    assert set(documented) == set(schema.names)
    for name, kind in documented.items():
        assert IS_TYPE[kind](schema.field(name).type), (name, schema.field(name).type)


def test_each_run_is_a_row_and_a_model_that_gives_probabilities(results):
    runs = pd.read_csv(results / "runs.csv")
    assert len(runs) == 10
    assert runs.accuracy.between(0, 1).all()
    models = sorted(results.glob("models/scratch/*/*/*/*.keras"))
    assert len(models) == 10
    store = Store.open(results / "store/manifest.json")
    import keras  # here, so that no other process loads TensorFlow for it

    model = keras.saving.load_model(models[0])
    images = store.images(store.index.query("status == 'ok'").image_id[:5])
    np.testing.assert_allclose(model.predict(images, verbose=0).sum(axis=1), 1, rtol=1e-5)


def test_subsets_hold_training_images_only_and_as_many_as_asked(results):
    split = pd.read_parquet(next(results.glob("splits/*.parquet")))
    training = set(split.image_id[split.split == "train"])
    for path in results.glob("subsets/*/*/*.parquet"):
        fraction = float(path.parts[-2])
        by_seed = pd.read_parquet(path).groupby("seed")
        assert list(by_seed.groups) == ([0] if "full" in path.parts else [0, 1])
        for _, subset in by_seed:
            assert set(subset.origin) <= training
            assert subset.origin.nunique() == round(fraction * len(training))


def test_figures_are_there_as_png_and_svg(results):
    names = {path.stem for path in results.glob("figures/*.png")}
    assert names == {path.stem for path in results.glob("figures/*.svg")}
    assert {
        "accuracy_by_fraction",
        "augmented",
        "curves",
        "plane_cells",
        "plane_chosen",
        "plane_clusters",
        "samples",
        "stored",
        "set_aside",
    } <= {re.sub(r"-.*", "", name) for name in names}


def test_every_rule_leaves_a_log(results):
    logs = [path for path in results.glob("logs/**/*.log")]
    assert {"listing", "index", "pixels", "summarize"} <= {log.stem for log in logs}
    assert results.joinpath("logs/split/0.log") in logs
    assert all(log.stat().st_size > 0 for log in logs)


def test_the_table_is_what_the_run_prints_last(tiny_run):
    folder, finished = tiny_run
    table = (folder / "results/tiny/summary.txt").read_text(encoding="utf-8").rstrip()
    assert finished.stdout.rstrip().endswith(table)
    assert "results/tiny/figures" in finished.stdout


def test_a_second_run_has_nothing_to_do(tiny_run, snakemake, tiny_config):
    again = snakemake(tiny_run[0], "--dry-run", config=tiny_config)
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout + again.stderr


def test_another_limit_of_memory_reruns_nothing(tiny_run, snakemake, tiny_config):
    tiny_config["max_memory"] = "1 GB"
    again = snakemake(tiny_run[0], "--dry-run", config=tiny_config)
    assert "Nothing to be done" in again.stdout + again.stderr


def due(dry_run: CompletedProcess[str]) -> dict[str, int]:
    """How often each rule is listed in a dry run's table of jobs."""
    return {
        name: int(count)
        for name, count in re.findall(r"^(\w+) +(\d+)$", dry_run.stdout + dry_run.stderr, re.M)
        if name != "total"
    }


def test_an_archive_of_photographs_runs_from_the_command_line_to_the_kept_images(
    tmp_path, snakemake, tiny_config, write_pictures
):
    pictures = tmp_path / "my pets; $(touch gotcha)"
    write_pictures(pictures, ["a cat", "it's a dog", "Käfer"], 24)
    (pictures / "a cat" / "broken.jpg").write_bytes(b"")
    (pictures / "Käfer" / "notes.txt").write_text("no picture")
    del tiny_config["dataset"]
    tiny_config["methods"] = {
        "random": {"fractions": [0.5]},
        "pca_grid": {"fractions": []},
        "augmentation": {"fractions": []},
    }
    tiny_config["seeds_by_fraction"] = {"1": 1, "0.5": 1, "0.3": 2}
    archive = shutil.make_archive(str(pictures), "zip", pictures)
    # So few steps show nothing, so that none is recommended.
    arguments = ["--config", f"archive={archive}", "export=full:1", "--", "all", "export"]
    finished = snakemake(tmp_path / "run", *arguments, config=tiny_config)
    assert finished.returncode == 0, finished.stderr
    assert "no method has the fraction 0.3, so its seeds are not used" in finished.stderr
    results = tmp_path / "run/results/my-pets-touch-gotcha"
    assert len(list((results / "export/full-1-seed-0/images").glob("*/*.jpg"))) > 50
    index = pd.read_parquet(results / "store/index.parquet")
    aside = index[index.status == "set_aside"]
    assert set(aside.image_id) == {"a cat/broken.jpg"}
    assert "1 .txt" in json.loads((results / "store/listing.json").read_text("utf-8"))["notices"][1]
    assert json.loads((results / "store/manifest.json").read_text())["channels"] == 3
    assert not list(tmp_path.glob("**/gotcha"))


def test_snakemake_looks_for_jobs_when_one_has_ended_and_at_no_other_time(
    tmp_path, snakemake, tiny_config
):
    tiny_config["seeds"] = 4
    subsets = [
        f"results/tiny/subsets/random/{fraction}/seeds-{seed}-{seed}.parquet"
        for fraction in (0.25, 0.1)
        for seed in range(4)
    ]
    finished = snakemake(tmp_path, "--verbose", "--", *subsets, config=tiny_config)
    assert finished.returncode == 0, finished.stderr
    said = finished.stdout + finished.stderr
    assert 0 < said.count("Ready jobs: ") <= said.count("Finished jobid: ")


def test_a_wrong_configuration_is_refused_at_once_in_words(tmp_path, snakemake, tiny_config):
    tiny_config["sedes"] = 3
    tiny_config["methods"]["random"]["fractions"] = [2]
    finished = snakemake(tmp_path, config=tiny_config)
    assert finished.returncode != 0
    assert "sedes: Unknown key 'sedes'. Did you mean 'seeds'?" in finished.stderr
    assert "methods.random.fractions.0" in finished.stderr
    assert "Traceback" not in finished.stdout + finished.stderr
    assert not (tmp_path / "results").exists()


def test_too_many_unreadable_files_stop_the_run_with_the_reason(
    tmp_path, snakemake, tiny_config, write_pictures
):
    write_pictures(tmp_path / "pets", ["cat", "dog"], 6)
    for number in range(4):
        (tmp_path / "pets/cat" / f"bad {number}.jpg").write_bytes(b"\xff\xd8 no more")
    del tiny_config["dataset"]
    finished = snakemake(
        tmp_path / "run", "--config", f"folder={tmp_path / 'pets'}", config=tiny_config
    )
    assert finished.returncode != 0
    output = finished.stdout + finished.stderr
    assert "max_bad_share" in output
    assert "bad 0.jpg" in output
    assert "Traceback" not in output


def test_the_overlays_make_a_whole_plan(tmp_path, snakemake, photo_archive):
    repository = Path(__file__).resolve().parents[2]
    judged_by = {"petimages": "train", "paper": "train", "scratch": "train", "photos": "probe"}
    for overlay, judging in judged_by.items():
        dry = snakemake(
            tmp_path,
            "--dry-run",
            "--configfile",
            str(repository / f"workflow/config/{overlay}.yaml"),
            "--config",
            f"archive={photo_archive}",
        )
        assert dry.returncode == 0, dry.stderr
        assert due(dry)[judging] >= 4


# One of each kind of selection: by ranking, for each size, in each feature space, by a training
# score, by class error, in chains; and the first stage for large classes as separate jobs.
MANY_METHODS = {
    "random": {"fractions": [0.1]},
    "random_again": {"method": "random", "stream": 1, "fractions": [0.1]},
    "pca_grid": {"fractions": []},
    "augmentation": {"fractions": []},
    "full": {"fractions": []},
    "herding": {"fractions": [0.1, 0.2]},
    "kmeans_medoid": {"fractions": [0.1], "space": "random_conv"},
    "k_center_greedy": {"fractions": [0.1], "space": "proxy"},
    "craig": {"fractions": [0.1]},
    "mine": {"score": "aum", "sampler": "ccs", "quota": "error", "fractions": [0.1]},
    "deduplicated": {
        "steps": [{"method": "semdedup", "share": 3}, {"method": "ccs"}],
        "fractions": [0.1],
    },
    "stretched": {
        "steps": [{"method": "pca_grid", "share": 0.5}, {"method": "augmentation"}],
        "fractions": [0.1],
    },
}


@pytest.fixture(scope="module")
def many_methods(snakemake, tmp_path_factory):
    """The subsets of MANY_METHODS for seed 0, without trainings: the folder and the config."""
    folder = tmp_path_factory.mktemp("many methods")
    config = {
        "dataset": {"name": "tiny", "source": "digits", "classes": ["0", "1"], "image_size": 8},
        "methods": MANY_METHODS,
        "seeds": 1,
        "partitions": 2,
        "proxy": {"steps": 12, "evaluations": 3},
        "training": {"batch_size": 16},
    }
    wanted = [
        f"results/tiny/subsets/{label}/{fraction:g}/seeds-0-0.parquet"
        for label, entry in MANY_METHODS.items()
        for fraction in entry["fractions"]
    ]
    finished = snakemake(folder, "--", *wanted, config=config)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder, config


def test_every_kind_of_selection_keeps_what_was_asked_for(many_methods):
    results = many_methods[0] / "results/tiny"
    split = pd.read_parquet(results / "splits/0.parquet")
    training = set(split.image_id[split.split == "train"])
    for label, entry in MANY_METHODS.items():
        for fraction in entry["fractions"]:
            path = results / f"subsets/{label}/{fraction:g}/seeds-0-0.parquet"
            subset, record = (
                pd.read_parquet(path),
                json.loads(path.with_suffix(".json").read_text())[0],
            )
            k = round(fraction * len(training))
            assert len(subset) == k == record["rows"], label
            assert set(subset.origin) <= training
            real = subset[subset.recipe == ""]
            assert real.image_id.nunique() == len(real) == record["images"]
    assert record["method"] == "pca_grid"
    assert [step["method"] for step in record["steps"]] == ["pca_grid"]
    assert len(real) == round(k / 2)


def test_another_stream_of_random_is_a_control_with_other_images(many_methods):
    subsets = many_methods[0] / "results/tiny/subsets"
    random, again = (
        pd.read_parquet(subsets / label / "0.1/seeds-0-0.parquet")
        for label in ("random", "random_again")
    )
    assert random.class_name.value_counts().equals(again.class_name.value_counts())
    assert set(random.image_id) != set(again.image_id)


def test_weights_of_craig_add_up_to_the_images_of_a_class(many_methods):
    results = many_methods[0] / "results/tiny"
    split = pd.read_parquet(results / "splits/0.parquet")
    sizes = split[split.split == "train"].groupby("label").size()
    subset = pd.read_parquet(results / "subsets/craig/0.1/seeds-0-0.parquet")
    pd.testing.assert_series_equal(
        subset.groupby("label").weight.sum(), sizes.astype(float), check_names=False, rtol=1e-6
    )


def test_each_partition_is_a_job_where_partitions_are_set(many_methods, snakemake):
    folder, config = many_methods
    parts = list((folder / "results/tiny/candidates/herding").glob("**/*.parquet"))
    assert {path.name for path in parts} == {"0.parquet", "1.parquet"}
    wanted = "results/tiny/subsets/herding/0.1/seeds-0-0.parquet"
    again = snakemake(folder, "--dry-run", wanted, config={**config, "partitions": 3})
    assert due(again)["candidates"] == 3


def test_another_learning_rate_makes_proxies_due_and_what_is_chosen_by_them(
    many_methods, snakemake
):
    folder, config = many_methods
    changed = {**config, "training": {**config["training"], "learning_rate": 0.01}}
    for label, is_due in (("mine", True), ("herding", False)):
        wanted = f"results/tiny/subsets/{label}/0.1/seeds-0-0.parquet"
        dry = snakemake(folder, "--dry-run", wanted, config=changed)
        assert ({"proxy", "subset"} <= set(due(dry))) is is_due


def test_the_estimate_names_each_method_with_seconds_and_memory(many_methods, snakemake):
    folder, config = many_methods
    finished = snakemake(folder, "--", "estimate", config=config)
    assert finished.returncode == 0, finished.stderr
    for label, entry in MANY_METHODS.items():
        if entry["fractions"]:
            assert re.search(
                rf"^{label} +\d+ +[\d.]+ +[\d.]+  [\d.]+ [KMG]?B$", finished.stdout, re.M
            )
    # And of the whole run.
    for stage in ("ingest, split", "selection", "training", "tables, figures, page"):
        assert re.search(rf"^{stage} +\d+ +\d+ \w+", finished.stdout, re.M), stage
    assert "The whole run takes about" in finished.stdout
    assert "Forecast:" not in finished.stderr
