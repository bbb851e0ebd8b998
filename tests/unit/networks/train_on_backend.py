"""Trains on one of Keras's backends and prints what came out as JSON: `BACKEND` is its argument.

Keras has one backend in a process, so `test_backends.py` runs this once for each.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from petite.networks.backbones.base import KerasBackbone, Scaling
from petite.training.fine_tune import FineTuner
from petite.training.judges import FineTuneSettings
from petite.training.loop import ScratchTrainer, TrainedRun, predict
from petite.training.proxy import record_dynamics
from petite.training.scores import scores
from petite.training.settings import ProxySettings

SETTINGS = {
    "backend": sys.argv[1],
    "compact": {"widths": [8, 16], "halvings": [1], "residual_blocks": [0], "dropout": 0.2},
    "budget": {"steps": 100},
    "batch_size": 16,
    "evaluations": 2,
}
CLASSES = ["dark", "middle", "light"]


def weights_of(run: TrainedRun) -> list[bytes]:
    return [array.tobytes() for array in run.model.get_weights()]


labels = np.arange(60) % 3
noise = np.random.default_rng(0).integers(0, 60, (60, 12, 12, 1))
images = (noise + 90 * labels[:, None, None, None]).clip(0, 255).astype(np.uint8)
settings = ProxySettings.model_validate({"training": SETTINGS})

trainer = ScratchTrainer(12, 1, CLASSES, settings.training)
weights = []
for seed in (0, 1, 0):
    run = trainer.train(images, labels, images, labels, seed)
    weights.append(weights_of(run))
predicted = predict(run.logits_model, images, np.arange(60), test_time_flip=True)
with tempfile.TemporaryDirectory() as folder:
    import keras

    path = Path(folder) / "model.keras"
    run.model.save(path)
    alike = keras.models.load_model(path).predict(images, verbose=0)
    off = np.abs(alike - run.model.predict(images, verbose=0)).max()

small = keras.Sequential(
    [
        keras.Input((32, 32, 3)),
        keras.layers.Conv2D(4, 3, strides=2),
        keras.layers.BatchNormalization(),
        keras.layers.GlobalAveragePooling2D(),
    ]
)
pretrained = [array.copy() for array in small.get_weights()]
backbone = KerasBackbone("small", 32, 4, "0" * 64, Scaling(1 / 255), 1, lambda dtype: small)
fine_tune = FineTuneSettings(
    backend=sys.argv[1], image_size=32, head_steps=3, steps=3, batch_size=16, evaluations=2
)
tuner = FineTuner(backbone, 12, 1, CLASSES, fine_tune)
tuned, unlike = [], []


def observe(step: int, model: object) -> None:
    pairs = zip(small.get_weights(), pretrained, strict=True)
    unlike.append([bool((now != before).any()) for now, before in pairs])


for seed in (0, 1, 0):
    tuned.append(weights_of(tuner.train(images, labels, images, labels, seed, observe=observe)))

dynamics, _ = record_dynamics(images, labels, CLASSES, 0, settings)
found = scores(dynamics, labels)
print(
    json.dumps(
        {
            "backend": keras.backend.backend(),
            "accuracy": float((predicted.argmax(axis=1) == labels).mean()),
            "validation_accuracy": run.history[-1]["validation_accuracy"],
            "a seed again": weights[0] == weights[2],
            "another seed": weights[0] == weights[1],
            "a loaded model differs by": float(off),
            "fine-tuned: a seed again": tuned[0] == tuned[2],
            "fine-tuned: another seed": tuned[0] == tuned[1],
            "fine-tuned: changed after the head": any(unlike[0]) or any(unlike[4]),
            "fine-tuned: changed at the end": unlike[5],
            "finite scores": all(np.isfinite(values).all() for values in found.values()),
        }
    )
)
