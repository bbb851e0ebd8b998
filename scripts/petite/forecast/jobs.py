"""The seconds, the memory and the files of each job of a run."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from petite.forecast import slopes
from petite.forecast.facts import Facts, PlannedJob
from petite.forecast.history import NOTHING_KNOWN, History, Timing, key_of
from petite.networks.models import MODELS
from petite.selection.estimate import Entry, Speeds, estimate_entries
from petite.training.byte_search import NEAR, SAMPLE, SEEDS, Point, coarse_grid
from petite.training.judges import FINE_TUNE, PROBE, PROGRAM, SCRATCH
from petite.training.loop import EVALUATION_BATCH, TRAIN_ACCURACY_ROWS
from petite.training.settings import TrainingSettings
from petite.util.encoded_names import method_of, parts_of

FLOAT = 4
# Of the networks of dm; see `petite.training.distribution_matching`.
LEARNING_BLOCKS = 3
# Multiply-adds of a network that does not say how many it needs, for a pixel.
PRODUCTS_OF_A_PIXEL = 5_000
# Rules that do nothing.
TARGETS = {"all", "petite", "label_next", "grow"}
# What only the length of a run depends on, and not the time of a step.
OF_LENGTH = {"budget", "evaluations", "learning_rate", "schedule", "warm_up", "weight_decay"}
OF_LENGTH |= {"head_steps", "steps", "head_learning_rate", "seeds", "fractions"}


def resumes(job: PlannedJob) -> bool:
    """Whether a job goes on where it was stopped: its time says nothing of the next one."""
    return job.rule == "search_bytes"


# Those of the machine that the slopes were measured on.
REFERENCE = Speeds(slopes.PRODUCTS, slopes.ELEMENTS, slopes.LOOPS)


@dataclass(frozen=True)
class Costs:
    """Forecasts the jobs of a run.

    Parameters
    ----------
    facts : Facts
    history : History
        What is known of this machine.
    speeds : Speeds
        Of selections, on this machine or on that of the slopes.
    speed : float
        How many times as fast as that of the slopes this machine starts jobs. What earlier runs
        took counts more.
    """

    facts: Facts
    history: History = NOTHING_KNOWN
    speeds: Speeds = REFERENCE
    speed: float = 1.0
    _known: dict[tuple[str, float, int], float] = field(default_factory=dict)

    def key(self, job: PlannedJob) -> str:
        """What the ratio of a job is kept under: its rule, or that of its training."""
        if job.rule == "train":
            return self.scratch_key
        if job.rule == "fine_tune":
            return self.fine_tune_key
        if job.rule == "proxy":
            return "linear_proxy" if self.facts.proxy_is_linear else "proxy"
        if job.rule == "embed":
            return embed_key(self.facts)
        return job.rule

    def seconds(self, job: PlannedJob) -> float:
        """What a job takes on its threads; NaN for a program of the user's."""
        if job.rule in TARGETS:
            return 0.0
        if job.rule == PROGRAM or (job.rule == "embed" and self.facts.backbone_is_program):
            return float("nan")
        return self.without_history(job) * self.history.ratios.get(self.key(job), 1.0) + slopes.JOB

    def without_history(self, job: PlannedJob) -> float:
        """The same, without what earlier runs on this machine have shown."""
        facts, images = self.facts, self._images(job)
        match job.rule:
            case "train":
                return self._training(job, self.scratch_timing, facts.training_settings)
            case "fine_tune":
                return self._training(job, self.fine_tune_timing, facts.fine_tuning)
            case "soft_labels":
                timing = self.scratch_timing
                rows = _padded(math.ceil(facts.training_images / facts.shards))
                return timing.start + facts.soft_predictions * rows * timing.image
            case "made_soft_labels":
                timing = self.scratch_timing
                rows = _padded(job.seeds * facts.subset_rows(job.fraction))
                return timing.start + facts.soft_predictions * rows * timing.image
            case "proxy":
                return self._proxy()
            case "search_bytes":
                return self._search()
            case "probe":
                return self._start(job) + self._probe(job)
            case "rank" | "subset" | "candidates":
                each = slopes.SELECTION_SEED + self._selection(job)
                return self._start(job) + job.seeds * each
            case "augment":
                rows = facts.subset_rows(job.fraction)
                return self._start(job) + job.seeds * rows * slopes.AUGMENT_IMAGE
            case "rded":
                crops = facts.training_images * facts.making[job.method]["crops"]
                return self._start_of_network() + job.seeds * crops * self.scratch_timing.image
            case "dm":
                return self._start_of_network() + job.seeds * self._learning(job)
            case "features":
                each = slopes.FEATURES.get(job.space, 0.0) * self._of_pixels()
                return self._start(job) + (job.images or facts.training_images) * each
            case "ingest" | "encode":
                each = self._decoding() + _encoding(job.space)
                return self._start(job) + images / facts.shards * each
            case "embed":
                timing = self.embed_timing
                return timing.start + images / facts.shards * timing.image
            case "embed_altered":
                timing = self.embed_timing
                return timing.start + self._altered() * timing.image
            case _:
                return self._start(job) + images * slopes.IMAGE.get(job.rule, 0.0)

    def disk(self, job: PlannedJob) -> float:
        """The bytes that a job leaves on disk."""
        facts, images = self.facts, self._images(job)
        match job.rule:
            case "ingest" | "encode":
                stored = facts.side**2 * facts.channels + 100
                return images / facts.shards * stored
            case "embed":
                return images / facts.shards * facts.embedding * FLOAT
            case "embed_altered":
                return self._altered() * facts.embedding * FLOAT
            case "features":
                width = facts.embedding if job.space == "backbone" else facts.dimensions
                return images * min(width, facts.dimensions) * FLOAT
            case "listing" | "index" | "split":
                return images * 3 * slopes.ROW
            case "rank" | "subset" | "augment" | "rded" | "dm":
                share = 1.0 if job.rule == "rank" else job.fraction
                return job.seeds * facts.subset_rows(share) * slopes.ROW
            case "train" | "fine_tune" | "probe" | "judge_program":
                predictions = facts.tests * facts.classes * FLOAT
                return job.seeds * (predictions + self._model_bytes(job.rule))
            case "proxy":
                width = max(facts.widths.get("proxy", 0), 1)
                return facts.images * (width + facts.widths.get("gradients", 0)) * FLOAT
            case "figures":
                return self._figure_bytes(job.space)
            case "report":
                return slopes.REPORT
            case _:
                return 0.0

    @cached_property
    def scratch_key(self) -> str:
        return scratch_key(self.facts)

    @cached_property
    def fine_tune_key(self) -> str:
        return fine_tune_key(self.facts)

    @cached_property
    def scratch_timing(self) -> Timing:
        """Timed on this machine, or from the multiply-adds of the network."""
        known = self.history.timings.get(self.scratch_key)
        return known or self._untimed_scratch()

    @cached_property
    def fine_tune_timing(self) -> Timing:
        """Timed on this machine, or from the speed of embedding."""
        known = self.history.timings.get(self.fine_tune_key)
        if known:
            return known
        settings = self.facts.fine_tuning
        forward = slopes.EMBED * (settings.image_size / slopes.EMBED_SIDE) ** 2
        whole = settings.steps / (settings.steps + settings.head_steps)
        factor = slopes.FINE_TUNE_FORWARD + whole * slopes.FINE_TUNE_STEP
        step = settings.batch_size * forward * factor / self._threads()
        image = forward * slopes.FINE_TUNE_FORWARD * (2 if settings.test_time_flip else 1)
        start = slopes.START_OF_KERAS / self.speed + 4 * slopes.COMPILE
        return Timing(start, step, image / self._threads(), slopes.SEED)

    @cached_property
    def embed_timing(self) -> Timing:
        """Timed on this machine, or from the speed of EfficientNet-Lite0."""
        known = self.history.timings.get(embed_key(self.facts))
        image = slopes.EMBED * (self.facts.backbone_side / slopes.EMBED_SIDE) ** 2
        return known or Timing(slopes.START_OF_EMBEDDING / self.speed, 0.0, image, 0.0)

    def _untimed_scratch(self) -> Timing:
        facts, settings = self.facts, self.facts.training_settings
        sides = settings.phase_sides(facts.side) or [facts.side]
        shares = [phase.share for phase in settings.phases] or [1.0]
        products = [products_of(settings, side, facts.channels) for side in sides]
        products = [
            slopes.BACKWARD * n / (slopes.PRODUCTS_PER_SECOND * self._threads()) for n in products
        ]
        values = [slopes.STEP_VALUE * side**2 * facts.channels for side in sides]
        of_image = sum(
            share * (p + v) for share, p, v in zip(shares, products, values, strict=True)
        )
        step = slopes.STEP + settings.batch_size * of_image
        image = products_of(settings, facts.side, facts.channels) / slopes.PRODUCTS_PER_SECOND
        flips = 2 if settings.test_time_flip else 1
        start = slopes.START_OF_KERAS / self.speed + slopes.COMPILE * len(sides)
        each = flips * (image / self._threads() + slopes.BLOCK / EVALUATION_BATCH)
        return Timing(start, step, each, slopes.SEED)

    def _start_of_network(self) -> float:
        return slopes.START_OF_KERAS / self.speed + slopes.COMPILE

    def _learning(self, job: PlannedJob) -> float:
        """The steps of `dm`: its network is passed forward by real and learned images, and backward
        by the learned ones.
        """
        facts, settings = self.facts, self.facts.making[job.method]
        width, batch = settings["width"], settings["batch"]
        products, before = 0.0, facts.channels
        for block in range(LEARNING_BLOCKS):
            products += 9 * (facts.side / 2**block) ** 2 * before * width
            before = width
        passes = sum(
            min(batch, size) + slopes.BACKWARD * min(batch, job.fraction * size)
            for size in facts.class_sizes
        )
        of_step = passes * products / (slopes.PRODUCTS_PER_SECOND * self._threads())
        return float(settings["iterations"] * (facts.classes * slopes.STEP + of_step))

    def _training(self, job: PlannedJob, timing: Timing, settings: Any) -> float:
        rows = self._rows(job)
        steps = (
            settings.budget.total_steps(rows, settings.batch_size)
            if isinstance(settings, TrainingSettings)
            else settings.head_steps + settings.steps
        )
        steps = max(1, round(steps * self.facts.seen.get(method_of(job.method), 1.0)))
        evaluations = min(settings.evaluations, steps) * _padded(self.facts.validations)
        seen = evaluations + _padded(self.facts.tests) + _padded(min(rows, TRAIN_ACCURACY_ROWS))
        each = timing.seed + slopes.SAVE + steps * timing.step + seen * timing.image
        return timing.start + job.seeds * each

    def _rows(self, job: PlannedJob) -> int:
        """The images of a job's subset, with those that augmentation adds."""
        rows = self.facts.subset_rows(job.fraction)
        return round(rows * (1 + self.facts.growth.get(method_of(job.method), 0.0)))

    def _proxy(self) -> float:
        facts = self.facts
        if facts.proxy_is_linear:
            return self._start(PlannedJob(0, "proxy")) + (
                facts.training_images * slopes.LINEAR_PROXY_IMAGE
            )
        timing, steps = self.scratch_timing, facts.proxy["steps"]
        seen = facts.proxy["evaluations"] * facts.training_images + facts.images
        return timing.start + timing.seed + steps * timing.step + seen * timing.image / 2

    def _probe(self, job: PlannedJob) -> float:
        facts = self.facts
        rows = facts.subset_rows(job.fraction)
        products = rows * facts.embedding * (1 if facts.classes == 2 else facts.classes)
        each = slopes.PROBE_SEED + slopes.PROBE_ITERATIONS * products * slopes.PROBE_PRODUCT
        each += facts.pool_share * self._selection(job)
        return self._images(job) * slopes.PROBE_IMAGE + job.seeds * each

    def images_within(self, point: Point) -> int:
        """About how many images of an encoding by WebP are within the budget of bytes."""
        size = slopes.WEBP_BYTES * point.side**slopes.WEBP_OF_SIDE
        size *= point.quality**slopes.WEBP_OF_QUALITY
        most = self.facts.pool_share * self.facts.training_images
        return round(min(most, self.facts.byte_budget / size))

    def _search(self) -> float:
        """The search within a budget of bytes encodes images and trains on them at each point."""
        facts, seconds = self.facts, []
        for point in coarse_grid(facts.search_side):
            count = self.images_within(point)
            encoded = SAMPLE + len(SEEDS) * count
            each = self._decoding() + slopes.ENCODE_PIXEL["webp"] * point.side**2
            measured = len(SEEDS) * self._search_training(count) if count >= facts.classes else 0
            seconds.append(min(encoded, facts.training_images) * each + measured)
        # The points around the best one are like those of the coarse grid.
        return self._search_start() + sum(seconds) * (1 + NEAR / len(seconds))

    def _search_start(self) -> float:
        if self.facts.search_judge == PROBE:
            return self.embed_timing.start
        if self.facts.search_judge == FINE_TUNE:
            return self.fine_tune_timing.start
        return self.scratch_timing.start

    def _search_training(self, count: int) -> float:
        """One training of a search, on some images."""
        facts, share = self.facts, count / self.facts.training_images
        if facts.search_judge == PROBE:
            fitted = self._probe(PlannedJob(0, "probe", fraction=share, images=1))
            return count * self.embed_timing.image + fitted
        job = PlannedJob(0, "train", "random", share)
        if facts.search_judge == FINE_TUNE:
            timing = replace(self.fine_tune_timing, start=0.0)
            return self._training(job, timing, facts.fine_tuning)
        return self._training(job, replace(self.scratch_timing, start=0.0), facts.training_settings)

    def _selection(self, job: PlannedJob) -> float:
        """One selection of the method itself; 0 where it does not state its cost."""
        method = method_of(job.method)
        if method not in self.facts.entries:
            return 0.0
        if job.rule == "subset" and self.facts.entries[method]["depth"]:
            return 0.0  # cut from a ranking
        seconds = self._selections(method, job.fraction, job.images)
        return 0.0 if math.isnan(seconds) else seconds

    def _selections(self, label: str, fraction: float, images: int) -> float:
        """Seconds of a selection from some images; NaN if the method does not state its cost."""
        if (label, fraction, images) not in self._known:
            entry = self.facts.entries[label]
            scale = images / self.facts.training_images if images else 1.0
            share = min(1.0, (entry["depth"] or fraction) / scale)
            one: Entry = {**entry, "fractions": [share], "seeds": [1], "depth": None}
            sizes = [max(1, round(size * scale)) for size in self.facts.class_sizes]
            labels = np.repeat(np.arange(self.facts.classes), sizes)
            rows = estimate_entries(
                labels, self.speeds, {label: one}, self.facts.widths, self.facts.partitions
            )
            self._known[label, fraction, images] = rows[0]["seconds_each"]
        return self._known[label, fraction, images]

    def _images(self, job: PlannedJob) -> int:
        """How many images a job reads."""
        return job.images or self.facts.images

    def _altered(self) -> int:
        """How many altered images are embedded."""
        return slopes.ALTERATIONS * min(slopes.ALTERED_IMAGES, self.facts.training_images)

    def _figure_bytes(self, name: str) -> float:
        """The bytes of a figure in both formats; those in color show photographs."""
        facts = self.facts
        if facts.channels > 1 and name == "stored":
            return slopes.STORED_PHOTOS
        if facts.channels > 1 and name == "samples":
            return min(facts.classes, slopes.SAMPLES_CLASSES) * facts.side * slopes.SAMPLES_PIXEL
        return slopes.FIGURE

    def _decoding(self) -> float:
        """Seconds for an image; those of other folders are as large as those of the data set."""
        facts = self.facts
        size = facts.original_bytes / facts.images if facts.original_bytes else slopes.ORIGINAL
        return slopes.DECODE_IMAGE + size * slopes.DECODE_BYTE

    def _of_pixels(self) -> float:
        """How many times the values of an image of 64 x 64 pixels in color one has."""
        return max(0.05, self.facts.side**2 * self.facts.channels / (64 * 64 * 3))

    def _start(self, job: PlannedJob) -> float:
        seconds = slopes.STARTS.get(job.rule, slopes.START)
        return seconds if self.key(job) in self.history.ratios else seconds / self.speed

    def _threads(self) -> float:
        """How many times as fast as one thread those of a training are."""
        return max(1, self.facts.threads) ** 0.8

    def _model_bytes(self, rule: str) -> float:
        if rule == "train":
            timing, settings = self.scratch_timing, self.facts.training_settings
            numbers = timing.parameters or parameters_of(settings, self.facts)
        elif rule == "fine_tune":
            numbers = self.fine_tune_timing.parameters or 3_400_000
        else:
            return 0.0
        return slopes.MODEL + FLOAT * numbers


def _encoding(name: str) -> float:
    """Seconds of encoding an image; 0 for a job that encodes none."""
    parts = parts_of(name)
    return slopes.ENCODE_PIXEL[parts.codec] * parts.side**2 if parts else 0.0


def _padded(images: int) -> int:
    """Predictions are made for whole blocks."""
    return -(-images // EVALUATION_BATCH) * EVALUATION_BATCH


def trained_networks(facts: Facts, rules: Collection[str]) -> set[str]:
    """The keys of the networks that jobs of these rules train."""
    found = set()
    searches = facts.search_judge if "search_bytes" in rules else ""
    if "train" in rules or searches == SCRATCH or ("proxy" in rules and not facts.proxy_is_linear):
        found.add(scratch_key(facts))
    if "fine_tune" in rules or searches == FINE_TUNE:
        found.add(fine_tune_key(facts))
    return found


def scratch_key(facts: Facts) -> str:
    """What the timing of the network of `training` is kept under."""
    return _training_key(facts, facts.training)


def fine_tune_key(facts: Facts) -> str:
    """What the timing of fine-tuning is kept under."""
    return _training_key(facts, facts.fine_tuning.model_dump(mode="json"), facts.backbone)


def embed_key(facts: Facts) -> str:
    """What the timing of embedding is kept under."""
    return key_of("embed", facts.backbone, facts.backbone_side)


def _training_key(facts: Facts, settings: Mapping[str, Any], *more: str) -> str:
    kept = {name: value for name, value in settings.items() if name not in OF_LENGTH}
    return key_of(kept, facts.side, facts.channels, facts.classes, facts.threads, *more)


def products_of(settings: TrainingSettings, side: int, channels: int) -> float:
    """Multiply-adds of a prediction for one image."""
    model = MODELS[settings.model]
    if model.convolutions is None:
        return PRODUCTS_OF_A_PIXEL * side**2
    layers = model.convolutions(settings.model_settings(), side, channels)
    return sum(layer.products for layer in layers)


def parameters_of(settings: TrainingSettings, facts: Facts) -> int:
    """The numbers of a network, about."""
    model = MODELS[settings.model]
    if model.convolutions is None:
        return 0
    layers = model.convolutions(settings.model_settings(), facts.side, facts.channels)
    return sum(layer.parameters for layer in layers)
