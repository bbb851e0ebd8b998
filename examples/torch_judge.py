"""A judge for Petite with PyTorch: a small network, trained from random weights.

    judges:
      torch:
        command: "python examples/torch_judge.py --train {train} --test {test} --seed {seed}
          --threads {threads} --out {predictions}"

It needs torch, NumPy, pandas and Pillow. Replace `network` and the loop by your own.
"""

import argparse

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", required=True, help="CSV: file, label, class_name, weight")
    parser.add_argument("--test", required=True, help="CSV: file")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--out", required=True, help="CSV to write: a row for each test image")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train, test = pd.read_csv(args.train), pd.read_csv(args.test)
    # Each class has an image in every subset.
    classes = int(train["label"].max()) + 1
    images = read_images(train)
    labels = torch.tensor(train["label"].to_numpy())
    weights = torch.tensor(train["weight"].to_numpy(np.float32))

    model = network(images.shape[1], classes).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.005, total_steps=args.steps)
    model.train()
    for step in range(args.steps):
        rows = torch.randint(len(images), (args.batch_size,))
        batch = flipped(images[rows]).to(device)
        losses = nn.functional.cross_entropy(
            model(batch), labels[rows].to(device), reduction="none", label_smoothing=0.1
        )
        loss = (losses * weights[rows].to(device)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)

    model.eval()
    with torch.no_grad():
        parts = read_images(test).split(256)
        logits = torch.cat([model(part.to(device)).cpu() for part in parts])
    np.savetxt(args.out, logits.double().softmax(dim=1).numpy(), delimiter=",")


def read_images(table: pd.DataFrame) -> torch.Tensor:
    """Float32 (n, channels, height, width) from 0 to 1; all images have the same size."""
    images = [np.atleast_3d(np.asarray(Image.open(file))) for file in table["file"]]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def flipped(images: torch.Tensor) -> torch.Tensor:
    """Mirror a random half of the images left to right."""
    mirrored = torch.rand(len(images)) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def network(channels: int, classes: int) -> nn.Module:
    layers: list[nn.Module] = []
    for width in (16, 32, 64):
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)
    )


if __name__ == "__main__":
    main()
