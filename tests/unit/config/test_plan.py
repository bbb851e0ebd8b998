"""What follows from a configuration: subsets, runs, and what they are made of."""

from pathlib import Path

import pytest
import yaml

from petite import config
from petite.util.errors import PetiteError

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def default() -> dict:
    return yaml.safe_load((REPOSITORY / "config.yaml").read_text("utf-8"))


def plan(mapping: dict) -> config.Plan:
    return config.Plan(config.load(mapping))


def test_the_cases_are_the_fractions_of_every_entry(default):
    default["methods"] = {
        "full": {"fractions": [1]},
        "random": {"fractions": [0.5, 0.1]},
        "herding": {"fractions": []},
        "both": {
            "steps": [{"method": "semdedup", "share": 2}, {"method": "ccs"}],
            "fractions": [0.1],
        },
    }
    assert plan(default).cases_of("scratch") == [
        *(("full", 1.0), ("random", 0.5), ("random", 0.1), ("both", 0.1)),
    ]


def test_the_settings_of_a_selection_are_those_of_its_steps_and_the_partitions(default):
    default["partitions"] = 3
    found = plan(default)
    assert found.selection_settings("herding") == {
        "steps": [
            {
                "method": "herding",
                "settings": {},
                "quota": "proportional",
                "space": "pixels",
                "share": 1.0,
            }
        ],
        "partitions": 3,
    }
    assert "partitions" not in found.selection_settings("random")
    assert [found.partitioned(name) for name in ("herding", "random", "dedup_then_ccs")] == [
        3,
        1,
        1,
    ]
    assert found.making_settings("augmentation")["ratio"] == 1
    assert list(found.steps("grid_then_augmentation")[1]["settings"]) == ["transforms"]


def test_a_method_without_chance_chooses_once_for_all_seeds(default):
    default["methods"]["herding"]["fractions"] = [0.1]
    assert not plan(default).is_seeded("herding")
    default["methods"]["herding"]["space"] = "proxy"  # which is each seed's own
    assert plan(default).is_seeded("herding")


def test_the_proxy_needs_embeddings_where_a_method_that_runs_uses_it(default):
    default["proxy"] |= {"of": "embeddings", "steps": 50}
    assert not plan(default).proxy_uses_embeddings
    default["methods"]["craig"]["fractions"] = [0.1]  # which takes a space of the proxy, no score
    found = plan(default)
    assert found.proxy_uses_embeddings
    assert found.linear_proxy_settings() == {"steps": 50, "evaluations": 10, "early": 0.3}
    default["proxy"]["of"] = "network"
    assert not plan(default).proxy_uses_embeddings


def test_costly_rankings_go_as_deep_as_the_fractions_need(default):
    default["methods"]["herding"]["fractions"] = [0.12]
    found = plan(default)
    assert found.depth("herding") == 0.25
    assert found.depth("random") == 1


@pytest.mark.parametrize(
    ("export", "expected"),
    [
        ("best", None),
        ("random:0.1", ("random", 0.1, 0)),
        ("random:0.10:5", ("random", 0.1, 5)),
        # The same images for all seeds.
        ("full:1:2", ("full", 1.0, 0)),
    ],
)
def test_a_subset_to_export_is_named_by_method_fraction_and_seed(default, export, expected):
    assert plan(default | {"export": export}).exported() == expected


@pytest.mark.parametrize(
    ("seeds", "per_job", "done", "expected"),
    [
        (5, 2, [], [(0, 1), (2, 3), (4, 4)]),
        (6, 2, [(0, 1), (2, 3), (4, 4)], [(0, 1), (2, 3), (4, 4), (5, 5)]),
        (9, 3, [(0, 1), (2, 3), (4, 4)], [(0, 1), (2, 3), (4, 4), (5, 7), (8, 8)]),
        (3, 2, [(0, 1), (2, 3)], [(0, 1), (2, 2)]),
        (6, 3, [(3, 3), (3, 5)], [(0, 2), (3, 5)]),
        (7, 7, [(4, 6)], [(0, 3), (4, 6)]),
        (7, 3, [(4, 6)], [(0, 2), (3, 3), (4, 6)]),
        (6, 7, [(4, 6)], [(0, 5)]),
    ],
)
def test_batches_of_seeds_that_ran_are_kept_and_the_rest_is_divided(seeds, per_job, done, expected):
    found = plan(
        {"methods": {"full": {"fractions": [1]}}, "seeds": seeds, "seeds_per_job": per_job}
    )
    assert found.seed_batches("scratch", 1.0, done) == expected
    # A job that parses the rules while the others run finds the same plan.
    for count in range(len(expected)):
        assert found.seed_batches("scratch", 1.0, [*done, *expected[:count]]) == expected


@pytest.mark.parametrize(
    ("per_job", "done", "expected"),
    [
        (4, [], [(0, 3), (4, 6), (7, 9), (10, 13), (14, 14)]),
        (30, [], [(0, 6), (7, 9), (10, 14)]),
        (4, [(0, 3), (4, 6)], [(0, 3), (4, 6), (7, 9), (10, 13), (14, 14)]),
        # Jobs of a run without these looks stay as they are.
        (4, [(0, 3), (4, 7)], [(0, 3), (4, 7), (8, 9), (10, 13), (14, 14)]),
        (8, [(0, 7), (8, 14)], [(0, 7), (8, 14)]),
        (4, [(5, 11)], [(0, 3), (4, 4), (5, 11), (12, 14)]),
    ],
)
def test_no_new_job_crosses_a_look_and_finished_ones_stay(per_job, done, expected):
    config = {
        "methods": {"full": {"fractions": [1]}},
        "seeds": {"looks": [7, 10, 15]},
        "seeds_per_job": per_job,
    }
    assert plan(config).seed_batches("scratch", 1.0, done) == expected
    for count in range(len(expected)):
        assert plan(config).seed_batches("scratch", 1.0, expected[:count] + done) == expected


@pytest.mark.parametrize(
    ("label", "seeds", "done", "expected"),
    [
        ("random", 7, [], [(0, 6)]),
        ("random", 25, [], [(0, 9), (10, 19), (20, 24)]),
        # Those that are done stay as they are, if seeds are added or dropped.
        ("random", 9, [(0, 6)], [(0, 6), (7, 8)]),
        ("random", 3, [(0, 6)], [(0, 6)]),
        ("random", 5, [(0, 2), (3, 6)], [(0, 2), (3, 6)]),
        ("random", 6, [(2, 2)], [(0, 1), (2, 2), (3, 5)]),
        # Without chance there is one for all seeds.
        ("full", 7, [], [(0, 0)]),
        ("full", 7, [(0, 0)], [(0, 0)]),
        # Parts of a class are jobs of their own, for each seed.
        ("kmeans_medoid", 3, [], [(0, 0), (1, 1), (2, 2)]),
        ("pca_grid", 3, [], [(0, 2)]),
    ],
)
def test_one_job_selects_for_several_seeds(default, label, seeds, done, expected):
    found = plan(default | {"partitions": 2})
    assert found.selection_batches(label, seeds, done) == expected
    # A job that parses the rules while the others run finds the same plan.
    for count in range(len(expected)):
        made = [*done, *expected[:count]]
        assert found.selection_batches(label, seeds, made) == expected


def test_random_is_selected_for_the_augmentation_of_its_images(default):
    default["methods"] |= {
        "random": {"fractions": [0.5]},
        "augmentation": {"fractions": [0.1]},
        "herding": {"fractions": [0.1]},
    }
    default |= {"seeds": 4, "seeds_by_fraction": {0.1: 6}}
    found = plan(default)
    assert [found.subset_seeds("random", fraction) for fraction in (0.5, 0.1)] == [4, 6]
    # All subsets of a seed are cut from its ranking.
    assert found.ranking_seeds("random") == 6
    assert found.ranking_seeds("herding") == 6


def test_methods_that_make_all_of_their_images_depend_on_the_seed_and_on_no_selection(default):
    methods = {
        "random": {"fractions": [0.1]},
        "rded": {"fractions": [0.1]},
        "dm": {"fractions": [0.1]},
        "large": {"method": "rded", "mosaic": 3, "crops": 9, "fractions": [0.1]},
    }
    encodings = ["original", {"side": 16, "codec": "webp", "quality": 30}]
    default |= {"methods": methods, "seeds": 12, "encodings": encodings}
    default["judges"] = {"scratch": {}, "probe": {}, "scratch_soft": {}}
    found = plan(default)
    assert found.making_settings("large")["mosaic"] == 3
    for label in ("rded", "dm", "large"):
        assert found.is_seeded(label) and not found.ranks(label)
        assert found.spaces(label) == [] and found.partitioned(label) == 1
        # There is no original to encode, and no embedding,
        assert (f"{label}@16px-webp-q30", 0.1) not in found.cases_of("scratch")
        assert (label, 0.1) in found.cases_of("scratch")
        assert (label, 0.1) not in found.cases_of("probe")
        # and they are asked about as they are.
        assert (label, 0.1) in found.cases_of("scratch_soft")
    assert [found.needs_proxy(label) for label in ("rded", "dm")] == [True, False]
    # Each image of dm takes long, so each seed has its job.
    assert found.selection_batches("rded", 12, []) == [(0, 9), (10, 11)]
    assert found.selection_batches("dm", 3, []) == [(0, 0), (1, 1), (2, 2)]


def test_a_judge_judges_its_own_fractions_and_seeds(default):
    default["methods"] |= {
        "full": {"fractions": [1]},
        "random": {"fractions": [0.5, 0.1]},
        "augmentation": {"fractions": [0.1]},
        "pca_grid": {"fractions": []},
    }
    default["seeds"] = 4
    default["judges"] = {"scratch": {"fractions": [0.1]}, "probe": {"seeds": 30}}
    found = plan(default)
    # The probe comes first, and has no embeddings of augmented images.
    assert [judge.name for judge in found.judges] == ["probe", "scratch"]
    assert found.cases_of("probe") == [("full", 1.0), ("random", 0.5), ("random", 0.1)]
    assert found.cases_of("scratch") == [("random", 0.1), ("augmentation", 0.1)]
    # One job selects with all seeds; files of subsets are for those who read them.
    assert found.seed_batches("probe", 0.5, []) == [(0, 29)]
    assert found.seed_batches("probe", 0.5, [(0, 9)]) == [(0, 9), (10, 29)]
    assert [found.subset_seeds(*case) for case in [("random", 0.1), ("random", 0.5)]] == [4, 1]


def test_a_judge_may_be_given_by_its_name_alone(default):
    for written, expected in (
        ("probe", ["probe"]),
        (["scratch", "probe"], ["probe", "scratch"]),
        ({"probe": {}}, ["probe", "scratch"]),
    ):
        found = plan({"methods": {"full": {"fractions": [1]}}, "judges": written})
        assert [judge.name for judge in found.judges] == expected


def test_several_penalties_need_validation_images(default):
    default |= {"judges": {"probe": {}}, "split": {"validation": 0}}
    with pytest.raises(PetiteError, match=r"judges\.probe\.penalties.*split\.validation"):
        plan(default)
    default["judges"]["probe"]["penalties"] = [10]
    assert plan(default).judges


@pytest.mark.parametrize(
    ("judges", "key", "value"),
    [
        ({"scratch": None}, "judges.scratch", "no judge"),
        ("prob", "judges.prob", "probe"),
        ({"probe": {"pool_share": 1}}, "judges.probe.pool_share", "1"),
        ({"probe": {"penalties": []}}, "judges.probe.penalties", "[]"),
        ({"probe": {"fractions": [0.3]}}, "judges.probe.fractions", "0.3"),
        ({"probe": {"pool_share": 0.4}}, "methods.random.fractions", "0.5"),
    ],
)
def test_judges_that_do_not_fit_are_refused_by_their_key(default, judges, key, value):
    default["methods"]["random"]["fractions"] = [0.5]
    with pytest.raises(PetiteError) as refused:
        plan(default | {"judges": judges})
    assert key in str(refused.value) and value in str(refused.value)
