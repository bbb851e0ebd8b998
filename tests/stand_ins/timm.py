"""As much of timm as examples/timm_backbone.py calls, without weights."""

from types import SimpleNamespace

import numpy as np
import torch


def create_model(name, pretrained, num_classes):
    assert pretrained and num_classes == 0, "the vector in front of the last layer"
    return torch.Module()


def _transform(input_size, is_training):
    assert not is_training

    def prepare(image):
        pixels = np.asarray(image.resize(input_size[1:]), np.float32)
        return torch.Tensor(pixels.transpose(2, 0, 1) / 255)

    return prepare


data = SimpleNamespace(
    resolve_model_data_config=lambda model: {"input_size": (3, 24, 24)},
    create_transform=_transform,
)
