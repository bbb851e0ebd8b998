"""Forecasts of runs from what is known of them."""

import json
import math
from dataclasses import asdict, replace

import pytest

from petite.features import altered
from petite.forecast import slopes
from petite.forecast.facts import Facts, PlannedJob
from petite.forecast.forecast import cheaper_way, forecast, in_words, stages
from petite.forecast.history import History, Timing, read_history, write_history
from petite.forecast.jobs import Costs, embed_key, fine_tune_key, scratch_key, trained_networks
from petite.training.settings import TrainingSettings

FACTS = Facts(
    images=2_000,
    original_bytes=0,
    class_sizes=(850, 850),
    tests=200,
    validations=100,
    side=28,
    channels=1,
    shards=2,
    embedding=1280,
    backbone="efficientnet_lite0",
    backbone_side=224,
    backbone_is_program=False,
    dimensions=64,
    training=TrainingSettings().model_dump(mode="json"),
    fine_tune=None,
    proxy={"steps": 200, "evaluations": 10},
    proxy_is_linear=False,
    pool_share=0.9,
    entries={},
    growth={"augmentation": 1.0},
    widths={},
)
TRAIN = PlannedJob(1, "train", "random", 0.5, seeds=4, memory=8e8)
TIMING = Timing(start=5.0, step=0.01, image=0.0, seed=0.0)
TIMED_EMBED = Timing(start=5.0, step=0.0, image=0.01, seed=0.0)


def test_avif_takes_longer_than_webp_and_a_larger_side_longer_still():
    names = ["8px-webp-q90", "64px-webp-q5", "64px-avif-q5", "128px-avif-q5"]
    took = [Costs(FACTS).seconds(PlannedJob(1, "encode", space=name)) for name in names]
    assert took == sorted(set(took))


def test_encoded_images_are_augmented_as_often_as_the_originals():
    one, other = (replace(TRAIN, method=f"augmentation{name}") for name in ("", "@8px-webp-q9"))
    epochs = with_training(budget={"epochs": 3, "steps": None})
    assert Costs(epochs).seconds(one) == Costs(epochs).seconds(other)
    assert Costs(epochs).seconds(one) > Costs(epochs).seconds(TRAIN)


def test_figures_of_photographs_take_more_space_the_more_classes_and_pixels_they_show():
    def size(name: str, **facts) -> float:
        return Costs(replace(FACTS, **facts)).disk(PlannedJob(1, "figures", space=name))

    photos = {"channels": 3, "side": 64}
    assert size("stored") == size("samples") == size("curves") == size("curves", **photos)
    assert size("stored", **photos) > size("stored")
    of_ten = size("samples", **photos | {"class_sizes": (90,) * 10})
    assert (
        of_ten == 5 * size("samples", **photos) == 2.5 * size("samples", **photos | {"side": 128})
    )
    most, more = (size("samples", **photos | {"class_sizes": (9,) * n}) for n in (20, 300))
    assert more == most  # rows of other classes are left out


def test_embeddings_of_altered_images_take_as_much_space_as_they_are_many():
    job, of_image = PlannedJob(1, "embed_altered"), 4 * FACTS.embedding
    for training, count in ((50, 50), (4_000, altered.MOST_IMAGES)):
        facts = replace(FACTS, class_sizes=(training // 2,) * 2)
        assert Costs(facts).disk(job) == count * len(altered.ALTERATIONS) * of_image


def with_training(**settings) -> Facts:
    return replace(FACTS, training=TrainingSettings(**settings).model_dump(mode="json"))


def test_a_run_takes_as_long_as_its_jobs_on_the_cores():
    jobs = [replace(TRAIN, number=number) for number in range(6)]
    of_one = Costs(FACTS).seconds(TRAIN)
    assert forecast(jobs, Costs(FACTS), 2).seconds == pytest.approx(3 * of_one)
    assert forecast(jobs, Costs(FACTS), 2).core_seconds == pytest.approx(6 * of_one)
    assert forecast(jobs, Costs(FACTS), 2).memory == 1.6e9


def test_what_sees_a_quarter_of_the_images_takes_a_quarter_of_the_steps():
    timed = Costs(FACTS, History({scratch_key(FACTS): TIMING}))
    quarter = replace(timed, facts=replace(FACTS, seen={"rs2": 0.25}))
    job = replace(TRAIN, seeds=1)
    saved = timed.seconds(job) - quarter.seconds(replace(job, method="rs2"))
    assert saved == pytest.approx(0.75 * 200 * TIMING.step)
    assert quarter.seconds(job) == timed.seconds(job)


def test_images_that_are_made_take_longer_with_more_steps_images_and_crops():
    dm = {"iterations": 500, "batch": 64, "width": 64}
    rded = {"crops": 5}

    def seconds(method, fraction=0.01, seeds=1, **changes):
        making = {"rded": rded | changes, "dm": dm | changes}
        job = PlannedJob(1, method, method, fraction, seeds=seeds)
        return Costs(replace(FACTS, making=making)).seconds(job)

    # Measured next to other work: 27 s and 44 s.
    assert 10 < seconds("dm") < seconds("dm", 0.05) < 45
    assert seconds("dm", iterations=1000) > 1.5 * seconds("dm")
    assert seconds("dm", batch=128) > seconds("dm")
    assert seconds("rded") < seconds("rded", crops=50)
    assert seconds("rded", seeds=8) > seconds("rded")


def test_soft_labels_take_a_prediction_of_each_network_for_each_view_of_each_training_image():
    timing = replace(TIMING, image=0.01)
    facts = replace(FACTS, shards=1)
    timed = Costs(facts, History({scratch_key(facts): timing}))
    job = PlannedJob(1, "soft_labels")
    of_24 = replace(timed, facts=replace(facts, soft_predictions=3 * 8)).seconds(job)
    assert of_24 == pytest.approx(24 * 1_700 * timing.image, rel=0.1)
    assert of_24 > 15 * timed.seconds(job)
    # Each image of the training set, and none of the others.
    other = replace(timed, facts=replace(facts, images=4_000, tests=1_200))
    assert other.seconds(job) == timed.seconds(job)
    # Each shard of the store is a job for its share of them.
    of_4 = replace(timed, facts=replace(facts, shards=4, soft_predictions=3 * 8)).seconds(job)
    # A block is filled up to whole batches.
    assert of_4 == pytest.approx(of_24 / 4, rel=0.2)
    # Of the images that a method makes, those of each seed.
    made = PlannedJob(1, "made_soft_labels", method="rded", fraction=0.1, seeds=10)
    assert timed.seconds(made) == pytest.approx(timed.seconds(job), rel=0.1)


@pytest.mark.parametrize("judge", ["probe", "scratch", "fine_tune"])
def test_a_search_within_bytes_counts_its_trainings(judge):
    timings = {scratch_key(FACTS): TIMING, fine_tune_key(FACTS): TIMING, embed_key(FACTS): TIMING}

    def seconds(judge=judge, budget=100_000, **changes):
        facts = replace(
            FACTS, byte_budget=budget, search_judge=judge, search_side=96, channels=3, **changes
        )
        history = History({**timings, scratch_key(facts): TIMING, embed_key(facts): TIMED_EMBED})
        return Costs(facts, history).seconds(PlannedJob(1, "search_bytes"))

    assert seconds(budget=1_000_000) > seconds()
    assert seconds(validations=20_000) >= seconds()
    # Sixteen points with two seeds, each of 200 steps, or an embedding of some images.
    if judge == "scratch":
        assert seconds() == pytest.approx(5 + 32 * 200 * TIMING.step, rel=0.5)
    if judge == "probe":
        assert 5 < seconds(class_sizes=(25, 25)) < seconds() / 4


def test_a_search_that_trains_times_the_steps_of_its_network():
    facts = replace(FACTS, search_judge="scratch", byte_budget=1e5, search_side=28)
    assert trained_networks(facts, {"search_bytes"}) == {scratch_key(facts)}
    facts = replace(facts, search_judge="fine_tune")
    assert trained_networks(facts, {"search_bytes"}) == {fine_tune_key(facts)}
    assert not trained_networks(replace(facts, search_judge="probe"), {"search_bytes"})


def test_more_of_anything_takes_longer():
    base = Costs(FACTS).seconds(TRAIN)
    assert Costs(FACTS).seconds(replace(TRAIN, seeds=8)) > base
    for facts in (
        replace(FACTS, side=56),
        replace(FACTS, tests=20_000),
        with_training(budget={"steps": 400}),
        with_training(batch_size=128),
        with_training(model="paper_cnn"),
        with_training(compact={"widths": [32, 48, 96, 192]}),
    ):
        facts = replace(facts, side=max(64, facts.side)) if "paper" in str(facts) else facts
        assert Costs(facts).seconds(TRAIN) > base


def test_steps_follow_the_subset_if_the_budget_is_in_epochs():
    costs = Costs(with_training(budget={"epochs": 10}))
    small, large = (costs.seconds(replace(TRAIN, fraction=share)) for share in (0.1, 1.0))
    assert large > 2 * small
    augmented = costs.seconds(replace(TRAIN, method="augmentation", fraction=0.1))
    assert augmented > small


def test_timed_steps_replace_those_of_another_machine():
    history = History().with_timing(scratch_key(FACTS), TIMING)
    fast = Costs(FACTS, history).seconds(TRAIN)
    assert fast == pytest.approx(5 + 4 * (200 * 0.01), abs=1)
    slow = History().with_timing(scratch_key(FACTS), replace(TIMING, step=0.1))
    assert Costs(FACTS, slow).seconds(TRAIN) > 5 * fast


@pytest.mark.parametrize(
    "settings", [{"batch_size": 32}, {"compact": {"widths": [8, 8, 8, 8]}}, {"flips": "none"}]
)
def test_the_steps_of_another_training_are_not_those_that_were_timed(settings):
    assert scratch_key(with_training(**settings)) != scratch_key(FACTS)


def test_a_longer_training_has_the_same_steps():
    assert scratch_key(with_training(budget={"steps": 999})) == scratch_key(FACTS)
    assert scratch_key(FACTS) != fine_tune_key(FACTS)


def test_what_runs_took_corrects_the_next_forecast():
    figure = PlannedJob(1, "figures")
    before = Costs(FACTS).seconds(figure)
    once = History().with_run({"figures": 2.0})
    assert Costs(FACTS, once).without_history(figure) * 2 == pytest.approx(
        Costs(FACTS, once).seconds(figure), rel=0.1
    )
    # The next run takes what is forecast now.
    assert once.with_run({"figures": 1.0}) == once
    assert Costs(FACTS, once).seconds(figure) > before


def test_a_gpu_that_trains_forty_times_as_fast_is_forecast_so_after_its_first_run():
    training = PlannedJob(1, "train", seeds=10)
    on_cpu = Costs(FACTS).without_history(training)
    seen = History().with_run({scratch_key(FACTS): 1 / 40})
    on_gpu = Costs(FACTS, seen).seconds(training) - slopes.JOB
    assert on_gpu == pytest.approx(on_cpu / 40)


def test_what_runs_took_counts_more_than_the_speed_of_the_machine():
    figure = PlannedJob(1, "figures")
    seen = History().with_run({"figures": 2.0})
    slow = Costs(FACTS, speed=0.5).seconds(figure)
    assert slow > 1.5 * Costs(FACTS).seconds(figure)
    assert Costs(FACTS, seen, speed=0.5).seconds(figure) == Costs(FACTS, seen).seconds(figure)


@pytest.mark.parametrize("rule", ["embed", "embed_altered"])
def test_timed_embeddings_replace_those_of_another_machine(rule):
    job = PlannedJob(1, rule)
    slow = History().with_timing(embed_key(FACTS), Timing(50.0, 0.0, 0.1, 0.0))
    assert Costs(FACTS, slow).seconds(job) > 3 * Costs(FACTS).seconds(job)


@pytest.mark.parametrize("ratio", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_ratio_is_not_kept(ratio):
    assert History().with_run({"figures": ratio}) == History()


def test_a_timing_replaces_what_runs_took_before():
    history = History().with_run({"key": 3.0, "figures": 2.0}).with_timing("key", TIMING)
    assert history.ratios == {"figures": 2.0}


def test_the_history_is_kept_in_a_file(tmp_path):
    path = tmp_path / "a folder/history.json"
    history = History({"key": TIMING}, {"figures": 2.0})
    write_history(path, history)
    assert read_history(path) == history


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"timings": {"a": 1}, "ratios": {}}', "null", "\xff"]
)
def test_a_damaged_history_is_as_good_as_none(tmp_path, text):
    path = tmp_path / "history.json"
    path.write_text(text, encoding="latin-1")
    assert read_history(path) == History()


def test_a_history_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    write_history(tmp_path / "file/history.json", History())


def test_a_program_of_unknown_time_is_named():
    jobs = [TRAIN, PlannedJob(2, "judge_program")]
    expected = forecast(jobs, Costs(FACTS), 1)
    assert expected.unknown == ("judge_program",)
    assert expected.seconds == pytest.approx(Costs(FACTS).seconds(TRAIN))
    assert "your program" in expected.in_words()


def test_every_stage_is_in_the_table_once():
    rules = ["ingest", "embed", "features", "subset", "train", "probe", "cues", "report", "new"]
    jobs = [PlannedJob(number, rule) for number, rule in enumerate(rules)]
    rows = stages(jobs, Costs(FACTS))
    assert [row.jobs for row in rows] == [1] * len(rules)
    assert sum(row.seconds for row in rows) == pytest.approx(
        forecast(jobs, Costs(FACTS), 1).core_seconds
    )


def said(jobs, later=()) -> str:
    costs = Costs(FACTS)
    return in_words(forecast(jobs, costs, 2), jobs, later, costs, planning=3.0)


def test_the_text_says_what_is_left_and_what_later_looks_add():
    text = said([TRAIN, replace(TRAIN, number=2, is_due=False)], [replace(TRAIN, number=-1)])
    for words in ("is left", "all looks", "Slurm"):
        assert words in text
    text = said([TRAIN])
    assert "is left" not in text
    assert "looks" not in text


def test_the_cheaper_way_of_a_long_run_is_a_probe():
    long = with_training(budget={"steps": 100_000})
    jobs = [replace(TRAIN, number=number) for number in range(4)]
    cheaper = cheaper_way(jobs, Costs(long), 2, has_embeddings=False)
    assert cheaper
    assert "probe" in cheaper
    assert cheaper_way([TRAIN], Costs(FACTS), 2, has_embeddings=False) is None


def test_a_probe_in_place_of_a_long_run_judges_no_images_that_a_method_makes():
    facts = replace(
        with_training(budget={"steps": 100_000}),
        growth={"random": 0.0, "augmentation": 1.0},
        making={"dm": {"per_class": 1}},
        seen={"rs2": 0.25},
    )
    for made in ("augmentation@64px-webp-q40", "dm", "rs2"):
        jobs = [replace(TRAIN, number=number, method=made) for number in range(40)]
        few = [replace(TRAIN, number=99, method="random")]
        ways = [
            cheaper_way([*few, *some], Costs(facts), 2, has_embeddings=True) for some in ([], jobs)
        ]
        assert ways[0] is not None and ways[0] == ways[1]


def test_the_copies_of_images_that_are_embedded_are_counted_as_they_are_made():
    assert slopes.ALTERED_IMAGES == altered.MOST_IMAGES
    assert len(altered.ALTERATIONS) == slopes.ALTERATIONS


def test_what_an_encoding_changes_is_not_how_long_a_selection_takes():
    step = {"method": "herding", "settings": {}, "quota": "equal", "space": "pixels", "share": 1.0}
    entry = {"steps": [step], "fractions": [0.5], "seeds": [1], "depth": None, "seeded": False}
    facts = replace(FACTS, entries={"herding": entry}, widths={"pixels": 64}, seen={"rs2": 0.1})
    for job in (PlannedJob(1, "probe", "herding", 0.5), PlannedJob(1, "train", "rs2", 1.0)):
        encoded = replace(job, method=f"{job.method}@64px-webp-q20")
        other = replace(job, method="other")
        assert Costs(facts).seconds(encoded) == Costs(facts).seconds(job)
        assert Costs(facts).seconds(job) != Costs(facts).seconds(other)


def test_facts_are_read_back_from_json():
    read = Facts(**json.loads(json.dumps(asdict(FACTS))))
    assert read.classes == 2
    assert Costs(read).seconds(TRAIN) == Costs(FACTS).seconds(TRAIN)


@pytest.mark.parametrize(
    "job",
    [
        PlannedJob(1, "listing"),
        PlannedJob(1, "ingest"),
        PlannedJob(1, "index"),
        PlannedJob(1, "embed"),
        PlannedJob(1, "features", space="pixels"),
        PlannedJob(1, "rank", "herding", 1.0),
        PlannedJob(1, "probe", "herding", 1.0),
    ],
    ids=lambda job: job.rule,
)
def test_jobs_of_other_images_take_as_long_as_those_need(job):
    step = {"method": "herding", "settings": {}, "quota": "equal", "space": "pixels", "share": 1.0}
    entry = {"steps": [step], "fractions": [1.0], "seeds": [1], "depth": 1.0, "seeded": False}
    costs = Costs(replace(FACTS, entries={"herding": entry}, widths={"pixels": 64}))
    same = replace(job, images=FACTS.training_images)
    assert costs.seconds(same) <= costs.seconds(job)
    times = [costs.seconds(replace(job, images=images)) for images in (100, 10_000, 1_000_000)]
    assert times[0] < costs.seconds(job) < times[1] < times[2]


def test_on_a_cluster_threads_leave_the_number_of_jobs_as_it_is():
    jobs = [replace(TRAIN, number=number, threads=4) for number in range(8)]
    alone = [replace(job, threads=1) for job in jobs]
    expected = forecast(alone, Costs(FACTS), 8, each=45.0)
    assert forecast(jobs, Costs(FACTS), 8, each=45.0).seconds == expected.seconds
    assert forecast(jobs, Costs(FACTS), 8).seconds > forecast(alone, Costs(FACTS), 8).seconds
