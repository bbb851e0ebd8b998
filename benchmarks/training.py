"""Measure how fast each model trains, compared with the machine's limit.

For each model, in one process: the multiply-adds of a training step as a plain matrix product (the
limit), the training step alone on one fixed batch, and the whole training with batches,
augmentation, schedule and learning curves. Rates are medians of rounds that take turns, so that
other work on the machine affects all. Writes a Markdown table.

    python benchmarks/training.py --threads 2 --output results/benchmarks/training.md
"""

import argparse
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from petite.networks import models
from petite.networks.backend import load_keras
from petite.training import loop as engine
from petite.training.settings import TrainingSettings
from petite.util.files import write_text

# The photographs at two sizes, and the silhouettes; (model, image size, channels, its settings).
PHOTO_COMPACT = {
    "widths": [24, 48, 96, 192],
    "halvings": [1, 1, 1],
    "residual_blocks": [0, 1, 1],
    "residual_convolutions": 2,
}
CASES: list[tuple[str, int, int, dict[str, Any]]] = [
    ("compact", 28, 1, {}),
    ("compact", 64, 3, {"compact": PHOTO_COMPACT}),
    ("paper_cnn", 64, 3, {"batch_size": 32}),
    ("paper_cnn", 150, 3, {"batch_size": 32}),
]
MATRIX_SIDE = 1024
SECONDS_A_MEASUREMENT = 2.0
# Forward, backward to the weights, and backward to the input have equal multiply-adds.
PASSES = 3


def multiply_adds(model: Any, image_size: int, channels: int) -> int:
    """Multiply-adds of one image through the convolutions and dense layers, forward."""
    import keras

    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    layers = [layer for layer in model.layers if isinstance(layer, kinds)]
    outputs = keras.Model(model.input, [layer.output for layer in layers])
    shapes = outputs.compute_output_shape((1, image_size, image_size, channels))
    places = [int(np.prod(shape[1:-1])) for shape in shapes]  # 1 for a dense layer
    return sum(
        count * int(np.prod(layer.kernel.shape))
        for count, layer in zip(places, layers, strict=True)
    )


def rate(step: Any, units: float) -> float:
    """Units per second of a function that does `units` of work, over about two seconds."""
    begin = time.perf_counter()
    calls = 0
    while (elapsed := time.perf_counter() - begin) < SECONDS_A_MEASUREMENT or calls < 3:
        step()
        calls += 1
    return calls * units / elapsed


def matrix_product() -> Any:
    """A function that multiplies two large float32 matrices on the backend."""
    from keras import ops

    left = ops.convert_to_tensor(np.ones((MATRIX_SIDE, MATRIX_SIDE), np.float32))
    return lambda: ops.convert_to_numpy(ops.matmul(left, left))


def bare_step(settings: TrainingSettings, image_size: int, channels: int) -> tuple[Any, int]:
    """A compiled training step on one fixed batch, and its multiply-adds per image."""
    model = models.build(
        settings.model,
        image_size,
        channels,
        2,
        settings.batch_norm_momentum,
        settings.model_settings(),
    )
    logits_model = models.logits_of(model)
    engine.compile_for_training(logits_model, settings, 2)
    images, labels = pictures(settings.batch_size, image_size, channels)
    targets = labels[:, None].astype(np.float32)

    def step() -> None:
        logits_model.train_on_batch(images, targets)

    step()
    return step, multiply_adds(model, image_size, channels)


def pictures(count: int, image_size: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Random images and labels."""
    shape = (count, image_size, image_size, channels)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return images, np.arange(count) % 2


def engine_rate(
    settings: TrainingSettings, image_size: int, channels: int, steps: int, threads: int
) -> float:
    """Images per second that `train` reports."""
    timed = settings.model_copy(update={"budget": type(settings.budget)(steps=steps)})
    images, labels = pictures(4 * settings.batch_size, image_size, channels)
    nothing = images[:0], labels[:0]
    names = ["one", "other"]
    return engine.train(
        images, labels, *nothing, names, 0, timed, threads=threads
    ).images_per_second


def measure(threads: int, rounds: int) -> str:
    """Run all measurements and return the Markdown."""
    lines = [
        "| model | pixels | multiply-adds an image, M | bound, images/s | bare step, images/s | "
        "engine, images/s | engine / bare | bare / bound |",
        "|:--|--:|--:|--:|--:|--:|--:|--:|",
    ]
    multiply = matrix_product()
    for name, image_size, channels, changes in CASES:
        settings = TrainingSettings.model_validate({"model": name, **changes})
        step, forward = bare_step(settings, image_size, channels)
        bounds, bares, engines = [], [], []
        for _ in range(rounds):
            products = rate(multiply, MATRIX_SIDE**3)
            bounds.append(products / (PASSES * forward))
            bares.append(rate(step, settings.batch_size))
            steps = max(3, round(SECONDS_A_MEASUREMENT * bares[-1] / settings.batch_size))
            engines.append(engine_rate(settings, image_size, channels, steps, threads))
        bound, bare, whole = map(statistics.median, (bounds, bares, engines))
        lines.append(
            f"| {name} | {image_size}x{image_size}x{channels} | {forward / 1e6:.1f} | {bound:,.0f} "
            f"| {bare:,.0f} | {whole:,.0f} | {whole / bare:.0%} | {bare / bound:.0%} |"
        )
        print(lines[-1], flush=True)
    return "\n".join(
        [
            "# Training speed",
            "",
            f"{platform.processor() or platform.machine()}, {threads} threads; medians of "
            f"{rounds} rounds. The bound is the time of the model's multiply-adds (forward, and "
            "twice that backward) in a large float32 matrix product on the same threads.",
            "",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/training.md"))
    arguments = parser.parse_args()
    load_keras("tensorflow", arguments.threads)
    write_text(arguments.output, measure(arguments.threads, arguments.rounds))
