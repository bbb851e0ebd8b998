"""As much of transformers as examples/huggingface_backbone.py calls, without weights."""

from types import SimpleNamespace

import numpy as np
import torch


class _Inputs(dict):
    def to(self, device):
        return self


class _Model(torch.Module):
    def __init__(self, has_pooled: bool) -> None:
        self.has_pooled = has_pooled

    def __call__(self, pixel_values):
        found = super().__call__(pixel_values)
        patches = torch.Tensor(found.values[:, None].repeat(4, axis=1))
        # The pooled vector is another one, so that a test sees which of them was taken.
        pooled = torch.Tensor(found.values[:, ::-1]) if self.has_pooled else None
        return SimpleNamespace(last_hidden_state=patches, pooler_output=pooled)


class AutoModel:
    @staticmethod
    def from_pretrained(name, output_loading_info):
        assert output_loading_info
        missing = {"untrained-pooler": ["pooler.weight"], "untrained": ["layer.1.weight"]}
        return _Model(has_pooled=name != "no-pooler"), {"missing_keys": missing.get(name, [])}


class AutoImageProcessor:
    @staticmethod
    def from_pretrained(name):
        def process(images, return_tensors):
            assert return_tensors == "pt"
            pixels = np.stack([np.asarray(image, np.float32) for image in images])
            return _Inputs(pixel_values=torch.Tensor(pixels.transpose(0, 3, 1, 2) / 255))

        return process
