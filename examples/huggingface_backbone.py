"""Embeddings for Petite from a pretrained network of Hugging Face, such as DINOv2.

    backbone:
      command: python examples/huggingface_backbone.py --model facebook/dinov2-small
        --images {images} --out {embeddings} --threads {threads}
      image_size: 224

It needs torch, transformers, NumPy, pandas and Pillow. transformers downloads the weights once.
`--model` may also be a folder that `save_pretrained` wrote.
"""

import argparse
import sys

import numpy as np
import pandas as pd
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="the name of a model of images, or a folder")
    parser.add_argument("--images", required=True, help="CSV: file")
    parser.add_argument("--out", required=True, help=".npy to write: a row for each image")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=16)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, loading = AutoModel.from_pretrained(args.model, output_loading_info=True)
    model = model.eval().to(device)
    # Layers without weights would be random, and other ones in each shard.
    missing = list(loading["missing_keys"])
    if untrained := [name for name in missing if not name.startswith("pooler.")]:
        sys.exit(f"{args.model} has no weights for {', '.join(untrained)}")
    processor = AutoImageProcessor.from_pretrained(args.model)

    files = pd.read_csv(args.images)["file"]
    rows = []
    with torch.inference_mode():
        for first in range(0, len(files), args.batch_size):
            batch = files[first : first + args.batch_size]
            images = [Image.open(file).convert("RGB") for file in batch]
            found = model(**processor(images=images, return_tensors="pt").to(device))
            # Networks without a pooled vector give one for each patch: take the mean.
            pooled = None if missing else getattr(found, "pooler_output", None)
            vectors = found.last_hidden_state.mean(dim=1) if pooled is None else pooled
            rows.append(vectors.flatten(1).float().cpu().numpy())
    np.save(args.out, np.concatenate(rows))


if __name__ == "__main__":
    main()
