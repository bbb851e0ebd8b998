"""Embeddings for Petite from a pretrained network of timm.

    backbone:
      command: python examples/timm_backbone.py --model vit_small_patch14_dinov2.lvd142m
        --images {images} --out {embeddings} --threads {threads}
      image_size: 518

It needs torch, timm, NumPy, pandas and Pillow. timm downloads the weights once.
"""

import argparse

import numpy as np
import pandas as pd
import timm
import torch
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="of timm.list_models(pretrained=True)")
    parser.add_argument("--images", required=True, help="CSV: file")
    parser.add_argument("--out", required=True, help=".npy to write: a row for each image")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=16)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # Without classes, the network gives the vector in front of its last layer.
    model = timm.create_model(args.model, pretrained=True, num_classes=0).eval().to(device)
    settings = timm.data.resolve_model_data_config(model)
    prepare = timm.data.create_transform(**settings, is_training=False)

    files = pd.read_csv(args.images)["file"]
    rows = []
    with torch.inference_mode():
        for first in range(0, len(files), args.batch_size):
            batch = files[first : first + args.batch_size]
            images = torch.stack([prepare(Image.open(file).convert("RGB")) for file in batch])
            rows.append(model(images.to(device)).float().cpu().numpy())
    np.save(args.out, np.concatenate(rows))


if __name__ == "__main__":
    main()
