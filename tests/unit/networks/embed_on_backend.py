"""Embeds images with EfficientNet-Lite0 on a backend of Keras, in a process of its own.

python embed_on_backend.py BACKEND WHEEL IMAGES OUTPUT
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))

from petite.networks.backbones import open_backbone
from petite.networks.backend import load_keras

load_keras(sys.argv[1], 1)
images = np.load(sys.argv[3])
backbone = open_backbone("efficientnet_lite0", Path(sys.argv[2]), image_size=images.shape[1])
np.save(sys.argv[4], backbone.embedder()(images, ["an image"] * len(images)))
