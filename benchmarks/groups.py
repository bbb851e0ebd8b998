"""Make images of patients without anything to learn about their class, for docs/your-images.md.

There are two classes of 20 patients with ten images each. The images are shifted, noisy crops of a
random pattern for each patient, which is independent of the class. A model with more than 50%
accuracy recognizes patients.

    python benchmarks/groups.py results/benchmarks/patients
    snakemake --cores 1 --configfile results/benchmarks/patients.yaml
    snakemake --cores 1 --configfile results/benchmarks/patients-grouped.yaml
"""

import argparse
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

CLASSES = ("benign", "malignant")
SETTINGS = {
    "dataset": {
        "source": "folder",
        "classes": None,
        "image_size": 32,
        "color": "gray",
        "near_copy_distance": None,
        "shards": 1,
    },
    "split": {"test": 0.2, "seed": 0, "groups": None},
    "seeds": 2,
    "seeds_per_job": 2,
    "methods": {
        "full": {"fractions": [1]},
        "random": {"fractions": []},
        "pca_grid": {"fractions": []},
        "augmentation": {"fractions": []},
    },
    "training": {
        "budget": {"steps": 600, "epochs": None},
        "compact": {
            "widths": [16, 24, 48, 96],
            "halvings": [0, 1, 1],
            "residual_blocks": [0, 0, 0],
        },
        "precision": "float32",
        "learning_rate": 0.005,
        "phases": [],
        "flips": "none",
        "evaluations": 10,
    },
}


def write_patients(folder: Path) -> None:
    """Write benign/p00_slice0.png and so on."""
    for class_name in CLASSES:
        of_class = folder / class_name
        of_class.mkdir(parents=True, exist_ok=True)
        for patient in range(20):
            rng = np.random.default_rng([ord(class_name[0]), patient])
            coarse = rng.normal(0, 1, (8, 8))
            coarse = (coarse - coarse.min()) / np.ptp(coarse) * 255
            pattern = np.asarray(
                Image.fromarray(coarse.astype(np.uint8)).resize((80, 80), Image.Resampling.BICUBIC)
            ).astype(float)
            for image in range(10):
                left, top = rng.integers(0, 16, 2)
                crop = pattern[top : top + 64, left : left + 64] + rng.normal(0, 25, (64, 64))
                name = f"p{patient:02d}_slice{image}.png"
                Image.fromarray(crop.clip(0, 255).astype(np.uint8)).save(of_class / name)


def write_settings(path: Path, images: Path, groups: str | None) -> None:
    """Write a file for --configfile; its results have its name."""
    dataset = SETTINGS["dataset"] | {"name": path.stem, "path": str(images.resolve())}
    split = SETTINGS["split"] | {"groups": groups}
    settings = SETTINGS | {"dataset": dataset, "split": split}
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folder to write; the settings go next to it")
    folder = parser.parse_args().folder
    write_patients(folder)
    write_settings(folder.with_name(f"{folder.name}.yaml"), folder, None)
    write_settings(folder.with_name(f"{folder.name}-grouped.yaml"), folder, r"/(p\d+)_")
